"""From raw to stored values, in the documented order."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from hmsprep.building.values.clean import clean, count_clipped, missing_values
from hmsprep.planning.parameters import HALF_MAX, Parameters
from hmsstore.schema import EEG, SPECTROGRAM

NAN = np.nan
EKG = 19


def cleaned(raw: np.ndarray, signal=EEG, **parameters) -> np.ndarray:
    values = raw.astype(np.float32)
    return clean(values, missing_values(values), signal, Parameters(**parameters))


def eeg(channel: list[float], number: int = 0) -> np.ndarray:
    raw = np.zeros((20, len(channel)))
    raw[number] = channel
    return raw


def power(feature: list[float]) -> np.ndarray:
    raw = np.ones((400, len(feature)))
    raw[0] = feature
    return raw


def test_eeg_is_clipped_and_the_ekg_has_a_wider_limit() -> None:
    raw = eeg([-5000, -1024, 3, 1024.5, 5000])
    raw[EKG] = [-50_000, 9999, 0, 31_999, 40_000]
    out = cleaned(raw)
    assert out[0].tolist() == [-1024, -1024, 3, 1024, 1024]
    assert out[EKG].tolist() == [-32_000, 9999, 0, 31_999, 32_000]


def test_power_is_clipped_and_its_natural_logarithm_taken() -> None:
    out = cleaned(power([0, 0.01, 1, 2000, 1e8]), SPECTROGRAM)
    np.testing.assert_allclose(out[0], [-4, -4, 0, log(2000), 8], rtol=1e-6, atol=1e-6)


def test_without_clip_the_smallest_power_is_half_the_grid() -> None:
    out = cleaned(power([0, 0.005, 1e8]), SPECTROGRAM, spectrogram_clip=None)
    np.testing.assert_allclose(out[0], [log(0.005), log(0.005), log(1e8)], rtol=1e-6)


def test_without_clip_what_half_precision_cannot_hold_saturates() -> None:
    raw = eeg([-1e6, 60_000, 65_504, 1.9e6]).astype(np.float32)
    raw[EKG, 0] = 1e5
    out = clean(raw, None, EEG, Parameters(eeg_clip=None, ekg_clip=None))
    assert out[0].tolist() == [-HALF_MAX, 60_000, HALF_MAX, HALF_MAX]
    assert np.isfinite(out.astype(np.float16)).all()


def test_zero_fills_the_physical_signal_so_a_lost_spectrogram_row_is_at_the_floor() -> None:
    assert cleaned(eeg([1, NAN, 3]))[0].tolist() == [1, 0, 3]
    assert cleaned(power([1, NAN, 1]), SPECTROGRAM)[0].tolist() == pytest.approx([0, -4, 0])


def test_interpolation_is_linear_in_time_and_holds_the_edges() -> None:
    out = cleaned(eeg([NAN, 10, NAN, NAN, 40, NAN]), nan="interpolate")
    assert out[0].tolist() == [10, 10, 20, 30, 40, 40]
    out = cleaned(power([1, NAN, 3]), SPECTROGRAM, nan="interpolate")
    assert out[0].tolist() == pytest.approx([0, log(2), log(3)])


def test_interpolation_comes_before_clipping() -> None:
    out = cleaned(eeg([0, NAN, 3000]), nan="interpolate")
    assert out[0].tolist() == [0, 1024, 1024]


def test_a_feature_that_is_missing_throughout_becomes_zero() -> None:
    out = cleaned(eeg([NAN, NAN]), nan="interpolate")
    assert out[0].tolist() == [0, 0]
    out = cleaned(power([NAN, NAN]), SPECTROGRAM, nan="interpolate")
    assert out[0].tolist() == pytest.approx([-4, -4])


def test_mean_leaves_the_gap_for_the_second_pass() -> None:
    out = cleaned(eeg([1, NAN]), nan="mean")
    assert out[0, 0] == 1
    assert np.isnan(out[0, 1])


@pytest.mark.parametrize("by_pair", [False, True])
def test_infinite_values_do_not_count_as_clipped(by_pair: bool) -> None:
    raw = eeg([np.inf, -np.inf, NAN, 5000, 3]).astype(np.float32)
    assert count_clipped(raw, Parameters(), by_pair=by_pair)[0] == 1


def test_infinite_values_count_as_missing() -> None:
    raw = eeg([np.inf, 5, -np.inf]).astype(np.float32)
    missing = missing_values(raw)
    assert missing is not None
    assert missing.sum() == 2
    assert cleaned(raw)[0].tolist() == [0, 5, 0]


def test_band_pass_fills_clips_filters_the_whole_recording_and_clips_again() -> None:
    from scipy.signal import butter, sosfiltfilt

    rng = np.random.default_rng(0)
    raw = rng.normal(0, 500, (20, 10_000)).astype(np.float32)
    raw[2, 100:200] = NAN
    out = cleaned(raw, bandpass=(0.5, 40.0), nan="mean", eeg_clip=600.0)
    expected = raw[2].astype(np.float64)
    expected[100:200] = np.nanmean(expected)
    sections = butter(4, (0.5, 40.0), "bandpass", fs=200, output="sos")
    expected = np.clip(sosfiltfilt(sections, np.clip(expected, -600, 600)), -600, 600)
    np.testing.assert_allclose(out[2], expected, atol=1e-3)


def test_band_pass_does_not_shift_the_signal() -> None:
    time = np.arange(10_000) / 200
    wave = 50 * np.sin(2 * np.pi * 5 * time)
    out = cleaned(eeg((wave + 300).tolist()), bandpass=(0.5, 40.0))
    np.testing.assert_allclose(out[0, 1000:-1000], wave[1000:-1000], atol=0.5)


def test_default_clip_of_power_is_e_to_minus_4_and_8() -> None:
    assert Parameters().spectrogram_clip == (exp(-4), exp(8))
