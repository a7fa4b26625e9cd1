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
UNUSED = 3000
"""Samples of a shorter block, at least, that are made and not used."""
SHORTEST_BLOCK = 1 << 14
INAUDIBLE = 1e-6
"""Amplitudes below this share of the largest, at either end of a spectrum, are left out."""
MANY = 8192
"""From so many real and imaginary parts on, they need not be normal for their sums to be."""

Spectrum = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Amplitude at each frequency in Hz."""


def shaped(
    rng: np.random.Generator, channels: int, samples: int, spectrum: Spectrum
) -> NDArray[np.float32]:
    """Gaussian noise (channels, samples) with this amplitude spectrum and unit variance."""
    if samples + UNUSED <= BLOCK:
        return _block(rng, channels, _length(samples), spectrum)[:, :samples]
    noise = np.zeros((channels, samples), np.float32)
    fade = np.linspace(0, np.pi / 2, OVERLAP, dtype=np.float32)
    for first in range(0, samples, BLOCK - OVERLAP):
        block = _block(rng, channels, _length(samples - first), spectrum)
        if first:
            block[:, :OVERLAP] *= np.sin(fade)
        last = samples - first + UNUSED <= BLOCK
        if not last:
            block[:, -OVERLAP:] *= np.cos(fade)
        length = min(BLOCK, samples - first)
        noise[:, first : first + length] += block[:, :length]
        if last:
            break
    return noise


def _length(samples: int) -> int:
    """Length of the block that so many samples are the beginning of, quick to transform.

    A block closes upon itself, so its end is not used; it is long enough for slow waves.
    """
    from scipy.fft import next_fast_len

    return min(max(int(next_fast_len(samples + UNUSED, real=True)), SHORTEST_BLOCK), BLOCK)


def _block(
    rng: np.random.Generator, channels: int, length: int, spectrum: Spectrum
) -> NDArray[np.float32]:
    from scipy.fft import irfft

    frequency = np.fft.rfftfreq(length, 1 / RATE_HZ)
    amplitude = spectrum(np.asarray(frequency))
    amplitude[0] = 0
    amplitude = amplitude / np.sqrt(np.sum(amplitude**2) * 2) * length / np.sqrt(2)
    heard = np.flatnonzero(amplitude > INAUDIBLE * amplitude.max())
    first, last = int(heard[0]), int(heard[-1]) + 1
    bins = np.zeros((channels, last), np.complex64)
    sizes = np.repeat(amplitude[first:last], 2).astype(np.float32)
    np.multiply(
        _parts(rng, channels, 2 * (last - first)), sizes, bins.view(np.float32)[:, 2 * first :]
    )
    values: NDArray[np.float32] = irfft(bins, length)
    return values


def _parts(rng: np.random.Generator, channels: int, count: int) -> NDArray[np.float32]:
    """Real and imaginary parts of a block's spectrum (channels, count), of unit variance.

    Each sample is a sum of them all. The sum of many is Gaussian whatever their own distribution
    (central limit theorem), so where there are many they are uniform, which is ten times as quick
    to draw as normal.
    """
    if count < MANY:
        return rng.standard_normal((channels, count), np.float32)
    words = -(-count // 4)
    drawn = rng.integers(-(2**63), 2**63 - 1, (channels, words), np.int64, endpoint=True)
    whole = drawn.view(np.int16)[:, :count].astype(np.float32)
    whole += np.float32(0.5)
    whole *= np.float32(np.sqrt(12) / 2**16)
    return whole


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
