"""Noise of any length is Gaussian, of the spectrum and size that are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import welch
from scipy.stats import kurtosis

from hmsprep.simulator.noise import BLOCK, RATE_HZ, Spectrum, band, shaped

LENGTHS = (300, 6_000, 128_000, BLOCK, BLOCK + 20_000)


def falling(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    return (frequency**2 + 4) ** -0.75


@pytest.mark.parametrize("samples", LENGTHS)
def test_noise_of_any_length_has_unit_variance_and_independent_channels(samples: int) -> None:
    found = shaped(np.random.default_rng(1), 40, samples, band(4, 40))
    assert found.shape == (40, samples)
    assert found.dtype == np.float32
    assert found.std() == pytest.approx(1, abs=0.05)
    between = np.corrcoef(found)[np.triu_indices(40, 1)]
    assert np.abs(between).max() < 5.5 / np.sqrt(samples * 0.36)  # 36 of 100 Hz are in it


@pytest.mark.parametrize("samples", LENGTHS[1:])
def test_noise_has_the_spectrum_that_is_asked_for(samples: int) -> None:
    found = shaped(np.random.default_rng(2), 20, samples, falling)
    frequency, power = welch(found, RATE_HZ, nperseg=1024)
    inside = (frequency > 1) & (frequency < 95)
    ratio = power.mean(axis=0)[inside] / falling(frequency[inside]) ** 2
    assert np.log(ratio).std() < 0.15


@pytest.mark.parametrize("spectrum", [band(4, 40), falling, np.ones_like])
def test_noise_is_gaussian_also_within_seconds(spectrum: Spectrum) -> None:
    found = shaped(np.random.default_rng(3), 30, 128_000, spectrum)
    assert abs(kurtosis(found[:, ::50], axis=None)) < 0.15
    ten_seconds = np.fft.rfft(found.reshape(30, 64, 2_000) * np.hanning(2_000))
    power = np.abs(ten_seconds[..., 50:390]) ** 2
    power /= power.mean(axis=(0, 1))
    assert (power**2).mean() == pytest.approx(2, rel=0.05)  # as of an exponential distribution


@pytest.mark.parametrize("samples", LENGTHS)
def test_noise_does_not_close_upon_itself_nor_come_again(samples: int) -> None:
    slow = shaped(np.random.default_rng(4), 150, samples, band(3, 9))
    assert abs(np.corrcoef(slow[:, 0], slow[:, -1])[0, 1]) < 0.4
    fast = shaped(np.random.default_rng(5), 20, samples, band(4, 40))
    power = np.abs(np.fft.rfft(fast, 2 * samples)) ** 2
    against = np.fft.irfft(power)[:, :samples] / samples
    assert np.abs(against[:, 200:].mean(axis=0)).max() < 0.15
