"""Gains by frequency -> a filter without delay, of a finite reach.

So an epoch is the same whatever surrounds it beyond that reach, and a gap spoils no more than that.

Legend: P pairs, T samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hmstrain.reading.trends.epochs import RATE, Floats

GRID = 1 << 18
"""Points of the transform by which taps are found."""


@dataclass(frozen=True)
class Fir:
    """A symmetric filter: taps by frequency sampling, tapered by Hann's window.

    Parameters
    ----------
    edges_hz : (float, float)
        Band that passes.
    reach : int
        Samples of each side that it takes into account.
    tilt : float
        Gain rises as this power of frequency; 0: it is 1 throughout the band.
    unity_hz : float
        Where the gain of a tilted filter is 1.
    """

    edges_hz: tuple[float, float]
    reach: int
    tilt: float = 0.0
    unity_hz: float = 1.0
    taps: NDArray[np.float64] = field(init=False, repr=False, compare=False)
    """(2 reach + 1,)"""

    def __post_init__(self) -> None:
        hz = np.fft.rfftfreq(GRID, 1 / RATE)
        inside = (hz >= self.edges_hz[0]) & (hz <= self.edges_hz[1])
        gain = np.zeros(len(hz))
        gain[inside] = (hz[inside] / self.unity_hz) ** self.tilt
        impulse = np.roll(np.fft.irfft(gain, GRID), self.reach)[: 2 * self.reach + 1]
        object.__setattr__(self, "taps", impulse * np.hanning(len(impulse)))

    def response(self, samples: int) -> Floats:
        """Its gain at the frequencies of a transform of so many samples, which is real."""
        wrapped = np.zeros(samples)
        wrapped[: self.reach + 1] = self.taps[self.reach :]
        wrapped[-self.reach :] = self.taps[: self.reach]
        return np.fft.rfft(wrapped).real.astype(np.float32)


class Spectra:
    """Pairs of a block, transformed once to go through several filters."""

    def __init__(self, pairs_uv_PT: Floats) -> None:
        self.samples = pairs_uv_PT.shape[1]
        centred = pairs_uv_PT - pairs_uv_PT.mean(axis=1, keepdims=True)
        self.transformed = np.fft.rfft(centred, axis=1)

    def filtered(self, fir: Fir, members: list[int] | slice, every: int = 1) -> Floats:
        """Filter some of the pairs, and keep one sample of `every`, (P, T // every).

        The first and last `fir.reach` samples are not to be used. None of the frequencies that the
        filter passes may be above half the rate that is left.
        """
        spectrum = self.transformed[members] * _response(fir, self.samples)
        fewer = self.samples // every
        kept = spectrum[:, : fewer // 2 + 1] / np.float32(every)
        return np.asarray(np.fft.irfft(kept, fewer, axis=1), np.float32)


@lru_cache(maxsize=8)
def _response(fir: Fir, samples: int) -> Floats:
    """The response of a filter, kept since all blocks are as long."""
    return fir.response(samples)
