"""One network learns what few raters say and what many do, and answers for either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.inside import Inside
from support.runs import ALONE, SMALL, Stopped, train_small
from torch import Tensor, nn

import hmstrain
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.rows import has_many, plan_epochs
from hmstrain.data.steps import steps
from hmstrain.errors import ConfigError, DataError
from hmstrain.events import silent
from hmstrain.models.evaluate import as_logits, softmax
from hmstrain.models.network import PatternNetwork
from hmstrain.models.populations import Populations
from hmstrain.prediction.given import Given, check_answer
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.runs.trained import load_trained
from hmstrain.scoring.formulas import kaggle_kl
from hmstrain.scoring.score_run import score_run
from hmstrain.training.losses import LOSSES
from hmstrain.training.train import Run

PROGRAM = Inside("hmstrain")
CPU = torch.device("cpu")
TWO: dict[str, Any] = {"populations": "bias", "batch_size": 16, "validate_every": 1000}


class Seen(nn.Module):
    """Features are what is given."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.last_map = None

    def forward(self, x: Tensor) -> Tensor:
        return x


def toy(scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Signals, and whether many voted, with shares that follow from both."""
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(400, 3, generator=draws)
    many = (torch.arange(400) % 2).float()
    shared = x @ torch.randn(3, 4, generator=draws)  # what the signal says, whoever votes
    few_prior, many_prior = torch.tensor([[2.0, 0, 0, -2]]), torch.tensor([[-2.0, 0, 1, 2]])
    logits = torch.where(many[:, None] > 0, scale * shared + many_prior, shared + few_prior)
    return x, many, logits.softmax(dim=1)


def fitted(kind: str, x: Tensor, many: Tensor, target: Tensor, loss: str = "kl") -> float:
    """KL that a network of one layer comes to."""
    torch.manual_seed(0)
    populations = None if kind == "one" else Populations(4, scaled=kind == "scale")
    network = PatternNetwork({"x": Seen(3)}, 0.0, 0, 4, populations=populations)
    given = {} if kind == "one" else {"many_B": many}
    optimiser = torch.optim.LBFGS(network.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        found = LOSSES[loss](network(x=x, **given).logits, target, torch.ones(len(x)))
        found.backward()
        return found

    optimiser.step(closure)
    with torch.no_grad():
        logits = as_logits(network(x=x, **given).logits, Config(loss=loss))
    return float(kaggle_kl(target.numpy(), softmax(logits.numpy())))


def test_two_biases_learn_both_priors_and_the_shared_signal_where_one_cannot() -> None:
    x, many, target = toy(scale=1.0)
    assert fitted("bias", x, many, target) < 1e-3
    assert fitted("one", x, many, target) > 0.3


def test_a_scale_learns_that_many_raters_are_surer() -> None:
    x, many, target = toy(scale=2.0)
    assert fitted("scale", x, many, target) < 1e-3
    assert fitted("bias", x, many, target) > 0.01


@pytest.mark.parametrize("scaled", [False, True])
def test_mixed_windows_lie_between_and_unnamed_ones_are_of_many_votes(scaled: bool) -> None:
    populations = Populations(3, scaled=scaled)
    with torch.no_grad():
        populations.shift.copy_(torch.tensor([1.0, 0, -1]))
        if populations.scale is not None:
            populations.scale.fill_(2)
    few = torch.randn(4, 3)
    many = populations(few, torch.ones(4))
    torch.testing.assert_close(many, (2 if scaled else 1) * few + populations.shift)
    torch.testing.assert_close(populations(few, torch.zeros(4)), few)
    torch.testing.assert_close(populations(few, torch.full((4,), 0.25)), 0.75 * few + 0.25 * many)
    torch.testing.assert_close(populations(few), many)
    populations.answers = "few"
    torch.testing.assert_close(populations(few), few)


@pytest.fixture(scope="module")
def trained(divided: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("populations") / "run"
    train_small(divided, path, **TWO)
    return path


def kl_of(run: Path, store: Store, population: str | None) -> dict[str, float]:
    """KL on the held-out windows with few and with many votes, by one of a run's two answers."""
    found = score_run(RunFolder(run), store, "valid", ALONE, population=population)
    many = store.windows["votes"][found.rows].sum(axis=1) >= 10
    target = store.windows["target"][found.rows]
    parts = {"few": ~many, "many": many}
    return {n: kaggle_kl(target[part], found.prediction[part]) for n, part in parts.items()}


def test_a_run_answers_for_either_population_where_one_bias_answers_for_neither(
    divided: Store, trained: Path, tmp_path: Path
) -> None:
    """All signals are the same: few raters saw seizures, many saw the five others equally often."""
    few, many = (kl_of(trained, divided, population) for population in ("few", "many"))
    assert few["few"] < 0.05
    assert many["many"] == pytest.approx(np.log(5), abs=0.05)
    assert many["few"] > 2
    assert few["many"] > 2
    assert kl_of(trained, divided, None) == many
    train_small(divided, tmp_path / "one", **(TWO | {"populations": "one"}))
    one = kl_of(tmp_path / "one", divided, None)
    assert one["few"] > few["few"] + 0.3
    assert one["many"] > many["many"] + 0.3


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"populations": "scale", "loss": "bce"},
        {"inputs": "spec+eeg", "auxiliary_weight": 1.0, "ema": 0.9},
    ],
)
def test_it_starts_at_the_prior_of_each(
    divided: Store, tmp_path: Path, settings: dict[str, Any]
) -> None:
    config = Config(**(SMALL | TWO | settings))
    run = Run(config, divided, RunFolder(tmp_path), ALONE, silent)
    target, many = divided.windows["target"][run.rows], has_many(config, divided, run.rows)
    for network in {run.state.network, run.state.kept}:
        assert isinstance(network, PatternNetwork)
        assert network.populations is not None
        for population, part in (("few", ~many), ("many", many)):
            network.populations.answers = population
            prediction, _ = run.evaluator.predict(network, run.rows[:4])
            expected = np.tile(target[part].mean(axis=0), (4, 1))
            np.testing.assert_allclose(prediction, expected, atol=1e-3)
    run.close()


