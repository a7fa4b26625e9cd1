"""Every image goes the whole way: measured, standardised, augmented, learned from and explained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.helpers import blank_outside, build_store, write_pair

from hmsstore import REGIONS, Store
from hmsstore.montage import PAIRS
from hmstrain.config import Config
from hmstrain.data.augment import Draws, draw
from hmstrain.data.inputs import INPUTS, Overlay, make_input, make_inputs, signal_names
from hmstrain.data.inputs.pair_image import PairImage
from hmstrain.data.inputs.prepare import NetworkInputs, measure_normalisation
from hmstrain.data.loader import stored_batch
from hmstrain.distributed import World
from hmstrain.errors import ConfigError
from hmstrain.models.network import make_network
from hmstrain.reporting.attribution import as_importance, explain_window
from hmstrain.runs.outcome import StoreId
from hmstrain.runs.trained import Trained

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)
IMAGES = [name for name, kind in INPUTS.items() if kind.layout == "image"]
BY_PAIR = [name for name in IMAGES if INPUTS[name].by_pair]
ROWS = np.arange(4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Four windows, of one of which only the judged seconds were recorded."""
    names = ("eeg_id", "spectrogram_id", "label_id", "patient_id")
    rows = [{name: 10 * n + place for place, name in enumerate(names)} for n in range(1, 5)]
    folder = write_pair(tmp_path_factory.mktemp("images"), rows)
    blank_outside(folder, 20, 21)
    made = build_store(folder, tmp_path_factory.mktemp("store") / "hms.zarr", split_by="all")
    assert made.windows["eeg_id"].tolist() == [10, 20, 30, 40]
    return made


def settings(name: str, **more: Any) -> Config:
    return Config(**({"model": "resnet10t", "inputs": name, "image_size": 64} | more))


def inputs(config: Config, store: Store) -> NetworkInputs:
    return NetworkInputs(config, measure_normalisation(config, store, ROWS, CPU), store, CPU)


def batch(config: Config, store: Store, rows: Any = ROWS) -> dict[str, torch.Tensor]:
    return stored_batch(store, np.asarray(rows), signal_names(config), CPU)


def still(**changes: Any) -> Draws:
    """Draws that change nothing but this."""
    return replace(draw(Config(flip=0.0), 0, 4, ALONE), **changes)


@pytest.mark.parametrize(
    ("name", "planes"),
    [*[(name, "one") for name in IMAGES], *[(name, "difference") for name in BY_PAIR]],
)
def test_rows_are_standardised_over_what_was_recorded_and_the_rest_is_padded(
    name: str, planes: str, store: Store
) -> None:
    config = settings(name, planes=planes)
    prepare = inputs(config, store)
    (one,) = prepare.inputs.values()
    assert one.signals == INPUTS[name].signals
    (found,) = prepare(batch(config, store), None).values()
    assert found.shape == (4, *((3,) if planes == "difference" else ()), *one.shape)
    if name == "spec":
        return  # has the store's statistics, which are of the training windows
    windows = prepare.physical.windows(batch(config, store), None, one.signals)
    seen = one.seen(windows)
    assert seen is not None
    assert not seen[1].all()
    assert seen[[0, 2, 3]].all()
    if isinstance(one, PairImage):
        left, right, top, bottom = one._padding
        assert not found[..., :left].any()
        found = found[..., top : one.shape[0] - bottom, left : one.shape[1] - right]
    if name == "side-by-side":
        found, seen = found[..., : one.width], seen[..., : one.width]
    share = (seen / seen.sum(-1, keepdim=True)).expand(4, found.shape[-2], -1)
    if found.dim() == 4:
        share = share[:, None]
    mean = (found * share).sum(-1).mean(0)
    square = (found.square() * share).sum(-1).mean(0)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=2e-3, rtol=0)
    torch.testing.assert_close(square, torch.ones_like(mean), atol=5e-3, rtol=0)


