"""Each augmentation does to signals what it says, and draws what no other draws.

Legend: B windows, T samples, C channels, P bipolar pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
import torch
from scipy import signal

from hmsstore import CHANNELS, FEATURES, REGIONS, Store
from hmsstore.montage import CHAIN_PAIRS, SWAPPED_CHANNELS, SWAPPED_FEATURES, mirrored_region
from hmsstore.schema import FREQUENCIES_HZ
from hmstrain.config import Config
from hmstrain.data.augment import Bands, Draws, blank_boxes, draw
from hmstrain.data.centre import CENTRE
from hmstrain.data.chains import (
    CHAIN_ORDERS,
    CHANNEL_ORDERS,
    FEATURE_ORDERS,
    FRONT_BACK_CHANNELS,
)
from hmstrain.data.eeg import RATE_HZ, band_gains, band_pass, bipolar, eeg_image
from hmstrain.data.inputs import INPUTS, Windows, make_input
from hmstrain.data.inputs.prepare import NetworkInputs, measure_normalisation
from hmstrain.data.inputs.stretch import folded, moved_frequencies, stretched, stretched_run
from hmstrain.data.loader import stored_batch
from hmstrain.distributed import World
from hmstrain.errors import ConfigError

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)
PLAIN = Config(model="naive_cnn", inputs="spec+eeg", image_size=32, flip=0.0, mixup=0.4)
CHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "mixup_p": ({"mixup_p": 0.0}, "mix"),
    "mixup_clip": ({"mixup_clip": 0.5}, "mix"),
    "boxes": ({"boxes": 3}, "boxes"),
    "random_bandpass": ({"random_bandpass": 0.5}, "bands"),
    "permute_chains": ({"permute_chains": 0.5}, "chains_B"),
    "front_back": ({"front_back": 0.5}, "front_back_B"),
    "stretch": ({"stretch": 0.2}, "speed_B"),
    "channel_dropout_most": ({"channel_dropout": 0.5, "channel_dropout_most": 5}, "kept_BP"),
}
"""What asks for each augmentation, and the draw that it is."""

BEFALLEN: dict[str, tuple[str, Callable[[Any], torch.Tensor]]] = {
    "flip": ("flip", lambda one: one.flip_B),
    "swap": ("swap", lambda one: one.swap_B),
    "front_back": ("front_back", lambda one: one.front_back_B),
    "permute_chains": ("permute_chains", lambda one: one.chains_B > 0),
    "random_bandpass": ("random_bandpass", lambda one: one.bands.pairs_BP.any(dim=1)),
    "context_dropout": ("context_dropout", lambda one: one.alone_B),
    "channel_dropout": ("channel_dropout", lambda one: ~one.kept_BP),
    "channel_dropout_most": ("channel_dropout", lambda one: ~one.kept_BP.all(dim=1)),
}
"""Augmentations that have a probability: its setting, and which windows (or pairs) they befall."""

OF_PAIRS = [
    name for name, kind in INPUTS.items() if "eeg" in kind.signals and kind.layout != "microvolts"
]


def drawn(count: int, steps: int = 1, **settings: Any) -> list[Draws]:
    return [draw(replace(PLAIN, **settings), step, count, ALONE) for step in range(steps)]


def still(count: int, **changes: Any) -> Draws:
    """Draws that change nothing else than this."""
    (found,) = drawn(count, mixup=0.0)
    return replace(found, **changes)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Bands):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(Bands))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_no_noise_is_added_to_traces_that_are_left_out(store: Store) -> None:
    config = replace(PLAIN, model="resnet1d", inputs="raw", noise=0.5, mixup=0.0)
    kept = torch.ones(2, 18, dtype=torch.bool)
    kept[0, 3] = kept[1, 7] = False
    (plain,) = prepared(store, config, still(2, noise=0.5)).values()
    (found,) = prepared(store, config, still(2, noise=0.5, kept_BP=kept)).values()
    assert plain[~kept].any(dim=1).all()
    assert not found[~kept].any()
    assert torch.equal(found[kept], plain[kept])


def noise_uv(count: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(0, 50, (count, 10_000, 20))).float()


def prepared(store: Store, config: Config, draws: Draws | None, count: int = 2) -> Any:
    rows = store.select("train")[:count]
    prepare = NetworkInputs(config, measure_normalisation(config, store, rows, CPU), store, CPU)
    return prepare(stored_batch(store, rows, ("eeg", "spectrogram"), CPU), draws)


@pytest.mark.parametrize("name", CHANGED)
def test_an_augmentation_changes_its_own_draw_and_no_other(name: str) -> None:
    settings, own = CHANGED[name]
    for before, after in zip(drawn(16, 3), drawn(16, 3, **settings), strict=True):
        different = [
            field.name
            for field in fields(Draws)
            if not same(getattr(before, field.name), getattr(after, field.name))
        ]
        assert different == [own]


@pytest.mark.parametrize("chance", [0.1, 0.9])
@pytest.mark.parametrize("name", BEFALLEN)
def test_an_augmentation_befalls_windows_with_the_probability_that_is_set(
    name: str, chance: float
) -> None:
    setting, befallen = BEFALLEN[name]
    settings = {"channel_dropout_most": 8} if name == "channel_dropout_most" else {}
    found = [befallen(one) for one in drawn(100, 40, **{setting: chance}, **settings)]
    assert abs(float(torch.stack(found).double().mean()) - chance) < 0.02


def test_what_happens_to_a_window_does_not_tell_what_else_does() -> None:
    """Two that were drawn from one stream would befall the same windows."""
    (one,) = drawn(
        256, flip=0.5, front_back=0.5, permute_chains=0.5, random_bandpass=0.5,
        channel_dropout=0.5, channel_dropout_most=8, context_dropout=0.5, stretch=0.2, boxes=1,
    )  # fmt: skip
    assert one.chains_B is not None
    assert one.speed_B is not None
    assert one.boxes is not None
    assert one.bands is not None
    befallen = {
        "flip": one.flip_B,
        "front_back": one.front_back_B,
        "chains": one.chains_B > 0,
        "bands": one.bands.pairs_BP.any(dim=1),
        "pairs": ~one.kept_BP.all(dim=1),
        "context": one.alone_B,
        "speed": one.speed_B > 1,
        "box": one.boxes[:, 0, 0, 0, 3] > 0,
        "other box": one.boxes[:, 1, 0, 0, 3] > 0,
    }
    for (name, these), (other, those) in combinations(befallen.items(), 2):
        both = np.corrcoef(np.asarray(these, float), np.asarray(those, float))[0, 1]
        assert abs(both) < 0.25, (name, other)


@pytest.mark.parametrize("name", [name for name, (_, own) in CHANGED.items() if own != "mix"])
def test_an_augmentation_changes_what_a_network_sees(name: str, store: Store) -> None:
    settings, _ = CHANGED[name]
    config = replace(PLAIN, mixup=0.0, **settings)
    sure = {key: 1.0 for key, value in settings.items() if value == 0.5}
    changed = prepared(store, config, draw(replace(config, **sure), 0, 2, ALONE))
    plain = prepared(store, config, still(2))
    spectrogram, image = (
        not torch.allclose(changed[key], plain[key], atol=1e-3)
        for key in ("spectrogram_BHW", "eeg_image_BHW")
    )
    assert spectrogram == (name in ("boxes", "permute_chains", "stretch"))
    assert image == (name != "front_back")  # a chain's mean spectrum is the same either way


def test_a_batch_is_mixed_with_a_probability_and_within_bounds() -> None:
    usual = [one.mix for one in drawn(4, 400)]
    rarely = [one.mix for one in drawn(4, 400, mixup_p=0.3)]
    mixed = [share for share in rarely if share != 1]
    assert 0.2 < len(mixed) / 400 < 0.4
    assert all(share in (1, before) for share, before in zip(rarely, usual, strict=True))
    clipped = [one.mix for one in drawn(4, 400, mixup_clip=0.4)]
    np.testing.assert_allclose(clipped, np.clip(usual, 0.4, 0.6))
    assert min(usual) < 0.1
    assert all(one.mix == 1 for one in drawn(4, 20, mixup=0.0))


def test_pairs_are_left_out_by_number_each_as_often() -> None:
    settings = {"channel_dropout": 0.5, "channel_dropout_most": 8}
    kept = torch.cat([one.kept_BP for one in drawn(100, 40, **settings)])
    number = (~kept).sum(dim=1).numpy()
    assert number.max() == 8
    counts = np.bincount(number)
    assert abs(counts[0] / len(number) - 0.5) < 0.05
    np.testing.assert_allclose(counts[1:] / counts[1:].sum(), 1 / 8, atol=0.03)
    by_pair = (~kept).double().mean(dim=0)
    np.testing.assert_allclose(by_pair, 0.5 * 4.5 / 18, atol=0.03)


def test_the_orders_of_chains_are_all_that_leave_them_on_their_sides() -> None:
    sides = [{"LL", "LP"}, {"RL", "RP"}]
    apart = {o for o in permutations(REGIONS) if {o[0], o[2]} in sides and {o[1], o[3]} in sides}
    assert set(CHAIN_ORDERS) == apart
    assert len(apart) == 8
    assert CHAIN_ORDERS[0] == REGIONS
    swapped = CHAIN_ORDERS.index(tuple(mirrored_region(region) for region in REGIONS))
    assert FEATURE_ORDERS[swapped] == SWAPPED_FEATURES
    midline = [CHANNELS.index(name) for name in ("Fz", "Cz", "Pz", "EKG")]
    for order in CHANNEL_ORDERS:
        assert sorted(order) == list(range(20))
        assert [order[place] for place in midline] == midline
    assert {SWAPPED_CHANNELS[i] for i in range(20)} == {
        CHANNEL_ORDERS[swapped][i] for i in range(20)
    }


def test_permuted_chains_show_each_chain_in_the_place_of_another_in_both_signals(
    store: Store,
) -> None:
    config = replace(PLAIN, mixup=0.0, permute_chains=0.5)
    every = torch.arange(8)
    rows = np.repeat(store.select("train")[:1], 8)
    scales = measure_normalisation(config, store, rows[:1], CPU)
    physical = NetworkInputs(config, scales, store, CPU).physical
    batch = stored_batch(store, rows, ("eeg", "spectrogram"), CPU)
    changed = {
        name: physical(name, batch[name], still(8, chains_B=every))
        for name in ("eeg", "spectrogram")
    }
    plain = {name: physical(name, batch[name], None) for name in ("eeg", "spectrogram")}
    eeg, before = bipolar(changed["eeg"]), bipolar(plain["eeg"])
    power = changed["spectrogram"].unflatten(2, (4, 100))
    power_before = plain["spectrogram"].unflatten(2, (4, 100))
    for number, order in enumerate(CHAIN_ORDERS):
        for place, source in enumerate(REGIONS.index(name) for name in order):
            ours, theirs = slice(4 * place, 4 * place + 4), slice(4 * source, 4 * source + 4)
            torch.testing.assert_close(eeg[number, ours], before[number, theirs])
            assert torch.equal(power[number, :, place], power_before[number, :, source])
        torch.testing.assert_close(eeg[number, 16:], before[number, 16:])


def test_front_and_back_change_places_and_a_chains_spectrum_stays() -> None:
    eeg = noise_uv()
    turned = eeg[..., list(FRONT_BACK_CHANNELS)]
    pairs, after = bipolar(eeg), bipolar(turned)
    for chain in range(4):
        ours = slice(4 * chain, 4 * chain + 4)
        torch.testing.assert_close(after[:, ours], -pairs[:, ours].flip(1), atol=1e-3, rtol=0)
    torch.testing.assert_close(after[:, 16:], -pairs[:, 16:].flip(1), atol=1e-3, rtol=0)
    torch.testing.assert_close(eeg_image(after), eeg_image(pairs), atol=1e-3, rtol=0)
    assert turned[..., -1].equal(eeg[..., -1])
    assert CHAIN_PAIRS[0] == ("Fp1", "F7")


def test_a_random_band_is_scipys_and_leaves_other_pairs_as_they_are() -> None:
    pairs = torch.zeros(2, 18, dtype=torch.bool)
    pairs[0, [3, 17]] = True
    bands = Bands(torch.tensor([1.5, 0.5]), torch.tensor([10.0, 19.0]), pairs)
    frequency = np.fft.rfftfreq(10_000, 1 / RATE_HZ)
    expected = np.ones(len(frequency))
    for edge, kind in ((1.5, "highpass"), (10.0, "lowpass")):
        _, response = signal.freqs(*signal.butter(2, edge, kind, analog=True), worN=frequency)
        expected *= np.abs(response)
    gains = band_gains(bands, 10_000)
    np.testing.assert_allclose(gains[0, 3], expected, atol=1e-5)
    assert torch.equal(gains[0, 4], torch.ones(5001))
    assert torch.equal(gains[1], torch.ones(18, 5001))
    eeg = noise_uv()
    before, after = bipolar(eeg), bipolar(eeg, bands)
    unchanged = ~pairs
    assert torch.equal(after[unchanged], before[unchanged])
    spectrum = torch.fft.rfft(before[0, 3]) * torch.from_numpy(expected)
    torch.testing.assert_close(
        after[0, 3], torch.fft.irfft(spectrum, n=10_000).float(), atol=1e-2, rtol=0
    )
    assert float(band_pass(10_000, CPU)[0]) == 0


def test_random_bands_are_of_some_windows_some_pairs_and_within_their_ranges() -> None:
    bands = [one.bands for one in drawn(50, 40, random_bandpass=0.2)]
    pairs = torch.cat([one.pairs_BP for one in bands]).sum(dim=1)
    assert abs(float((pairs > 0).double().mean()) - 0.2) < 0.04
    assert set(pairs.tolist()) == set(range(9))
    low, high = (
        torch.cat([getattr(one, name) for one in bands]) for name in ("low_hz_B", "high_hz_B")
    )
    assert 0 < float(low.min()) < 0.1 < 1.9 < float(low.max()) < 2
    assert set(high.tolist()) == set(range(10, 20))


@pytest.mark.parametrize("name", OF_PAIRS)
def test_every_input_of_pairs_sees_random_bands(name: str) -> None:
    made = make_input(name, Config(inputs=name, model="resnet1d" if name == "raw" else "resnet10t"))
    power = torch.zeros(2, 300, 400)
    windows = Windows(
        {"eeg": noise_uv(), "spectrogram": power}, {"eeg": None, "spectrogram": None},
        torch.tensor([5000, 5000]),
    )  # fmt: skip
    first = torch.tensor([True, False])[:, None].expand(2, 18)
    bands = Bands(torch.tensor([2.0, 2.0]), torch.tensor([10.0, 10.0]), first)
    plain, filtered = (made(windows, still(2, bands=chosen)) for chosen in (None, bands))
    assert not torch.allclose(filtered[0], plain[0], atol=1e-2)
    torch.testing.assert_close(filtered[1], plain[1], atol=1e-3, rtol=1e-3)


def test_boxes_blank_what_they_cover_and_nothing_else() -> None:
    image = torch.ones(2, 10, 20)
    boxes = torch.zeros(2, 2, 4)
    boxes[0, 0] = torch.tensor([0.2, 0.5, 0.1, 0.2])
    boxes[0, 1] = torch.tensor([0.9, 0.0, 0.1, 0.05])
    found = blank_boxes(image, boxes)
    assert torch.nonzero(found[0] == 0).tolist() == [[2, 10], [2, 11], [2, 12], [2, 13], [9, 0]]
    assert torch.equal(found[1], image[1])
    planes = blank_boxes(image[:, None].expand(2, 3, 10, 20), boxes)
    assert all(torch.equal(planes[:, plane], found) for plane in range(3))


def test_boxes_are_small_few_and_others_in_each_input() -> None:
    boxes = torch.cat([one.boxes for one in drawn(50, 10, boxes=8, box_size=0.0625)])
    assert boxes.shape == (500, 2, 2, 8, 4)
    there = boxes[..., 3] > 0
    assert set(there.sum(dim=3).flatten().tolist()) == set(range(9))
    assert float(boxes[..., 2:].max()) <= 0.0625
    assert float((boxes[..., :2] + boxes[..., 2:]).max()) <= 1
    sets = boxes.flatten(1, 2).unbind(1)
    assert not any(torch.equal(one, other) for one, other in combinations(sets, 2))


def test_the_halves_of_an_image_of_both_signals_have_boxes_of_their_own(store: Store) -> None:
    config = replace(PLAIN, inputs="side-by-side", mixup=0.0, boxes=1)
    boxes = torch.zeros(2, 1, 2, 1, 4)
    boxes[0, 0, 0] = torch.tensor([0.0, 0.0, 1.0, 0.1])
    boxes[0, 0, 1] = torch.tensor([0.0, 0.5, 0.5, 0.5])
    (plain,) = prepared(store, config, still(2)).values()
    (changed,) = prepared(store, config, still(2, boxes=boxes)).values()
    blank = (changed[0] == 0) & (plain[0] != 0)
    columns = torch.nonzero(blank.any(dim=0)).flatten()
    eeg = plain.shape[2] - 300
    assert columns.tolist() == [*range(31), *range(eeg + 150, eeg + 300)]
    assert torch.nonzero(blank[:, -1]).flatten().tolist() == list(range(200))
    assert torch.equal(changed[1], plain[1])


def test_faster_time_moves_a_rhythm_up_and_leaves_the_label_in_its_place() -> None:
    time_s = (np.arange(10_000) + 0.5) / RATE_HZ

    def rhythm(time_s: Any, centre_s: float) -> Any:
        """4 Hz within a second of a centre."""
        away = time_s - centre_s
        return np.cos(2 * np.pi * 4 * away) * np.exp(-(away**2))

    centre = torch.tensor([5000, 5000, 4200])
    speed = torch.tensor([1.25, 0.8, 1.1])
    windows = np.stack([rhythm(time_s, float(c) / RATE_HZ) for c in centre])
    stored = torch.from_numpy(windows)[..., None].float().expand(-1, -1, 2)
    whole = torch.tensor([[0, 10_000]]).expand(3, 2)
    found = stretched(stored, whole, centre, speed, (0, 10_000))
    for window, c, a in zip(found, centre, speed, strict=True):
        centre_s = float(c) / RATE_HZ
        expected = rhythm(centre_s + float(a) * (time_s - centre_s), centre_s)
        np.testing.assert_allclose(window[:, 0], expected, atol=2e-3)
        np.testing.assert_allclose(window[:, 1], expected, atol=2e-3)


def test_time_from_outside_a_window_is_its_mirror_image_and_from_inside_is_real() -> None:
    ramp = torch.arange(10_000.0)[None, :, None]
    run = torch.tensor([[0, 10_000]])
    (found,) = stretched(ramp, run, torch.tensor([5000]), torch.tensor([1.25]), (0, 10_000))
    source = 5000 + 1.25 * (np.arange(10_000) + 0.5 - 5000) - 0.5
    inside = (source > 1) & (source < 9998)
    np.testing.assert_allclose(found[inside, 0], source[inside], atol=0.01)
    early = source < -2
    np.testing.assert_allclose(found[early, 0], -source[early] - 1, atol=0.01)
    (part,) = stretched(ramp, run, torch.tensor([5000]), torch.tensor([1.25]), (4000, 6000))
    np.testing.assert_allclose(part[4000:6000, 0], source[4000:6000], atol=0.01)
    partial = torch.tensor([[4000, 7000]])
    (seen,) = stretched(ramp, partial, torch.tensor([5000]), torch.tensor([0.8]), (0, 10_000))
    assert 3999 < float(seen.min()) < float(seen.max()) < 7000
    assert stretched_run(partial, torch.tensor([5000]), torch.tensor([0.8]), 10_000).tolist() == [
        [3750, 7500]
    ]


def test_time_is_stretched_around_the_label_of_a_shifted_window_in_both_signals(
    store: Store,
) -> None:
    config = replace(PLAIN, mixup=0.0, stretch=0.2)
    rows = store.select("train")[:3]
    scales = measure_normalisation(config, store, rows, CPU)
    physical = NetworkInputs(config, scales, store, CPU).physical
    centre_B = torch.tensor([4200, 5000, 6600])
    ramps = {
        name: torch.arange(length, dtype=torch.float32)[None, :, None].expand(3, length, features)
        for name, length, features in (("eeg", 10_000, 20), ("spectrogram", 300, 400))
    }
    draws = still(3, speed_B=torch.tensor([1.2, 0.9, 0.9]))
    found = physical.stretched({**ramps, CENTRE: centre_B}, draws)
    for window, centre in enumerate(centre_B.tolist()):
        around = found["eeg"][window, centre - 1 : centre + 1, 0].mean()
        assert float(around) == pytest.approx(centre - 0.5, abs=1e-2)
        row = 150 + (centre - 5000) / 400
        at_rows = np.interp(row, np.arange(300) + 0.5, found["spectrogram"][window, :, 7])
        assert float(at_rows) == pytest.approx(row - 0.5, abs=1e-2)
    assert torch.equal(found[CENTRE], centre_B)


def test_a_speed_of_one_changes_nothing(store: Store) -> None:
    config = replace(PLAIN, mixup=0.0, stretch=0.2)
    plain = prepared(store, config, still(2))
    same_speed = prepared(store, config, still(2, speed_B=torch.ones(2)))
    for key, values in plain.items():
        torch.testing.assert_close(same_speed[key], values, atol=1e-3, rtol=1e-3)


def test_a_spectrograms_frequencies_move_as_those_of_a_faster_signal() -> None:
    frequency = np.asarray(FREQUENCIES_HZ)

    def density(hz: Any) -> Any:
        """A peak at 8 Hz on a slope."""
        return 100 * np.exp(-((hz - 8) ** 2) / 4) + 10 / hz

    power = torch.from_numpy(np.log(np.tile(density(frequency), 4))).float().expand(2, 3, 400)
    speed = torch.tensor([1.25, 0.8])
    found = moved_frequencies(power, speed).unflatten(2, (4, 100))
    for window, a in zip(found, (1.25, 0.8), strict=True):
        inside = (frequency / a > frequency[0]) & (frequency / a < frequency[-1])
        expected = np.log(density(frequency / a) / a)
        for region in range(4):
            np.testing.assert_allclose(window[1, region][inside], expected[inside], atol=0.02)
        peak = frequency[10:][int(window[0, 0, 10:].argmax())]
        assert peak == pytest.approx(8 * a, abs=0.3)
    assert len(FEATURES) == 400


def test_rows_beyond_a_run_are_the_run_mirrored_at_its_ends() -> None:
    run = torch.tensor([[4, 7]])
    assert folded(torch.arange(12), run).tolist() == [[6, 6, 5, 4, 4, 5, 6, 6, 5, 4, 4, 5]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channel_dropout_most": 8}, "needs channel_dropout"),
        ({"mixup": 0.0, "mixup_p": 0.5}, "need mixup"),
        ({"mixup": 0.0, "mixup_clip": 0.4}, "need mixup"),
        ({"inputs": "spec", "random_bandpass": 0.2}, "needs an input of bipolar channels"),
    ],
)
def test_a_setting_without_effect_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(PLAIN, **settings)
