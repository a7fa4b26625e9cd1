"""Configuration and window table -> windows to pretrain on, whose votes nobody looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.schema import SPLITS
from hmstrain.data.observed import judged
from hmstrain.data.seeds import Stream, generator

if TYPE_CHECKING:
    from hmstrain.config import Config

Rows = NDArray[np.int64]
HELD_OUT = 0.1
"""Share of the patients that is held out of a store without folds."""


class Unlabelled(NamedTuple):
    """Windows of pretraining, with votes or without, no patient in both."""

    training: Rows
    held_out: Rows
    """On which pretraining is scored."""


def unlabelled(config: Config, store: Store, fold: int | None) -> Unlabelled:
    """Choose windows to pretrain on, and those to score it on.

    No window of a patient of the test split is in either, so that what starts from the pretraining
    is tested on patients of whom nothing was seen; windows that are not labelled (split 'predict')
    are used like all others.

    Parameters
    ----------
    fold : int, optional
        Whose patients are held out. Without one, patients are drawn by the seed if the store has no
        folds; else none are held out.
    """
    patients = store.windows["patient_id"]
    usable = store.windows["split"] != SPLITS.index("dropped")
    usable &= ~np.isin(patients, patients[store.select("test")])
    rows = np.flatnonzero(usable)
    if config.context != "filled":
        rows = rows[judged(store, rows)]
    held = np.empty(0, np.int64)
    if fold is not None:
        held = patients[store.select("valid", fold=fold)]
    elif store.folds == 0:
        every = np.unique(patients[rows])
        drawn = generator(config.seed, Stream.WITHOUT_FOLDS).permutation(every)
        held = drawn[: max(1, round(HELD_OUT * len(every)))] if len(every) > 1 else held
    is_held = np.isin(patients[rows], held)
    return Unlabelled(rows[~is_held], rows[is_held])
