"""A network at some step of its run -> scores of the fold held out and of the test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hmsstore import Store
from hmsstore.windows import typical_rows
from hmstrain.config import Config
from hmstrain.data.context import by_context
from hmstrain.data.validation import Judge
from hmstrain.errors import DataError
from hmstrain.models.evaluate import Predictor, embedding_alignment, one_per_patient
from hmstrain.runs.outcome import Alignment, Constant, Scores
from hmstrain.scoring.formulas import kaggle_kl
from hmstrain.scoring.metrics import Judged, difference_of, scores, shown_in

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def validation(
    config: Config,
    store: Store,
    evaluator: Predictor,
    network: nn.Module,
    judge: Judge,
) -> dict[str, Any]:
    """Scores of a validation, and how well embeddings match where they are compared.

    The score that the judge is named after is among them.
    """
    prediction, embeddings = evaluator.predict(network, judge.rows)
    rows = judge.rows[judge.shown]
    found = scores(store, rows, prediction[judge.shown], typical=judge.typical, intervals=False)
    values: dict[str, Any] = {score.key: found[score.key] for score in shown_in("validation")}
    if judge.by not in (*values, "last"):
        votes = store.windows["votes"][judge.rows[judge.judged]].astype(np.float64)
        target = votes / votes.sum(axis=1, keepdims=True)
        values[judge.by] = kaggle_kl(target, prediction[judge.judged])
    shown = [part[judge.shown] for part in embeddings]
    matched = embedding_alignment(shown, one_per_patient(store, rows, config.seed))
    return values | (matched or {})


def epoch_test(
    store: Store, evaluator: Predictor, network: nn.Module, rows: Rows
) -> dict[str, float | None]:
    """Scores of the test split after an epoch: only looked at, nothing is chosen by them."""
    prediction, _ = evaluator.predict(network, rows)
    found = scores(store, rows, prediction, intervals=False)
    return {score.key: found[score.key] for score in shown_in("epoch test")}


@dataclass(frozen=True, slots=True)
class FinalTest:
    """Scores of the test split at the end of a run, and the probabilities that they are of."""

    scores: Scores
    constant: Constant
    alignment: Alignment | None
    prediction: Floats
    """(N, K), in the order of the rows."""


def final_test(
    config: Config, store: Store, evaluator: Predictor, network: nn.Module, rows: Rows
) -> FinalTest:
    """Score the test split, beside the constant prediction."""
    prediction, embeddings = evaluator.predict(network, rows)
    matched = embedding_alignment(embeddings, one_per_patient(store, rows, config.seed))
    return FinalTest(
        scores(store, rows, prediction),
        constant(store, rows, prediction),
        None if matched is None else Alignment.from_json(matched),
        prediction,
    )


def scores_by_context(
    store: Store, rows: Rows, prediction: Floats, observed: Floats
) -> dict[str, Scores]:
    """Score windows with full and with partial context by themselves; nothing if all are full.

    Parameters
    ----------
    observed : float64 (N,)
        Share of what the model looks at that was observed, of each row.
    """
    return {
        name: scores(store, rows[places], prediction[places])
        for name, places in by_context(observed).items()
    }


def constant(store: Store, rows: Rows, prediction: Floats) -> Constant:
    """Predict the mean of all training targets everywhere: what any model has to beat.

    Its scores, and the model's less its own: paired, with 95% intervals.

    Raises
    ------
    DataError
        The store has no training windows to take the mean of.
    """
    training = store.select("train")
    if not len(training):
        raise DataError(f"{store.path} has no training windows to compare with.")
    usual = store.windows["target"][training].mean(axis=0, dtype=np.float64)
    same = np.tile(usual / usual.sum(), (len(rows), 1))
    typical = typical_rows(store.windows, rows)
    found = scores(store, rows, same, typical=typical, intervals=False)
    model, other = (Judged.of_store(store, rows, q) for q in (prediction, same))
    places = {"all": np.arange(len(rows)), **typical}
    difference: dict[str, float | None] = {}
    spans: dict[str, tuple[float, float] | None] = {}
    for score in shown_in("constant"):
        part = places[score.over]
        found_difference = difference_of(score, model.take(part), other.take(part))
        difference[score.key], spans[score.key] = found_difference
    return Constant(
        values={score.key: found[score.key] for score in shown_in("constant")},
        kl_per_class=found.kl_per_class,
        kl_per_votes=found.kl_per_votes,
        difference=difference,
        difference_intervals=spans,
    )
