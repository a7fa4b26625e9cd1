"""The length of a recording -> pieces of at most an hour, and the windows of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import ParameterError
from hmsprep.planning import checks
from hmsstore.reading.observed import LEAST_JUDGED, judged_rows
from hmsstore.schema import EEG, SPECTROGRAM
from hmsstore.spec import HMS

PIECE_S = 3_600
"""Longest piece: half of what one file of a store holds."""
OVERLAP_S = int(SPECTROGRAM.window_s)
"""Pieces share ten minutes, so that each window lies in one with all of its spectrogram."""
RATE = int(EEG.row_rate_hz)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a recording that becomes an EEG of its own."""

    first: int
    """First sample at 200 Hz, and the one after the last."""
    stop: int
    offsets_s: NDArray[np.float64]
    """Where its windows begin, from its own start."""

    @property
    def start_s(self) -> float:
        """Where it begins in the recording."""
        return self.first / RATE


def stride_samples(stride_s: float) -> int:
    """Take the seconds from window to window as a number of samples.

    Raises
    ------
    ParameterError
        They are no whole number of samples, or none.
    """
    if not checks.is_number(stride_s):
        checks.refuse("stride", "a number of seconds", stride_s)
    samples = round(stride_s * RATE) if isfinite(stride_s) else 0
    if samples < 1 or abs(samples - stride_s * RATE) > 1e-6:
        raise ParameterError(
            f"--stride {stride_s:g}: expected a multiple of {1 / RATE:g} s (one sample), above 0."
        )
    return samples


def unrecorded(samples: int, stride: int, gaps: Sequence[tuple[int, int]]) -> int:
    """Count the windows that `cut` leaves out for gaps."""
    return int((~_recorded(_begins(samples, stride), gaps)).sum())


def _begins(samples: int, stride: int) -> NDArray[np.int64]:
    return np.arange(0, samples - EEG.window_rows + 1, stride)


def _recorded(begins: NDArray[np.int64], gaps: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Tell the windows of whose judged seconds enough was recorded for anything to be said."""
    first, stop = judged_rows(HMS, "eeg")
    spans = np.asarray(sorted(gaps), np.int64).reshape(-1, 2)
    lengths = np.append(0, np.cumsum(spans[:, 1] - spans[:, 0]))

    def before(row: NDArray[np.int64]) -> NDArray[np.int64]:
        """Samples before this one that lie in gaps."""
        ended = np.searchsorted(spans[:, 1], row, side="right")
        begun = np.append(spans[:, 0], np.iinfo(np.int64).max)[ended]
        missing: NDArray[np.int64] = lengths[ended] + np.maximum(row - begun, 0)
        return missing

    judged = 1 - (before(begins + stop) - before(begins + first)) / (stop - first)
    recorded: NDArray[np.bool_] = judged >= LEAST_JUDGED - 1e-9
    return recorded


def cut(samples: int, stride: int, gaps: Sequence[tuple[int, int]] = ()) -> Iterator[Piece]:
    """Cut a recording into pieces and slide windows over it.

    Each window belongs to the piece that holds most of the ten minutes around it.

    Parameters
    ----------
    samples : int
        Length at 200 Hz, at least a window's.
    stride : int
        Samples from window to window.
    gaps : sequence of (int, int)
        Spans of samples that were not recorded. Windows of which more than a fifth of the judged
        seconds lies in them are left out, and so are pieces without any other.
    """
    begins = _begins(samples, stride)
    begins = begins[_recorded(begins, gaps)]
    centres = begins + EEG.window_rows // 2
    step, half = (PIECE_S - OVERLAP_S) * RATE, OVERLAP_S * RATE // 2
    last = max(0, -(-(samples - PIECE_S * RATE) // step))
    owner = np.clip((centres - half) // step, 0, last)
    for number in np.unique(owner).tolist():
        first = number * step
        offsets = (begins[owner == number] - first) / RATE
        yield Piece(first, min(first + PIECE_S * RATE, samples), offsets)
