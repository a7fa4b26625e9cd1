"""Table of windows -> the windows that are typical of it, and the patients that leak.

Neighbouring windows of one recording mostly carry the same votes. Where one window must represent
such a group, the one that shares most time with the others is the most typical of it.

A model that has seen a patient in training knows more of that patient's test windows than it will
know of any new patient, so its score is too good. `leaking_patients` is the one check that every
store must pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import EEG, SPLITS

MANY_VOTES = 10
"""Windows with at least so many votes are a population of their own: the competition's test set."""
AT_ONCE = 64
"""Windows compared with all of their group at a time: an hour may hold 30,000 of equal votes."""


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
            overlap = _overlaps(offset_s[members], window_s)
            chosen.append(members[np.argmax(overlap)])
        else:
            chosen.append(members[0])
    return np.sort(np.asarray(chosen, np.int64))


def _overlaps(offset_s: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
    """Seconds that each window of a group shares with all of them."""
    found = np.empty(len(offset_s))
    for first in range(0, len(offset_s), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        apart = np.abs(offset_s[part, None] - offset_s)
        found[part] = np.maximum(0.0, window_s - apart).sum(axis=1)
    return found


def typical_rows(
    windows: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Find the typical windows of some rows, which published scores are over.

    Parameters
    ----------
    windows : mapping of str to array
        A store's window table: its columns `eeg_id`, `eeg_offset_s` and `votes`.
    rows : int64 (N,)
        Rows of the table.

    Returns
    -------
    dict of str to int64 arrays
        Positions within `rows`, ascending. 'votes': the most overlapping window of each pair of
        EEG and votes, which the score `kl_votes` is over. 'hi': that of each EEG among the windows
        with `MANY_VOTES` or more, which `kl_hi` is over.
    """
    eeg, offset = windows["eeg_id"][rows], windows["eeg_offset_s"][rows]
    votes = windows["votes"][rows]
    many = np.flatnonzero(votes.sum(axis=1) >= MANY_VOTES)
    empty = np.empty(0, np.int64)
    return {
        "votes": most_overlapping([eeg, votes], offset) if len(rows) else empty,
        "hi": many[most_overlapping([eeg[many]], offset[many])] if len(many) else empty,
    }


def leaking_patients(
    patient_id: NDArray[Any], split: NDArray[Any], fold: NDArray[Any]
) -> NDArray[np.int64]:
    """Find the patients with windows in both train and test, or in two folds.

    Parameters
    ----------
    patient_id, split, fold : integer arrays (windows,)
        Columns of the window table; windows of split 'predict' and 'dropped' do not count.

    Returns
    -------
    int64 (patients,)
        Ids in ascending order; empty if nothing leaks.
    """
    train, test = SPLITS.index("train"), SPLITS.index("test")
    side = np.where(split == test, -2, fold).astype(np.int64)  # test is one more group
    counted = (split == train) | (split == test)
    patient, side = patient_id[counted], side[counted]
    if not len(patient):
        return np.empty(0, np.int64)
    # Rows of a recording stand together, so looking at changes alone keeps this quick at any size.
    change = np.ones(len(patient), bool)
    change[1:] = (patient[1:] != patient[:-1]) | (side[1:] != side[:-1])
    pairs = np.unique(np.stack([patient[change], side[change]]), axis=1)
    patients, sides = np.unique(pairs[0], return_counts=True)
    return patients[sides > 1].astype(np.int64)
