"""Configuration and window table -> what each window's answer should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmstrain.data.rows import Rows, group_sizes, has_many
from hmstrain.data.weights import row_weights

if TYPE_CHECKING:
    from hmstrain.config import Config

Columns = dict[str, NDArray[Any]]


def targets(config: Config, store: Store, rows: Rows) -> NDArray[np.float32]:
    """Shares of the votes that training aims at, float32 (N, K): of every window of the store.

    With `target=eeg`, those of these rows are the shares of all votes on their EEG's rows.
    """
    own: NDArray[np.float32] = store.windows["target"]
    if config.target == "window":
        return own
    _, eeg = np.unique(store.windows["eeg_id"][rows], return_inverse=True)
    sums = np.zeros((eeg.max() + 1, own.shape[1]))
    np.add.at(sums, eeg, store.windows["votes"][rows])
    found = own.copy()
    found[rows] = (sums / sums.sum(axis=1, keepdims=True))[eeg]
    return found


def training_columns(config: Config, store: Store, rows: Rows, epoch: int) -> Columns:
    """What training takes of every window of a store, by name, in an epoch of these rows.

    Pretraining has no targets: their columns are 0 wide.
    """
    if config.pretraining:
        count = len(store)
        return {
            "target": np.zeros((count, 0), np.float32),
            "weight": np.ones(count, np.float32),
            "many": np.zeros(count, np.float32),
            "patient_id": store.windows["patient_id"],
        }
    return {
        "target": targets(config, store, rows),
        "weight": row_weights(config, store, rows, epoch),
        "many": has_many(config, store, np.arange(len(store))).astype(np.float32),
        "patient_id": store.windows["patient_id"],
    }


def mean_target(
    config: Config,
    store: Store,
    rows: Rows,
    epoch: int = 0,
    among: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Mean target of training rows, weighed as in the loss of an epoch, float64 (K,).

    Of all answers that are the same for every window, it has the lowest loss.

    Parameters
    ----------
    among : bool (N,), optional
        Only of these of the rows.
    """
    weights = row_weights(config, store, rows, epoch)[rows] / group_sizes(config, store, rows)
    aims = targets(config, store, rows)[rows].astype(np.float64)
    if among is not None:
        aims, weights = aims[among], weights[among]
    mean = np.average(aims, axis=0, weights=weights)
    shares: NDArray[np.float64] = mean / mean.sum()
    return shares
