"""Trends: right for known signals, equal to other implementations, whole at any cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import mne
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from numpy.typing import NDArray
from support.imported import write_import
from support.recorder import noise, write_edf

import hmsprep
from hmsprep.qeeg.rhythm import rhythm_measures
from hmsstore.montage import PAIRS
from hmsstore.schema import CHANNELS
from hmstrain.reading.cache import open_or_import
from hmstrain.reading.recording import Recording
from hmstrain.reading.trends import amplitude, quality, rhythm, spectrum, suppression
from hmstrain.reading.trends.about import ABOUT
from hmstrain.reading.trends.epochs import (
    BLOCK,
    BLOCK_EPOCHS,
    MARGIN,
    RATE,
    SIDE_MEMBERS,
    STEP,
    Block,
    group_mean,
)
from hmstrain.reading.trends.fir import Fir, Spectra
from hmstrain.reading.trends.follow import follow_trends, kept_name, trends_of
from hmstrain.reading.trends.trends import Trends

SECONDS = np.arange(BLOCK) / RATE
DOCUMENT = Path(__file__).parents[3] / "docs" / "trends.md"
Floats = NDArray[np.floating]


def block_of(*pairs_uv: Floats) -> Block:
    """A block of the 18 pairs, the given ones repeated."""
    rows = [pairs_uv[place % len(pairs_uv)] for place in range(len(PAIRS))]
    return Block(0, np.array(rows, np.float32))


def by_side(left_uv: Floats, right_uv: Floats) -> Block:
    """A block with one signal on each side, and nothing along the midline."""
    rows = np.zeros((len(PAIRS), BLOCK), np.float32)
    rows[list(SIDE_MEMBERS["left"])] = left_uv
    rows[list(SIDE_MEMBERS["right"])] = right_uv
    return Block(0, rows)


def sine(hz: float, amplitude_uv: float) -> Floats:
    """A sine of a block's length."""
    return amplitude_uv * np.sin(2 * np.pi * hz * SECONDS + 0.4)


def pink(seed: int, count: int = len(PAIRS), deviation_uv: float = 20.0) -> Floats:
    """Noise whose amplitude falls with frequency as EEG's does, (count, T)."""
    white = np.fft.rfft(np.random.default_rng(seed).normal(size=(count, BLOCK)), axis=1)
    hz = np.fft.rfftfreq(BLOCK, 1 / RATE)
    made = np.fft.irfft(white / np.maximum(hz, 0.5), BLOCK, axis=1)
    return np.asarray(made * deviation_uv / made.std())


def window(values: Floats, epoch: int, seconds: float) -> Floats:
    """The window about an epoch of a block."""
    middle = MARGIN + epoch * STEP + STEP // 2
    half = round(seconds * RATE) // 2
    return values[..., middle - half : middle + half]


# Compressed spectrogram


def test_the_power_of_a_sine_is_half_its_amplitude_squared_at_its_frequency() -> None:
    block = by_side(sine(6.0, 40.0), sine(9.5, 10.0))
    found = spectrum.spectrograms_db(spectrum.power_density(block))
    hz = spectrum.frequencies()[spectrum.shown()]
    for sides, at, amplitude_uv in ((("left", "LL", "LP"), 6.0, 40.0), (("right", "RL"), 9.5, 10)):
        for side in sides:
            power = 10 ** (found[side].astype(float) / 10)
            np.testing.assert_allclose(
                power[:, np.abs(hz - at) < 1].sum(axis=1) / 4, amplitude_uv**2 / 2, rtol=1e-3
            )
            assert (hz[power.argmax(axis=1)] == at).all()
    assert (found["left"][:, np.abs(hz - 6) > 2] < -20).all()


