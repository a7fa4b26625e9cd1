"""Windows and the length of a shard -> which rows of which recordings are stored, and where.

A recording's span is what its windows in the whole table cover, whichever of them are selected.
Spans are packed into shards first-fit, whole; a longer one is cut into segments that overlap by a
window, so that every window lies within one shard.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsprep.kaggle.table import Columns
from hmsprep.planning.windows import first_seen
from hmsstore.spec import Signal

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
    of_window: NDArray[np.int64]
    """Number of the segment that holds each selected window, (windows,)."""


def plan_segments(table: Columns, columns: Columns, signal: Signal, shard_rows: int) -> Segments:
    """Decide which rows of which recordings are stored, and in which shard each goes.

    Parameters
    ----------
    table, columns : dict of arrays
        All windows, which decide the spans; and the selected ones, whose recordings are stored.
    signal : Signal
        Which signal's recordings.
    shard_rows : int
        Rows of a shard.
    """
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
    recording_ids = ids[example[index]]
    shard, start = first_fit(rows_, shard_rows)
    return Segments(
        recording=recording_ids,
        patient=table["patient_id"][example[index]],
        source_start=source_start,
        rows=rows_,
        shared=shared_,
        shard=shard,
        start=start,
        of_window=_segments_of(columns, signal, recording_ids, source_start, stride),
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


def _segments_of(
    columns: Columns,
    signal: Signal,
    recording: NDArray[np.int64],
    source_start: NDArray[np.int64],
    stride: int,
) -> NDArray[np.int64]:
    """Find the segment of each window; those of one recording start every `stride` rows."""
    order = np.lexsort((source_start, recording))
    ids, first, count = np.unique(recording[order], return_index=True, return_counts=True)
    own = np.searchsorted(ids, columns[f"{signal.name}_id"])
    first, count = first[own], count[own]
    row = signal.row_at(columns[f"{signal.name}_offset_s"])
    into = row - source_start[order[first]]
    found: NDArray[np.int64] = order[first + np.minimum(into // stride, count - 1)]
    return found


def window_places(columns: Columns, signal: Signal, segments: Segments) -> Columns:
    """Find the rows of each window in the array, and those of its segment."""
    segment = segments.of_window
    start = segments.start[segment]
    row = signal.row_at(columns[f"{signal.name}_offset_s"])
    return {
        f"{signal.name}_start": start + row - segments.source_start[segment],
        f"{signal.name}_span_start": start,
        f"{signal.name}_span_stop": start + segments.rows[segment],
    }
