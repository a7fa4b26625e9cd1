"""All windows of the table -> the windows to build: typical ones, balanced, half, present.

Each function returns row numbers in ascending order and draws only from its own seeded generator.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import ParameterError
from hmsprep.kaggle.table import Columns
from hmsprep.planning.parameters import Parameters
from hmsprep.seeds import generator
from hmsstore.windows import most_overlapping

BALANCED = 1.1
"""Largest ratio of two classes' votes that counts as balanced."""


def take(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    """Keep these rows of every column."""
    return {name: values[rows] for name, values in columns.items()}


def select(columns: Columns, parameters: Parameters) -> tuple[Columns, tuple[str, ...]]:
    """Apply --windows, --balance and --half, in this order.

    Parameters
    ----------
    columns : dict of arrays
        As `hmsprep.kaggle.table.read_table` gives them.

    Returns
    -------
    columns : dict of arrays
        The windows that remain, in the order of the table. With 'eeg' their votes are the sums
        over all windows of the EEG.
    warnings : tuple of str
        What could not be done as asked.
    """
    warnings: tuple[str, ...] = ()
    labelled = bool((columns["expert_consensus"] >= 0).all())
    if parameters.windows == "votes":
        if not labelled:
            raise ParameterError("--windows votes needs votes, but these windows have none.")
        columns = take(
            columns,
            most_overlapping(
                [columns["eeg_id"], columns["votes"]],
                columns["eeg_offset_s"],
                parameters.spec.eeg.window_s,
            ),
        )
    elif parameters.windows == "eeg":
        columns = one_per_eeg(columns)
    if parameters.balance == "votes":
        if not labelled:
            raise ParameterError("--balance votes needs votes, but these windows have none.")
        columns = take(columns, balanced(columns, generator(parameters.seed, "balance")))
        mass = columns["votes"].sum(axis=0)
        if mass.max() > BALANCED * mass.min():
            titles = parameters.spec.class_titles
            shares = ", ".join(f"{t} {n:,}" for t, n in zip(titles, mass, strict=True))
            warnings = (f"--balance votes: the best balance of these windows is {shares}.",)
    if parameters.half:
        columns = take(columns, half_of(columns, generator(parameters.seed, "half")))
    return columns, warnings


def one_per_eeg(columns: Columns) -> Columns:
    """Keep the middle window of each EEG, with the votes of all the EEG's windows summed.

    The middle window is the one that starts nearest to halfway between the first and the last; of
    two equally near the earlier. The consensus is the class with most of the summed votes; where
    classes tie, the middle window's own consensus if it is among them, else the first of them.
    """
    offset = columns["eeg_offset_s"]
    _, eeg = np.unique(columns["eeg_id"], return_inverse=True)
    first = np.full(eeg.max() + 1, np.inf)
    last = np.zeros(eeg.max() + 1)
    np.minimum.at(first, eeg, offset)
    np.maximum.at(last, eeg, offset)
    votes = np.zeros((len(first), columns["votes"].shape[1]), np.int32)
    np.add.at(votes, eeg, columns["votes"])
    distance = np.abs(offset - (first[eeg] + last[eeg]) / 2)
    order = np.lexsort((offset, distance, eeg))
    rows = np.sort(order[np.unique(eeg[order], return_index=True)[1]])
    middle = take(columns, rows)
    middle["votes"] = votes[eeg[rows]]
    own = middle["expert_consensus"]
    if (own >= 0).all():
        most = middle["votes"].max(axis=1)
        keeps = middle["votes"][np.arange(len(rows)), own] == most
        consensus = np.where(keeps, own, middle["votes"].argmax(axis=1))
        middle["expert_consensus"] = consensus.astype(np.int8)
    return middle


def balanced(columns: Columns, rng: np.random.Generator) -> NDArray[np.int64]:
    """Thin the windows so that the classes get equally many votes.

    A share of the windows of each consensus class is kept. The shares f solve A f = 1 as nearly as
    shares of at least 0 can, where A[k, c] counts the votes for class k among the windows with
    consensus c. They are scaled so that the largest is 1, which loses the least windows.
    """
    from scipy.optimize import nnls

    votes, consensus = columns["votes"], columns["expert_consensus"]
    classes = np.flatnonzero(votes.sum(axis=0))
    mass = np.stack([votes[consensus == c].sum(axis=0)[classes] for c in classes], axis=1)
    shares, _ = nnls(mass / mass.sum(), np.ones(len(classes)))
    if not shares.max() > 0:
        raise ParameterError("--balance votes: no selection of windows balances these votes.")
    kept = []
    for c, share in zip(classes, shares / shares.max(), strict=True):
        rows = np.flatnonzero(consensus == c)
        kept.append(rng.permutation(rows)[: round(share * len(rows))])
    return np.sort(np.concatenate(kept))


def half_of(columns: Columns, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose exactly n // 2 windows: patients at random, their recordings whole.

    Only the last recording may be cut. Recordings of a patient go by spectrogram, then EEG, as the
    table has them, so that spectrograms too are taken whole and the store halves with its windows.
    """
    count = len(columns["eeg_id"]) // 2
    if not count:
        raise ParameterError("--half needs at least two windows; there is only one.")
    patients = np.unique(columns["patient_id"])
    rank = np.empty(len(patients), np.int64)
    rank[rng.permutation(len(patients))] = np.arange(len(patients))
    patient = rank[np.searchsorted(patients, columns["patient_id"])]
    order = np.lexsort(
        (
            columns["eeg_offset_s"],
            first_seen(columns["eeg_id"]),
            first_seen(columns["spectrogram_id"]),
            patient,
        )
    )
    return np.sort(order[:count])


def first_seen(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number ids 0, 1, 2 ... by where each first stands."""
    _, index, inverse = np.unique(ids, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(index))[inverse]