def test_power_equals_that_of_scipy_and_of_mne() -> None:
    values = pink(1) + 300.0  # an offset changes nothing
    power = spectrum.power_density(block_of(*values))
    around = spectrum.SMOOTHED // 2
    for epoch in (0, 77, BLOCK_EPOCHS - 1):
        part = window(values, epoch, spectrum.WINDOW_S)
        hz, own = scipy.signal.periodogram(part, RATE, "hann", detrend="constant")
        kept = hz <= spectrum.HIGHEST_HZ
        np.testing.assert_array_equal(hz[kept], spectrum.frequencies())
        found = power[:, epoch + around]
        np.testing.assert_allclose(found[:, 1:], own[:, kept][:, 1:], rtol=2e-3, atol=1e-3)
        mnes, _ = mne.time_frequency.psd_array_welch(
            part, RATE, 0.5, 20.0, n_fft=800, n_per_seg=800, window="hann", verbose="error"
        )
        np.testing.assert_allclose(found[:, spectrum.shown()], mnes, rtol=2e-3, atol=1e-3)


def test_a_side_is_the_mean_of_its_pairs_in_decibels() -> None:
    power = spectrum.power_density(block_of(*pink(2)))
    found = spectrum.spectrograms_db(power)
    around = spectrum.SMOOTHED // 2
    inside = power[:, around:-around, spectrum.shown()].astype(float)
    places = [n for n, (front, _) in enumerate(PAIRS) if front in ("Fp2", "F4", "C4", "P4")]
    places += [PAIRS.index(pair) for pair in (("F8", "T4"), ("T4", "T6"), ("T6", "O2"))]
    assert sorted(places) == sorted(SIDE_MEMBERS["right"])
    np.testing.assert_allclose(
        found["right"], 10 * np.log10(inside[places].mean(axis=0)), atol=1e-3
    )
    still = spectrum.spectrograms_db(spectrum.power_density(block_of(np.zeros(BLOCK))))
    np.testing.assert_array_equal(still["left"], -40.0)


# Asymmetry


def test_twice_the_amplitude_on_one_side_is_an_asymmetry_of_three_fifths() -> None:
    values = pink(3, 8)
    rows = np.zeros((len(PAIRS), BLOCK), np.float32)
    rows[list(SIDE_MEMBERS["left"])] = values
    rows[list(SIDE_MEMBERS["right"])] = 2 * values
    relative, index = spectrum.asymmetries(spectrum.power_density(Block(0, rows)))
    np.testing.assert_allclose(relative, 0.6, atol=1e-4)
    np.testing.assert_allclose(index, 0.6, atol=1e-4)
    left, _ = spectrum.asymmetries(spectrum.power_density(by_side(values[0], 0 * values[0])))
    np.testing.assert_allclose(left, -1)
    none, zero = spectrum.asymmetries(spectrum.power_density(block_of(np.zeros(BLOCK))))
    assert not none.any()
    assert not zero.any()


def test_asymmetry_equals_its_formula_on_welchs_power() -> None:
    values = pink(4) * np.linspace(0.5, 1.5, len(PAIRS))[:, None]
    relative, index = spectrum.asymmetries(spectrum.power_density(block_of(*values)))
    for epoch in (0, 40, BLOCK_EPOCHS - 1):
        part = window(values, epoch, 12.0)
        hz, power = scipy.signal.welch(part, RATE, "hann", 800, 400, detrend="constant")
        left, right = (power[list(SIDE_MEMBERS[side])] for side in ("left", "right"))
        wanted = ((right - left) / (right + left)).mean(axis=0)
        np.testing.assert_allclose(relative[epoch], wanted[(hz >= 0.5) & (hz <= 20)], atol=2e-3)
        left, right = left.mean(axis=0), right.mean(axis=0)
        revised = np.abs((right - left) / (right + left))[(hz >= 1) & (hz <= 20)].mean()
        np.testing.assert_allclose(index[epoch], revised, atol=1e-3)


def test_the_index_follows_the_mean_power_of_a_sides_pairs() -> None:
    values = np.tile(pink(3, 1), (len(PAIRS), 1))
    values[SIDE_MEMBERS["right"][2]] *= 10
    relative, index = spectrum.asymmetries(spectrum.power_density(Block(0, values)))
    np.testing.assert_allclose(relative, 99 / 101 / 8, atol=1e-4)  # a mean of pairs
    np.testing.assert_allclose(index, (107 - 8) / (107 + 8), atol=1e-4)
    values[SIDE_MEMBERS["left"][2]] = np.nan  # then its partner counts on neither side
    _, index = spectrum.asymmetries(spectrum.power_density(Block(0, values)))
    np.testing.assert_allclose(index, 0, atol=1e-6)


