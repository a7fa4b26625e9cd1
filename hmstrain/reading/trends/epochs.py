"""A recording -> blocks of bipolar pairs, cut into epochs of two seconds.

All trends share one grid: epoch k lasts from 2k to 2k + 2 s and stands at 2k + 1 s. Windows of more
than two seconds lie about that middle. A block reads so much more at either end that its epochs are
the same as those of the whole recording.

Legend: P pairs, T samples, K epochs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hmsstore.montage import BACK, CHAIN_PAIRS, FRONT, PAIRS
from hmsstore.schema import CHAINS, EEG, REGIONS
from hmstrain.reading.coming import Readable

RATE = int(EEG.row_rate_hz)
STEP_S, BLOCK_EPOCHS, MARGIN_S = 2, 150, 6
"""Length of an epoch, epochs of a block, and seconds read beyond either end of it."""
STEP = STEP_S * RATE
MARGIN = MARGIN_S * RATE
BLOCK = BLOCK_EPOCHS * STEP + 2 * MARGIN
"""Samples of a block."""
LEAST = 0.5
"""Share of a group's pairs that must be known for their mean to be."""
SIDES = ("left", "right")
CHAIN_MEMBERS = {
    region: tuple(CHAIN_PAIRS.index(pair) for pair in CHAIN_PAIRS if set(pair) <= set(chain))
    for region, chain in CHAINS.items()
}
"""Chain -> its four pairs, by their places in `PAIRS`."""
SIDE_MEMBERS = {
    side: tuple(
        place
        for region in REGIONS
        if region.startswith(side[0].upper())
        for place in CHAIN_MEMBERS[region]
    )
    for side in SIDES
}
"""Side -> the eight pairs of its lateral and parasagittal chains; homologous ones in one order."""
Floats = NDArray[np.float32]
Number = TypeVar("Number", np.float32, np.bool_)


@dataclass(frozen=True)
class Block:
    """Epochs of a recording, with `MARGIN_S` more at either end."""

    first: int
    """Number of its first epoch."""
    pairs_uv_PT: Floats
    """Longitudinal bipolar pairs, in the order of `PAIRS`; NaN where one electrode is missing."""

    @cached_property
    def missing(self) -> NDArray[np.bool_] | None:
        """Where pairs are missing (P, T); None if nowhere."""
        found = np.isnan(self.pairs_uv_PT)
        return found if found.any() else None

    @cached_property
    def bridged_uv_PT(self) -> Floats:
        """The pairs with gaps bridged by straight lines, so that they can be filtered."""
        if self.missing is None:
            return self.pairs_uv_PT
        bridged = self.pairs_uv_PT.copy()
        places = np.arange(bridged.shape[1])
        for values, gaps in zip(bridged, self.missing, strict=True):
            if gaps.all():
                values[:] = 0
            elif gaps.any():
                values[gaps] = np.interp(places[gaps], places[~gaps], values[~gaps])
        return bridged

    def known(self, seconds: float, reach: int = 0) -> NDArray[np.bool_]:
        """Which pairs are known in all of each epoch's window, and `reach` samples beyond: (P, K).

        `reach` is that of the filter that the pairs go through.
        """
        if self.missing is None:
            return np.ones((len(self.pairs_uv_PT), BLOCK_EPOCHS), bool)
        so_far = np.zeros((len(self.pairs_uv_PT), BLOCK + 1), np.int32)
        np.cumsum(self.missing, axis=1, out=so_far[:, 1:])
        first = window_begins(seconds) - reach
        stop = first + round(seconds * RATE) + 2 * reach
        return np.asarray(so_far[:, stop] == so_far[:, first])


def window_begins(seconds: float, around: int = 0) -> NDArray[np.int64]:
    """First samples in a block of the windows about its epochs, and `around` more at either end."""
    epochs = np.arange(-around, BLOCK_EPOCHS + around)
    return MARGIN + epochs * STEP - round((seconds - STEP_S) / 2 * RATE)


def windows(values_PT: NDArray[Number], seconds: float, around: int = 0) -> NDArray[Number]:
    """Cut a block into the windows about its epochs, (P, K, samples), without copying."""
    begins = window_begins(seconds, around)
    cut = np.lib.stride_tricks.sliding_window_view(values_PT, round(seconds * RATE), axis=1)
    return cut[:, begins[0] : begins[-1] + 1 : STEP]


def group_mean(values_P: Floats, members: Sequence[int]) -> Floats:
    """Mean over pairs that are known; NaN where fewer than `LEAST` of them are.

    Parameters
    ----------
    values_P : float32 (P, ...)
        By pair, NaN where it is not known.
    members : sequence of int
        Pairs of the group.
    """
    chosen = values_P[list(members)]
    known = np.isfinite(chosen)
    if known.all():
        return np.asarray(chosen.mean(axis=0), np.float32)
    count = known.sum(axis=0)
    total = np.where(known, chosen, 0).sum(axis=0)
    enough = count >= LEAST * len(chosen)
    return np.where(enough, total / np.maximum(count, 1), np.nan).astype(np.float32)


def epochs_of(seconds: float) -> int:
    """Epochs of a recording, the last of which may end after it."""
    return max(1, ceil(seconds / STEP_S - 1e-9))


def blocks(recording: Readable) -> Iterator[Block]:
    """Read a recording, block by block."""
    front, back = list(FRONT), list(BACK)
    for first in range(0, epochs_of(recording.seconds), BLOCK_EPOCHS):
        begin = first * STEP - MARGIN
        eeg_uv_CT = recording.read_samples(begin, begin + BLOCK).T
        pairs = eeg_uv_CT[front] - eeg_uv_CT[back]
        assert len(pairs) == len(PAIRS)
        yield Block(first, pairs)