@pytest.mark.parametrize("name", IMAGES)
def test_a_gradient_reaches_every_parameter_of_a_small_network_from_it_augmented(
    name: str, store: Store
) -> None:
    wild: dict[str, Any] = {"mask": 2, "noise": 0.1, "mixup": 0.4, "swap": 0.5, "flip": 0.5}
    wild |= {"channel_dropout": 0.5, "standardise": "window", "context_dropout": 0.5}
    if INPUTS[name].by_pair:
        wild["planes"] = "difference"
    config = settings(name, **wild)
    torch.manual_seed(0)
    network = make_network(config)
    prepare = inputs(config, store)
    prepared = prepare(batch(config, store), draw(config, 0, 4, ALONE))
    (values,) = prepared.values()
    assert torch.isfinite(values).all()
    network(**prepared)[0].log_softmax(1)[:, 0].sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "planes", "method"),
    [("raw-image-50", "difference", "gradcam"), ("side-by-side", "one", "gradients")],
)
def test_an_answer_about_planes_or_two_signals_is_explained(
    name: str, planes: str, method: str, store: Store
) -> None:
    config = settings(name, planes=planes)
    torch.manual_seed(0)
    network = make_network(config).eval()
    normalisation = measure_normalisation(config, store, ROWS, CPU)
    trained = Trained(config, normalisation, network, CPU, {}, StoreId.of(store))
    found = explain_window(trained, store, 1, method)
    assert found.maps[name].shape == make_input(name, config).shape
    laid = as_importance(found, trained)
    if name == "side-by-side":
        assert set(found.shares) == {"EEG", "spectrogram"}
        assert sum(found.shares.values()) == pytest.approx(1)
        assert laid.spectrogram is not None
        assert laid.spectrogram.shape == (400, 300)
        assert tuple(laid.traces) == REGIONS
    else:
        assert set(found.shares) == {"EEG"}
        assert laid.spectrogram is None
        assert len(laid.traces) == 18


@pytest.mark.parametrize("name", BY_PAIR)
def test_the_panel_of_a_pair_that_is_left_out_is_the_mean_in_every_plane(
    name: str, store: Store
) -> None:
    config = settings(name, planes="difference", channel_dropout=0.5, noise=0.1)
    prepare = inputs(config, store)
    one = prepare.inputs[name]
    assert isinstance(one, PairImage)
    kept = torch.ones(4, len(PAIRS), dtype=torch.bool)
    kept[2, 3] = kept[0, 0] = kept[0, -1] = False
    (plain,) = prepare(batch(config, store), still(noise=0.1)).values()
    (found,) = prepare(batch(config, store), still(noise=0.1, kept_BP=kept)).values()
    rows = one.unpadded[0] // one.pairs
    top = one._padding[2]
    for window, pair in ((2, 3), (0, 0), (0, len(PAIRS) - 1)):
        if pair < one.pairs:
            panel = slice(top + rows * pair, top + rows * (pair + 1))
            assert plain[window, :, panel].any()
            assert not found[window, :, panel].any()
            plain[window, :, panel] = 0
    assert torch.equal(found, plain)


def test_side_by_side_is_the_chains_image_drawn_out_and_the_spectrogram(store: Store) -> None:
    both, apart = settings("side-by-side"), settings("spec+eeg-image")
    (found,) = inputs(both, store)(batch(both, store), None).values()
    assert signal_names(both) == ("eeg", "spectrogram")
    alone = inputs(apart, store)
    spectrogram = alone(batch(apart, store), None)["spectrogram_BHW"]
    assert torch.equal(found[:, :, 309:], spectrogram)
    physical = alone.physical.windows(batch(apart, store), None, ("eeg", "spectrogram"))
    chains = alone.inputs["eeg-image"](physical, None).numpy()
    made = make_input("side-by-side", both)(physical, None).numpy()
    rows = (np.arange(100) + 0.5) * 0.75 - 0.5
    for chain in range(4):
        before = chains[0, 75 * chain : 75 * chain + 75, 40]
        expected = np.interp(rows, np.arange(75), before)
        np.testing.assert_allclose(
            made[0, 100 * chain : 100 * chain + 100, 40], expected, atol=1e-4
        )
    turned = still(flip_B=torch.ones(4, dtype=torch.bool))
    (mirrored,) = inputs(both, store)(batch(both, store), turned).values()
    assert torch.equal(mirrored[:, :, 309:], spectrogram.flip(2))


def test_each_part_of_side_by_side_is_laid_over_its_own_signal() -> None:
    one = make_input("side-by-side", settings("side-by-side"))
    importance = np.zeros(one.shape, np.float32)
    importance[150, 20], importance[7, 309 + 33] = 1, 2
    laid: Overlay = one.overlay(importance)
    assert laid.traces["RL"].argmax() == 20
    assert not laid.traces["LL"].any()
    assert laid.spectrogram is not None
    assert laid.spectrogram[7, 33] == laid.spectrogram.sum() == 2
    sums = {signal: float(part.sum()) for signal, part in one.of_signals(importance).items()}
    assert sums == {"eeg": 1, "spectrogram": 2}


