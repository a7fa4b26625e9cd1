"""The table of windows and the parameters -> what the store will hold and where, before any signal.

A recording's span is what its windows in the whole table cover, whichever of them are selected.
Spans are packed into shards first-fit, whole; a longer one is cut into segments that overlap by a
window, so that every window lies within one shard.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.shards import shard_bytes
from hmsprep.kaggle.table import Columns
from hmsprep.planning.folds import Split, assign
from hmsprep.planning.parameters import Parameters
from hmsprep.planning.windows import first_seen, select
from hmsstore import __version__
from hmsstore.manifest import digest
from hmsstore.schema import RECORDING_COLUMNS, SIGNALS, SPLITS, WINDOW_COLUMNS, Signal

DECIDING_PACKAGES = ("numpy", "polars", "scikit-learn", "scipy", "zarr")
"""Packages whose version may change a byte of the store."""
OPEN_SHARDS = 64
"""Shards among which a recording looks for room: at the true sizes this loses 0.2%."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The stored pieces of one signal's recordings, as int64 arrays (segments,), in plan order.

    A segment is a whole recording's span, unless that is longer than a shard.
    """

    recording: NDArray[np.int64]
    """Id of the recording."""
    patient: NDArray[np.int64]
    """Whose it is."""
    source_start: NDArray[np.int64]
    """First row in the source file."""
    rows: NDArray[np.int64]
    """How many rows."""
    shared: NDArray[np.int64]
    """How many of its first rows stand in the segment before it as well."""
    shard: NDArray[np.int64]
    """Number of the shard that holds it."""
    start: NDArray[np.int64]
    """First row in the store's array."""


@dataclass(frozen=True)
class Plan:
    """Everything that a build will do.

    Attributes
    ----------
    parameters : Parameters
        What the user chose.
    columns : dict of arrays (windows, ...)
        The window table as it will be stored, but for what only the signals tell (NaN fractions,
        dropped windows).
    segments : dict of str to Segments
        Per signal, what goes where.
    split : Split
        Folds and leak.
    skipped : dict
        What the table names and has no file: 'windows' (a number), 'eeg' and 'spectrogram' (ids).
        Empty if every file is there.
    warnings : tuple of str
        What is not as usual.
    """

    parameters: Parameters
    columns: Columns
    segments: Mapping[str, Segments]
    split: Split
    skipped: Mapping[str, Any]
    warnings: tuple[str, ...]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over parameters, versions and every number of the plan."""
        hasher = hashlib.sha256()
        head = {
            "parameters": self.parameters.to_json(),
            "versions": versions(),
            "skipped": dict(self.skipped),
        }
        hasher.update(json.dumps(head, sort_keys=True).encode())
        for name, values in sorted(self.columns.items()):
            hasher.update(f"{name} {values.dtype.str} {values.shape}".encode())
            hasher.update(np.ascontiguousarray(values).data)
        for signal, segments in sorted(self.segments.items()):
            for name in (field.name for field in fields(Segments)):
                hasher.update(f"{signal} {name}".encode())
                hasher.update(np.ascontiguousarray(getattr(segments, name)).data)
        return hasher.hexdigest()

    def shards(self, signal: str) -> int:
        """Number of shards of a signal."""
        return int(self.segments[signal].shard.max()) + 1

    def array_rows(self, signal: str) -> int:
        """Rows of the array of a signal: its last shard ends with its last segment."""
        segments = self.segments[signal]
        return int((segments.start + segments.rows).max())

    def rows_in_shard(self, signal: str, shard: int) -> int:
        """Rows of the array that lie in this shard, filling included."""
        shard_rows = self.parameters.shard_rows(signal)
        return min(shard_rows, self.array_rows(signal) - shard * shard_rows)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the arrays and tables of the finished store (metadata adds some 100 kB)."""
        total = 0
        for name, signal in SIGNALS.items():
            shard_rows = self.parameters.shard_rows(name)
            for shard in range(self.shards(name)):
                total += shard_bytes(signal, self.rows_in_shard(name, shard), shard_rows)
            segments = len(self.segments[name].rows)
            total += sum(np.dtype(c.dtype).itemsize * segments for c in RECORDING_COLUMNS)
        windows = len(self.columns["eeg_id"])
        return total + sum(
            np.dtype(c.dtype).itemsize * windows * (6 if c.per_class else 1) for c in WINDOW_COLUMNS
        )

    def training(self, signal: str) -> NDArray[np.bool_]:
        """Which segments belong to a recording with at least one training window."""
        train = self.columns["split"] == SPLITS.index("train")
        ids = np.unique(self.columns[f"{signal}_id"][train])
        return np.isin(self.segments[signal].recording, ids)


def versions() -> dict[str, str]:
    """Versions of what decides the bytes of a store."""
    return {"hms-eeg": __version__} | {name: version(name) for name in DECIDING_PACKAGES}