def test_the_best_is_chosen_by_windows_that_its_answers_are_for(
    divided: Store, trained: Path
) -> None:
    lines = read_metrics(trained / "metrics.jsonl", "valid")
    assert {line["best_by"] for line in lines} == {"kl_hi"}
    outcome = RunFolder(trained).outcome()
    assert outcome.best_value == min(line["kl_hi"] for line in lines)
    assert kl_of(trained, divided, "many")["many"] == pytest.approx(outcome.best_value, rel=1e-5)


def test_each_window_is_trained_on_by_its_own_number_of_votes(store: Store) -> None:
    config = Config(**(SMALL | {"populations": "bias", "second_min_votes": 3, "mixup": 0.4}))
    votes = store.windows["votes"].sum(axis=1)
    for step in steps(config, store, plan_epochs(config, store)[0], ALONE):
        own = torch.from_numpy(votes[step.rows] >= 3).float()
        mix, partner = step.draws.mix, step.draws.partner_B
        torch.testing.assert_close(step.many_B, mix * own + (1 - mix) * own[partner])


def test_the_commands_answer_for_the_population_that_is_named(
    divided: Store, trained: Path, tmp_path: Path
) -> None:
    shown = {}
    for words in ((), ("--population", "many"), ("--population", "few")):
        text = PROGRAM.succeed("test", trained, *words, "--json", "--device", "cpu").stdout
        shown[words[-1] if words else ""] = json.loads(text)
    assert shown[""]["test"] == shown["many"]["test"] != shown["few"]["test"]
    assert [shown[n]["population"] for n in ("", "many", "few")] == ["many", "many", "few"]
    for population, one in (("many", shown[""]), ("few", shown["few"])):
        assert any(f"for windows with {population} votes" in text for text in one["warnings"])
    names = {Path(one["predictions"]).name for one in shown.values()}
    assert len(names) == 2  # the answers for few votes take no other's place
    found = {
        population: hmstrain.predict(
            trained, divided.path, out=tmp_path / population, population=population, device="cpu"
        )
        for population in ("few", "many")
    }
    assert found["few"].prediction[:, 0].min() > 0.9 > found["many"].prediction[:, 0].max()
    assert found["few"].summary["population"] == "few"


