"""Bipolar pairs -> suppression, suddenness of onsets, evolution, and how regular waves are.

Legend: P pairs, T samples, S segments, F frequencies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.qeeg.judged.artefacts import lasting
from hmsprep.qeeg.judged.coupling import ENVELOPE_S, envelopes

SUPPRESSED_UV, SUPPRESSED_S = 5.0, 0.5
EDGE_S = 4.0
"""What is compared of a window's beginning and end: of ten seconds, the first and the last four."""
MEDIAN_HZ = (1.0, 20.0)
FEWEST_WAVES = 4
LEAST_UV = 1e-3
Floats = NDArray[np.float64]


def suppression_ratio(pairs_uv_PT: Floats, rate_hz: float) -> float:
    """Share of time that pairs spend within +-5 uV for half a second or longer."""
    x = pairs_uv_PT - np.median(pairs_uv_PT, axis=1, keepdims=True)
    quiet = np.abs(x) < SUPPRESSED_UV
    return float(lasting(quiet, round(SUPPRESSED_S * rate_hz)).mean())


def onset_measures(pairs_uv_PT: Floats, rate_hz: float) -> dict[str, float]:
    """How suddenly the RMS over all pairs rises and falls."""
    power = (envelopes(pairs_uv_PT, rate_hz) ** 2).mean(axis=0)
    level = np.log(np.maximum(np.sqrt(power), LEAST_UV))
    width = round(1 / ENVELOPE_S)
    second = np.convolve(power, np.full(width, 1 / width), "valid")
    logs = 0.5 * np.log(np.maximum(second, LEAST_UV**2))
    change = logs[width:] - logs[:-width]
    if not len(change):
        return dict.fromkeys(("rise", "fall", "rise_quarter", "envelope_deviation"), np.nan)
    return {
        "rise": float(change.max()),
        "fall": float(-change.min()),
        "rise_quarter": float(np.diff(level).max()),
        "envelope_deviation": float(level.std()),
    }


def evolution_measures(
    pairs_uv_PT: Floats, density_SPF: Floats, frequency_hz: Floats, rate_hz: float
) -> dict[str, float]:
    """How amplitude, frequency and place change between the beginning and the end.

    Parameters
    ----------
    density_SPF : float64 (S, P, F)
        Power of segments of 2 s, half overlapping, in any unit.
    """
    edge = min(round(EDGE_S * rate_hz), pairs_uv_PT.shape[1] // 2)
    first, last = (
        np.maximum(np.sqrt((part**2).mean(axis=1)), LEAST_UV)
        for part in (pairs_uv_PT[:, :edge], pairs_uv_PT[:, -edge:])
    )
    amplitude = np.sqrt((last**2).mean() / (first**2).mean())
    cosine = float(first @ last / np.sqrt((first @ first) * (last @ last)))
    head = density_SPF.sum(axis=1)
    count = min(3, max(1, len(head) // 2))  # three half overlapping segments of 2 s are 4 s
    each = np.array([median_frequency(row, frequency_hz) for row in head])
    edges = [
        median_frequency(part.sum(axis=0), frequency_hz) for part in (head[:count], head[-count:])
    ]
    return {
        "amplitude_change": float(abs(np.log(amplitude))),
        "frequency_change": float(abs(np.log2(edges[1] / edges[0]))),
        "frequency_wander": float(np.log2(each).std()),
        "place_change": 1 - cosine,
    }


def median_frequency(density_F: Floats, frequency_hz: Floats) -> float:
    """Frequency that halves the power of `MEDIAN_HZ`, between the grid's points; NaN of none."""
    used = (frequency_hz >= MEDIAN_HZ[0]) & (frequency_hz <= MEDIAN_HZ[1])
    sums = np.cumsum(density_F[used])
    if not len(sums) or not sums[-1] > 0:
        return np.nan
    return float(np.interp(0.5, sums / sums[-1], frequency_hz[used]))


def wave_measures(waves_PT: Floats, rate_hz: float) -> dict[str, float]:
    """Frequency of the delta waves of the pair that has most, and how their periods vary."""
    best = waves_PT[np.argmax((waves_PT**2).sum(axis=1))]
    up = np.flatnonzero((best[:-1] < 0) & (best[1:] >= 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        crossing = (up + best[up] / (best[up] - best[up + 1])) / rate_hz
    period = np.diff(crossing)
    if len(period) < FEWEST_WAVES:
        return {"wave_frequency": np.nan, "wave_cv": np.nan}
    return {
        "wave_frequency": float(1 / np.median(period)),
        "wave_cv": float(period.std() / period.mean()),
    }
