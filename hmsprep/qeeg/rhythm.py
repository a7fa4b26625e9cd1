"""A signal -> how rhythmic its delta waves are, and how regular its spikes.

Legend: P signals, T samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from hmsprep.qeeg.columns import BANDS_HZ

DELTA_RATE_HZ = 40.0
"""Samples a second of the delta waves: ten a period at the highest frequency."""
EARLIEST = 0.9
"""A wave repeats after two, three periods as well as after one: the shortest lag counts whose peak
is so much of the highest."""
BESIDE = 1
"""Samples that a peak may lie outside the band's lags: its place is known about as well."""
SMOOTHED_S, APART_S, TIMES_MEAN = 0.06, 0.15, 5.0
"""Nonlinear energy is averaged over so long; peaks of spikes are so far apart and so high."""
FEWEST_SPIKES = 3
Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]


def delta_waves(spectrum_PF: Complex, samples: int, rate_hz: float) -> tuple[Floats, float]:
    """Delta waves of signals, at a lower rate.

    Parameters
    ----------
    spectrum_PF : complex128 (P, T // 2 + 1)
        Transform of the whole signals.
    samples : int
        T.

    Returns
    -------
    waves : float64 (P, t)
        The signals from 0.5 to 4 Hz, without any shift in phase.
    rate_hz : float
        Samples a second of these.
    """
    fewer = min(samples, round(samples * DELTA_RATE_HZ / rate_hz))
    kept = spectrum_PF[:, : fewer // 2 + 1].copy()
    frequency = np.arange(kept.shape[1]) * rate_hz / samples
    low, high = BANDS_HZ["delta"]
    kept[:, (frequency < low) | (frequency > high)] = 0
    waves: Floats = irfft(kept, n=fewer, axis=1) * (fewer / samples)
    return waves, rate_hz * fewer / samples


def rhythm_measures(waves_PT: Floats, rate_hz: float) -> dict[str, Floats]:
    """Height and frequency of the peak of each signal's autocorrelation, float64 (P,).

    NaN where there is no peak between the lags of the band.
    """
    low, high = BANDS_HZ["delta"]
    correlation = autocorrelation(waves_PT, int(np.ceil(rate_hz / low)) + 2 + BESIDE)
    lags = np.arange(correlation.shape[1]) / rate_hz
    height = np.full(len(waves_PT), np.nan)
    frequency = np.full(len(waves_PT), np.nan)
    for place, row in enumerate(correlation):
        before, here, after = row[:-2], row[1:-1], row[2:]
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = 0.5 * (before - after) / (before - 2 * here + after)  # vertex of a parabola
            top = here - 0.25 * (before - after) * moved
        lag = lags[1:-1] + moved / rate_hz
        inside = (lag >= 1 / high - BESIDE / rate_hz) & (lag <= 1 / low + BESIDE / rate_hz)
        peaks = (here > before) & (here >= after) & inside
        found = np.flatnonzero(peaks)
        if len(found):
            best = found[np.argmax(top[found] >= EARLIEST * top[found].max())]
            if top[found].max() <= 0:
                best = found[np.argmax(top[found])]
            height[place] = min(top[best], 1.0)
            frequency[place] = np.clip(1 / lag[best], low, high)
    return {"rhythmicity": height, "rhythm_frequency": frequency}


def autocorrelation(signal_PT: Floats, lags: int) -> Floats:
    """Autocorrelation of signals of mean 0 at lags of 0, 1, ... samples, float64 (P, lags).

    Each lag's sum is over the samples that there are, and is divided by their number.
    """
    samples = signal_PT.shape[1]
    lags = min(lags, samples)
    size = next_fast_len(samples + lags, real=True)
    spectrum = rfft(signal_PT, size, axis=1)
    sums = irfft(spectrum.real**2 + spectrum.imag**2, size, axis=1)[:, :lags]
    means = sums / (samples - np.arange(lags))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = means / means[:, :1]
    return found


def spike_measures(signal_uv_PT: Floats, rate_hz: float) -> dict[str, Floats]:
    """Rate of spikes, and how their intervals vary, float64 (P,).

    The second is NaN where there are fewer than `FEWEST_SPIKES`.
    """
    middle = signal_uv_PT[:, 1:-1]
    energy = middle**2 - signal_uv_PT[:, :-2] * signal_uv_PT[:, 2:]
    smooth = uniform_filter1d(energy, max(1, round(SMOOTHED_S * rate_hz)), axis=1)
    levels = TIMES_MEAN * smooth.mean(axis=1)
    apart = max(1, round(APART_S * rate_hz))
    rate, varying = np.zeros(len(smooth)), np.full(len(smooth), np.nan)
    for place, (row, level) in enumerate(zip(smooth, levels, strict=True)):
        found, _ = find_peaks(row, height=level, distance=apart)
        rate[place] = len(found) * rate_hz / signal_uv_PT.shape[1]
        if len(found) >= FEWEST_SPIKES:
            between = np.diff(found)
            varying[place] = between.std() / between.mean()
    return {"spike_rate": rate, "spike_interval_cv": varying}
