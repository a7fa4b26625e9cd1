"""A signal -> its moments, zero crossings, line length and Hjorth parameters.

Legend: P signals, T samples. `columns` has the formulas and their sources.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def time_measures(signal_uv_PT: Floats, rate_hz: float) -> dict[str, Floats]:
    """Measure signals in time.

    Parameters
    ----------
    signal_uv_PT : float64 (P, T)
        Microvolts.
    rate_hz : float
        Samples a second.

    Returns
    -------
    dict of float64 (P,)
        By measure; skewness, kurtosis, mobility and complexity of a flat signal are not finite.
    """
    x = signal_uv_PT - signal_uv_PT.mean(axis=1, keepdims=True)
    square = x * x
    variance = square.mean(axis=1)
    deviation = np.sqrt(variance)
    first = np.diff(x, axis=1)
    second = np.diff(first, axis=1)
    slope, bend = np.var(first, axis=1), np.var(second, axis=1)
    crossings = np.count_nonzero((x[:, 1:] < 0) != (x[:, :-1] < 0), axis=1)
    mobility = np.sqrt(slope / variance)
    return {
        "mean_abs": np.abs(signal_uv_PT).mean(axis=1),
        "std": deviation,
        "skewness": (square * x).mean(axis=1) / deviation**3,
        "kurtosis": (square * square).mean(axis=1) / variance**2 - 3,
        "zero_crossings": crossings * (rate_hz / x.shape[1]),
        "line_length": rate_hz * np.abs(first).mean(axis=1),
        "hjorth_activity": variance,
        "hjorth_mobility": rate_hz * mobility,
        "hjorth_complexity": np.sqrt(bend / slope) / mobility,
    }
