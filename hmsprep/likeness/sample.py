"""A store -> columns, classes, patients and sources of its windows, measured by processes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep import processes
from hmsprep.errors import DataError, several
from hmsprep.processes import run_tasks
from hmsprep.qeeg.judged.measures import Columns
from hmsprep.qeeg.judged.window import SHORTEST_S, Measuring
from hmsstore import Store
from hmsstore.reading.observed import LEAST_JUDGED, judged_rows

PART_WINDOWS = 32
NO_CLASS = -1
"""Code of windows without votes, or with equally many for several classes."""
Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Bandpass = tuple[float, float] | None


@dataclass(frozen=True)
class Sample:
    """Windows, as they are compared."""

    name: str
    columns: tuple[str, ...]
    values: Floats
    """(N, M) measures."""
    code: Whole
    """(N,) class by most votes; `NO_CLASS` where there is none."""
    patient: Whole
    """(N,)"""
    eeg_id: Whole
    """(N,)"""
    store: str
    """Identity of the store: patients of two stores are not the same, whatever their numbers."""

    def __len__(self) -> int:
        return len(self.code)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_], name: str | None = None) -> Sample:
        """Some of the windows."""
        return replace(
            self,
            name=self.name if name is None else name,
            values=self.values[rows],
            code=self.code[rows],
            patient=self.patient[rows],
            eeg_id=self.eeg_id[rows],
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Some windows of a store: a task for one process."""

    store: Path
    identity: str
    rows: tuple[int, ...]
    bandpass: Bandpass
    place: int
    """Of the first of them in the sample."""


def measure(
    store: Store,
    rows: Whole,
    name: str,
    *,
    bandpass: Bandpass,
    workers: int,
    executor: Executor | None,
    measured: Callable[[int], object],
) -> Sample:
    """Measure windows of a store.

    Parameters
    ----------
    rows : int64 (N,)
        Windows to measure. Those without enough of their judged seconds are left out.
    measured : callable
        Called with the number of windows that are done since it was called last.

    Returns
    -------
    Sample
        The others, in order. The number of workers changes nothing about it.
    """
    columns = Columns(store.spec)
    rows = rows[recorded(store, rows)]
    values = np.full((len(rows), len(columns.names)), np.nan)
    parts = [
        Part(store.path.resolve(), store.identity, tuple(rows[at : at + PART_WINDOWS].tolist()),
             bandpass, at)
        for at in range(0, len(rows), PART_WINDOWS)
    ]  # fmt: skip
    if parts:
        with processes.executor(min(workers, len(parts)), executor) as pool:
            for place, found in run_tasks(pool, measure_part, parts, 2 * workers):
                values[place : place + len(found)] = found
                measured(len(found))
    windows = store.windows
    return Sample(
        name,
        columns.names,
        values,
        majority(windows["votes"][rows]),
        windows["patient_id"][rows].astype(np.int64),
        windows["eeg_id"][rows].astype(np.int64),
        store.identity,
    )


def recorded(store: Store, rows: Whole) -> NDArray[np.bool_]:
    """Of which windows enough of the judged seconds was recorded, bool (N,)."""
    if store.gaps is None:
        return np.ones(len(rows), bool)
    begin, end = longest_runs(store, rows)
    judged = store.observed(rows, "eeg")["eeg"].judged
    found: NDArray[np.bool_] = judged >= LEAST_JUDGED - 1e-9
    return found & (end - begin >= SHORTEST_S * store.spec.eeg.row_rate_hz)


def longest_runs(store: Store, rows: Whole) -> tuple[Whole, Whole]:
    """Longest part of the judged seconds without gaps: what fills these is not measured.

    Returns
    -------
    begin, end : int64 (N,)
        First row of each window that lies in it, and the one after the last.
    """
    first, stop = judged_rows(store.spec, "eeg")
    begin, end = np.full(len(rows), first), np.full(len(rows), stop)
    if store.gaps is None:
        return begin, end
    observed = store.observed(rows, "eeg")["eeg"]
    silences = observed.silences
    for place, start in enumerate(observed.starts.tolist()):
        low = np.searchsorted(silences.stop, start + first, side="right")
        high = np.searchsorted(silences.start, start + stop)
        begins = np.append(first, silences.stop[low:high] - start)
        ends = np.append(silences.start[low:high] - start, stop)
        longest = (ends - begins).argmax()
        begin[place], end[place] = begins[longest], ends[longest]
    return begin, end


