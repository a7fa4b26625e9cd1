"""A spectrum -> noise that has it, of any length and number of channels, float32.

Long noise is made of blocks that overlap; in the overlap one fades out and the next fades in so
that the variance stays the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import EEG

RATE_HZ = EEG.row_rate_hz
BLOCK = 1 << 17
OVERLAP = 400

Spectrum = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Amplitude at each frequency in Hz."""


def shaped(
    rng: np.random.Generator, channels: int, samples: int, spectrum: Spectrum
) -> NDArray[np.float32]:
    """Gaussian noise (channels, samples) with this amplitude spectrum and unit variance."""
    noise = np.zeros((channels, samples), np.float32)
    fade = np.linspace(0, np.pi / 2, OVERLAP, dtype=np.float32)
    for first in range(0, samples, BLOCK - OVERLAP):
        block = _block(rng, channels, spectrum)
        if first:
            block[:, :OVERLAP] *= np.sin(fade)
        if first + BLOCK < samples:
            block[:, -OVERLAP:] *= np.cos(fade)
        length = min(BLOCK, samples - first)
        noise[:, first : first + length] += block[:, :length]
        if first + BLOCK >= samples:
            break
    return noise


def _block(rng: np.random.Generator, channels: int, spectrum: Spectrum) -> NDArray[np.float32]:
    from scipy.fft import irfft

    frequency = np.fft.rfftfreq(BLOCK, 1 / RATE_HZ)
    amplitude = spectrum(np.asarray(frequency))
    amplitude[0] = 0
    amplitude = amplitude / np.sqrt(np.sum(amplitude**2) * 2) * BLOCK / np.sqrt(2)
    parts = rng.standard_normal((channels, len(frequency), 2), np.float32)
    bins = parts.view(np.complex64)[..., 0] * amplitude.astype(np.float32)
    values: NDArray[np.float32] = irfft(bins, BLOCK)
    return values


def band(low_hz: float, high_hz: float) -> Spectrum:
    """Flat between two frequencies, with slopes of a quarter octave."""

    def amplitude(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        octaves = np.log2(np.maximum(frequency, 1e-9))
        below = np.clip((np.log2(low_hz) - octaves) / 0.25, 0, None)
        above = np.clip((octaves - np.log2(high_hz)) / 0.25, 0, None)
        return np.asarray(np.exp(-((below + above) ** 2)))

    return amplitude


def slow_wander(
    rng: np.random.Generator, samples: int, seconds: float, deviation: float
) -> NDArray[np.float32]:
    """Factor (samples,) around 1 that wanders over so many seconds (log-normal)."""
    steps = max(4, int(samples / RATE_HZ / seconds) + 4)
    knots = rng.normal(0, deviation, steps)
    at = np.linspace(1, steps - 2, samples)
    return np.exp(np.interp(at, np.arange(steps), knots)).astype(np.float32)
