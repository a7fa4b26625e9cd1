"""EEG and spectrogram -> one image of both, for one trunk.

On the left stands the image of the EEG's chains, as `eeg-image` is but for its height, on the right
the competition's spectrogram, as `spec` is. The 75 frequencies of each chain are drawn out to 100
rows (linear interpolation), so that the four chains stand level with the four regions that they
are. Both parts have time from left to right, each its own.

Legend: B windows, H image rows (frequency), W image columns (time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hmsstore import REGIONS
from hmstrain.data.augment import Draws
from hmstrain.data.inputs import Overlay, Scale, Windows
from hmstrain.data.inputs.eeg_image import EegImage
from hmstrain.data.inputs.image import FULL_IMAGE, ImageInput
from hmstrain.data.inputs.physical import Physical
from hmstrain.data.inputs.spectrogram import SpectrogramImage

if TYPE_CHECKING:
    from hmstrain.config import Config

HEIGHT = FULL_IMAGE[0]


class TallEegImage(EegImage):
    """The image of the EEG's chains, as high as a spectrogram: (400, frames)."""

    @property
    def shape(self) -> tuple[int, int]:
        """100 rows of each chain, and the frames of the part of the EEG that is used."""
        return HEIGHT, super().shape[1]

    def __call__(self, windows: Windows, draws: Draws | None, /) -> Tensor:
        """Image (B, 400, frames), of the traces that the draws keep."""
        chains = super().__call__(windows, draws).unflatten(1, (len(REGIONS), -1))
        size = (HEIGHT // len(REGIONS), chains.shape[-1])
        return functional.interpolate(chains, size=size, mode="bilinear").flatten(1, 2)


class SideBySide(ImageInput):
    """The EEG's chains and the spectrogram's regions: (400, frames + rows)."""

    key = "side_by_side_BHW"
    argument = "side_by_side_BCHW"
    signals = ("eeg", "spectrogram")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.parts = (TallEegImage(config), SpectrogramImage(config))
        self.width = self.parts[0].shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        """400, and the widths of both."""
        return HEIGHT, sum(part.shape[1] for part in self.parts)

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of the EEG and of the spectrogram."""
        eeg, spectrogram = (part.shape[1] for part in self.parts)
        return eeg, spectrogram

    def measure(self, physical: Physical, rows: NDArray[np.int64], /) -> Scale:
        """Measure the rows of the EEG, and take those of the spectrogram as the store has them."""
        eeg, spectrogram = (part.measure(physical, rows) for part in self.parts)
        return Scale(eeg.mean + spectrogram.mean, eeg.std + spectrogram.std)

    def __call__(self, windows: Windows, draws: Draws | None, /) -> Tensor:
        """Image (B, 400, frames + rows)."""
        return torch.cat([part(windows, draws) for part in self.parts], dim=2)

    def standardised(self, values: Tensor, mean: Tensor, std: Tensor, /) -> Tensor:
        """Take what was measured of each part off that part."""
        both = zip(self._halves(values), mean.split(HEIGHT), std.split(HEIGHT), strict=True)
        return torch.cat([(part - m[:, None]) / s[:, None] for part, m, s in both], dim=2)

    def seen(self, windows: Windows, /) -> Tensor | None:
        """Tell which columns are of the observed run of their signal: bool (B, 1, W)."""
        found = [part.seen(windows) for part in self.parts]
        if found == [None, None]:
            return None
        size, device = (len(windows.centre_B), 1), windows.centre_B.device
        return torch.cat(
            [
                torch.ones(*size, part.shape[1], dtype=torch.bool, device=device)
                if seen is None
                else seen
                for part, seen in zip(self.parts, found, strict=True)
            ],
            dim=2,
        )

    def overlay(self, values: NDArray[np.float32], /) -> Overlay:
        """Over the traces of each chain and over the spectrogram, each part's own."""
        eeg, spectrogram = self.parts
        return Overlay(
            eeg.overlay(values[:, : self.width]).traces,
            spectrogram.overlay(values[:, self.width :]).spectrogram,
        )

    def of_signals(self, values: NDArray[np.float32], /) -> dict[str, NDArray[np.float32]]:
        """The columns of each part."""
        return {"eeg": values[:, : self.width], "spectrogram": values[:, self.width :]}

    def _halves(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return values[:, :, : self.width], values[:, :, self.width :]
