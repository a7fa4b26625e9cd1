"""The tables and description of a store -> what would make reading it wrong, a sentence each.

Only what is quick to find, in tables that are in memory: `hmsprep verify` compares the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.json_shapes import (
    ShapeError,
    entry,
    entry_or,
    finite,
    items,
    mapping,
    one_of,
    text,
    texts,
    truth,
    whole,
)
from hmsstore.reading.gaps import check_gaps
from hmsstore.reading.shift import Table
from hmsstore.schema import PATIENTS, REFERENCES, SPLITS
from hmsstore.spec import Signal, Spec


def description_problems(info: object, spec: Spec) -> list[str]:
    """Find what is missing or of another kind in the attributes of the root group."""
    problems = []
    for key, read in (
        ("identity", text),
        ("plan", text),
        ("parameters", mapping),
        ("counts", _counts),
        ("split", _split),
        ("warnings", texts),
    ):
        try:
            entry(info, key, read)
        except ShapeError as error:
            problems.append(f"zarr.json: {error}")
    if not problems:
        try:
            _statistics(info, spec)
        except ShapeError as error:
            problems.append(f"zarr.json: {error}")
    return problems


def table_problems(
    windows: Table,
    recordings: Mapping[str, Table],
    gaps: Mapping[str, Table] | None,
    spec: Spec,
    rows: Mapping[str, tuple[int, int]],
    folds: int,
) -> list[str]:
    """Find rows that lead outside the arrays, or hold codes that stand for nothing.

    Parameters
    ----------
    windows : mapping of str to array (windows,)
        Table of windows.
    recordings, gaps : mapping of str to mapping of str to array
        Tables of recordings, and of gaps where they are kept, by signal.
    spec : Spec
        What the data consist of.
    rows : mapping of str to (int, int)
        Signal -> rows of its array, and of each of its shards.
    folds : int
        Number of folds.
    """
    problems = []
    for name, signal in spec.signals.items():
        problems += _places(windows, signal, *rows[name])
        for column in ("patient_id", "start", "rows"):
            if len(recordings[name][column]) and recordings[name][column].min() < 0:
                problems.append(f"recordings/{name}: {column} is below 0")
        if gaps is not None:
            found = check_gaps(gaps[name], recordings[name], len(signal.features))
            problems += [f"gaps/{name}: {problem}" for problem in found]
    eeg = recordings["eeg"]
    if "reference" in eeg:
        known = np.isin(windows["eeg_id"], eeg["id"])
        problems += row_problems(~known, "eeg_id is not in recordings/eeg")
        odd = (eeg["reference"] < 0) | (eeg["reference"] >= len(REFERENCES))
        problems += row_problems(odd, "reference does not exist", "recordings/eeg")
    for column, low, stop, what in (
        ("expert_consensus", -1, len(spec.classes), "is not a class"),
        ("split", 0, len(SPLITS), "does not exist"),
        ("fold", -1, folds, "does not exist"),
    ):
        odd = (windows[column] < low) | (windows[column] >= stop)
        problems += row_problems(odd, f"{column} {what}")
    return problems


def row_problems(wrong: NDArray[Any], what: str, table: str = "windows") -> list[str]:
    """Say in how many rows of a table something is wrong, and in which first."""
    found = np.flatnonzero(wrong)
    if not len(found):
        return []
    number = f"{len(found):,} row{'s' * (len(found) != 1)}"
    return [f"{table}: {what} in {number}, the first {found[0]}"]


def _places(windows: Table, signal: Signal, total: int, shard_rows: int) -> list[str]:
    name = signal.name
    first = windows[f"{name}_start"]
    low, high = windows[f"{name}_span_start"], windows[f"{name}_span_stop"]
    outside = (low < 0) | (high > total) | (high <= low)
    apart = ~outside & (low // shard_rows != (high - 1) // shard_rows)
    return [
        *row_problems(outside, f"{name}_span is outside /{name}"),
        *row_problems(apart, f"{name}_span lies in two shards"),
        # Compared with the end less a window: a start near 2^63 would overflow.
        *row_problems(
            ~outside & ((first < low) | (first > high - signal.window_rows)),
            f"{name}_start is outside its span",
        ),
    ]


def _counts(value: object) -> dict[str, int]:
    return {name: entry(value, name, whole) for name in (*SPLITS, "windows", "patients")}


def _split(value: object) -> None:
    entry(value, "leaks", truth)
    if entry(value, "folds", whole) < 0:
        raise ShapeError("folds: expected 0 or more")
    entry_or(value, "patients", one_of(PATIENTS), PATIENTS[0])


def _statistics(info: object, spec: Spec) -> None:
    """Check what stored values are turned back into physical ones by."""
    entry(entry(info, "parameters", mapping), "normalise", text)
    statistics = entry(info, "statistics", mapping)
    for name, signal in spec.signals.items():
        found = entry(statistics, name, mapping)
        for key in ("mean", "std"):
            values = [finite(value) for value in entry(found, key, items)]
            if len(values) != len(signal.features):
                raise ShapeError(
                    f"statistics: {name}: {key}: expected {len(signal.features)} numbers, got "
                    f"{len(values)}"
                )
