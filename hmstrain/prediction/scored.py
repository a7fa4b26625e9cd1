"""Predictions of windows and their votes -> scores, and what speaks against them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmstrain.data.context import Context
from hmstrain.prediction.source import ToPredict
from hmstrain.runs.checkpoint import read_description
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.outcome import Constant, Scores
from hmstrain.scoring.metrics import scores
from hmstrain.scoring.scores import constant, scores_by_context
from hmstrain.scoring.seen import Seen, can_compare, seen_before


@dataclass(frozen=True, slots=True)
class Scored:
    """What predictions of the windows that have votes are worth."""

    scores: Scores
    constant: Constant | None
    """Of the same windows; None if they are not of a store with training windows."""
    seen: Seen
    """How many of them are of patients that the runs know."""
    by_context: dict[str, Scores]
    """Of the windows with full and with partial context by themselves, if any has partial."""
    left_out: int
    """Windows that have votes and no probability."""

    def to_json(self) -> dict[str, Any]:
        """As keys of predictions.json, and as they are read from it: lists, no tuples."""
        found = {
            "scores": self.scores.to_json(),
            "constant": None if self.constant is None else self.constant.to_json(),
            "seen": self.seen.to_json(),
            "by_context": {name: part.to_json() for name, part in self.by_context.items()},
            "left_out": self.left_out,
        }
        read: dict[str, Any] = json.loads(json.dumps(found))
        return read


def score(
    folders: Sequence[RunFolder],
    source: ToPredict,
    rows: NDArray[np.int64],
    prediction: NDArray[np.float64],
    context: Context,
) -> Scored | None:
    """Score the windows that have votes and a probability; None if none has.

    Parameters
    ----------
    folders : sequence of RunFolder
        The runs that predicted.
    source : ToPredict
        What they predicted.
    rows : int64 (N,)
        Windows of its store.
    prediction : float64 (N, K)
    context : Context
        Of the windows.
    """
    store = source.store
    voted = store.windows["votes"][rows].sum(axis=1) > 0
    known = voted & context.judged
    if not known.any():
        return None
    judged, found = rows[known], prediction[known]
    networks = (part for folder in folders for part in folder.networks())
    described = (read_description(network.best) for network in networks)
    return Scored(
        scores(store, judged, found),
        constant(store, judged, found) if source.given and can_compare(store) else None,
        seen_before(described, store, judged),
        scores_by_context(store, judged, found, context.observed[known]),
        int((voted & ~known).sum()),
    )


def warnings_of(
    found: Scored | None, source: ToPredict, runs: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What speaks against the predictions or their scores, one sentence each.

    `runs` are those that predicted, as predictions.json has them.
    """
    store = source.store
    warnings = []
    if source.given and store.leaks:  # else it is of a training that nobody does
        warnings.append("Patients leak between the store's training and test windows.")
    if found is not None:
        warnings += found.seen.warnings
        warnings += store.info["warnings"] if source.given else []
    elif any(run["trained_on"] == store.identity for run in runs):
        warnings.append(
            "A run was trained on the 'train' windows of this store, so those predictions are "
            "optimistic."
        )
    return warnings
