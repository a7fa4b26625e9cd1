"""Bipolar pairs -> discharges, and their rate, intervals, shape, field and lag.

Legend: P pairs, T samples, D discharges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt

DETECT_HZ = (2.0, 25.0)
DEVIATIONS = 4.5
QUARTER = 0.31864
"""First quartile of the size of a normal variable of deviation 1."""
WITHIN_S, APART_S = 0.1, 0.2
"""Peaks of one discharge lie so close over the pairs; two discharges so far apart."""
FEWEST_PAIRS = 2
AROUND_S = 0.5
"""Baseline of a discharge: the median of so much before and after."""
MOVED_S = 0.04
"""A peak of the filtered signal is looked for in the signal so far around."""
SHARP_S = 0.02
PHASE = 0.2
CLEAR_S = 0.15
ALIKE_S = 0.2
FEWEST_INTERVALS = 3
MIRRORED_S = 4.0
Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Discharges:
    """What was found in a window."""

    time_s: Floats
    """(D,) median of its peaks over the pairs that see it."""
    peak_DP: Whole
    """Sample of the peak at each pair; -1 where the pair does not see it."""
    strength_DP: Floats
    """Deviations of the background that the peak reaches; 0 where the pair does not see it."""


@lru_cache(maxsize=4)
def _filter(rate_hz: float) -> Floats:
    found: Floats = butter(2, DETECT_HZ, "bandpass", fs=rate_hz, output="sos")
    return found


def filtered_both_ways(sos: Floats, signal_PT: Floats, rate_hz: float) -> Floats:
    """Filter signals without shift, float64 (P, T).

    They are continued by their mirror images, long enough for the filter to forget how it began:
    an edge must not look like a discharge.
    """
    more = min(round(MIRRORED_S * rate_hz), signal_PT.shape[1] - 1)
    found: Floats = sosfiltfilt(sos, signal_PT, axis=1, padtype="even", padlen=more)
    return found


def find_discharges(pairs_uv_PT: Floats, rate_hz: float) -> Discharges:
    """Find discharges: large peaks from 2 to 25 Hz that several pairs see at about the same time.

    A pair's background is told from the first quartile of the distance of its signal from the
    median, since discharges, even two a second, leave that alone. The strongest peak is taken
    first, with the peaks of other pairs within `WITHIN_S`; whatever else lies within `APART_S` is
    part of it.
    """
    filtered = filtered_both_ways(_filter(rate_hz), pairs_uv_PT, rate_hz)
    size = np.abs(filtered - np.median(filtered, axis=1, keepdims=True))
    background = np.maximum(np.quantile(size, 0.25, axis=1) / QUARTER, 1e-3)
    strength = size / background[:, None]
    apart = max(1, round(APART_S * rate_hz))
    places, pairs, heights = [], [], []
    for pair, row in enumerate(strength):
        found, _ = find_peaks(row, height=DEVIATIONS, distance=apart)
        places.append(found)
        pairs.append(np.full(len(found), pair))
        heights.append(row[found])
    place: Whole = np.concatenate(places)
    pair_of: Whole = np.concatenate(pairs)
    height: Floats = np.concatenate(heights)
    within = WITHIN_S * rate_hz
    left = np.ones(len(place), bool)
    peaks, strengths = [], []
    for first in np.lexsort((place, pair_of, -height)):
        if not left[first]:
            continue
        away = np.abs(place - place[first])
        peak = np.full(len(pairs_uv_PT), -1, np.int64)
        reached = np.zeros(len(pairs_uv_PT))
        for one in np.flatnonzero(left & (away <= within)):
            if height[one] > reached[pair_of[one]]:
                reached[pair_of[one]], peak[pair_of[one]] = height[one], place[one]
        left &= away > apart - 1
        if (peak >= 0).sum() >= FEWEST_PAIRS:
            peaks.append(peak)
            strengths.append(reached)
    count = len(peaks)
    peak_DP = np.array(peaks, np.int64).reshape(count, len(pairs_uv_PT))
    strength_DP = np.array(strengths, np.float64).reshape(count, len(pairs_uv_PT))
    time = np.array([np.median(row[row >= 0]) for row in peak_DP], np.float64) / rate_hz
    order = np.argsort(time, kind="stable")
    return Discharges(time[order], peak_DP[order], strength_DP[order])


def discharge_measures(
    pairs_uv_PT: Floats, rate_hz: float, left: slice | Whole, right: slice | Whole
) -> dict[str, float]:
    """Measure the discharges of a window.

    Parameters
    ----------
    left, right : int64 arrays
        Pairs of the left and the right chains.

    Returns
    -------
    dict of float
        By measure; NaN, but for the rate, where too few were found to tell.
    """
    found = find_discharges(pairs_uv_PT, rate_hz)
    count = len(found.time_s)
    names = (
        "discharge_frequency", "interval_cv", "discharge_height", "discharge_prominence",
        "discharge_duration", "discharge_sharpness", "discharge_phases", "discharge_field",
        "discharge_lag", "discharge_laterality", "discharge_height_cv", "discharge_alike",
        "discharge_field_alike",
    )  # fmt: skip
    told = dict.fromkeys(names, np.nan)
    told["discharge_rate"] = count * rate_hz / pairs_uv_PT.shape[1]
    if not count:
        return told
    told |= _intervals(found.time_s)
    seen = found.peak_DP >= 0
    told["discharge_field"] = float(seen.mean())
    lags = [row[row >= 0].std() for row in found.peak_DP]
    told["discharge_lag"] = float(np.median(lags)) / rate_hz * 1e3
    told |= _shapes(pairs_uv_PT, found, rate_hz)
    heights_DP = _heights(pairs_uv_PT, found, rate_hz)
    sides = heights_DP[:, left].mean(), heights_DP[:, right].mean()
    if sum(sides) > 0:
        told["discharge_laterality"] = float(abs(sides[0] - sides[1]) / sum(sides))
    if count > FEWEST_INTERVALS:
        told["discharge_field_alike"] = _alike(heights_DP)
    return told


def _intervals(time_s: Floats) -> dict[str, float]:
    between = np.diff(time_s)
    told = {}
    if len(between) >= FEWEST_INTERVALS - 1:
        told["discharge_frequency"] = float(1 / np.median(between))
    if len(between) >= FEWEST_INTERVALS:
        told["interval_cv"] = float(between.std() / between.mean())
    return told


def _shapes(pairs_uv_PT: Floats, found: Discharges, rate_hz: float) -> dict[str, float]:
    """Shape of each discharge at the pair that sees most of it, and of all at one pair."""
    best = np.argmax(found.strength_DP, axis=1)
    shapes = [
        _shape(pairs_uv_PT[pair], int(peaks[pair]), rate_hz)
        for pair, peaks in zip(best, found.peak_DP, strict=True)
    ]
    table = np.array([shape for shape in shapes if shape is not None])
    if not len(table):
        return {}
    height, duration, sharpness, phases = table.T
    told = {
        "discharge_height": float(np.median(height)),
        "discharge_duration": float(np.nanmedian(duration))
        if np.isfinite(duration).any()
        else np.nan,
        "discharge_sharpness": float(np.median(sharpness)),
        "discharge_phases": float(phases.mean()),
    }
    if len(height) > FEWEST_INTERVALS:
        told["discharge_height_cv"] = float(height.std() / height.mean())
    pair = int(np.argmax(found.strength_DP.sum(axis=0)))
    peaks = found.peak_DP[:, pair]
    peaks = np.where(peaks < 0, np.round(found.time_s * rate_hz).astype(np.int64), peaks)
    row = pairs_uv_PT[pair]
    clear = np.ones(len(row), bool)
    for peak in peaks:
        clear[max(0, peak - round(CLEAR_S * rate_hz)) : peak + round(CLEAR_S * rate_hz) + 1] = False
    if clear.sum() >= rate_hz:
        between = np.sqrt(np.var(row[clear]))
        told["discharge_prominence"] = float(np.median(height) / max(between, 1e-3))
    around = round(ALIKE_S * rate_hz)
    inside = peaks[(peaks >= around) & (peaks < len(row) - around)]
    if len(inside) > FEWEST_INTERVALS:
        cut = np.stack([row[peak - around : peak + around + 1] for peak in inside])
        told["discharge_alike"] = _alike(cut - cut.mean(axis=1, keepdims=True))
    return told


def _shape(row: Floats, peak: int, rate_hz: float) -> tuple[float, float, float, float] | None:
    """Height uV, width at half height ms, sharpness and number of phases of one discharge."""
    around, moved = round(AROUND_S * rate_hz), round(MOVED_S * rate_hz)
    first = max(0, peak - around)
    x = row[first : peak + around + 1]
    x = x - np.median(x)
    at = peak - first
    near = x[max(0, at - moved) : at + moved + 1]
    top = max(0, at - moved) + int(np.argmax(np.abs(near)))
    x = x * np.sign(x[top])
    height = x[top]
    sharp = round(SHARP_S * rate_hz)
    if height <= 0 or top < sharp or top + sharp >= len(x):
        return None
    edges = _crossing(x[top::-1], height / 2), _crossing(x[top:], height / 2)
    lost = 1 - (x[top - sharp] + x[top + sharp]) / (2 * height)
    return float(height), sum(edges) / rate_hz * 1e3, float(lost), _phases(x, top)


def _crossing(falling: Floats, level: float) -> float:
    """Samples until a course that starts above a level falls below it; NaN if it never does."""
    below = np.flatnonzero(falling < level)
    if not len(below):
        return np.nan
    stop = int(below[0])
    before, after = falling[stop - 1], falling[stop]
    return float(stop - 1 + (before - level) / (before - after))


def _phases(x: Floats, top: int) -> float:
    """Half waves around a peak of height x[top]: itself, and those beside it that are large too."""
    sign = x > 0
    edges = np.flatnonzero(sign[1:] != sign[:-1]) + 1
    bounds = np.concatenate([[0], edges, [len(x)]])
    here = int(np.searchsorted(bounds, top, side="right")) - 1
    reach = [np.abs(x[a:b]).max() >= PHASE * x[top] for a, b in pairwise(bounds.tolist())]
    count = 1
    for way in (reach[here + 1 :], reach[:here][::-1]):
        for large in way:
            if not large:
                break
            count += 1
    return float(count)


def _heights(pairs_uv_PT: Floats, found: Discharges, rate_hz: float) -> Floats:
    """Span of each pair within 0.1 s around each discharge, uV, float64 (D, P)."""
    around = round(WITHIN_S * rate_hz)
    middle = np.round(found.time_s * rate_hz).astype(np.int64)
    return np.stack(
        [np.ptp(pairs_uv_PT[:, max(0, at - around) : at + around + 1], axis=1) for at in middle]
    )


def _alike(rows: Floats) -> float:
    """Median cosine of each row with the mean of the others."""
    others = (rows.sum(axis=0) - rows) / (len(rows) - 1)
    sizes = np.sqrt((rows**2).sum(axis=1) * (others**2).sum(axis=1))
    cosine = (rows * others).sum(axis=1) / np.where(sizes > 0, sizes, np.nan)
    return float(np.nanmedian(cosine)) if np.isfinite(cosine).any() else np.nan