def test_noise_that_is_the_same_on_both_sides_on_average_has_little_asymmetry() -> None:
    relative, index = spectrum.asymmetries(spectrum.power_density(block_of(*pink(5))))
    assert abs(relative.mean()) < 0.02
    assert index.mean() < 0.15  # of stronger noise on one side by half: 0.38


# Amplitude-integrated EEG


@pytest.mark.parametrize(("hz", "gain"), [(10.0, 1.0), (5.0, 0.5**0.6), (3.0, 0.3**0.6)])
def test_a_sine_has_its_peak_to_peak_amplitude_tilted_by_12_db_a_decade(
    hz: float, gain: float
) -> None:
    block = by_side(sine(hz, 25.0), sine(hz, 100.0))
    found = amplitude.margins_uv(block, Spectra(block.bridged_uv_PT))
    np.testing.assert_allclose(found["left"], 50 * gain, rtol=0.035)
    np.testing.assert_allclose(found["right"], 200 * gain, rtol=0.035)


def test_amplitude_integrated_eeg_takes_2_to_15_hz() -> None:
    for hz in (0.5, 20.0, 50.0):
        block = by_side(sine(hz, 100.0), sine(hz, 100.0))
        found = amplitude.margins_uv(block, Spectra(block.bridged_uv_PT))
        assert (found["left"] < 2).all()


def test_amplitude_integrated_eeg_equals_another_implementation() -> None:
    values = pink(6) * (1 + 0.8 * np.sin(2 * np.pi * SECONDS / 17))
    block = block_of(*values)
    found = amplitude.margins_uv(block, Spectra(block.bridged_uv_PT))
    passing = np.linspace(2, 15, 400)
    hz = np.concatenate([[0, 1.999], passing, [15.001, 100]])
    gains = np.concatenate([[0, 0], 10 ** (12 * np.log10(passing / 10) / 20), [0, 0]])
    taps = scipy.signal.firwin2(401, hz, gains, nfreqs=(1 << 14) + 1, window="hann", fs=RATE)
    for side, pair in (("left", ("C3", "P3")), ("right", ("C4", "P4"))):
        filtered = np.convolve(values[PAIRS.index(pair)], taps, "same")
        envelope = np.pi * scipy.ndimage.uniform_filter1d(np.abs(filtered), 101)
        wanted = [
            np.percentile(window(envelope, epoch, 10.0)[::10], (10, 90))
            for epoch in range(BLOCK_EPOCHS)
        ]
        np.testing.assert_allclose(found[side], wanted, rtol=5e-3)


def test_the_scale_is_linear_to_10_uv_and_a_decade_high_above() -> None:
    uv = np.array([0, 5, 10, 100, 1000, np.nan], np.float32)
    heights = amplitude.half_logarithmic(uv)
    np.testing.assert_allclose(heights, [0, 0.5, 1, 2, 3, np.nan], rtol=1e-6)


# Suppression


def test_the_share_of_suppressed_time_is_told() -> None:
    quiet = SECONDS % 10 >= 4  # 6 s of every 10
    values = np.where(quiet, 0.05, 1.0) * pink(7, 8, 40.0)
    rows = np.zeros((len(PAIRS), BLOCK), np.float32)
    rows[list(SIDE_MEMBERS["left"])] = values
    rows[list(SIDE_MEMBERS["right"])] = 40 * np.sin(2 * np.pi * 8 * SECONDS)
    block = Block(0, rows)
    share = suppression.suppressed(block, Spectra(block.bridged_uv_PT))
    ratio = suppression.suppression_ratio(share["left"], 0, BLOCK_EPOCHS)
    np.testing.assert_allclose(ratio[30:], 0.6, atol=0.06)
    assert np.isnan(ratio[:14]).all()  # less than half a minute is known
    assert not suppression.suppression_ratio(share["right"], 0, BLOCK_EPOCHS)[14:].any()
    still = block_of(np.zeros(BLOCK))
    share = suppression.suppressed(still, Spectra(still.bridged_uv_PT))
    assert (suppression.suppression_ratio(share["left"], 0, BLOCK_EPOCHS)[14:] == 1).all()


