"""A network at some step of its run -> scores of the fold held out and of the test split."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hmsstore import Store
from hmsstore.windows import typical_rows
from hmstrain.config import Config
from hmstrain.errors import DataError
from hmstrain.models.evaluate import Evaluator, embedding_alignment, one_per_patient
from hmstrain.scoring.metrics import interval, kl_rows, mean, scores

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def validation(
    config: Config,
    store: Store,
    evaluator: Evaluator,
    network: nn.Module,
    rows: Rows,
    typical: dict[str, Rows],
) -> dict[str, Any]:
    """Figures of a validation, and how well embeddings match where they are compared.

    `rows` and `typical` are what `validation_rows` gives.
    """
    prediction, embeddings = evaluator.predict(network, rows)
    found = scores(store.windows, rows, prediction, typical=typical, intervals=False)
    values = {key: found[key] for key in ("kl_votes", "kl_hi", "accuracy", "balanced_accuracy")}
    matched = embedding_alignment(embeddings, one_per_patient(store, rows, config.seed))
    return values | (matched or {})


def epoch_test(
    store: Store, evaluator: Evaluator, network: nn.Module, rows: Rows
) -> dict[str, Any]:
    """Figures of the test split after an epoch: only looked at, nothing is chosen by them."""
    prediction, _ = evaluator.predict(network, rows)
    found = scores(store.windows, rows, prediction, intervals=False)
    keys = ("kl", "kl_votes", "kl_hi", "accuracy", "balanced_accuracy", "f1_macro")
    return {key: found[key] for key in keys}


def final_test(
    config: Config, store: Store, evaluator: Evaluator, network: nn.Module, rows: Rows
) -> tuple[dict[str, Any], Floats]:
    """Scores of the test split, beside those of a constant prediction; and the predictions."""
    prediction, embeddings = evaluator.predict(network, rows)
    outcome: dict[str, Any] = {
        "test": scores(store.windows, rows, prediction),
        "constant": constant(store, rows, prediction),
    }
    matched = embedding_alignment(embeddings, one_per_patient(store, rows, config.seed))
    if matched is not None:
        outcome["alignment"] = matched
    return outcome, prediction


def constant(
    store: Store, rows: NDArray[np.int64], prediction: NDArray[np.float64]
) -> dict[str, Any]:
    """Predict the mean of all training targets everywhere: what any model has to beat.

    Its scores, and the model's KL less its own: paired, with 95% intervals.

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
    target = store.windows["target"][rows]
    difference = kl_rows(target, prediction) - kl_rows(target, same)
    patients = store.windows["patient_id"][rows]
    typical = typical_rows(store.windows, rows)
    parts = {"kl": np.arange(len(rows)), "kl_votes": typical["votes"], "kl_hi": typical["hi"]}
    found = scores(store.windows, rows, same, typical=typical, intervals=False)
    return {
        **{key: value for key, value in found.items() if key.startswith("kl")},
        "difference": {key: mean(difference[part]) for key, part in parts.items()},
        "difference_intervals": {
            key: interval(difference[part], patients[part]) for key, part in parts.items()
        },
    }
