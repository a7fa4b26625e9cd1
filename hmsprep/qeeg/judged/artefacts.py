"""Unfiltered EEG -> how much of it is mains, muscle, steps, drift, flat or clipped.

Legend: E electrodes, P pairs, T samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft, rfftfreq
from scipy.signal import get_window

MAINS_HZ = (50, 60)
MUSCLE_HZ, MUSCLE_UV = (25.0, 45.0), 5.0
FAST_HZ = (30.0, 45.0)
STEP_S, STEP_WITHIN_S, STEP_UV, STEP_TIMES = 0.2, 0.05, 150.0, 8.0
LARGE_UV = 500.0
FLAT_S, FLAT_UV = 0.1, 1e-3
CLIPPED_SAMPLES = 3
LEAST = 1e-8
"""Density, uV^2/Hz, that stands for none."""
Floats = NDArray[np.float64]


def artefact_measures(eeg_uv_ET: Floats, pairs_uv_PT: Floats, rate_hz: float) -> dict[str, float]:
    """Measure artefacts of electrodes and of their bipolar pairs, in uV and unfiltered."""
    second = round(rate_hz)
    count = pairs_uv_PT.shape[1] // second
    cut = pairs_uv_PT[:, : count * second].reshape(len(pairs_uv_PT), count, second)
    centred = cut - cut.mean(axis=2, keepdims=True)
    taper = get_window("hann", second)
    spectrum = rfft(centred * taper, axis=2)
    density = 2 * (spectrum.real**2 + spectrum.imag**2) / (rate_hz * (taper**2).sum())
    frequency = rfftfreq(second, 1 / rate_hz)
    mean = np.maximum(density.mean(axis=1), LEAST)
    found = {}
    for hz in MAINS_HZ:
        away = np.abs(frequency - hz)
        line, around = away <= 1, (away >= 3) & (away <= 6)
        known = line.any() and around.any()
        ratio = np.log(mean[:, line].mean(axis=1) / mean[:, around].mean(axis=1)) if known else []
        found[f"mains_{hz}"] = float(np.median(ratio)) if known else np.nan
    step = frequency[1]
    fast = (frequency >= FAST_HZ[0]) & (frequency <= FAST_HZ[1])
    found["power_fast"] = float(np.median(np.log(mean[:, fast].sum(axis=1) * step)))
    high = (frequency >= MUSCLE_HZ[0]) & (frequency <= MUSCLE_HZ[1])
    strong = np.sqrt(density[:, :, high].sum(axis=2) * step) > MUSCLE_UV
    found["muscle"] = float(strong.mean())
    found["large"] = float((np.ptp(cut, axis=2) > LARGE_UV).mean())
    means = eeg_uv_ET[:, : count * second].reshape(len(eeg_uv_ET), count, second).mean(axis=2)
    found["drift"] = float(max(np.median(means.std(axis=1)), 1e-3))
    found["steps"] = float(_steps(eeg_uv_ET, rate_hz).mean())
    still = np.abs(np.diff(eeg_uv_ET, axis=1)) < FLAT_UV
    found["flat"] = float(lasting(still, round(FLAT_S * rate_hz)).mean())
    extremes = (eeg_uv_ET.min(axis=1, keepdims=True), eeg_uv_ET.max(axis=1, keepdims=True))
    alive = extremes[1] - extremes[0] > FLAT_UV
    clipped = [lasting((eeg_uv_ET == one) & alive, CLIPPED_SAMPLES) for one in extremes]
    found["clipped"] = float((clipped[0] | clipped[1]).mean())
    return found


def _steps(eeg_uv_ET: Floats, rate_hz: float) -> NDArray[np.bool_]:
    """Which electrodes change their level at once, bool (E,)."""
    length, within = round(STEP_S * rate_hz), round(STEP_WITHIN_S * rate_hz)
    every = max(1, within // 2)
    windows = np.lib.stride_tricks.sliding_window_view(eeg_uv_ET, length, axis=1)[:, ::every]
    level = np.median(windows, axis=2)
    apart = (length + within) // every
    if level.shape[1] <= apart:
        return np.zeros(len(eeg_uv_ET), bool)
    change = np.abs(level[:, apart:] - level[:, :-apart])
    usual = STEP_TIMES * np.median(change, axis=1)
    found: NDArray[np.bool_] = change.max(axis=1) > np.maximum(STEP_UV, usual)
    return found


def lasting(marked_PT: NDArray[np.bool_], samples: int) -> NDArray[np.bool_]:
    """Which marks belong to stretches of at least so many samples, bool (P, T)."""
    count, length = marked_PT.shape
    padded = np.zeros((count, length + 2), np.int8)
    padded[:, 1:-1] = marked_PT
    change = np.diff(padded, axis=1)
    found = np.zeros((count, length), bool)
    # Beginnings and ends come in the same order, row by row.
    rows, begin = np.nonzero(change == 1)
    _, end = np.nonzero(change == -1)
    for row, first, stop in zip(rows, begin, end, strict=True):
        if stop - first >= samples:
            found[row, first:stop] = True
    return found
