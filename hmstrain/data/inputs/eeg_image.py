"""EEG in microvolts -> an image of the short-time spectra of its chains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import REGIONS
from hmsstore.schema import EEG
from hmstrain.data.augment import Draws
from hmstrain.data.eeg import IMAGE_ROWS, bipolar, eeg_image, image_frames
from hmstrain.data.inputs import Overlay, Windows
from hmstrain.data.inputs.image import ImageInput


class EegImage(ImageInput):
    """Log power of the four chains, one below the other: (300, frames)."""

    key = "eeg_image_BHW"
    argument = "eeg_image_BCHW"

    @property
    def shape(self) -> tuple[int, int]:
        """75 frequencies of each chain, and the frames of the part of the EEG that is used."""
        return IMAGE_ROWS, image_frames(round(self.config.eeg_seconds * EEG.row_rate_hz))

    def __call__(self, windows: Windows, draws: Draws | None, /) -> Tensor:
        """Image (B, 300, frames), of the traces that the draws keep."""
        if draws is None:
            return eeg_image(bipolar(windows.signals["eeg"]))
        return eeg_image(bipolar(windows.signals["eeg"], draws.bands), draws.kept_BP)

    def overlay(self, values: NDArray[np.float32], /) -> Overlay:
        """The sum over the frequencies of each chain, over its traces."""
        chains = values.reshape(len(REGIONS), -1, values.shape[1]).sum(axis=1)
        return Overlay(dict(zip(REGIONS, chains, strict=True)), None)