def test_suppression_equals_another_implementation() -> None:
    level = 0.15 + np.abs(np.sin(2 * np.pi * SECONDS / 23))
    values = pink(8, deviation_uv=15.0) * level
    block = block_of(*values)
    share = suppression.suppressed(block, Spectra(block.bridged_uv_PT))
    taps = scipy.signal.firwin(801, (1, 30), pass_zero=False, window="hann", scale=False, fs=RATE)
    filtered = Spectra(block.bridged_uv_PT).filtered(suppression.FILTER, slice(0, 16))
    wanted = []
    for place in SIDE_MEMBERS["right"]:
        other = np.convolve(values[place] - values[place].mean(), taps, "same")
        np.testing.assert_allclose(filtered[place, 400:-400], other[400:-400], atol=0.02)
        small = np.abs(filtered[place]) < 5
        labels, count = scipy.ndimage.label(small)
        spans = [span[0] for span in scipy.ndimage.find_objects(labels)]
        assert len(spans) == count
        for span in spans:
            if span.stop - span.start < 100:
                small[span] = False
        wanted.append(small[MARGIN : MARGIN + BLOCK_EPOCHS * STEP].reshape(-1, STEP).mean(axis=1))
    assert 0.2 < np.mean(wanted) < 0.8
    np.testing.assert_allclose(share["right"], np.mean(wanted, axis=0), atol=1e-6)
    ratio = suppression.suppression_ratio(share["right"], 0, BLOCK_EPOCHS)
    for epoch in (29, 30, 100, 149):
        minute = np.mean(wanted, axis=0)[epoch - 29 : epoch + 1]
        assert ratio[epoch] == pytest.approx(minute.mean(), abs=1e-5)


def test_stretches_that_last_are_kept_whole() -> None:
    marks = np.array([[1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1]])
    wanted = [[0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]]
    np.testing.assert_array_equal(suppression.lasting(marks == 1, 3), np.array(wanted) == 1)
    assert not suppression.lasting(np.ones((2, 2), bool), 3).any()
    assert suppression.lasting(np.ones((2, 3), bool), 3).all()


# Rhythmicity


def three_hertz_spikes() -> Floats:
    """Sharp waves that repeat three times a second."""
    return 80 * np.exp(-0.5 * (((SECONDS * 3) % 1 - 0.5) / 0.06) ** 2)


@pytest.mark.parametrize(
    ("made", "hz"),
    [(lambda: sine(1.3, 50), 1.3), (lambda: sine(8, 50), 8.0), (three_hertz_spikes, 3.0)],
)
def test_a_rhythm_is_found_with_its_frequency(made: Callable[[], Floats], hz: float) -> None:
    noise = pink(9, 1, 5.0)[0]
    block = by_side(made() + noise, pink(10, 1, 30.0)[0])
    found = rhythm.rhythms(block, Spectra(block.bridged_uv_PT))
    height, at = found["left"]
    assert height.min() > 0.75
    np.testing.assert_allclose(at, hz, rtol=0.03)
    assert np.median(found["right"][0]) < 0.5


def test_a_rhythm_on_one_chain_counts_for_its_side() -> None:
    values = pink(11)
    for pair in (("Fp1", "F7"), ("F7", "T3"), ("T3", "T5"), ("T5", "O1")):
        values[PAIRS.index(pair)] = sine(2.0, 60.0)
    block = block_of(*values)
    found = rhythm.rhythms(block, Spectra(block.bridged_uv_PT))
    assert found["left"][0].min() > 0.95
    np.testing.assert_allclose(found["left"][1], 2.0, rtol=0.02)
    assert np.median(found["right"][0]) < 0.4


