"""A generator draws images for votes, of training patients alone, and runs may train on them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.runs import ALONE, SMALL, Stopped, train_small
from support.single import SinglePrecision
from support.watched import Watched
from torch import Tensor

import hmstrain
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.inputs import INPUTS, Scale, make_input, signal_names
from hmstrain.data.inputs.prepare import NetworkInputs, Normalisation, measure_normalisation
from hmstrain.data.loader import stored_batch
from hmstrain.data.rows import plan_epochs, training_rows
from hmstrain.data.steps import Step, steps
from hmstrain.distributed import World
from hmstrain.errors import ConfigError, DataError, ModelError, RunError
from hmstrain.models.vae import ConditionalVae
from hmstrain.runs.checkpoint import read_description
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.training.origin import Generator, open_generator, rescaled

CPU = torch.device("cpu")
VIEW: dict[str, Any] = {"inputs": "spec", "spectrogram_rows": (138, 162)}
GENERATOR: dict[str, Any] = VIEW | {
    "model": "vae", "model_args": {"latent": 8, "width": 8}, "learning_rate": 1e-2, "epochs": 5,
    "validate_every": 1000, "clip_gradient": 1.0,
}  # fmt: skip
CLASSES, SIDE = 3, 32


@pytest.fixture(scope="module")
def generator(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of the middle of the spectrogram."""
    path = tmp_path_factory.mktemp("generator") / "run"
    train_small(store, path, **GENERATOR)
    return path


def test_a_device_without_float64_trains_it(store: Store, tmp_path: Path) -> None:
    with SinglePrecision():
        train_small(store, tmp_path / "run", **(GENERATOR | {"epochs": 1}))
    assert RunFolder(tmp_path / "run").finished


@pytest.fixture(scope="module")
def learned() -> tuple[ConditionalVae, Tensor, Tensor]:
    """A network that saw images of three kinds, one for each class, and those: images, shares."""
    images, shares = of_kinds(120, seed=1)
    torch.manual_seed(0)
    network = ConditionalVae((SIDE, SIDE), CLASSES, latent=4, width=4)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(100):
        chosen = torch.randint(len(images), (24,))
        bound = network(images[chosen], shares[chosen], torch.randn(24, 4))
        optimiser.zero_grad()
        (bound.misfit_B + bound.code_kl_B).mean().backward()
        optimiser.step()
    return network.eval(), images, shares


