"""EEG in microvolts -> the same, for networks of one's own that filter and scale it."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import CHANNELS
from hmsstore.montage import PAIRS
from hmsstore.schema import EEG
from hmstrain.data.augment import Draws
from hmstrain.data.inputs import Input, Overlay, Windows
from hmstrain.data.inputs.physical import Physical
from hmstrain.data.inputs.raw_eeg import TRACE_GRID


class Microvolts(Input):
    """Referential EEG and EKG as recorded: (T, 20)."""

    key = "eeg_uv_BTC"
    argument = "eeg_BTC"
    grid = TRACE_GRID

    @property
    def shape(self) -> tuple[int, int]:
        """The samples of the part of the EEG that is used, and 20 channels."""
        return round(self.config.eeg_seconds * EEG.row_rate_hz), len(CHANNELS)

    def measure(self, physical: Physical, rows: NDArray[np.int64], /) -> None:
        """Measure nothing: they stay microvolts."""

    def __call__(self, windows: Windows, _draws: Draws | None, /) -> Tensor:
        """The EEG as it is (B, T, 20)."""
        return windows.signals["eeg"]

    def upright(self, values: Tensor, /) -> Tensor:
        """Channels by time, or time by channels."""
        return values.transpose(1, 2)

    def overlay(self, values: NDArray[np.float32], /) -> Overlay:
        """Each channel's values, shared out to the bipolar traces that it is in; the EKG's own."""
        pairs = Counter(electrode for pair in PAIRS for electrode in pair)
        share = {
            name: row / max(pairs[name], 1) for name, row in zip(CHANNELS, values, strict=True)
        }
        traces = {f"{a}-{b}": share[a] + share[b] for a, b in PAIRS}
        return Overlay(traces | {"EKG": share["EKG"]}, None)