def test_autocorrelation_and_its_peak_equal_other_implementations() -> None:
    rng = np.random.default_rng(12)
    time_s = np.arange(500) / 50
    waves = np.array([np.sin(2 * np.pi * hz * time_s) for hz in (0.8, 1.7, 3.1)])
    waves += 0.4 * scipy.ndimage.gaussian_filter1d(rng.normal(size=waves.shape), 4, axis=1)
    waves -= waves.mean(axis=1, keepdims=True)
    squared = rhythm.spectra_of_windows(waves[None].astype(np.float32))[0]
    found = rhythm.autocorrelation(squared, 500)
    for row, values in zip(found, waves, strict=True):
        full = np.correlate(values, values, "full")[499:]
        wanted = full / np.arange(500, 0, -1) / (full[0] / 500)
        np.testing.assert_allclose(row, wanted[: rhythm.LAGS], atol=1e-4)
    height, hz = rhythm.highest_peaks(found, 50.0)
    qeeg = rhythm_measures(waves, 50.0)
    np.testing.assert_allclose(height, qeeg["rhythmicity"], rtol=1e-3)
    np.testing.assert_allclose(hz, qeeg["rhythm_frequency"], rtol=1e-3)


def test_what_does_not_change_has_no_rhythm() -> None:
    block = by_side(np.zeros(BLOCK), np.full(BLOCK, np.nan))
    found = rhythm.rhythms(block, Spectra(block.bridged_uv_PT))
    assert np.isnan(found["right"][0]).all()
    assert np.isnan(found["left"][1]).all()


# Quality


def test_each_artefact_counts_where_it_is() -> None:
    values = pink(13)
    rng = np.random.default_rng(14)
    begin = MARGIN + 10 * STEP
    values[0, begin : begin + STEP] = np.nan
    values[1, begin : begin + STEP] = 3_200.0
    values[2, begin : begin + STEP // 3] = -3_200.0  # a third of the epoch
    values[3, begin : begin + STEP] = 7.0
    high = scipy.signal.butter(4, (26, 44), "bandpass", fs=RATE, output="sos")
    muscle = scipy.signal.sosfilt(high, rng.normal(size=BLOCK))
    values[4] += 8 * muscle / muscle.std()
    block = block_of(*values)
    found = quality.artefacts(block, spectrum.power_density(block))
    assert {kind: share[10] * 18 for kind, share in found.items()} == pytest.approx(
        {"missing": 1, "railed": 2, "flat": 1, "muscle": 1}
    )
    others = np.delete(found["muscle"], [9, 10, 11])  # whose windows reach over the jumps
    assert others * 18 == pytest.approx(np.ones(BLOCK_EPOCHS - 3))
    for kind in ("missing", "railed", "flat"):
        assert not np.delete(found[kind], 10).any()


def test_muscle_is_not_known_where_power_is_not() -> None:
    """A recording that is all muscle was of best quality at its ends and beside gaps."""
    rng = np.random.default_rng(15)
    values = [200 * rng.normal(size=BLOCK) for _ in range(18)]
    begin = MARGIN + 10 * STEP
    for pair, value in enumerate(values):
        value[: MARGIN + STEP // 2 * (pair < 9)] = np.nan
        value[begin : begin + 2 * STEP] = np.nan
        if pair < 4:
            value[begin + 20 * STEP : begin + 22 * STEP] = np.nan
        elif pair < 12:
            value[begin + 30 * STEP : begin + 32 * STEP] = np.nan
    values[17][begin - STEP : begin] = 3_200.0
    block = block_of(*values)
    found = quality.artefacts(block, spectrum.power_density(block))
    clean = 1 - sum(found.values())
    unknown = [0, 9, 12]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(clean)), unknown)
    np.testing.assert_allclose(np.delete(clean, unknown), 0, atol=1e-6)
    np.testing.assert_allclose(found["muscle"][[29, 30, 31, 32]] * 18, [18, 14, 14, 18], rtol=1e-6)
    np.testing.assert_allclose(found["railed"][9] * 18, 1, rtol=1e-6)
    assert np.isfinite(found["missing"]).all()


def test_a_mean_needs_half_of_its_pairs() -> None:
    values = np.array([[1, np.nan], [3, np.nan], [np.nan, np.nan], [np.nan, 5]], np.float32)
    np.testing.assert_array_equal(group_mean(values, range(4)), [2, np.nan])