def test_an_explanation_is_of_the_answer_for_many_votes(divided: Store, trained: Path) -> None:
    pytest.importorskip("captum")
    from hmstrain.reporting.attribution import explain_window

    with np.load(trained / "predictions.npz") as found:
        row, expected = int(found["row"][0]), found["prediction"][0]
    explained = explain_window(load_trained(RunFolder(trained), CPU), divided, row)
    np.testing.assert_allclose(explained.probability, expected, atol=1e-5)


def test_populations_that_a_run_lacks_are_refused(
    store: Store, trained: Path, tmp_path: Path
) -> None:
    train_small(store, tmp_path / "plain", epochs=1, steps=1)
    with pytest.raises(ConfigError, match="answers windows with few and many votes alike"):
        hmstrain.test(tmp_path / "plain", population="few", device="cpu")
    with pytest.raises(ConfigError, match="--population lots: expected few or many"):
        hmstrain.test(trained, population="lots", device="cpu")
    with pytest.raises(ConfigError, match="the calibration was fitted to answers for many votes"):
        hmstrain.test(trained, population="few", calibrated=True, device="cpu")
    given = Given((RunFolder(trained),), ((0,),), None, trained)
    check_answer(given, "few", calibrated=False)
    with pytest.raises(ConfigError, match="was fitted to answers for many votes"):
        check_answer(given, "few", calibrated=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "mine:net"}, "populations needs a last layer of this package.*got mine:net"),
        ({"second_epochs": 1}, "leave out second_epochs"),
        ({"min_votes": 10}, "fewer than second_min_votes=10 votes too; got min_votes=10"),
    ],
)
def test_what_has_no_two_populations_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(populations="bias", **settings)


def test_windows_of_one_population_are_refused(divided: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"of the \d+ training windows of .*, 0 have 50 votes"):
        train_small(divided, tmp_path / "run", **TWO, second_min_votes=50)


EVERYTHING: dict[str, Any] = {
    "model": "resnet10t",
    "inputs": "spec+eeg",
    "batch_size": 6,
    "accumulate": 2,
    "epochs": 2,
    "optimiser": "adamw",
    "backbone_learning_rate": 1e-4,
    "schedule": "cosine",
    "warmup": 0.2,
    "drop_rate": 0.2,
    "drop_path": 0.2,
    "pooling": "gem",
    "loss": "bce",
    "auxiliary_weight": 0.5,
    "vote_weight": "ranges",
    "vote_decay": 1.2,
    "entropy_weight": 1.0,
    "target": "eeg",
    "populations": "scale",
    "mixup": 0.4,
}


def test_a_run_with_every_training_part_resumes_to_the_very_same_weights(
    store: Store, tmp_path: Path
) -> None:
    whole = train_small(store, tmp_path / "whole", **EVERYTHING)
    assert whole.steps is not None
    path = tmp_path / "run"
    for step in range(4, whole.steps, 5):
        with pytest.raises(Stopped):
            train_small(store, path, resume=path.exists(), stop_at=step, **EVERYTHING)
    train_small(store, path, resume=True, **EVERYTHING)
    ours, theirs = (load_file(p / "last/model.safetensors") for p in (path, tmp_path / "whole"))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(value, ours[name]), name