def make_plan(
    table: Columns,
    parameters: Parameters,
    present: Columns | None = None,
    skipped: Mapping[str, Any] | None = None,
) -> Plan:
    """Plan a store from the table of windows.

    Parameters
    ----------
    table : dict of arrays
        All windows, as `hmsprep.kaggle.table.read_table` gives them: they decide the spans.
    parameters : Parameters
        What to select of them.
    present : dict of arrays, optional
        The windows to select from, if not all.
    skipped : dict, optional
        What is not present, for the store's description.
    """
    columns, warnings = select(table if present is None else present, parameters)
    split = assign(columns, parameters)
    warnings += split.warnings
    if not (split.split == SPLITS.index("train")).any() and parameters.normalise == "zscore":
        warnings += ("No training windows: nothing to normalise by, so values stay as they are.",)
    columns |= {"split": split.split, "fold": split.fold}
    votes = columns["votes"].astype(np.float64)
    total = votes.sum(axis=1, keepdims=True)
    empty = np.full_like(votes, np.nan)
    columns["target"] = np.divide(votes, total, out=empty, where=total > 0)
    segments = {}
    for name, signal in SIGNALS.items():
        segments[name] = plan_segments(table, columns, signal, parameters.shard_rows(name))
        columns |= _place_windows(columns, signal, segments[name], parameters.shard_rows(name))
    dtypes = {column.name: column.dtype for column in WINDOW_COLUMNS}
    columns = {name: values.astype(dtypes[name]) for name, values in columns.items()}
    return Plan(parameters, columns, segments, split, skipped or {}, warnings)


def plan_segments(table: Columns, columns: Columns, signal: Signal, shard_rows: int) -> Segments:
    """Decide which rows of which recordings are stored, and in which shard each goes."""
    ids = table[f"{signal.name}_id"]
    first_row = signal.row_at(table[f"{signal.name}_offset_s"])
    number = first_seen(ids)
    low = np.full(number.max() + 1, np.iinfo(np.int64).max)
    high = np.zeros(len(low), np.int64)
    np.minimum.at(low, number, first_row)
    np.maximum.at(high, number, first_row + signal.window_rows)
    _, example = np.unique(number, return_index=True)
    stored = np.unique(number[np.isin(ids, columns[f"{signal.name}_id"])])

    pieces = []
    stride = shard_rows - signal.window_rows
    for recording in stored.tolist():
        span = int(high[recording] - low[recording])
        count = 1 if span <= shard_rows else -(-(span - signal.window_rows) // stride)
        for piece in range(count):
            begin = piece * stride
            rows = min(shard_rows, span - begin)
            shared = signal.window_rows if piece else 0
            pieces.append((recording, int(low[recording]) + begin, rows, shared))
    index, source_start, rows_, shared_ = np.asarray(pieces, np.int64).T
    shard, start = first_fit(rows_, shard_rows)
    return Segments(
        recording=ids[example[index]],
        patient=table["patient_id"][example[index]],
        source_start=source_start,
        rows=rows_,
        shared=shared_,
        shard=shard,
        start=start,
    )


def first_fit(
    rows: NDArray[np.int64], shard_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pack pieces into shards: shard and array row of each piece.

    A piece goes into the first of the last `OPEN_SHARDS` shards that has room, else into a new one.
    """
    free = np.full(len(rows) + 1, shard_rows)
    shard = np.empty(len(rows), np.int64)
    start = np.empty(len(rows), np.int64)
    used = 1
    for piece, length in enumerate(rows.tolist()):
        oldest = max(0, used - OPEN_SHARDS)
        number = oldest + int(np.argmax(free[oldest : used + 1] >= length))
        shard[piece] = number
        start[piece] = (number + 1) * shard_rows - free[number]
        free[number] -= length
        used = max(used, number + 1)
    return shard, start


def _place_windows(
    columns: Columns, signal: Signal, segments: Segments, shard_rows: int
) -> Columns:
    """Find the segment of each window, and its rows in the array."""
    row = signal.row_at(columns[f"{signal.name}_offset_s"])
    order = np.lexsort((segments.source_start, segments.recording))
    ids, first, count = np.unique(segments.recording[order], return_index=True, return_counts=True)
    recording = np.searchsorted(ids, columns[f"{signal.name}_id"])
    first, count = first[recording], count[recording]
    # Segments of one recording start every shard less a window: see plan_segments.
    into = row - segments.source_start[order[first]]
    piece = np.minimum(into // (shard_rows - signal.window_rows), count - 1)
    segment = order[first + piece]
    start = segments.start[segment]
    return {
        f"{signal.name}_start": start + row - segments.source_start[segment],
        f"{signal.name}_span_start": start,
        f"{signal.name}_span_stop": start + segments.rows[segment],
    }


def summary(plan: Plan) -> dict[str, Any]:
    """Count what the plan holds, as a JSON value."""
    columns = plan.columns
    split = columns["split"]
    patient = columns["patient_id"]
    rows = {word: split == code for code, word in enumerate(SPLITS[:3])}
    per_split = {word: int(chosen.sum()) for word, chosen in rows.items()}
    folds = [int((columns["fold"] == fold).sum()) for fold in range(plan.split.folds)]
    signals = {
        name: {
            "recordings": len(np.unique(plan.segments[name].recording)),
            "seconds": int(plan.segments[name].rows.sum() / signal.row_rate_hz),
            "rows": plan.array_rows(name),
            "shards": plan.shards(name),
        }
        for name, signal in SIGNALS.items()
    }
    return {
        "windows": len(split),
        "eegs": signals["eeg"]["recordings"],
        "spectrograms": signals["spectrogram"]["recordings"],
        "patients": len(np.unique(patient)),
        "patients_per_split": {w: len(np.unique(patient[chosen])) for w, chosen in rows.items()},
        "bytes": plan.nbytes,
        **per_split,
        "folds": folds,
        "leaks": plan.split.leaks,
        "votes": columns["votes"].sum(axis=0).tolist(),
        "signals": signals,
        "warnings": list(plan.warnings),
        "plan": plan.hash,
        "parameters": plan.parameters.to_json(),
    }


def identity(plan: Plan, fingerprints: Mapping[str, tuple[int, int]]) -> str:
    """Name of the store that this plan makes of these files (name -> size, CRC-32)."""
    return digest({"plan": plan.hash, "sources": sorted(fingerprints.items())})