def test_a_filter_has_its_reach_and_no_delay() -> None:
    impulse = np.zeros((1, BLOCK), np.float32)
    impulse[0, 30_000] = 100
    fir = Fir((1.0, 30.0), 400)
    found = Spectra(impulse).filtered(fir, [0])[0]
    np.testing.assert_allclose(found[29_600:30_401], 100 * fir.taps, atol=2e-3)
    assert np.abs(np.delete(found, np.s_[29_600:30_401])).max() < 2e-3
    ideal = scipy.signal.firwin(801, (1, 30), pass_zero=False, window="hann", scale=False, fs=RATE)
    np.testing.assert_allclose(fir.taps, ideal, atol=5e-5)


# The whole


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Eleven minutes, with a pause of all channels and a gap of one; three blocks of epochs."""
    folder = tmp_path_factory.mktemp("night")
    made = np.concatenate([pink(20, 20), pink(21, 20), pink(22, 20)], axis=1)
    eeg_uv = made[:, : 661 * RATE].astype(np.float32)
    eeg_uv[:, 200 * RATE : 215 * RATE] = np.nan
    eeg_uv[CHANNELS.index("F7"), 400 * RATE : 401 * RATE] = np.nan
    eeg_uv[CHANNELS.index("O2")] = 0
    write_import(folder / "data", eeg_uv, piece_s=300, overlap_s=60, filled=("O2",))
    return Recording.open(folder / "data", cache=folder / "cache")


@pytest.fixture(scope="module")
def trends(night: Recording) -> Trends:
    """Its trends."""
    return trends_of(night)


def test_trends_come_block_by_block_and_are_kept(night: Recording, trends: Trends) -> None:
    kept = night.cache / kept_name(night)
    assert kept.is_file()
    assert [done for _, done in follow_trends(night)] == [661.0]
    again = trends_of(night)
    for name, values in trends.arrays().items():
        np.testing.assert_array_equal(values, again.arrays()[name])
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2])
    seen = [(so_far.quality.copy(), done) for so_far, done in follow_trends(night)]
    assert [done for _, done in seen] == [300.0, 600.0, 661.0]
    assert np.isnan(seen[0][0][150:]).all()
    np.testing.assert_array_equal(seen[0][0][:150], trends.quality[:150])
    assert kept.read_bytes() == content


def test_trends_of_the_recordings_of_one_import_are_kept_apart(tmp_path: Path) -> None:
    names = ("a.edf", "b.edf")
    files = [write_edf(tmp_path / name, noise(60, seed=n)) for n, name in enumerate(names)]
    hmsprep.import_recordings(files, tmp_path / "data")

    def trend(name: str, cache: Path) -> Floats:
        return trends_of(open_or_import(tmp_path / "data", cache, name=name)).asymmetry_index

    first, second = (trend(name, tmp_path / "cache") for name in names)
    np.testing.assert_array_equal(second, trend("b.edf", tmp_path / "fresh"))
    np.testing.assert_array_equal(first, trend("a.edf", tmp_path / "cache"))
    assert not np.array_equal(first, second)


def test_what_is_missing_is_nan_and_never_zero(trends: Trends) -> None:
    paused = (trends.time_s > 200) & (trends.time_s < 215)
    assert paused.sum() == 7
    for name, values in trends.arrays().items():
        assert not np.isinf(values).any()
        if name.startswith("artefacts") and name != "artefacts/muscle":
            assert np.isfinite(values).all()
            continue
        if name in ("quality", "artefacts/muscle"):
            unknown = [0, np.flatnonzero(paused)[0] - 1]  # the start, and right before the gap
            np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), unknown)
            continue
        if name.startswith("suppression"):
            assert np.isnan(values[paused]).all()
            continue
        assert np.isnan(values[paused]).all(), name
        assert np.isnan(values[[0, -1]]).all(), name  # their windows reach beyond the recording
        assert np.isfinite(values[20:90]).any(), name
    # One electrode that the file lacks costs a side two of eight pairs, and no trend.
    assert np.isfinite(trends.spectrogram_db["right"][20:90]).all()
    np.testing.assert_allclose(trends.artefacts["missing"][20:90], 2 / 18, rtol=1e-6)
    np.testing.assert_allclose(trends.artefacts["missing"][paused], 1)
    assert (trends.quality[paused] == 0).all()


def test_a_gap_of_one_electrode_changes_nothing_elsewhere(night: Recording, trends: Trends) -> None:
    near = np.abs(trends.time_s - 400.5) < 9
    assert np.isfinite(trends.spectrogram_db["LL"][near]).all()  # two of four pairs are enough
    assert (trends.artefacts["missing"][near] * 18).max() == pytest.approx(4)
    assert np.isfinite(trends.aeeg_uv["left"][near]).all()  # which is of other electrodes


def test_trends_do_not_depend_on_where_blocks_begin(
    night: Recording, trends: Trends, tmp_path: Path
) -> None:
    later = night.read(100, 661).T.copy()
    write_import(tmp_path / "data", later, filled=("O2",))
    recording = Recording.open(tmp_path / "data", cache=tmp_path / "cache")
    cut, whole = trends_of(recording).arrays(), trends.arrays()
    for name, values in cut.items():
        begin = 30 if name.startswith("suppression") else 5
        np.testing.assert_allclose(
            values[begin:], whole[name][50 + begin :], rtol=1e-3, atol=2e-3, err_msg=name
        )


def test_fewer_columns_are_means_of_what_is_known_and_the_largest_rhythms(trends: Trends) -> None:
    narrow = trends.at_resolution(100)
    assert len(narrow.time_s) == 83  # of four epochs each
    assert narrow.epoch_s == 8
    np.testing.assert_allclose(np.diff(narrow.time_s)[:-1], 8)
    part = np.s_[40:44]
    np.testing.assert_allclose(narrow.quality[10], trends.quality[part].mean(), rtol=1e-6)
    rows = trends.spectrogram_db["left"][part]
    np.testing.assert_allclose(narrow.spectrogram_db["left"][10], rows.mean(axis=0), rtol=1e-5)
    best = int(trends.rhythmicity["right"][part].argmax())
    assert narrow.rhythmicity["right"][10] == trends.rhythmicity["right"][part][best]
    assert narrow.rhythm_hz["right"][10] == trends.rhythm_hz["right"][part][best]
    last = trends.quality[-3:] if len(trends.time_s) % 4 == 3 else trends.quality[328:]
    np.testing.assert_allclose(narrow.quality[-1], last.mean(), rtol=1e-6)
    assert np.isnan(narrow.asymmetry_index[(narrow.time_s > 204) & (narrow.time_s < 211)]).all()
    assert trends.at_resolution(5_000) is trends
    odd = trends.at_resolution(50)  # of seven epochs each
    for place in range(len(odd.time_s)):
        rows = trends.spectrogram_db["LP"][7 * place : 7 * place + 7]
        known = np.isfinite(rows).sum(axis=0)
        total = np.nansum(rows.astype(float), axis=0)
        wanted = np.where(known > 0, total / np.maximum(known, 1), np.nan)
        np.testing.assert_allclose(odd.spectrogram_db["LP"][place], wanted, rtol=1e-5, atol=1e-4)
    with pytest.raises(ValueError, match="at least 1 column"):
        trends.at_resolution(0)


def test_a_stretch_of_trends_is_a_view(trends: Trends) -> None:
    some = trends.between(100, 161)
    np.testing.assert_array_equal(some.time_s, np.arange(101, 161, 2))
    np.testing.assert_array_equal(some.aeeg_uv["left"], trends.aeeg_uv["left"][50:80])
    assert some.aeeg_uv["left"].base is trends.aeeg_uv["left"]


def test_the_guide_has_each_trend_with_its_formula_and_source() -> None:
    assert set(ABOUT) == {one.name for one in fields(Trends)} - {"time_s", "hz", "epoch_s"}
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    for about in ABOUT.values():
        for part in (about.title, about.unit, about.formula, about.source):
            assert part in text, part
