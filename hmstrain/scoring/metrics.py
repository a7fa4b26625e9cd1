"""Targets, predictions and votes -> every figure that is reported, in float64 over all rows.

K classes; N windows. `kl` is over every window. `kl_votes` is over the most overlapping window of
each pair of EEG and votes, `kl_hi` over the most overlapping window of each EEG with at least ten
votes: the competition's population. Published numbers compare with the last two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmsstore import CLASSES
from hmsstore.windows import MANY_VOTES, typical_rows

VOTE_GROUPS = {"1-3": (1, 3), "4-9": (4, 9), "10+": (MANY_VOTES, 10**9)}
"""The data's two populations have 3 votes, and 10 or more; few windows lie between."""
CALIBRATION_BINS = 15
"""Bins of equal width of the confidence (Guo et al. 2017, On Calibration of Modern Networks)."""
RESAMPLES = 2000
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


def scores(
    windows: Mapping[str, NDArray[Any]],
    rows: NDArray[np.int64],
    prediction: ArrayLike,
    *,
    typical: Mapping[str, NDArray[np.int64]] | None = None,
    intervals: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """Every reported figure of predictions of these rows of a window table.

    Parameters
    ----------
    windows : mapping of str to array
        A store's window table.
    rows : int64 (N,)
        Labelled windows.
    prediction : array (N, 6)
        Probabilities.
    typical : mapping, optional
        What `typical_rows` gives, where these rows are only a part of those it is to look at.
    intervals : bool
        Whether to compute these.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        As a JSON value; `intervals` holds 95% intervals that resample patients.
    """
    q = checked(prediction)
    p = windows["votes"][rows].astype(np.float64)
    votes = p.sum(axis=1)
    p /= votes[:, None]
    truth = windows["expert_consensus"][rows].astype(np.int64)
    patients = windows["patient_id"][rows]
    divergence = kl_rows(p, q)
    chosen = q.argmax(axis=1)
    typical = typical_rows(windows, rows) if typical is None else typical
    table = confusion(truth, chosen)
    by_class = kl_terms(p, np.clip(q, EPSILON, 1 - EPSILON)).mean(axis=0)
    parts = {"kl": np.arange(len(rows)), "kl_votes": typical["votes"], "kl_hi": typical["hi"]}
    spans = {}
    if intervals:
        spans = {n: interval(divergence[i], patients[i], seed=seed) for n, i in parts.items()}
        spans["accuracy"] = interval((chosen == truth).astype(np.float64), patients, seed=seed)
    return {
        "windows": len(rows),
        "patients": len(np.unique(patients)),
        **{name: mean(divergence[part]) for name, part in parts.items()},
        "windows_votes": len(typical["votes"]),
        "windows_hi": len(typical["hi"]),
        "accuracy": mean(chosen == truth),
        "balanced_accuracy": balanced_accuracy(table),
        "f1_macro": f1_macro(table),
        "report_accuracy": report_accuracy(table),
        "calibration_error": calibration_error(q, p),
        "kl_per_class": dict(zip(CLASSES, by_class.tolist(), strict=True)),
        "kl_per_votes": {
            word: mean(divergence[(votes >= low) & (votes <= high)])
            for word, (low, high) in VOTE_GROUPS.items()
        },
        "confusion": table.tolist(),
        "intervals": spans,
    }


def mean(values: NDArray[Any]) -> float | None:
    """Mean in float64; None of nothing."""
    return float(np.mean(values, dtype=np.float64)) if len(values) else None


def confusion(truth: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count windows by true class (rows) and predicted class (columns), int64 (6, 6)."""
    classes = len(CLASSES)
    return np.bincount(truth * classes + chosen, minlength=classes**2).reshape(classes, classes)


def balanced_accuracy(table: NDArray[np.int64]) -> float:
    """Mean recall of the classes that occur."""
    occurring = table.sum(axis=1) > 0
    return float((np.diag(table)[occurring] / table.sum(axis=1)[occurring]).mean())


def f1_macro(table: NDArray[np.int64]) -> float:
    """Mean F1 of the classes that occur or are predicted; 0 where nothing is right."""
    both = table.sum(axis=0) + table.sum(axis=1)
    return float((2 * np.diag(table)[both > 0] / both[both > 0]).mean())


def report_accuracy(table: NDArray[np.int64]) -> float:
    """Mean over the classes of one-vs-rest accuracy, (TP + TN) / N: flattering by design."""
    total = table.sum()
    wrong = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table)
    return float((1 - wrong / total).mean())


def calibration_error(prediction: Floats, target: Floats) -> float:
    """Expected calibration error of the most probable class: |probability - share of votes|.

    Mean over bins of probability (Naeini et al. 2015), weighed by their windows; both (N, 6). Votes
    stand where others have right and wrong: a model that gave the very shares would be right far
    more often than it is sure.
    """
    confidence = prediction.max(axis=1)
    voted = target[np.arange(len(target)), prediction.argmax(axis=1)]
    place = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gap = np.bincount(place, confidence - voted, minlength=CALIBRATION_BINS)
    return float(np.abs(gap).sum() / len(target))


def interval(
    values: Floats, patients: NDArray[np.int64], *, seed: int = 0
) -> tuple[float, float] | None:
    """95% interval of the mean of rows, resampling whole patients; None of under two patients.

    The same seed and patients draw the same resamples, so the interval of a difference of two
    models on the same rows is `interval(a - b, ...)`: paired.
    """
    names, group = np.unique(patients, return_inverse=True)
    if len(names) < 2:
        return None
    total = np.bincount(group, values, minlength=len(names))
    count = np.bincount(group, minlength=len(names)).astype(np.float64)
    rng = np.random.default_rng([seed, len(names)])
    means = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        drawn = rng.integers(0, len(names), len(names))
        means[number] = total[drawn].sum() / count[drawn].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
