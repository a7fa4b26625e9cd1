"""Two samples -> how well a classifier tells them apart: the area under its ROC curve.

0.5 is what it reaches of equal samples, 1 if not one window could be taken for one of the other
sample. Whole patients are held out, since a classifier that has seen a patient knows more of that
patient than of the sample. Only windows of one class are compared with each other, so that classes
tell nothing.

Legend: N windows, M columns, A and B windows of either sample.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hmsprep.likeness.matching import common_classes, draws, matched_weights
from hmsprep.likeness.sample import Sample
from hmsprep.qeeg.judged.measures import measure_of
from hmsprep.seeds import generator

FOLDS, REPEATS = 5, 3
CLIP = 5.0
"""Interquartile ranges from the median at which features are clipped, for the linear model."""
PENALTY = 0.03
"""scikit-learn's C: strong, since there may be fewer windows than columns."""
LEVELS = 32
"""Of each column, for the trees."""
Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Fit = Callable[[Floats, NDArray[np.bool_], Floats, int], Callable[[Floats], Floats]]


@dataclass(frozen=True, slots=True)
class Auc:
    """How well one kind of classifier tells the samples apart."""

    auc: float
    low: float
    high: float
    """95% interval, by drawing patients anew."""
    classes: Mapping[int, float]
    """Of the windows of each class alone."""


@dataclass(frozen=True, slots=True)
class TwoSamples:
    """The two-sample test."""

    windows: tuple[int, int]
    patients: tuple[int, int]
    """Of the classes that both samples have."""
    models: Mapping[str, Auc]
    told_by: tuple[tuple[str, float], ...]
    """Columns that the linear model goes by, with their weights in interquartile ranges; the
    largest first, positive speaks for the second sample. Empty for other judges."""


def tell_apart(
    a: Sample,
    b: Sample,
    *,
    resamples: int,
    seed: int,
    groups: tuple[Whole, Whole] | None = None,
    repeats: int = REPEATS,
    judges: Mapping[str, Fit] | None = None,
) -> TwoSamples | None:
    """Train classifiers to tell two samples apart, and score them on patients held out.

    Parameters
    ----------
    groups : two int64 arrays, optional
        What is held out together; by default patients.
    repeats : int
        How often patients are divided into folds.
    judges : mapping, optional
        What learns to tell the samples apart, by name, from their values as they are, of any shape
        (N, ...); by default two models of measures, a linear one and trees. Each takes training
        rows, on which side they are (bool), their weights and a seed, and returns what scores rows:
        the higher, the more like the second sample.

    Returns
    -------
    TwoSamples
        None where a sample has windows of fewer than two patients in the classes that both have.
    """
    shared = common_classes(a.code, b.code)
    kept = [np.isin(one.code, shared) for one in (a, b)]
    if groups is None:
        groups = _patients(a, b)
    groups = groups[0][kept[0]], groups[1][kept[1]]
    a, b = a.take(kept[0]), b.take(kept[1])
    least = min(len(np.unique(group)) for group in groups)
    if least < 2:
        return None
    values = np.concatenate([a.values, b.values])
    if judges is None:
        values = _on_their_scales(values, a.columns)
    code = np.concatenate([a.code, b.code])
    side = np.arange(len(code)) >= len(a)
    group = np.concatenate(groups)
    folds = [_folds(side, group, min(FOLDS, least), seed + n) for n in range(repeats)]
    models = {}
    with threadpool_limits(1):  # so few windows are fitted faster than threads meet
        for name, fit in (judges or {"linear": _linear, "trees": _trees}).items():
            scores = np.stack([_held_out(fit, values, side, code, one, seed) for one in folds])
            models[name] = _auc(scores, side, code, groups, resamples, seed)
    weights = np.concatenate(matched_weights(a.code, b.code, np.ones(len(a)), np.ones(len(b))))
    return TwoSamples(
        (len(a), len(b)),
        (len(np.unique(groups[0])), len(np.unique(groups[1]))),
        models,
        _told_by(values, side, weights, a.columns) if judges is None else (),
    )


def _on_their_scales(values: Floats, columns: tuple[str, ...]) -> Floats:
    """Amounts that are never 0 as logarithms; NaN for what is not known."""
    log = np.array([measure_of(column).log for column in columns])
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(log, np.log(values), values)
    found[~np.isfinite(found)] = np.nan
    return found


def _patients(a: Sample, b: Sample) -> tuple[Whole, Whole]:
    """Numbers of patients; those of two stores differ, whatever they are called there."""
    if a.store == b.store:
        return a.patient, b.patient
    first = np.unique(a.patient, return_inverse=True)[1]
    second = np.unique(b.patient, return_inverse=True)[1]
    return first, second + first.max(initial=-1) + 1


def _folds(side: NDArray[np.bool_], group: Whole, count: int, seed: int) -> Whole:
    """Fold of each window, int64 (N,): whole groups, each fold with a like share of both sides."""
    from sklearn.model_selection import StratifiedGroupKFold

    found = np.zeros(len(side), np.int64)
    splits = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few windows; what matters are groups
        for fold, (_, held) in enumerate(splits.split(side[:, None], side, group)):
            found[held] = fold
    return found


def _held_out(
    fit: Fit, values: Floats, side: NDArray[np.bool_], code: Whole, fold: Whole, seed: int
) -> Floats:
    """Score each window by a model that has seen no window of its group; NaN where none can be."""
    found = np.full(len(side), np.nan)
    for number in np.unique(fold).tolist():
        held, seen = fold == number, fold != number
        weights = _training_weights(side[seen], code[seen])
        used = weights > 0
        if used.any():
            rows = np.flatnonzero(seen)[used]
            found[held] = fit(values[rows], side[rows], weights[used], seed)(values[held])
    return found


