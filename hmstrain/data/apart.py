"""Rows of a store -> how far apart the windows of a batch begin, where they follow each other.

Windows of a recording that is predicted begin every few seconds and overlap. What is computed of
short stretches of the EEG, such as short-time spectra, is then the same in several of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store

APART = "apart"
"""Name, in a batch, of the samples from the start of each window's EEG to that of the next."""


def samples_apart(
    store: Store, rows: NDArray[np.int64], shift: NDArray[np.int64] | None = None
) -> dict[str, NDArray[np.int64]]:
    """Tell how far apart the windows of a batch begin.

    Parameters
    ----------
    rows : int64 (B,)
        Of the store.
    shift : int64 (B,), optional
        Samples that each window is moved by.

    Returns
    -------
    dict of int64 ()
        `APART`: samples from each window's start to the next one's. Nothing where windows are
        moved, or are not of one EEG, all equally far apart and each begun before the last one ends.
    """
    if shift is not None or len(rows) < 2:
        return {}
    apart = np.diff(store.windows["eeg_start"][rows])
    first = int(apart[0])
    if not 0 < first < store.spec.eeg.window_rows or (apart != first).any():
        return {}
    if np.ptp(store.windows["eeg_id"][rows]):
        return {}
    return {APART: np.array(first)}
