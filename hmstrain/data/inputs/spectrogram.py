"""The competition's spectrogram -> an image, frequency upright."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hmstrain.data.augment import Draws
from hmstrain.data.inputs import Overlay, Scale, Windows
from hmstrain.data.inputs.image import FULL_IMAGE, ImageInput
from hmstrain.data.inputs.physical import Physical


class SpectrogramImage(ImageInput):
    """Log power of four regions, one below the other, as the store holds it: (400, rows)."""

    key = "spectrogram_BHW"
    argument = "image_BCHW"
    signals = ("spectrogram",)

    @property
    def shape(self) -> tuple[int, int]:
        """400 frequencies and the rows in time that are used."""
        first, stop = self.config.spectrogram_rows
        return FULL_IMAGE[0], stop - first

    def measure(self, physical: Physical, _rows: NDArray[np.int64], /) -> Scale:
        """Take the statistics that the store was built with, those of its training windows."""
        statistics = physical.store.info["statistics"]["spectrogram"]
        return Scale(tuple(statistics["mean"]), tuple(statistics["std"]))

    def __call__(self, windows: Windows, _draws: Draws | None, /) -> Tensor:
        """Image (B, 400, rows)."""
        return windows.signals["spectrogram"].transpose(1, 2)

    def overlay(self, values: NDArray[np.float32], /) -> Overlay:
        """The map, over the spectrogram."""
        return Overlay({}, values)
