"""EEG in microvolts -> an image of the short-time spectra of its chains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import REGIONS
from hmsstore.schema import EEG
from hmstrain.data.augment import Draws
from hmstrain.data.eeg import IMAGE_ROWS, bipolar, eeg_image, image_frames
from hmstrain.data.inputs import Overlay, Scale
from hmstrain.data.inputs.image import IMAGE_GRID, measure_rows
from hmstrain.data.inputs.physical import Physical

if TYPE_CHECKING:
    from hmstrain.config import Config


class EegImage:
    """Log power of the four chains, one below the other: (300, frames)."""

    key = "eeg_image_BHW"
    argument = "eeg_image_BCHW"
    grid = IMAGE_GRID

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def shape(self) -> tuple[int, int]:
        """75 frequencies of each chain, and the frames of the part of the EEG that is used."""
        return IMAGE_ROWS, image_frames(round(self.config.eeg_seconds * EEG.row_rate_hz))

    def measure(self, physical: Physical, rows: NDArray[np.int64], /) -> Scale:
        """Measure mean and deviation of each frequency of each chain."""
        return measure_rows(self, "eeg", physical, rows)

    def __call__(self, eeg_uv_BTC: Tensor, draws: Draws | None, /) -> Tensor:
        """Image (B, 300, frames), of the traces that the draws keep."""
        return eeg_image(bipolar(eeg_uv_BTC), None if draws is None else draws.kept_BP)

    def upright(self, values: Tensor, /) -> Tensor:
        """The image as it is."""
        return values

    def overlay(self, values: NDArray[np.float32], /) -> Overlay:
        """The mean over the frequencies of each chain, over its traces."""
        chains = values.reshape(len(REGIONS), -1, values.shape[1]).mean(axis=1)
        return Overlay(dict(zip(REGIONS, chains, strict=True)), None)
