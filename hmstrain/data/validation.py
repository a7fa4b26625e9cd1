"""Configuration, stages and the fold held out -> what each validation predicts and is judged by.

A stage that trains on windows with many votes gets worse at those with few, so each stage is judged
by windows of the kind that it trains on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.windows import MANY_VOTES, most_overlapping
from hmstrain.data.rows import Epoch, Rows, split_rows, validation_rows
from hmstrain.data.unlabelled import unlabelled
from hmstrain.errors import DataError
from hmstrain.words import plural

if TYPE_CHECKING:
    from hmstrain.config import Config

FEWEST = 20
"""Fewer windows of a stage's kind than this choose no checkpoint: chance would."""
INFONCE, ELBO = "infonce", "elbo"
"""What pretraining and generators are judged by: of each, the lowest is best."""
STAGES = ("first", "second")


@dataclass(frozen=True, slots=True)
class Judge:
    """What the validations of some epochs predict, and the score by which they are compared."""

    by: str
    """kl, kl_votes, kl_hi or kl_minN (one window of each EEG with at least N votes); infonce or
    elbo of networks without probabilities: the lowest is best. 'last': the latest is kept."""
    stage: int
    """Only validations with the same number here are compared."""
    rows: Rows
    """(N,) rows to predict."""
    judged: NDArray[np.int64]
    """Positions within `rows` of the windows that `by` is over."""
    shown: NDArray[np.int64]
    """Positions within `rows` of typical windows, of which scores are logged."""
    typical: dict[str, NDArray[np.int64]]
    """Positions within `shown` of 'votes' and 'hi'."""
    notice: str = ""
    """What the user should know of the choice."""


def judges(config: Config, store: Store, epochs: Sequence[Epoch]) -> list[Judge]:
    """Tell what the validations of each epoch predict and are judged by.

    Raises
    ------
    DataError
        The configuration asks for a score of windows that the fold does not have.
    """
    if not config.answers:
        return [_without_scores(config, store, epoch) for epoch in epochs]
    made: dict[tuple[int | None, int, int], Judge] = {}
    found = []
    for epoch in epochs:
        stage = 0
        if config.best_by == "auto" and config.second_epochs:
            stage = min(epoch.stage, 1)  # an extension goes on with the last stage
        key = (epoch.fold, stage, epoch.min_votes)
        if key not in made:
            made[key] = _judge(config, store, epoch, stage)
        found.append(made[key])
    return found


def _without_scores(config: Config, store: Store, epoch: Epoch) -> Judge:
    """Tell how networks without probabilities are judged: by their loss on held-out patients."""
    rows = none = np.empty(0, np.int64)
    by = "last"
    if config.pretraining:
        rows, by = unlabelled(config, store, epoch.fold).held_out, INFONCE
    elif epoch.fold is not None:
        rows, by = split_rows(config, store, "valid", epoch.fold), ELBO
    if not len(rows) or config.best_by == "last":
        by = "last"
    notice = ""
    if by == INFONCE and len(np.unique(store.windows["patient_id"][rows])) == 1:
        by, kept = "last", "the latest checkpoint is kept"
        notice = f"Only one patient is held out, so there are no negatives: {kept}."
    return Judge(by, 0, rows, none, none, {}, notice)


def _judge(config: Config, store: Store, epoch: Epoch, stage: int) -> Judge:
    none = np.empty(0, np.int64)
    everything = none
    if epoch.fold is not None:
        everything = split_rows(config, store, "valid", epoch.fold)
    if not len(everything):
        return Judge("last", stage, none, none, none, {})
    shown, typical = validation_rows(store, everything)
    votes = store.windows["votes"][everything].sum(axis=1)
    by, notice = config.best_by, ""
    # Of two populations, what is predicted is the answer for many votes.
    least = epoch.min_votes if config.populations == "one" else config.second_min_votes
    if config.fold == "rotate":
        by = "last"
    elif by == "auto":
        of_stage = f" of the {STAGES[stage]} stage" if config.second_epochs else ""
        by, notice = _by_votes(store, epoch.fold, least, everything, of_stage)
    if by == "last":
        judged = none
    elif by == "kl":
        judged = everything[votes > 0]
    elif by == "kl_votes":
        judged = shown[typical["votes"]]
    else:
        least = MANY_VOTES if by == "kl_hi" else least
        judged = one_per_eeg(store, everything[votes >= least])
        if not len(judged):
            raise DataError(
                f"best_by={by}: fold {epoch.fold} of {store.path} holds no window with "
                f"{plural(least, 'vote')} or more. Use best_by=auto."
            )
    rows = np.union1d(shown, judged)
    return Judge(
        by,
        stage,
        rows,
        np.searchsorted(rows, judged),
        np.searchsorted(rows, shown),
        typical,
        notice,
    )


def _by_votes(
    store: Store, fold: int | None, least: int, rows: Rows, of_stage: str
) -> tuple[str, str]:
    """Name the score over windows with as many votes as a stage trains on; say why, if another."""
    if least <= 1:
        return "kl_votes", ""
    enough = rows[store.windows["votes"][rows].sum(axis=1) >= least]
    count = len(one_per_eeg(store, enough))
    if count >= FEWEST:
        return ("kl_hi" if least == MANY_VOTES else f"kl_min{least}"), ""
    return "kl_votes", (
        f"Fold {fold} has {plural(count, 'EEG')} with {least} votes or more, fewer "
        f"than {FEWEST}: too few to choose the best checkpoint{of_stage} by, so kl_votes does."
    )


def one_per_eeg(store: Store, rows: Rows) -> Rows:
    """Pick the most overlapping window of each EEG, as `kl_hi` does among those with ten votes."""
    if not len(rows):
        return rows
    windows = store.windows
    return rows[most_overlapping([windows["eeg_id"][rows]], windows["eeg_offset_s"][rows])]