def of_kinds(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy images, each with a bar where its class says, as bright as chance says."""
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % CLASSES
    images = rng.normal(0, 0.3, (count, SIDE, SIDE))
    for image, place in zip(images, kind, strict=True):
        image[4 + 10 * place : 8 + 10 * place] += rng.uniform(1, 3)
    return torch.from_numpy(images).float(), torch.eye(CLASSES)[kind]


def test_rebuilding_images_beats_their_mean(
    learned: tuple[ConditionalVae, Tensor, Tensor],
) -> None:
    network, images, _ = learned
    fresh, shares = of_kinds(60, seed=2)
    with torch.no_grad():
        bound = network(fresh, shares, torch.zeros(60, 4))
    left = (bound.grid_BHW - bound.rebuilt_BHW).square().mean()
    about_mean = (bound.grid_BHW - network.shrunk(images).mean(0)).square().mean()
    about_class = torch.stack([network.shrunk(images[k::CLASSES]).mean(0) for k in range(CLASSES)])
    of_class = (bound.grid_BHW - about_class[torch.arange(60) % CLASSES]).square().mean()
    assert left < 0.5 * about_mean
    assert left < 0.9 * of_class  # brightness is in the code, not in the votes


def test_samples_are_of_the_votes_they_are_drawn_for(
    learned: tuple[ConditionalVae, Tensor, Tensor],
) -> None:
    network, images, _ = learned
    kind = torch.arange(90) % CLASSES
    samples = network.sample(torch.eye(CLASSES)[kind], torch.arange(90))
    means = torch.stack([images[k::CLASSES].mean(0) for k in range(CLASSES)])
    nearest = (samples[:, None] - means).square().mean((2, 3)).argmin(dim=1)
    assert (nearest == kind).float().mean() > 0.9
    assert samples[kind == 0].std(0).mean() > 0.1  # no two are the same


def test_the_same_seeds_draw_the_same_images(
    learned: tuple[ConditionalVae, Tensor, Tensor],
) -> None:
    network, _, shares = learned
    one = network.sample(shares[:4], torch.tensor([5, 6, 7, 8]))
    torch.testing.assert_close(network.sample(shares[:4], torch.tensor([5, 6, 7, 8])), one)
    alone = network.sample(shares[2:3], torch.tensor([7]))
    torch.testing.assert_close(alone[0], one[2])
    other = network.sample(shares[:4], torch.tensor([5, 6, 7, 9]))
    assert not torch.allclose(other[3], one[3], atol=0.1)
    assert network.sample(shares[:0], torch.zeros(0, dtype=torch.int64)).shape == (0, SIDE, SIDE)


def test_the_bound_is_that_of_gaussians() -> None:
    torch.manual_seed(3)
    network = ConditionalVae((SIDE, SIDE), CLASSES, latent=4, width=4)
    torch.nn.init.normal_(network.log_variance_H)
    images, shares = of_kinds(6, seed=4)
    noise = torch.randn(6, 4)
    bound = network(images, shares, noise)
    seen = torch.cat([network.encoder(images[:, None]), shares], dim=1)
    mean, log = network.code(seen).chunk(2, dim=1)
    code = torch.distributions.Normal(mean, (log / 2).exp())
    usual = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    divergence = torch.distributions.kl_divergence(code, usual).sum(1) / SIDE**2
    deviation = (network.log_variance_H / 2).exp()[:, None].expand(SIDE, SIDE)
    of_image = torch.distributions.Normal(bound.rebuilt_BHW, deviation)
    likely = of_image.log_prob(images).mean((1, 2)) + np.log(2 * np.pi) / 2
    torch.testing.assert_close(bound.misfit_B, -likely)
    torch.testing.assert_close(bound.code_kl_B, divergence)


def test_a_run_of_it_learns_to_explain_held_out_patients_and_reads_no_test_patient(
    store: Store, generator: Path, tmp_path: Path
) -> None:
    lines = read_metrics(generator / "metrics.jsonl", "valid")
    kept = min(lines, key=lambda line: line["elbo"])
    assert kept["explained"] > lines[0]["explained"]  # of eight windows it may be below 0
    outcome = RunFolder(generator).outcome()
    assert outcome.best_by == "elbo"
    assert outcome.best_value == min(line["elbo"] for line in lines)
    watched = Watched.watch(store.path)
    train_small(watched, tmp_path / "run", **(GENERATOR | {"epochs": 1}))
    seen = watched.patients("train")
    assert watched.seen_patients <= seen
    assert seen.isdisjoint(watched.patients("test"))
    with pytest.raises(RunError, match=r"gives no probabilities: .* by --set generator="):
        hmstrain.test(generator, store=store, device="cpu")
    assert "Training" in hmstrain.report(generator, store=store).read_text()


def test_a_generator_that_was_stopped_resumes_to_the_same_weights(
    store: Store, generator: Path, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        train_small(store, tmp_path / "run", stop_at=15, **GENERATOR)
    assert read_description(tmp_path / "run" / "last")["progress"]["step"] in range(1, 15)
    train_small(store, tmp_path / "run", resume=True, **GENERATOR)
    same(generator, tmp_path / "run")


def same(one: Path, other: Path) -> None:
    for name, value in load_file(one / "best" / "model.safetensors").items():
        found = load_file(other / "best" / "model.safetensors")[name]
        torch.testing.assert_close(found, value, rtol=0, atol=0)


def augmented(generator: Path, **more: Any) -> Config:
    settings = {"generated": 0.25, "generator": str(generator), "flip": 0.0}
    return Config(**(SMALL | VIEW | settings | more))


def opened(config: Config, store: Store, before: Any = None) -> tuple[Generator, Normalisation]:
    rows = training_rows(config, store, 0, 1)
    measured = measure_normalisation(config, store, rows, CPU)
    found = open_generator(config, store, measured, before, CPU)
    assert found is not None
    return found, measured


def taken(config: Config, store: Store, world: World = ALONE) -> list[Step]:
    return list(steps(config, store, plan_epochs(config, store)[0], world))


def test_a_quarter_of_each_batch_is_drawn_anew_for_its_own_votes(
    store: Store, generator: Path
) -> None:
    config = augmented(generator)
    found, measured = opened(config, store)
    prepare = NetworkInputs(config, measured, store, CPU, generate=found)
    plain = NetworkInputs(config, measured, store, CPU)
    chosen = []
    for step in taken(config, store):
        drawn = step.draws.generated
        assert drawn is not None
        assert int(drawn.chosen_B.sum()) == 2
        torch.testing.assert_close(drawn.target_BK, step.target)
        chosen.append(tuple(step.windows[drawn.chosen_B.numpy()]))
        batch = stored_batch(store, step.rows, ["spectrogram"], CPU)
        (image,) = prepare(batch, step.draws).values()
        (real,) = plain(batch, replace(step.draws, generated=None)).values()
        torch.testing.assert_close(image[~drawn.chosen_B], real[~drawn.chosen_B])
        new = found.network.sample(step.target[drawn.chosen_B], drawn.seed_B[drawn.chosen_B])
        torch.testing.assert_close(image[drawn.chosen_B], new, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(image[drawn.chosen_B], real[drawn.chosen_B], atol=0.5)
    assert len(set(chosen)) == len(chosen)
    assert taken(Config(**(SMALL | VIEW)), store)[0].draws.generated is None


def test_processes_share_what_is_drawn_anew(store: Store, generator: Path) -> None:
    config = augmented(generator)
    whole = [step.draws.generated for step in taken(config, store)]
    for rank in (0, 1):
        part = [step.draws.generated for step in taken(config, store, World(rank, 2, CPU))]
        for all_, own in zip(whole, part, strict=True):
            assert all_ is not None
            assert own is not None
            torch.testing.assert_close(own.chosen_B, all_.chosen_B[rank::2])
            torch.testing.assert_close(own.seed_B, all_.seed_B[rank::2])
            torch.testing.assert_close(own.target_BK, all_.target_BK[rank::2])


def test_images_come_in_the_units_of_the_run(store: Store, generator: Path) -> None:
    config = augmented(generator)
    found, measured = opened(config, store)
    scale = measured.scales["spec"]
    wider = scale._replace(std=tuple(2 * value for value in scale.std))
    shifted = wider._replace(mean=tuple(value + 3 for value in scale.mean))
    other = open_generator(config, store, Normalisation({"spec": shifted}, {}), None, CPU)
    assert other is not None
    shares, seeds = torch.eye(6), torch.arange(6)
    physical = found(shares, seeds) * torch.tensor(scale.std)[:, None]
    physical += torch.tensor(scale.mean)[:, None]
    again = other(shares, seeds) * torch.tensor(shifted.std)[:, None]
    again += torch.tensor(shifted.mean)[:, None]
    torch.testing.assert_close(again, physical, rtol=1e-3, atol=1e-3)


class Repeating(ConditionalVae):
    """Draws what it is given."""

    def __init__(self, images: Tensor) -> None:
        super().__init__((SIDE, SIDE), 6, latent=4, width=4)
        self.images = images

    def sample(self, _target_BK: Tensor, seed_B: Tensor) -> Tensor:
        return self.images[: len(seed_B)]


@pytest.mark.parametrize("name", [n for n, kind in INPUTS.items() if kind.layout == "image"])
def test_an_image_drawn_in_other_units_is_the_image_of_the_run(store: Store, name: str) -> None:
    config = Config(**(SMALL | {"inputs": name, "generated": 0.5, "generator": "run", "flip": 0.0}))
    ours = measure_normalisation(config, store, training_rows(config, store, 0, 1)[:4], CPU)
    scale = ours.scales[name]
    rng = np.random.default_rng(0)
    other = Scale(
        tuple(value + float(rng.normal()) for value in scale.mean),
        tuple(value * float(rng.uniform(0.5, 2)) for value in scale.std),
    )
    theirs = Normalisation({name: other}, ours.cleaning)
    step = taken(config, store)[0]
    assert step.draws.generated is not None
    every = replace(step.draws.generated, chosen_B=torch.ones(len(step.rows), dtype=torch.bool))
    batch = stored_batch(store, step.rows, signal_names(config), CPU)
    plain = replace(step.draws, generated=None)
    (drawn,) = NetworkInputs(config, theirs, store, CPU)(batch, plain).values()
    (real,) = NetworkInputs(config, ours, store, CPU)(batch, plain).values()
    assert not torch.allclose(drawn, real, atol=0.1)
    scales = rescaled(other, scale, CPU)
    found = Generator(Repeating(drawn), {}, make_input(name, config), scales, [])
    prepare = NetworkInputs(config, ours, store, CPU, generate=found)
    (image,) = prepare(batch, replace(step.draws, generated=every)).values()
    torch.testing.assert_close(image, real, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["mel16", "stft-50", "raw-image-50-10", "side-by-side"])
def test_runs_of_padded_and_of_two_part_images_train_on_them(
    store: Store, tmp_path: Path, name: str
) -> None:
    short: dict[str, Any] = {"inputs": name, "steps": 1, "epochs": 1}
    train_small(store, tmp_path / "vae", **(GENERATOR | {"spectrogram_rows": (0, 300)} | short))
    settings = short | {"generated": 0.5, "generator": str(tmp_path / "vae")}
    outcome = train_small(store, tmp_path / "run", **settings)
    assert outcome.test is not None


def test_a_run_that_trains_on_them_is_stopped_and_resumed_exactly(
    store: Store, generator: Path, tmp_path: Path
) -> None:
    settings = VIEW | {"generated": 0.5, "generator": str(generator), "epochs": 1}
    train_small(store, tmp_path / "whole", **settings)
    with pytest.raises(Stopped):
        train_small(store, tmp_path / "run", stop_at=4, **settings)
    moved = tmp_path / "moved"
    shutil.copytree(generator, moved)
    outcome = train_small(store, tmp_path / "run", resume=True, **settings)
    same(tmp_path / "whole", tmp_path / "run")
    assert outcome.test is not None
    described = read_description(tmp_path / "run" / "best")["generator"]
    assert described["identity"] == store.identity
    # Another generator in its place is noticed.
    train_small(store, tmp_path / "other", **(GENERATOR | {"seed": 1, "epochs": 1}))
    config = augmented(tmp_path / "other")
    with pytest.raises(RunError, match="not the one that the run started with"):
        opened(config, store, described)


def test_generators_that_do_not_fit_are_refused(
    store: Store, generator: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="Train both with the same --fold"):
        opened(augmented(generator, fold="1"), store)
    with pytest.raises(ConfigError, match="draws other images than this run sees: inputs spec"):
        opened(augmented(generator, inputs="eeg", eeg_seconds=4.0), store)
    with pytest.raises(ConfigError, match=r"spectrogram_rows \[138, 162\], here \[0, 300\]"):
        opened(augmented(generator, spectrogram_rows=(0, 300)), store)
    with pytest.raises(ModelError, match="a folder without the checkpoint"):
        opened(augmented(tmp_path), store)
    train_small(store, tmp_path / "run", **(VIEW | {"steps": 1}))
    with pytest.raises(ConfigError, match="is not a run of model=vae"):
        opened(augmented(tmp_path / "run"), store)
    with pytest.raises(ConfigError, match="A generator is given as generator"):
        train_small(store, tmp_path / "start", **(VIEW | {"weights": str(generator)}))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"generated": 0.2, "generator": ""}, "need each other"),
        ({"generated": 0.0, "generator": "run"}, "need each other"),
        ({"generated": 0.2, "generator": "run", "inputs": "spec+eeg"}, "draws one input"),
        ({"generated": 0.2, "generator": "run", "model": "resnet1d"}, "draws images"),
        ({"model": "vae", "inputs": "spec+eeg"}, "draws one input"),
        ({"model": "vae", "standardise": "window"}, "standardise does nothing with model=vae"),
        ({"model": "vae", "populations": "bias"}, "populations does nothing|populations needs"),
        ({"model": "vae", "best_by": "kl"}, "auto or last"),
    ],
)
def test_settings_that_fit_no_generator_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Config(**(SMALL | settings))
