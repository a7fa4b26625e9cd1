"""Targets, predictions and votes -> every score that is reported, in float64 over all rows.

K classes; N windows. `kl` is over every window. `kl_votes` is over the most overlapping window of
each pair of EEG and votes, `kl_hi` over the most overlapping window of each EEG with at least ten
votes: the competition's population. Published numbers compare with the last two.

Where several classes have the most votes, an answer is right if it is one of them; kappa and F1,
which need one true class, leave such windows out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmsstore import Store
from hmsstore.windows import MANY_VOTES, typical_rows
from hmstrain.runs.outcome import Scores
from hmstrain.scoring.bootstrap import group_sums, percentiles, resampled_sums
from hmstrain.scoring.formulas import (
    CALIBRATION_BINS,
    EPSILON,
    balanced_accuracy,
    calibration_error,
    calibration_error_debiased,
    checked,
    cohen_kappa,
    confusion,
    entropy_of,
    f1_macro,
    kl_rows,
    kl_terms,
    mean,
    ratio,
    report_accuracy,
)

VOTE_GROUPS = {"1-3": (1, 3), "4-9": (4, 9), "10+": (MANY_VOTES, 10**9)}
"""Three populations: they differ in how often each class leads and in how far raters agree."""
ROUNDING = 1e-12
"""Differences of scores that are smaller are none."""
TIED = 1e-6
"""Shares of votes that differ by less are of equally many votes."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled windows and what a model says of them: what scores are computed from."""

    target: Floats
    """(N, K) votes over their sum."""
    votes: Floats
    """(N,) how many voted; NaN where only their shares are known."""
    prediction: Floats
    """(N, K) probabilities."""
    truth: NDArray[np.int64]
    """(N,) expert consensus."""
    patient: NDArray[np.int64]
    """(N,) whose window it is: what is resampled."""

    @classmethod
    def of_store(cls, store: Store, rows: NDArray[np.int64], prediction: ArrayLike) -> Self:
        """Predictions (N, K) of labelled rows of a store; ValueError if they are not such."""
        windows = store.windows
        counts = windows["votes"][rows].astype(np.float64)
        votes = counts.sum(axis=1)
        return cls(
            counts / votes[:, None],
            votes,
            checked(prediction),
            windows["expert_consensus"][rows].astype(np.int64),
            windows["patient_id"][rows].astype(np.int64),
        )

    @property
    def chosen(self) -> NDArray[np.int64]:
        """(N,) most probable class."""
        return self.prediction.argmax(axis=1)

    @property
    def leading(self) -> NDArray[np.bool_]:
        """(N, K) whether no class has more votes: one class of a window, or several tied."""
        return self.target >= self.target.max(axis=1, keepdims=True, initial=0) - TIED

    @property
    def tied(self) -> NDArray[np.bool_]:
        """(N,) whether several classes have the most votes."""
        return self.leading.sum(axis=1) > 1

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether the most probable class has the most votes."""
        return self.leading[np.arange(len(self.target)), self.chosen]

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Windows by true class (rows) and predicted class (columns), (K, K)."""
        return confusion(self.truth, self.chosen, self.target.shape[1])

    def with_prediction(self, prediction: Floats) -> Self:
        """The same windows as another model (N, K) judges them."""
        return replace(self, prediction=prediction)

    def take(self, places: NDArray[Any]) -> Self:
        """Some of the windows: their numbers, or whether each is one."""
        return type(self)(*(getattr(self, one.name)[places] for one in fields(self)))


Where = Literal["validation", "epoch test", "constant", "spread", "study"]
"""Places beside the final scores (`metrics.json`, the terminal, a report), which have every score.

Each validation and the test after an epoch, in `metrics.jsonl`; the comparison with the constant
prediction, paired; mean and standard deviation over single folds; the table of a study.
"""


Parts = Callable[[Judged], Floats]
"""(N, P): what each window adds to the sums that a score is a function of."""
Value = Callable[[Floats], Floats]
"""Sums (..., P) -> score (...), NaN where it is not defined."""


