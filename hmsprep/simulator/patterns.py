"""The five patterns as time courses: what each does over time, before it is put on the head.

Definitions follow the American Clinical Neurophysiology Society's Standardized Critical Care EEG
Terminology, 2021 version. Periodic discharges: 0.5 to 2.5 Hz, for at least six cycles, with a clear
interval between discharges. Rhythmic delta: 0.5 to 4 Hz, uniform, without interval. Seizure: over
2.5 Hz for at least 10 s, or definite evolution in frequency, form or place.

All functions return float32 (samples,) with peaks near 1, negative where clinicians look up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator.noise import RATE_HZ, slow_wander

Wave = NDArray[np.float32]


def periodic(rng: np.random.Generator, samples: int, *, triphasic: bool) -> Wave:
    """Periodic discharges: sharp waves at regular intervals, the time between them quiet."""
    slowest = max(0.5, 7 * RATE_HZ / samples)  # at least six cycles
    rate = float(np.clip(rng.lognormal(np.log(1.1), 0.45), slowest, 2.3))
    count = int(samples / RATE_HZ * rate * 1.3) + 8
    intervals = rng.normal(1, rng.uniform(0.02, 0.08), count) / rate
    intervals = np.clip(intervals, 1 / 2.5, 1 / 0.5)
    times = np.cumsum(intervals) - rng.uniform(0, 1) / rate
    template = triphasic_wave(rng, rate) if triphasic else sharp_wave(rng, rate)
    return _repeated(template, times, rng.lognormal(0, 0.15, count), samples)


def sporadic(rng: np.random.Generator, samples: int, rate_hz: float) -> Wave:
    """Sharp waves at random times: not periodic, so none of the patterns."""
    count = rng.poisson(samples / RATE_HZ * rate_hz) + 1
    times = rng.uniform(0, samples / RATE_HZ, count)
    return _repeated(sharp_wave(rng, 1.0), times, rng.lognormal(0, 0.4, count), samples)


def rhythmic(rng: np.random.Generator, samples: int) -> Wave:
    """Rhythmic delta activity: a uniform wave that follows upon itself without interval."""
    rate = float(np.clip(rng.lognormal(np.log(1.9), 0.35), 0.7, 3.5))
    phase = _phase(np.clip(rate * slow_wander(rng, samples, 1.5, 0.12), 0.5, 4.0))
    second = rng.uniform(0.1, 0.3) * np.sin(2 * phase + rng.uniform(0, 2 * np.pi))
    return ((np.sin(phase) + second) * slow_wander(rng, samples, 1.5, 0.25)).astype(np.float32)


def spike_and_wave(rng: np.random.Generator, samples: int) -> Wave:
    """Seizure without much evolution: spikes with slow waves at 2.6 to 5.5 Hz."""
    rate = rng.uniform(2.8, 5.0) * slow_wander(rng, samples, 2, 0.08)
    phase = _phase(np.clip(rate, 2.6, 5.5))
    turn = (phase / (2 * np.pi)) % 1
    spike = -np.exp(-(((turn - 0.12) / 0.05) ** 2))
    wave = 0.7 * np.sin(np.clip((turn - 0.25) / 0.75, 0, 1) * np.pi)
    return ((spike + wave) * slow_wander(rng, samples, 2, 0.25)).astype(np.float32)


def evolving(rng: np.random.Generator, samples: int) -> tuple[Wave, NDArray[np.float32]]:
    """Seizure that evolves: over half a minute or more fast and small becomes slow and large.

    Returns
    -------
    wave : float32 (samples,)
        The discharge; one evolution follows upon the other.
    spread : float32 (samples,)
        How far each moment is in its evolution, 0 to 1: how wide the field has become.
    """
    rate = np.empty(samples)
    spread = np.empty(samples, np.float32)
    first = -int(rng.uniform(0, 20) * RATE_HZ)
    while first < samples:
        length = int(rng.uniform(25, 70) * RATE_HZ)
        start_hz, end_hz = rng.uniform(5, 10), rng.uniform(2.6, 3.6)
        part = slice(max(first, 0), min(first + length, samples))
        progress = (np.arange(part.start, part.stop) - first) / length
        rate[part] = start_hz * (end_hz / start_hz) ** progress
        spread[part] = progress
        first += length
    phase = _phase(np.maximum(rate * slow_wander(rng, samples, 2, 0.08), 2.55))
    wave = np.sin(phase) + 0.45 * np.sin(2 * phase) + 0.25 * np.sin(3 * phase)
    size = (0.45 + 0.75 * spread) * slow_wander(rng, samples, 3, 0.12)
    return (wave * size / 1.3).astype(np.float32), spread


def sharp_wave(rng: np.random.Generator, rate_hz: float) -> Wave:
    """One sharp wave: a negative peak under 200 ms, then a slower positive one."""
    width = min(rng.uniform(0.03, 0.055), 0.07 / rate_hz)
    time = np.arange(-0.15, 0.45, 1 / RATE_HZ)
    peak = -np.exp(-((time / width) ** 2))
    after = rng.uniform(0.2, 0.5) * np.exp(-(((time - 2.8 * width) / (1.9 * width)) ** 2))
    return (peak + after).astype(np.float32)


def triphasic_wave(rng: np.random.Generator, rate_hz: float) -> Wave:
    """One wave of three phases: negative, a larger positive, negative; each longer."""
    width = min(rng.uniform(0.035, 0.06), 0.06 / rate_hz)
    time = np.arange(-0.2, 0.5, 1 / RATE_HZ)
    phases = ((-0.6, -1.9, 0.8), (1.0, 0.0, 1.0), (-0.45, 2.6, 1.5))
    wave = sum(
        size * np.exp(-(((time - place * width) / (wide * width)) ** 2))
        for size, place, wide in phases
    )
    return np.asarray(wave, np.float32)


def _phase(rate_hz: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.cumsum(np.asarray(rate_hz, np.float64)) * (2 * np.pi / RATE_HZ)


def _repeated(
    template: Wave, times_s: NDArray[np.float64], sizes: NDArray[np.float64], samples: int
) -> Wave:
    """Put a wave at each of these times."""
    from scipy.signal import fftconvolve

    at = np.rint(times_s * RATE_HZ).astype(np.int64)
    inside = (at >= 0) & (at < samples)
    train = np.zeros(samples, np.float32)
    np.add.at(train, at[inside], sizes[inside].astype(np.float32))
    waves: Wave = fftconvolve(train, template, mode="same").astype(np.float32)
    return waves
