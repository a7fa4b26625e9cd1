"""Rows of a store and their shifts -> where in its window the label of each lies.

A label is of the middle ten seconds of its window. A window that was shifted still has that label,
whose seconds then lie elsewhere in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.reading.shift import window_starts

CENTRE = "centre_B"
"""Name, in a batch, of the labels' centres."""


def label_centres(
    store: Store, rows: NDArray[np.int64], shift: NDArray[np.int64] | None
) -> dict[str, NDArray[np.int64]]:
    """Find the centres of the labels of a batch of windows.

    Parameters
    ----------
    rows : int64 (B,)
        Of the store.
    shift : int64 (B,), optional
        Samples that each window is moved by, as far as there is room.

    Returns
    -------
    dict of int64 (B,)
        `CENTRE`: sample, from the start of the EEG's window as it was moved; below 0 or past its
        end where it was moved by more than half its length. Nothing where windows are not moved,
        whose labels lie in the middle.
    """
    if shift is None:
        return {}
    moved = window_starts(store.spec, store.windows, rows, shift, clamp=True)["eeg"]
    return {CENTRE: store.spec.eeg.window_rows // 2 - (moved - store.windows["eeg_start"][rows])}