def majority(votes_NK: NDArray[np.integer]) -> Whole:
    """Class with most votes, int64 (N,); `NO_CLASS` where several have most, or none has any."""
    most = votes_NK.max(axis=1, keepdims=True)
    alone = ((votes_NK == most).sum(axis=1) == 1) & (most[:, 0] > 0)
    found: Whole = np.where(alone, votes_NK.argmax(axis=1), NO_CLASS)
    return found


def measure_part(part: Part) -> tuple[int, Floats]:
    """Measure a part's windows, each by itself.

    Raises
    ------
    DataError
        The store has become another one.
    """
    store, measuring = _opened(part.store, part.identity, part.bandpass)
    rows = np.array(part.rows, np.int64)
    eeg = store.denormalise(store.gather(rows, "eeg"))["eeg"]
    begin, end = longest_runs(store, rows)
    found = [
        measuring.values(window[a:b])
        for window, a, b in zip(eeg, begin.tolist(), end.tolist(), strict=True)
    ]
    store.release()
    return part.place, np.array(found)


@lru_cache(maxsize=4)
def _opened(path: Path, identity: str, bandpass: Bandpass) -> tuple[Store, Measuring]:
    store = Store.open(path)
    if store.identity != identity:
        raise DataError(f"{path} was replaced by another store meanwhile. Run the command again.")
    return store, Measuring(Columns(store.spec), bandpass)


def read_sources(path: Path) -> dict[int, tuple[str, str]]:
    """Read where EEGs come from: a table with eeg_id, source and, if it says so, half.

    Returns
    -------
    dict of int to (source, half)
        By EEG; the half is '' where the table has no such column.

    Raises
    ------
    DataError
        Listing what is wrong with the table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.DictReader(file)
            header = lines.fieldnames or []
            rows = list(lines)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error):
        raise DataError(f"{path}: expected a table as CSV text, found something else.") from None
    if missing := [name for name in ("eeg_id", "source") if name not in header]:
        raise DataError(
            f"{path}: expected the columns eeg_id and source (and half), found no "
            f"{' and no '.join(missing)}."
        )
    found: dict[int, tuple[str, str]] = {}
    problems = []
    for number, row in enumerate(rows, 2):
        try:
            eeg = int(row["eeg_id"])
        except (TypeError, ValueError):
            problems.append(f"line {number}: expected a number as eeg_id, got {row['eeg_id']!r}")
            continue
        if eeg in found:
            problems.append(f"line {number}: EEG {eeg} is listed twice")
        found[eeg] = (row["source"] or "", row.get("half") or "")
    if problems:
        raise DataError(several(f"{path}:", problems))
    return found


def rows_of(
    store: Store, told: Mapping[int, tuple[str, str]], half: str | None, path: Path
) -> Whole:
    """Windows of a store that a table of sources names, of one half if one is asked for.

    Raises
    ------
    DataError
        EEGs of the store are not in the table, or no window is of that half.
    """
    eegs = store.windows["eeg_id"].tolist()
    if absent := sorted(set(eegs) - set(told)):
        raise DataError(
            f"{path} does not name {len(absent)} of the EEGs of {store.path}, such as {absent[0]}. "
            "Add them, or name the table that belongs to the first store."
        )
    rows = np.flatnonzero([half is None or told[eeg][1] == half for eeg in eegs])
    if not len(rows):
        halves = sorted({told[eeg][1] for eeg in eegs})
        raise DataError(f"{path}: no EEG has half {half!r}; its halves are {', '.join(halves)}.")
    return rows