def _training_weights(side: NDArray[np.bool_], code: Whole) -> Floats:
    """Weights under which both sides count alike in each class, as much as the smaller one does."""
    ones = np.ones(int((~side).sum())), np.ones(int(side.sum()))
    weights = np.zeros(len(side))
    weights[~side], weights[side] = matched_weights(code[~side], code[side], *ones)
    return weights * min(len(one) for one in ones)


def _linear(
    x: Floats, y: NDArray[np.bool_], weights: Floats, seed: int
) -> Callable[[Floats], Floats]:
    del seed
    from sklearn.linear_model import LogisticRegression

    standardise = _standardiser(x, weights)
    model: Any = LogisticRegression(C=PENALTY, max_iter=2000, tol=1e-5)
    model.fit(standardise(x), y, sample_weight=weights)
    return lambda values: np.asarray(model.decision_function(standardise(values)), np.float64)


def _trees(
    x: Floats, y: NDArray[np.bool_], weights: Floats, seed: int
) -> Callable[[Floats], Floats]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model: Any = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=4, min_samples_leaf=3, max_bins=LEVELS, l2_regularization=1.0,
        early_stopping=False, random_state=seed,
    )  # fmt: skip
    levels = _leveller(x)
    model.fit(levels(x), y, sample_weight=weights)
    return lambda values: np.asarray(model.decision_function(levels(values)), np.float64)


def _leveller(x: Floats) -> Callable[[Floats], Floats]:
    """By quantiles into few levels; what is not known stays so, but of columns where nothing is.

    scikit-learn would weigh them, which takes a hundred times as long as the trees.
    """
    known = [column[np.isfinite(column)] for column in x.T]
    inner = np.arange(1, LEVELS) / LEVELS
    edges = [np.unique(np.quantile(one, inner)) if len(one) else one for one in known]

    def level(values: Floats) -> Floats:
        columns = zip(edges, values.T, strict=True)
        found = np.stack([np.searchsorted(edge, one, "right") for edge, one in columns], axis=1)
        empty = np.array([len(edge) == 0 for edge in edges])
        return np.where(np.isfinite(values) | empty, found.astype(np.float64), np.nan)

    return level


def _standardiser(x: Floats, weights: Floats) -> Callable[[Floats], Floats]:
    """By weighted median and interquartile range; what is not known becomes the median."""
    low, middle, high = (np.zeros(x.shape[1]) for _ in range(3))
    for column in range(x.shape[1]):
        known = np.isfinite(x[:, column])
        if known.any():
            order = np.argsort(x[known, column], kind="stable")
            values, share = x[known, column][order], np.cumsum(weights[known][order])
            places = [int(np.searchsorted(share, q * share[-1])) for q in (0.25, 0.5, 0.75)]
            low[column], middle[column], high[column] = values[np.minimum(places, len(values) - 1)]
    spread = np.where(high - low > 1e-9, high - low, 1.0)

    def standardise(values: Floats) -> Floats:
        scaled = np.clip((values - middle) / spread, -CLIP, CLIP)
        return np.where(np.isfinite(scaled), scaled, 0.0)

    return standardise


def _auc(
    scores_RN: Floats,
    side: NDArray[np.bool_],
    code: Whole,
    groups: tuple[Whole, Whole],
    resamples: int,
    seed: int,
) -> Auc:
    """Area under the curve within classes, weighed by their share in the first sample.

    Each repeat has an area of its own, since scores of different models do not compare; their mean
    counts.
    """
    wins = {}
    for one in np.unique(code).tolist():
        of_a, of_b = np.flatnonzero(~side & (code == one)), np.flatnonzero(side & (code == one))
        total = np.zeros((len(of_a), len(of_b)))
        for scores in np.where(np.isfinite(scores_RN), scores_RN, 0.0):
            apart = scores[of_b][None] - scores[of_a][:, None]
            total += (apart > 0) + 0.5 * (apart == 0)
        wins[one] = of_a, of_b - int((~side).sum()), total / len(scores_RN)

    def area(times_a: Floats, times_b: Floats) -> tuple[float, dict[int, float]]:
        each, shares = {}, {}
        for one, (of_a, of_b, won) in wins.items():
            in_a, in_b = times_a[of_a], times_b[of_b]
            if in_a.sum() and in_b.sum():
                each[one] = float(in_a @ won @ in_b / (in_a.sum() * in_b.sum()))
                shares[one] = float(in_a.sum())
        if not each:
            return np.nan, {}
        return float(np.average(list(each.values()), weights=list(shares.values()))), each

    found, each = area(np.ones(len(groups[0])), np.ones(len(groups[1])))
    rng = generator(seed, "realism two samples", 0)
    times = draws(groups[0], resamples, rng), draws(groups[1], resamples, rng)
    again = [area(one, other)[0] for one, other in zip(*times, strict=True)]
    low, high = np.nanquantile(again, [0.025, 0.975]) if resamples else (np.nan, np.nan)
    return Auc(found, float(low), float(high), each)


def _told_by(
    values: Floats,
    side: NDArray[np.bool_],
    weights: Floats,
    columns: tuple[str, ...],
    most: int = 20,
) -> tuple[tuple[str, float], ...]:
    from sklearn.linear_model import LogisticRegression

    scaled = weights * min(int(side.sum()), int((~side).sum()))
    model: Any = LogisticRegression(C=PENALTY, max_iter=2000, tol=1e-5)
    model.fit(_standardiser(values, scaled)(values), side, sample_weight=scaled)
    sizes = model.coef_[0]
    order = np.argsort(-np.abs(sizes), kind="stable")[:most]
    return tuple((columns[n], float(sizes[n])) for n in order)