def test_a_zoom_moves_as_drawn_and_nothing_else_does(store: Store) -> None:
    calm, moving = settings("mel16-zoom"), settings("mel16-zoom", zoom_jitter_s=4.0)
    drawn = [draw(moving, step, 64, ALONE) for step in range(40)]
    places = torch.cat([one.zoom_B for one in drawn])
    assert -800 <= int(places.min()) < -780
    assert 780 < int(places.max()) <= 800
    before = draw(calm, 3, 64, ALONE)
    assert not before.zoom_B.any()
    for name in ("flip_B", "swap_B", "kept_BP", "alone_B", "stripes", "partner_B"):
        assert torch.equal(getattr(before, name), getattr(drawn[3], name))
    halves = [draw(moving, 3, 64, World(rank, 2, CPU)).zoom_B for rank in range(2)]
    assert torch.equal(torch.stack(halves, dim=1).flatten(), drawn[3].zoom_B)
    prepare = inputs(calm, store)
    (plain,) = prepare(batch(calm, store), still()).values()
    moved = still(zoom_B=torch.tensor([40, 0, 0, -400]))
    (found,) = prepare(batch(calm, store), moved).values()
    assert torch.equal(found[[1, 2]], plain[[1, 2]])
    assert torch.equal(found[0, :, :125], plain[0, :, :125])
    # By 40 samples, ten columns of the zoom and one of the rest; but at its ends, where the signal
    # is mirrored.
    std = prepare.scales["mel16-zoom"][1]
    zoom, shifted = plain[0, :, 125:726] * std[:, None], found[0, :, 126:727] * std[:, None]
    torch.testing.assert_close(shifted[:, 5:580], zoom[:, 15:590], atol=0.01, rtol=0)


def test_a_zoom_looks_at_the_label_of_a_shifted_window_and_at_what_was_recorded(
    store: Store,
) -> None:
    config = settings("raw-image-50-10")
    one = make_input("raw-image-50-10", config)
    prepare = inputs(config, store)

    def judged(values: dict[str, torch.Tensor]) -> torch.Tensor:
        made = one(prepare.physical.windows(values, None, ("eeg",)), None)
        return made.unflatten(1, (18, 24))[:, :, 20:].transpose(2, 3).flatten(2)

    plain = batch(config, store)
    windows = prepare.physical.windows(plain, None, ("eeg",))
    whole = one(windows, None).unflatten(1, (18, 24))[:, :, :20].transpose(2, 3).flatten(2)
    assert torch.equal(judged(plain), whole[..., 4000:6000])
    moved = plain | {"centre_B": torch.tensor([3000, 5000, 9500, 5100])}
    found = judged(moved)
    assert torch.equal(found[0], whole[0, :, 2000:4000])
    assert torch.equal(found[2], whole[2, :, 8000:])  # as far as there is any
    assert torch.equal(found[3], whole[3, :, 4100:6100])
    assert torch.equal(found[1], whole[1, :, 4000:6000])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"inputs": "mel16-zoom", "eeg_seconds": 10},
            "mel16-zoom is made of 12 s",
        ),
        ({"inputs": "stft-50", "eeg_seconds": 49.5}, "stft-50 is made of 50 s"),
        (
            {"inputs": "spec", "planes": "difference"},
            "planes=difference needs .* such as mel",
        ),
        ({"inputs": "spec+eeg", "planes": "difference"}, "got spec.eeg"),
        ({"inputs": "mel16", "zoom_jitter_s": 1}, "zoom_jitter_s needs .* mel16-zoom or stft"),
        ({"inputs": "side-by-side", "contrastive": True}, "needs --inputs spec.eeg; got side"),
    ],
)
def test_settings_that_an_input_cannot_be_made_with_are_refused(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(model="resnet10t", **given)


def test_an_input_of_less_than_the_whole_eeg_takes_what_is_used() -> None:
    for name, seconds, width in (("mel16", 20, 126), ("mel16-zoom", 12, 615), ("stft-30", 30, 512)):
        config = settings(name, eeg_seconds=seconds)
        one = make_inputs(config)[name]
        assert one.shape[1] == width