@dataclass(frozen=True, slots=True)
class Score:
    """A figure of predictions: how it is computed, over which windows, and where it is shown."""

    key: str
    """Its name in `metrics.json` and `metrics.jsonl`."""
    label: str
    """Its name where a person reads it."""
    parts: Parts
    value: Value
    over: Literal["all", "votes", "hi"] = "all"
    """All windows; the most overlapping window of each pair of EEG and votes; or that of each EEG
    with ten votes or more."""
    shown: frozenset[Where] = frozenset()
    """Where, besides the final scores."""
    higher_is_better: bool = False

    def of(self, judged: Judged) -> float | None:
        """Compute it; None of no windows."""
        if not len(judged.target):
            return None
        found = float(self.value(self.parts(judged).sum(axis=0)))
        return found if np.isfinite(found) else None

    def better(self, difference: Floats) -> NDArray[np.bool_]:
        """Whether the first of two models is the better one, by its score less the other's."""
        return difference > ROUNDING if self.higher_is_better else difference < -ROUNDING


def mean_of(function: Callable[[Judged], Floats]) -> tuple[Parts, Value]:
    """Parts and value of a score that is the mean of a value of each window, (N,)."""

    def parts(judged: Judged) -> Floats:
        return np.column_stack([function(judged), np.ones(len(judged.target))])

    return parts, ratio


def of_confusion(function: Value) -> tuple[Parts, Value]:
    """Parts and value of a score of the confusion matrix (..., K, K) of windows without a tie."""

    def value(sums: Floats) -> Floats:
        classes = round(sums.shape[-1] ** 0.5)
        return function(sums.reshape(*sums.shape[:-1], classes, classes))

    return cells_of, value


def cells_of(judged: Judged) -> Floats:
    """Of each window without a tie, 1 in its cell of the confusion matrix, (N, K * K)."""
    count, classes = judged.target.shape
    cells = np.zeros((count, classes**2))
    cells[np.arange(count), judged.truth * classes + judged.chosen] = ~judged.tied
    return cells


def kl_of(judged: Judged) -> Floats:
    """Divergence of each window, (N,)."""
    return kl_rows(judged.target, judged.prediction)


def recalls_of(judged: Judged) -> Floats:
    """Windows of each class, then those of them that are right; both (N, K), side by side.

    A window with a tie is one of the class that was answered if it is right, else it is shared out
    among the tied.
    """
    leading, right = judged.leading, judged.right
    of_class = leading / leading.sum(axis=1, keepdims=True)
    answered = np.eye(judged.target.shape[1])[judged.chosen]
    of_class[right] = answered[right]
    return np.hstack([of_class, answered * right[:, None]])


def gaps_of(judged: Judged) -> Floats:
    """Of each window, in the place of its bin: 1, confidence less share of votes, that squared."""
    count = len(judged.target)
    confidence = judged.prediction.max(axis=1)
    gap = confidence - judged.target[np.arange(count), judged.chosen]
    place = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    found = np.zeros((count, 3, CALIBRATION_BINS))
    found[np.arange(count), :, place] = np.column_stack([np.ones(count), gap, gap**2])
    return found.reshape(count, -1)


