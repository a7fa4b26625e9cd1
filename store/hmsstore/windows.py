"""Windows in groups -> the one window of each group that overlaps most with its fellows.

Neighbouring windows of one recording mostly carry the same votes. Where one window must stand for
such a group, the one that shares most time with the others is the most typical of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import EEG


def most_overlapping(
    keys: Sequence[NDArray[Any]], offset_s: NDArray[np.float64], window_s: float = EEG.window_s
) -> NDArray[np.int64]:
    """Pick one window of each group of equal keys.

    Parameters
    ----------
    keys : sequence of integer arrays (windows,) or (windows, n)
        Windows with the same value in all of them form a group, such as EEG and votes.
    offset_s : float64 (windows,)
        Start of each window in its recording, in seconds.
    window_s : float
        Length of a window in seconds.

    Returns
    -------
    int64 (groups,)
        In ascending order, the row of each group whose overlap with the group's other windows,
        ``sum(max(0, window_s - |difference of offsets|))``, is largest; of equals the earliest.
    """
    table = np.column_stack([np.asarray(key, np.int64) for key in keys])
    _, group = np.unique(table, axis=0, return_inverse=True)
    order = np.lexsort((np.arange(len(group)), offset_s, group.ravel()))
    edges = np.flatnonzero(np.diff(group.ravel()[order])) + 1
    chosen = []
    for members in np.split(order, edges):
        if len(members) > 2:
            offset = offset_s[members]
            apart = np.abs(offset[:, None] - offset[None, :])
            overlap = np.maximum(0.0, window_s - apart).sum(axis=1)
            chosen.append(members[np.argmax(overlap)])
        else:
            chosen.append(members[0])
    return np.sort(np.asarray(chosen, np.int64))
