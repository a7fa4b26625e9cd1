"""A store and some of its windows -> their rows of the table, in a file of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.durable import put_in_place
from hmsprep.errors import DataError
from hmsprep.qeeg.sets import MeasureSet, measure_set
from hmsstore import Store
from hmsstore.reading.observed import LEAST_JUDGED

AT_ONCE = 16
"""Windows that are read at a time."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some neighbouring windows of a store."""

    store: Path
    identity: str
    span: str
    first: int
    stop: int
    into: Path
    """Folder of the parts."""

    @property
    def file(self) -> Path:
        """Where its rows are, once they are whole."""
        return self.into / f"{self.first:08d}-{self.stop:08d}.npy"


def measure_part(part: Part) -> int:
    """Measure a part's windows and write their rows; return how many there are.

    Raises
    ------
    DataError
        The store has become another one.
    """
    store, measured = _opened(part.store, part.identity, part.span)
    rows = [
        measured_rows(store, measured, np.arange(first, min(first + AT_ONCE, part.stop)))
        for first in range(part.first, part.stop, AT_ONCE)
    ]
    store.release()
    # A cluster may run a part twice at the same time, after it has lost sight of a worker.
    temporary = part.file.with_suffix(f".{uuid4().hex}.partial")
    with temporary.open("wb") as file:
        np.save(file, np.concatenate(rows))
    put_in_place(temporary, part.file)
    return part.stop - part.first


def measured_rows(
    store: Store, measured: MeasureSet, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Measure windows of a store.

    Parameters
    ----------
    rows : int64 (N,)
        Of the store.

    Returns
    -------
    float32 (N, columns)
        NaN throughout where too little of the judged seconds was recorded.
    """
    eeg = store.denormalise(store.gather(rows, "eeg"))["eeg"]
    found = np.full((len(rows), len(measured.columns)), np.nan, np.float32)
    first = np.zeros(len(rows), np.int64)
    stop = np.full(len(rows), store.spec.eeg.window_rows)
    known = np.ones(len(rows), bool)
    if store.gaps is not None:
        observed = store.observed(rows, "eeg")["eeg"]
        first, stop = observed.first, observed.stop
        known = observed.judged >= LEAST_JUDGED - 1e-9
    for place in np.flatnonzero(known):
        found[place] = measured.values(eeg[place], int(first[place]), int(stop[place]))
    return found


def not_recorded(store: Store) -> NDArray[np.int64]:
    """Windows of which too little of the judged seconds was recorded, int64 (n,)."""
    if store.gaps is None:
        return np.empty(0, np.int64)
    judged = store.observed(np.arange(len(store)), "eeg")["eeg"].judged
    return np.flatnonzero(judged < LEAST_JUDGED - 1e-9)


@lru_cache(maxsize=2)
def _opened(path: Path, identity: str, span: str) -> tuple[Store, MeasureSet]:
    store = Store.open(path)
    if store.identity != identity:
        raise DataError(f"{path} was replaced by another store meanwhile. Run the command again.")
    return store, measure_set(store.spec, span)