EVERYWHERE: frozenset[Where] = frozenset(get_args(Where))
SCORES: tuple[Score, ...] = (
    Score("kl", "KL, all windows", *mean_of(kl_of), shown=EVERYWHERE - {"validation", "study"}),
    Score("kl_votes", "KL, one window per EEG and votes", *mean_of(kl_of), "votes", EVERYWHERE),
    Score("kl_hi", "KL, one per EEG with 10+ votes", *mean_of(kl_of), "hi", EVERYWHERE),
    Score(
        "accuracy",
        "accuracy",
        *mean_of(lambda judged: judged.right.astype(np.float64)),
        shown=EVERYWHERE - {"constant"},
        higher_is_better=True,
    ),
    Score(
        "balanced_accuracy",
        "balanced accuracy",
        recalls_of,
        balanced_accuracy,
        shown=frozenset({"validation", "epoch test", "spread"}),
        higher_is_better=True,
    ),
    Score(
        "f1_macro",
        "macro F1",
        *of_confusion(f1_macro),
        shown=frozenset({"epoch test", "spread", "study"}),
        higher_is_better=True,
    ),
    Score(
        "kappa",
        "Cohen's kappa",
        *of_confusion(cohen_kappa),
        higher_is_better=True,
    ),
    Score(
        "report_accuracy",
        "one-vs-rest accuracy",
        *of_confusion(report_accuracy),
        shown=frozenset({"spread"}),
        higher_is_better=True,
    ),
    Score(
        "calibration_error",
        "calibration error",
        gaps_of,
        calibration_error,
    ),
    Score(
        "calibration_error_debiased",
        "calibration error, debiased",
        gaps_of,
        calibration_error_debiased,
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
    judged = Judged.of_store(store, rows, prediction)
    typical = typical_rows(store.windows, rows) if typical is None else typical
    return scores_of(judged, typical, store.spec.class_keys, intervals=intervals, seed=seed)


def scores_of(
    judged: Judged,
    typical: Mapping[str, NDArray[np.int64]],
    class_keys: Sequence[str],
    *,
    intervals: bool = True,
    seed: int = 0,
) -> Scores:
    """Compute every score of judged windows.

    Parameters
    ----------
    typical : mapping
        Positions (int64) of the windows that scores over 'votes' and 'hi' are of.
    class_keys : sequence of str
        Names of the K classes.
    """
    places = {"all": np.arange(len(judged.target)), **typical}
    values: dict[str, float | None] = {}
    spans: dict[str, tuple[float, float] | None] = {}
    for over, part in places.items():
        shown = [score for score in SCORES if score.over == over]
        seen = judged.take(part)
        values |= {score.key: score.of(seen) for score in shown}
        if intervals:
            spans |= _intervals(seen, shown, seed)
    divergence = kl_of(judged)
    clipped = np.clip(judged.prediction, EPSILON, 1 - EPSILON)
    by_class = kl_terms(judged.target, clipped).mean(axis=0)
    entropy = entropy_of(judged.target)
    return Scores(
        windows=len(judged.target),
        patients=len(np.unique(judged.patient)),
        windows_votes=len(typical["votes"]),
        windows_hi=len(typical["hi"]),
        values={score.key: values[score.key] for score in SCORES},
        kl_per_class=dict(zip(class_keys, by_class.tolist(), strict=True)),
        kl_per_votes={
            word: mean(divergence[(judged.votes >= low) & (judged.votes <= high)])
            for word, (low, high) in VOTE_GROUPS.items()
        },
        confusion=judged.confusion.tolist(),
        intervals={s.key: spans[s.key] for s in SCORES} if intervals else {},
        tied=int(judged.tied.sum()),
        entropy={over: mean(entropy[part]) for over, part in places.items()},
    )


def _intervals(
    judged: Judged, shown: Sequence[Score], seed: int
) -> dict[str, tuple[float, float] | None]:
    """95% intervals of scores over the same windows, of the same resamples of patients."""
    names, group = np.unique(judged.patient, return_inverse=True)
    if len(names) < 2:
        return dict.fromkeys(score.key for score in shown)
    grouped = grouped_parts(judged, shown, group, len(names))
    sums = resampled_sums(np.hstack(list(grouped.values())), seed=seed)
    parts = split_parts(sums, grouped)
    return {score.key: percentiles(score.value(parts[score.parts])) for score in shown}


def grouped_parts(
    judged: Judged, shown: Sequence[Score], group: NDArray[np.int64], groups: int
) -> dict[Parts, Floats]:
    """Parts of scores summed over patients, (G, P) each; those that scores share once."""
    kinds = dict.fromkeys(score.parts for score in shown)
    return {parts: group_sums(parts(judged), group, groups) for parts in kinds}


def split_parts(sums: Floats, like: Mapping[Parts, Floats]) -> dict[Parts, Floats]:
    """Undo the joining of parts side by side in the last axis."""
    edges = np.cumsum([part.shape[1] for part in like.values()])[:-1]
    return dict(zip(like, np.split(sums, edges, axis=-1), strict=True))


def difference_of(
    score: Score, first: Judged, second: Judged, *, seed: int = 0
) -> tuple[float | None, tuple[float, float] | None]:
    """A score of one model less that of another on the same windows, and its 95% interval.

    The interval resamples whole patients, both models' together; None of under two patients.
    """
    ours, theirs = score.of(first), score.of(second)
    names, group = np.unique(first.patient, return_inverse=True)
    if ours is None or theirs is None:
        return None, None
    if len(names) < 2:
        return ours - theirs, None
    parts = np.hstack([score.parts(first), score.parts(second)])
    sums = resampled_sums(group_sums(parts, group, len(names)), seed=seed)
    one, other = np.split(sums, 2, axis=1)
    return ours - theirs, percentiles(score.value(one) - score.value(other))
