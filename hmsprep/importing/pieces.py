"""The length of a recording -> pieces of at most an hour, and the windows of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import ParameterError
from hmsstore.schema import EEG, SPECTROGRAM

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
    samples = round(stride_s * RATE) if isfinite(stride_s) else 0
    if samples < 1 or abs(samples - stride_s * RATE) > 1e-6:
        raise ParameterError(
            f"--stride {stride_s:g}: expected a multiple of {1 / RATE:g} s (one sample), above 0."
        )
    return samples


def cut(samples: int, stride: int) -> Iterator[Piece]:
    """Cut a recording into pieces and slide windows over it.

    Each window belongs to the piece that holds most of the ten minutes around it.

    Parameters
    ----------
    samples : int
        Length at 200 Hz, at least a window's.
    stride : int
        Samples from window to window.
    """
    begins = np.arange(0, samples - EEG.window_rows + 1, stride)
    centres = begins + EEG.window_rows // 2
    step, half = (PIECE_S - OVERLAP_S) * RATE, OVERLAP_S * RATE // 2
    last = max(0, -(-(samples - PIECE_S * RATE) // step))
    owner = np.clip((centres - half) // step, 0, last)
    for number in np.unique(owner).tolist():
        first = number * step
        offsets = (begins[owner == number] - first) / RATE
        yield Piece(first, min(first + PIECE_S * RATE, samples), offsets)
