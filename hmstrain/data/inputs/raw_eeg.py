"""EEG in microvolts -> what 1-D encoders see: the bipolar montage, filtered, clipped, scaled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hmsstore.montage import PAIRS
from hmsstore.schema import EEG
from hmstrain.data.augment import Draws
from hmstrain.data.eeg import bipolar, raw_input
from hmstrain.data.inputs import Input, Overlay, Windows
from hmstrain.data.inputs.physical import Physical

TRACE_GRID = (None, 12)
"""Each trace by itself, in twelve parts."""


class RawEeg(Input):
    """The longitudinal bipolar montage, 18 traces: (18, T)."""

    key = "eeg_raw_BPT"
    argument = "eeg_raw_BPT"
    grid = TRACE_GRID

    @property
    def shape(self) -> tuple[int, int]:
        """18 traces, and the samples of the part of the EEG that is used."""
        return len(PAIRS), round(self.config.eeg_seconds * EEG.row_rate_hz)

    def measure(self, physical: Physical, rows: NDArray[np.int64], /) -> None:
        """Measure nothing: the scale is fixed."""

    def __call__(self, windows: Windows, draws: Draws | None, /) -> Tensor:
        """Traces (B, 18, T)."""
        bands = None if draws is None else draws.bands
        return raw_input(bipolar(windows.signals["eeg"], bands))

    def complete(self, values: Tensor, draws: Draws | None, /) -> Tensor:
        """Set traces that the draws leave out to 0."""
        return values if draws is None else values * draws.kept_BP[..., None]

    def overlay(self, values: NDArray[np.float32], /) -> Overlay:
        """Each trace's values over it."""
        return Overlay({f"{a}-{b}": row for (a, b), row in zip(PAIRS, values, strict=True)}, None)
