"""Values of a scratch shard -> those of the final one: z-scores, with the mean where none was.

A half has 65,536 values, so all that a feature can become fits a table. For the few channels of EEG
looking values up there takes half as long as computing them; for the 400 features of a spectrogram
the table would not stay in a processor's cache, so they are computed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.values.float16 import from_float16, to_float16
from hmsprep.planning.parameters import HALF_MAX
from hmsstore.schema import DTYPE

HALVES = 1 << 16
"""Values that a half can have."""
MOST_FEATURES = 32
"""Of more than these, tables (2 bytes for each value that a half can have) take over 4 MiB."""

LOOKED_UP = 1 << 14
"""Values looked up at a time: 128 KiB of places in the table, beside as much to add to halves."""


class Normaliser:
    """Normalises rows of one signal.

    Parameters
    ----------
    mean, std : float64 (features,)
        Of the training recordings.
    zscore : bool
        Whether to subtract the mean and divide by the deviation, in single precision; else only
        NaN is replaced, by the mean.

    Attributes
    ----------
    saturated : int
        Values so far that were too large for half precision, and are its largest now.
    """

    def __init__(
        self, mean: NDArray[np.float64], std: NDArray[np.float64], *, zscore: bool
    ) -> None:
        self.mean, self.std = mean.astype(np.float32), std.astype(np.float32)
        self.zscore = zscore
        self.saturated = 0
        self._table: NDArray[np.float16] | None = None
        if len(mean) <= MOST_FEATURES:
            self._table = _tabulated(self.mean.tobytes(), self.std.tobytes(), zscore)
            rows = max(1, LOOKED_UP // len(mean))
            self._first = np.tile(np.arange(len(mean)) * HALVES, (rows, 1))
            self._places = np.empty_like(self._first)

    def rows(self, stored: NDArray[np.float16]) -> NDArray[np.float16]:
        """Normalise float16 (rows, features)."""
        if self._table is None:
            found, saturated = _computed(stored, self.mean, self.std, self.zscore)
            self.saturated += saturated
            return found
        found = np.empty(stored.shape, DTYPE)
        step = len(self._first)
        for first in range(0, len(stored), step):
            halves = stored[first : first + step].view(np.uint16)
            places = self._places[: len(halves)]
            np.add(halves, self._first[: len(halves)], out=places)
            np.take(self._table, places, out=found[first : first + step], mode="clip")
        return found


@lru_cache(maxsize=1)
def _tabulated(mean: bytes, std: bytes, zscore: bool) -> NDArray[np.float16] | None:
    """What each half becomes, feature by feature; None if some would be too large.

    Takes the bytes of `mean` and `std`, since the table is the same for all shards of a signal.
    """
    means = np.frombuffer(mean, np.float32)
    halves = np.arange(HALVES, dtype=np.uint16).view(DTYPE)
    finite = np.repeat(np.where(np.isinf(halves), 0, halves)[:, None], len(means), axis=1)
    table, saturated = _computed(finite, means, np.frombuffer(std, np.float32), zscore)
    return None if saturated else np.ascontiguousarray(table.T).reshape(-1)


def _computed(
    stored: NDArray[np.float16], mean: NDArray[np.float32], std: NDArray[np.float32], zscore: bool
) -> tuple[NDArray[np.float16], int]:
    """Normalise (rows, features); also count the values that were too large."""
    values = from_float16(stored)
    saturated = 0
    missing = np.isnan(values)
    if missing.any():
        np.copyto(values, mean, where=missing)
    if zscore:
        values -= mean
        values /= std
        if max(values.max(initial=0), -values.min(initial=0)) > HALF_MAX:
            saturated = int(np.count_nonzero(np.abs(values) > HALF_MAX))
            np.clip(values, -HALF_MAX, HALF_MAX, out=values)
    return to_float16(values), saturated
