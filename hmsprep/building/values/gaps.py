"""What was missing of a recording -> its gaps, as the store keeps them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsstore.reading.gaps import ALL_FEATURES


def find_gaps(missing: NDArray[np.bool_], start: int) -> NDArray[np.int64]:
    """Find the stretches of missing values.

    Parameters
    ----------
    missing : bool (features, rows)
        What of a stored segment was not recorded.
    start : int
        First row of the segment in the store's array.

    Returns
    -------
    int64 (gaps, 3)
        Feature (-1: all), first row in the store's array and rows of each gap, by first row and
        feature. Gaps are as long as can be, and those of single features leave out the rows
        where all are missing, so that no value is in two gaps.
    """
    everything: NDArray[np.bool_] = np.logical_and.reduce(missing, axis=0)
    single = missing & ~everything
    found = [_runs(everything, ALL_FEATURES)]
    found += [_runs(single[n], n) for n in np.flatnonzero(single.any(axis=1)).tolist()]
    gaps = np.concatenate(found)
    gaps[:, 1] += start
    return gaps[np.lexsort((gaps[:, 0], gaps[:, 1]))]


def no_gaps() -> NDArray[np.int64]:
    """Gaps of a recording without any."""
    return np.empty((0, 3), np.int64)


def _runs(marked: NDArray[np.bool_], feature: int) -> NDArray[np.int64]:
    """Feature, first row and rows of each run of marked rows."""
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    first, stop = edges[::2], edges[1::2]
    return np.stack([np.full(len(first), feature), first, stop - first], axis=1)
