"""Targets, predictions and votes -> every score that is reported, in float64 over all rows.

K classes; N windows. `kl` is over every window. `kl_votes` is over the most overlapping window of
each pair of EEG and votes, `kl_hi` over the most overlapping window of each EEG with at least ten
votes: the competition's population. Published numbers compare with the last two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmsstore import Store
from hmsstore.windows import MANY_VOTES, typical_rows
from hmstrain.runs.outcome import Scores

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


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled windows and what a model says of them: what scores are computed from."""

    target: Floats
    """(N, K) votes over their sum."""
    prediction: Floats
    """(N, K) probabilities."""
    truth: NDArray[np.int64]
    """(N,) expert consensus."""
    chosen: NDArray[np.int64]
    """(N,) most probable class."""

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Windows by true class (rows) and predicted class (columns), (K, K)."""
        return confusion(self.truth, self.chosen, self.target.shape[1])

    def take(self, places: NDArray[np.int64]) -> Judged:
        """Some of the windows."""
        return Judged(*(getattr(self, one.name)[places] for one in fields(self)))


Where = Literal["validation", "epoch test", "constant", "spread", "study"]
"""Places beside the final scores (`metrics.json`, the terminal, a report), which have every score.

Each validation and the test after an epoch, in `metrics.jsonl`; the comparison with the constant
prediction, paired; mean and standard deviation over single folds; the table of a study.
"""


@dataclass(frozen=True, slots=True)
class Score:
    """A figure of predictions: how it is computed, over which windows, and where it is shown."""

    key: str
    """Its name in `metrics.json` and `metrics.jsonl`."""
    label: str
    """Its name where a person reads it."""
    function: Callable[[Judged], Floats | float]
    """Gives a value for each window, whose mean is the score and has an interval; or one for all
    windows, which has none."""
    over: Literal["all", "votes", "hi"] = "all"
    """All windows; the most overlapping window of each pair of EEG and votes; or that of each EEG
    with ten votes or more."""
    shown: frozenset[Where] = frozenset()
    """Where, besides the final scores."""
    higher_is_better: bool = False

    def of(self, judged: Judged) -> Floats | float:
        """Give the value of each window, or the one of all; nothing of no windows."""
        return self.function(judged) if len(judged.truth) else np.empty(0)


def kl_of(judged: Judged) -> Floats:
    """Divergence of each window, (N,)."""
    return kl_rows(judged.target, judged.prediction)


def accuracy_of(judged: Judged) -> Floats:
    """1 for each window whose most probable class is the consensus, else 0, (N,)."""
    return (judged.chosen == judged.truth).astype(np.float64)


EVERYWHERE: frozenset[Where] = frozenset(get_args(Where))
SCORES: tuple[Score, ...] = (
    Score("kl", "KL, all windows", kl_of, shown=EVERYWHERE - {"validation", "study"}),
    Score("kl_votes", "KL, one window per EEG and votes", kl_of, "votes", EVERYWHERE),
    Score("kl_hi", "KL, one per EEG with 10+ votes", kl_of, "hi", EVERYWHERE),
    Score(
        "accuracy",
        "accuracy",
        accuracy_of,
        shown=EVERYWHERE - {"constant"},
        higher_is_better=True,
    ),
    Score(
        "balanced_accuracy",
        "balanced accuracy",
        lambda judged: balanced_accuracy(judged.confusion),
        shown=frozenset({"validation", "epoch test", "spread"}),
        higher_is_better=True,
    ),
    Score(
        "f1_macro",
        "macro F1",
        lambda judged: f1_macro(judged.confusion),
        shown=frozenset({"epoch test", "spread", "study"}),
        higher_is_better=True,
    ),
    Score(
        "report_accuracy",
        "one-vs-rest accuracy",
        lambda judged: report_accuracy(judged.confusion),
        shown=frozenset({"spread"}),
        higher_is_better=True,
    ),
    Score(
        "calibration_error",
        "calibration error",
        lambda judged: calibration_error(judged.prediction, judged.target),
    ),
)
"""Every score, in the order in which tables show them. One row here is all that a new one needs."""


def shown_in(where: Where | Literal["final"]) -> list[Score]:
    """Scores that are shown in a place; the final scores are all."""
    return [score for score in SCORES if where == "final" or where in score.shown]


def better_when_higher(shown: Sequence[Score]) -> str:
    """Say in a sentence which of some scores are better when they are higher."""
    names = [score.label for score in shown if score.higher_is_better]
    if not names:
        return "Lower is better."
    return f"Higher is better for {' and '.join(_listed(names))}; lower is better for all others."


def _listed(names: Sequence[str]) -> list[str]:
    """All but the last in one text, so that 'and' stands before the last."""
    return [", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names)


def scores(
    store: Store,
    rows: NDArray[np.int64],
    prediction: ArrayLike,
    *,
    typical: Mapping[str, NDArray[np.int64]] | None = None,
    intervals: bool = True,
    seed: int = 0,
) -> Scores:
    """Compute every score of predictions of these rows of a store's window table.

    Parameters
    ----------
    store : Store
        With K classes.
    rows : int64 (N,)
        Labelled windows.
    prediction : array (N, K)
        Probabilities.
    typical : mapping, optional
        What `typical_rows` gives, where these rows are only a part of those it is to look at.
    intervals : bool
        Whether to compute 95% intervals, which resample patients.
    seed : int
        Of the bootstrap.
    """
    windows = store.windows
    q = checked(prediction)
    p = windows["votes"][rows].astype(np.float64)
    votes = p.sum(axis=1)
    p /= votes[:, None]
    judged = Judged(p, q, windows["expert_consensus"][rows].astype(np.int64), q.argmax(axis=1))
    patients = windows["patient_id"][rows]
    typical = typical_rows(windows, rows) if typical is None else typical
    places = {"all": np.arange(len(rows)), **typical}
    values: dict[str, float | None] = {}
    spans: dict[str, tuple[float, float] | None] = {}
    for score in SCORES:
        part = places[score.over]
        found = score.of(judged.take(part))
        values[score.key] = found if isinstance(found, float) else mean(found)
        if intervals and not isinstance(found, float):
            spans[score.key] = interval(found, patients[part], seed=seed)
    divergence = kl_of(judged)
    clipped = np.clip(judged.prediction, EPSILON, 1 - EPSILON)
    by_class = kl_terms(judged.target, clipped).mean(axis=0)
    return Scores(
        windows=len(rows),
        patients=len(np.unique(patients)),
        windows_votes=len(typical["votes"]),
        windows_hi=len(typical["hi"]),
        values=values,
        kl_per_class=dict(zip(store.spec.class_keys, by_class.tolist(), strict=True)),
        kl_per_votes={
            word: mean(divergence[(votes >= low) & (votes <= high)])
            for word, (low, high) in VOTE_GROUPS.items()
        },
        confusion=judged.confusion.tolist(),
        intervals=spans,
    )


def mean(values: NDArray[Any]) -> float | None:
    """Mean in float64; None of nothing."""
    return float(np.mean(values, dtype=np.float64)) if len(values) else None


def confusion(
    truth: NDArray[np.int64], chosen: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Count windows by true class (rows) and predicted class (columns), int64 (K, K)."""
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

    Mean over bins of probability (Naeini et al. 2015), weighed by their windows; both (N, K). Votes
    stand where others have right and wrong: a model that gave the very shares would be right far
    more often than it is sure.
    """
    confidence = prediction.max(axis=1)
    voted = target[np.arange(len(target)), prediction.argmax(axis=1)]
    place = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gap = np.bincount(place, confidence - voted, minlength=CALIBRATION_BINS)
    return float(np.abs(gap).sum() / len(target))


def paired_difference(
    first: Floats, second: Floats, patients: NDArray[np.int64]
) -> tuple[float | None, tuple[float, float] | None]:
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
    return mean(difference), interval(difference, patients)


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
