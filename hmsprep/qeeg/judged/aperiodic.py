"""A power spectral density -> its exponent and its knee.

Legend: F frequencies, G points of a grid.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FIT_HZ = (1.0, 30.0)
KNEES_HZ = 0.25 * 2.0 ** (np.arange(25) / 4)
"""Knees that are tried, a quarter of an octave apart: 0.25 to 16 Hz."""
EXPONENTS = np.arange(0.0, 8.01, 0.125)
Floats = NDArray[np.float64]


def aperiodic(density_F: Floats, frequency_hz: Floats) -> tuple[float, float]:
    """Fit log10 P = b - log10(1 + (f / knee)^exponent) by least absolute error.

    Absolute error, so that peaks over the course of the whole weigh little. The fit is the best of
    a grid: knees a quarter of an octave apart, exponents an eighth.

    Parameters
    ----------
    density_F : float64 (F,)
        Power spectral density.
    frequency_hz : float64 (F,)
        Its frequencies; those of `FIT_HZ` are used.

    Returns
    -------
    exponent, knee_hz : float
        NaN where there is no power.
    """
    used = (frequency_hz >= FIT_HZ[0]) & (frequency_hz <= FIT_HZ[1])
    if used.sum() < 3 or not (density_F[used] > 0).all():
        return np.nan, np.nan
    falls = _falls(tuple(frequency_hz[used].tolist()))
    level = np.log10(density_F[used])
    error, best = np.inf, (np.nan, np.nan)
    # Coarse first: every fourth exponent and every second knee, then all near the best.
    coarse = _best(falls, level, np.arange(0, len(KNEES_HZ), 2), np.arange(0, len(EXPONENTS), 4))
    near_knees = np.arange(max(coarse[1] - 2, 0), min(coarse[1] + 3, len(KNEES_HZ)))
    near = np.arange(max(coarse[2] - 4, 0), min(coarse[2] + 5, len(EXPONENTS)))
    error, knee, exponent = _best(falls, level, near_knees, near)
    best = float(EXPONENTS[exponent]), float(KNEES_HZ[knee])
    return best if np.isfinite(error) else (np.nan, np.nan)


def _best(
    falls: Floats, level_F: Floats, knees: NDArray[np.int64], exponents: NDArray[np.int64]
) -> tuple[float, int, int]:
    left = level_F + falls[np.ix_(knees, exponents)]
    left = left - np.median(left, axis=2, keepdims=True)
    error = np.abs(left).mean(axis=2)
    knee, exponent = np.unravel_index(np.argmin(error), error.shape)
    return float(error[knee, exponent]), int(knees[knee]), int(exponents[exponent])


@lru_cache(maxsize=4)
def _falls(frequency_hz: tuple[float, ...]) -> Floats:
    """log10(1 + (f / knee)^exponent), float64 (knees, exponents, F)."""
    ratio = np.asarray(frequency_hz) / KNEES_HZ[:, None, None]
    found: Floats = np.log10(1 + ratio ** EXPONENTS[None, :, None])
    return found
