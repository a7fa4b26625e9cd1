"""A table of gaps -> what of a window was missing before the build put something in its place.

A gap lies within one segment, and the table is in the order of the array. So the gaps that a window
can meet are those between two places of the table: the first of its segment, and the first that
starts at the window's end or later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALL_FEATURES = -1
"""Stands in the column `feature` for a gap of all features at once."""

Table = Mapping[str, NDArray[Any]]


def gaps_in(
    gaps: Table, segment_start: int, start: int, rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find the gaps of a stretch of rows.

    Parameters
    ----------
    gaps : mapping of str to array (gaps,)
        Table of gaps of one signal.
    segment_start : int
        First row, in the array, of the segment in which the stretch lies.
    start, rows : int
        First row of the stretch in the array, and how many there are.

    Returns
    -------
    feature, first, stop : int64 (found,)
        Feature (-1: all) of each gap, and its first row and the one after its last, counted from
        the start of the stretch and cut off at its ends.
    """
    low, high = np.searchsorted(gaps["start"], (segment_start, start + rows))
    first = gaps["start"][low:high] - start
    stop = first + gaps["rows"][low:high]
    here = stop > 0
    return (
        gaps["feature"][low:high][here].astype(np.int64),
        np.maximum(first[here], 0),
        np.minimum(stop[here], rows),
    )


def missing_values(
    gaps: Table, segment_start: int, start: int, rows: int, features: int
) -> NDArray[np.bool_]:
    """Mark the values of a stretch that were missing: bool (rows, features)."""
    mask = np.zeros((rows, features), bool)
    for feature, first, stop in zip(*gaps_in(gaps, segment_start, start, rows), strict=True):
        mask[first:stop, slice(None) if feature == ALL_FEATURES else feature] = True
    return mask


def count_missing(
    gaps: Table,
    segment_starts: NDArray[np.int64],
    starts: NDArray[np.int64],
    rows: int,
    features: int,
) -> NDArray[np.int64]:
    """Count the missing values of many windows.

    Parameters
    ----------
    gaps : mapping of str to array (gaps,)
        Table of gaps of one signal.
    segment_starts, starts : int64 (windows,)
        First row of each window's segment, and of the window, in the array.
    rows, features : int
        Of a window.

    Returns
    -------
    int64 (windows,)
    """
    counts = np.zeros(len(starts), np.int64)
    low = np.searchsorted(gaps["start"], segment_starts)
    high = np.searchsorted(gaps["start"], starts + rows)
    for window in np.flatnonzero(high > low).tolist():
        feature, first, stop = gaps_in(gaps, segment_starts[window], starts[window], rows)
        counts[window] = ((stop - first) * np.where(feature == ALL_FEATURES, features, 1)).sum()
    return counts


def check_gaps(gaps: Table, recordings: Table, features: int) -> list[str]:
    """Find what is wrong with a table of gaps; empty if nothing is.

    Parameters
    ----------
    gaps, recordings : mapping of str to array
        Tables of gaps and of recordings of one signal.
    features : int
        How many features it has.
    """
    lengths = {name: len(column) for name, column in gaps.items()}
    if len(set(lengths.values())) > 1:
        return [f"columns of different lengths: {lengths}"]
    feature, start, rows = (gaps[name].astype(np.int64) for name in ("feature", "start", "rows"))
    if not len(start):
        return []
    order = np.argsort(recordings["start"])
    place = np.searchsorted(recordings["start"][order], start, side="right") - 1
    segment = order[np.maximum(place, 0)]
    # Compared with the rows that are left: the end of a long gap would overflow.
    left = recordings["rows"][segment] - (start - recordings["start"][segment])
    by_place = (start[1:] > start[:-1]) | ((start[1:] == start[:-1]) & (feature[1:] > feature[:-1]))
    problems = [
        *_rows((feature < ALL_FEATURES) | (feature >= features), "feature does not exist"),
        *_rows(rows < 1, "rows is not 1 or more"),
        *_rows((place < 0) | (rows > left), "a gap is outside its recording"),
        *_rows(recordings["id"][segment] != gaps["recording"], "recording is not the segment's"),
        *_rows(np.append(False, ~by_place), "not in the order of start and feature"),
    ]
    return problems or _rows(_overlapping(feature, start, start + rows), "a gap overlaps another")


def _overlapping(
    feature: NDArray[np.int64], start: NDArray[np.int64], stop: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Mark gaps that begin within an earlier one of the same feature, or meet one of all."""
    wrong = np.zeros(len(start), bool)
    order = np.lexsort((start, feature))
    same = feature[order][1:] == feature[order][:-1]
    wrong[order[1:]] = same & (start[order][1:] < stop[order][:-1])
    everything = feature == ALL_FEATURES
    single = np.flatnonzero(~everything)
    # Gaps of all features are in order by now, so their ends are too.
    before = np.searchsorted(stop[everything], start[single], side="right")
    until = np.searchsorted(start[everything], stop[single], side="left")
    wrong[single] |= until > before
    return wrong


def _rows(wrong: NDArray[np.bool_], what: str) -> list[str]:
    found = np.flatnonzero(wrong)
    if not len(found):
        return []
    return [f"{what} in {len(found):,} row{'s' * (len(found) != 1)}, the first {found[0]}"]
