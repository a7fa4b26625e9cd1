"""Electrodes -> how alike they are, and with which lag, by their distance on the head.

Legend: E electrodes, T samples, L lags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsstore.montage import positions

NEAR_DEG, FAR_DEG = 40.0, 80.0
"""Neighbours of the 10-20 system are 36 degrees apart or less."""
PARTS = ("near", "middle", "far")
LAG_S = 0.1
ENVELOPE_S = 0.25
Floats = NDArray[np.float64]


def distances_deg(electrodes: tuple[str, ...]) -> Floats:
    """Angles between electrodes on a sphere, float64 (E, E); NaN where a place is not known."""
    seen = positions()
    places = np.full((len(electrodes), 3), np.nan)
    for row, name in enumerate(electrodes):
        if name in seen:
            x, y = seen[name]
            down = np.hypot(x, y) * np.pi / 2
            round_ = np.arctan2(x, y)
            places[row] = np.sin(down) * np.sin(round_), np.sin(down) * np.cos(round_), np.cos(down)
    found: Floats = np.degrees(np.arccos(np.clip(places @ places.T, -1, 1)))
    return found


def parts_of(distance_deg_EE: Floats) -> dict[str, NDArray[np.bool_]]:
    """Which pairs of electrodes are near, in the middle, far: each pair once."""
    once = np.triu(np.ones(distance_deg_EE.shape, bool), 1)
    near, far = distance_deg_EE < NEAR_DEG, distance_deg_EE > FAR_DEG
    known = np.isfinite(distance_deg_EE)
    kinds = (near, known & ~near & ~far, far)
    return {name: kind & once for name, kind in zip(PARTS, kinds, strict=True)}


def coupling_measures(
    eeg_uv_ET: Floats, rate_hz: float, parts: dict[str, NDArray[np.bool_]]
) -> dict[str, float]:
    """Measure how electrodes go together.

    Parameters
    ----------
    eeg_uv_ET : float64 (E, T)
        Electrodes with a signal, on the stored reference.
    parts : dict of bool (E, E)
        Pairs of electrodes by distance.
    """
    centred = eeg_uv_ET - eeg_uv_ET.mean(axis=1, keepdims=True)
    common = centred.mean(axis=0)
    average = centred - common
    found = {"common_share": float(common.var() / centred.var(axis=1).mean())}
    size = np.sqrt((average**2).sum(axis=1, keepdims=True))
    unit = average / np.where(size > 0, size, np.nan)
    reach = round(LAG_S * rate_hz)
    samples = unit.shape[1]
    lagged = np.empty((2 * reach + 1, len(unit), len(unit)))
    for lag in range(reach + 1):
        lagged[reach + lag] = unit[:, : samples - lag] @ unit[:, lag:].T
        lagged[reach - lag] = lagged[reach + lag].T
    strongest = np.abs(np.argmax(np.abs(np.nan_to_num(lagged)), axis=0) - reach) / rate_hz * 1e3
    together = lagged[reach]
    for name, part in parts.items():
        some = part & np.isfinite(together)
        found[f"correlation_{name}"] = float(together[some].mean()) if some.any() else np.nan
        found[f"lag_{name}"] = float(strongest[some].mean()) if some.any() else np.nan
    once = np.triu(np.ones(together.shape, bool), 1) & np.isfinite(together)
    found["no_lag"] = float((strongest[once] == 0).mean()) if once.any() else np.nan
    variances = np.clip(np.linalg.eigvalsh(average @ average.T), 0, None)
    total = variances.sum()
    found["first_component"] = float(variances[-1] / total) if total > 0 else np.nan
    found["dimensions"] = float(total**2 / (variances**2).sum()) if total > 0 else np.nan
    return found


def envelopes(pairs_uv_PT: Floats, rate_hz: float, length_s: float = ENVELOPE_S) -> Floats:
    """Root mean square of signals over neighbouring stretches, float64 (P, stretches)."""
    length = round(length_s * rate_hz)
    count = pairs_uv_PT.shape[1] // length
    cut = pairs_uv_PT[:, : count * length].reshape(len(pairs_uv_PT), count, length)
    found: Floats = np.sqrt((cut**2).mean(axis=2))
    return found


def envelope_correlation(pairs_uv_PT: Floats, rate_hz: float) -> float:
    """Mean correlation between the courses of ln RMS of pairs; NaN of fewer than two pairs."""
    course = np.log(np.maximum(envelopes(pairs_uv_PT, rate_hz), 1e-6))
    course = course - course.mean(axis=1, keepdims=True)
    size = np.sqrt((course**2).sum(axis=1))
    course = course[size > 1e-9] / size[size > 1e-9, None]
    if len(course) < 2:
        return np.nan
    together = course @ course.T
    return float(together[np.triu_indices(len(course), 1)].mean())
