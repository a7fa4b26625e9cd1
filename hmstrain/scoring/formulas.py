"""Targets, probabilities and counts -> KL divergence, recall, F1, kappa, calibration error.

K classes; N windows. What is written for a table takes any number of tables, (..., K, K), such as
those of many resamples; a figure that is not defined is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CALIBRATION_BINS = 15
"""Bins of equal width of the confidence (Guo et al. 2017, On Calibration of Modern Networks)."""
EPSILON = 1e-15
"""Kaggle clips predictions to [EPSILON, 1 - EPSILON]."""

Floats = NDArray[np.float64]


def kaggle_kl(target: ArrayLike, prediction: ArrayLike) -> float:
    """Kullback-Leibler divergence as the competition computes it.

    Parameters
    ----------
    target : array (N, K)
        Votes over their sum.
    prediction : array (N, K)
        Probabilities; clipped to [1e-15, 1 - 1e-15] and not normalised again.

    Returns
    -------
    float
        Mean over rows of sum over classes of p ln(p / q), where p is not 0.

    Raises
    ------
    ValueError
        Shapes differ, or the prediction is not a distribution in each row.
    """
    return float(kl_rows(target, checked(prediction)).mean())


def checked(prediction: ArrayLike) -> Floats:
    """Refuse what is not a distribution in each row, by the competition's rules."""
    q = np.asarray(prediction, np.float64)
    if q.ndim != 2 or not np.isfinite(q).all():
        raise ValueError("predictions must be finite numbers (N, K)")
    if (q < 0).any() or (q > 1).any():
        raise ValueError("predictions must lie in [0, 1]")
    if not np.allclose(q.sum(axis=1), 1):
        raise ValueError("the predictions of a row must sum to 1")
    return q


def kl_rows(target: ArrayLike, prediction: ArrayLike) -> Floats:
    """Divergence of each row, float64 (N,); the prediction is clipped as Kaggle does."""
    p = np.asarray(target, np.float64)
    q = np.clip(np.asarray(prediction, np.float64), EPSILON, 1 - EPSILON)
    if p.shape != q.shape:
        raise ValueError(f"target {p.shape} and prediction {q.shape} differ in shape")
    return kl_terms(p, q).sum(axis=1)


def kl_terms(p: Floats, q: Floats) -> Floats:
    """Terms p ln(p / q) of each row and class, 0 where p is 0."""
    terms = np.zeros_like(p)
    np.divide(p, q, out=terms, where=p > 0)
    np.log(terms, out=terms, where=p > 0)
    return terms * p


def mean(values: NDArray[Any]) -> float | None:
    """Mean in float64; None of nothing."""
    return float(np.mean(values, dtype=np.float64)) if len(values) else None


def entropy_of(target: Floats) -> Floats:
    """Entropy of the votes of each window in nats, (N,): 0 where all raters agree."""
    logs = np.log(target, out=np.zeros_like(target), where=target > 0)
    return -(target * logs).sum(axis=1)


def confusion(
    truth: NDArray[np.int64], chosen: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Count windows by true class (rows) and predicted class (columns), int64 (K, K)."""
    return np.bincount(truth * classes + chosen, minlength=classes**2).reshape(classes, classes)


def balanced_accuracy(recalls: Floats) -> Floats:
    """Mean recall of the classes that occur, of sums (..., 2 K) of `recalls_of`."""
    of_class, right = np.split(recalls, 2, axis=-1)
    return _mean_where(_divided(right, of_class), of_class > 0)


def f1_macro(table: Floats) -> Floats:
    """Mean F1 of the classes that occur or are predicted; 0 where nothing is right."""
    both = table.sum(axis=-2) + table.sum(axis=-1)
    right = np.diagonal(table, axis1=-2, axis2=-1)
    return _mean_where(_divided(2.0 * right, both), both > 0)


def cohen_kappa(table: Floats) -> Floats:
    """Agreement beyond chance, (observed - expected) / (1 - expected) (Cohen 1960)."""
    total = table.sum(axis=(-2, -1))
    observed = _divided(np.diagonal(table, axis1=-2, axis2=-1).sum(axis=-1), total)
    by_chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    expected = _divided(by_chance, np.asarray(total, np.float64) ** 2)
    return _divided(observed - expected, 1 - expected)


def report_accuracy(table: Floats) -> Floats:
    """Mean over the classes of one-vs-rest accuracy, (TP + TN) / N: flattering by design."""
    total = table.sum(axis=(-2, -1))[..., None]
    right = np.diagonal(table, axis1=-2, axis2=-1)
    wrong = table.sum(axis=-2) + table.sum(axis=-1) - 2 * right
    return np.asarray((1 - _divided(wrong, total)).mean(axis=-1))


def calibration_error(sums: Floats) -> Floats:
    """Expected calibration error of the most probable class: |probability - share of votes|.

    Mean over bins of probability (Naeini et al. 2015), weighed by their windows. Votes stand where
    others have right and wrong: a model that gave the very shares would be right far more often
    than it is sure.

    Parameters
    ----------
    sums : float64 (..., 3 * 15)
        Of `gaps_of`.
    """
    count, gap, _ = _bins(sums)
    return _divided(np.abs(gap).sum(axis=-1), count.sum(axis=-1))


def calibration_error_debiased(sums: Floats) -> Floats:
    """Root of the mean squared calibration error, less what chance alone puts into each bin.

    The plain error is never 0: a bin's mean gap scatters about its true one. Here the variance of
    that mean is taken off its square (Kumar et al. 2019, Verified Uncertainty Calibration,
    section 4.2), as if windows were independent; bins of one window have none, and are left out.
    """
    count, gap, square = _bins(sums)
    several = count > 1
    mean_gap = _divided(gap, count)
    spread = _divided(square - gap * mean_gap, count - 1)
    squared = np.where(several, mean_gap**2 - _divided(spread, count), 0)
    weight = np.where(several, count, 0)
    found = _divided((weight * squared).sum(axis=-1), weight.sum(axis=-1))
    return np.sqrt(np.maximum(found, 0))


def _bins(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Windows, summed gaps and summed squares of each bin, (..., 15) each."""
    table = sums.reshape(*sums.shape[:-1], 3, CALIBRATION_BINS)
    return table[..., 0, :], table[..., 1, :], table[..., 2, :]


def ratio(sums: Floats) -> Floats:
    """A mean: a sum over a count."""
    return _divided(sums[..., 0], sums[..., 1])


def _divided(above: ArrayLike, below: ArrayLike) -> Floats:
    """A quotient, NaN where it is not defined."""
    top, under = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    return np.divide(top, under, out=np.full(top.shape, np.nan), where=under > 0)


def _mean_where(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Mean over the last axis of those that are known; NaN where none is."""
    return _divided(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))
