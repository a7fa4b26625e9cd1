"""Parts of scores, summed over patients -> intervals, differences and tests.

A score is a function of sums over windows: a mean is a sum over a count, balanced accuracy a
function of a table of counts. So a resample of patients needs no window again: it adds up the sums
of the patients that it drew, and the function is applied to what comes out. Patients are drawn
whole, since the windows of one resemble each other (the cluster bootstrap; Field and Welsh 2007,
Bootstrapping clustered data, J. R. Statist. Soc. B 69).

G groups (patients); P parts of a score; R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hmstrain.errors import ConfigError

REPLICATES = 10_000
LEVEL = 0.95
AT_ONCE = 2_000_000
"""Draws held in memory at a time: 16 MB."""
FEW_PATIENTS = 30
"""Under so many, intervals of the bootstrap are too short, and a sign-flip test stands beside."""
EXACT_FLIPS = 12
"""Up to so many patients, all their 2^G flips are gone through."""

Floats = NDArray[np.float64]
Span = tuple[float, float]


def group_sums(parts_NP: Floats, group_N: NDArray[np.int64], groups: int) -> Floats:
    """Sum parts over the windows of each group.

    Parameters
    ----------
    parts_NP : float64 (N, P)
        Of each window.
    group_N : int64 (N,)
        Its group, from 0.
    groups : int
        How many there are.

    Returns
    -------
    float64 (G, P)
    """
    sums = [np.bincount(group_N, column, minlength=groups) for column in parts_NP.T]
    return np.stack(sums, axis=1) if sums else np.empty((groups, 0))


def resampled_sums(sums_GP: Floats, *, seed: int = 0, replicates: int = REPLICATES) -> Floats:
    """Draw as many groups as there are, with replacement, and add up their sums.

    The same seed and number of groups draw the same groups, so whatever is resampled so is paired.

    Parameters
    ----------
    sums_GP : float64 (G, P)
        What `group_sums` gives, of one score or of several side by side.

    Returns
    -------
    float64 (R, P)
    """
    groups = len(sums_GP)
    rng = np.random.default_rng([seed, groups])
    found = np.empty((replicates, sums_GP.shape[1]))
    size = max(1, AT_ONCE // max(groups, 1))
    for first in range(0, replicates, size):
        count = min(size, replicates - first)
        drawn = rng.integers(0, groups, (count, groups))
        drawn += np.arange(count)[:, None] * groups
        times = np.bincount(drawn.ravel(), minlength=count * groups).reshape(count, groups)
        found[first : first + count] = times.astype(np.float64) @ sums_GP
    return found


def percentiles(values_R: Floats, level: float = LEVEL) -> Span | None:
    """Percentile interval of resampled values; those that are NaN are left out; None of none."""
    known = values_R[np.isfinite(values_R)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def interval(values_N: Floats, patients: NDArray[np.int64], *, seed: int = 0) -> Span | None:
    """95% interval of the mean of windows, resampling whole patients; None of under two patients.

    The same seed and patients draw the same resamples, so the interval of a difference of two
    models on the same rows is `interval(a - b, ...)`: paired.
    """
    names, group = np.unique(patients, return_inverse=True)
    if len(names) < 2:
        return None
    parts = np.column_stack([values_N, np.ones(len(values_N))])
    sums = resampled_sums(group_sums(parts, group, len(names)), seed=seed)
    return percentiles(sums[:, 0] / sums[:, 1])


def paired_difference(
    first: Floats, second: Floats, patients: NDArray[np.int64]
) -> tuple[float | None, Span | None]:
    """Compare two models on the same windows.

    Parameters
    ----------
    first, second : float64 (N,)
        A value of each window by each model, such as its KL.
    patients : int64 (N,)
        Patient of each window.

    Returns
    -------
    float
        Mean of first less second; None of no windows.
    (float, float)
        Its 95% interval, which resamples whole patients; None of under two patients.
    """
    difference = first - second
    mean = float(difference.mean()) if len(difference) else None
    return mean, interval(difference, patients)


def simultaneous(
    points: Sequence[float], values: Sequence[Floats], level: float = LEVEL
) -> list[Span | None]:
    """Intervals that hold for several differences at once, by the largest of their deviations.

    Each is its difference plus and minus its standard error times one factor: the quantile, over
    resamples, of the largest studentised deviation of any of them (max-T; Westfall and Young 1993;
    Romano and Wolf 2005).

    Parameters
    ----------
    points : sequence of float
        Differences.
    values : sequence of float64 (R,)
        The same in each resample, of the same draws.
    """
    table = np.stack(values)
    table = table[:, np.isfinite(table).all(axis=0)]
    if table.shape[1] < 2:
        return [None] * len(points)
    errors = table.std(axis=1, ddof=1)
    moving = errors > 0  # a model and its copy differ by nothing in every resample
    factor = 0.0
    if moving.any():
        apart = np.abs(table - np.asarray(points)[:, None])[moving] / errors[moving, None]
        factor = float(np.quantile(apart.max(axis=0), level))
    return [
        (float(point - factor * error), float(point + factor * error))
        for point, error in zip(points, errors, strict=True)
    ]


def sign_flip(
    first_GP: Floats,
    second_GP: Floats,
    value: Callable[[Floats], Floats],
    *,
    seed: int = 0,
    flips: int = REPLICATES,
) -> float:
    """P value of no difference between two models: in each patient, their names are exchangeable.

    The answers of both are swapped in a random half of the patients, time and again; the p value is
    the share of swaps, the one that is given among them, in which the scores differ by as much at
    least (Winkler et al. 2014, Permutation inference for the general linear model). All swaps are
    gone through where there are few patients.

    Parameters
    ----------
    first_GP, second_GP : float64 (G, P)
        Sums of either model's parts.
    value : callable
        Sums (..., P) -> score (...).
    """
    groups = len(first_GP)
    if groups <= EXACT_FLIPS:
        swapped = (np.arange(2**groups)[:, None] >> np.arange(groups)) & 1
    else:
        rng = np.random.default_rng([seed, groups])
        swapped = np.vstack([np.zeros((1, groups)), rng.integers(0, 2, (flips, groups))])
    chosen = swapped.astype(np.float64)
    one = chosen @ second_GP + (1 - chosen) @ first_GP
    other = chosen @ first_GP + (1 - chosen) @ second_GP
    apart = np.abs(value(one) - value(other))
    given = apart[0]  # nothing swapped
    if not np.isfinite(given):
        return float("nan")
    apart = apart[np.isfinite(apart)]
    return float((apart >= given - 1e-12 * max(1.0, float(given))).mean())


def check_seed(seed: int) -> None:
    """Refuse a seed that nothing can be drawn by."""
    if seed < 0:
        raise ConfigError(f"--seed {seed}: expected 0 or more.")
