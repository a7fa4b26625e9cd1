"""A store and rows -> the observed run of each window of a batch; rows that can be judged.

`hmsstore.reading.observed` says what the observed run of a window is. A store that was built before
gaps were kept tells nothing of them, so all of its windows are taken as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.reading.observed import LEAST_JUDGED as LEAST_JUDGED
from hmstrain.errors import DataError


def run_key(signal: str) -> str:
    """Name, in a batch, of the observed runs of a signal: 'eeg_run_B2'."""
    return f"{signal}_run_B2"


def observed_runs(
    store: Store,
    rows: NDArray[np.int64],
    signals: Sequence[str],
    shift: NDArray[np.int64] | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Find the observed runs of a batch of windows.

    Parameters
    ----------
    rows : int64 (B,)
        Of the store.
    shift : int64 (B,), optional
        Samples that each window is moved by, as far as there is room.

    Returns
    -------
    dict of int64 (B, 2)
        By `run_key`: first row in the window of the observed run, and the one after its last. Only
        of signals of which a window of the batch was not observed from end to end.
    """
    if store.gaps is None:
        return {}
    found = store.observed(rows, signals, shift=shift, clamp=True)
    return {
        run_key(name): np.stack([one.first, one.stop], axis=1)
        for name, one in found.items()
        if ((one.first > 0) | (one.stop < one.rows)).any()
    }


def judged(store: Store, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell the rows (N,) whose judged seconds of EEG were recorded, by `LEAST_JUDGED`: bool (N,).

    Of the others there is no probability, and no score. In a store that was built before gaps were
    kept all count as recorded.
    """
    if store.gaps is None:
        return np.ones(len(rows), bool)
    recorded: NDArray[np.bool_] = store.observed(rows, "eeg")["eeg"].judged >= LEAST_JUDGED - 1e-9
    return recorded


def check_judged(store: Store, row: int) -> None:
    """Refuse a window that there is no probability of.

    Raises
    ------
    DataError
        More of its judged seconds was not recorded than may be.
    """
    if not judged(store, np.asarray([row], np.int64))[0]:
        raise DataError(
            f"Row {row} of {store.path} has no probability: more than {1 - LEAST_JUDGED:.0%} of "
            "its judged seconds was not recorded."
        )
