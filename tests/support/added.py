"""A model and an input that somebody might add, each a file's worth."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hmsstore import CHANNELS
from hmstrain.data.augment import Draws
from hmstrain.data.inputs import Input, Overlay, Windows
from hmstrain.data.inputs.image import ImageInput


class Envelope(ImageInput):
    """Mean absolute EEG of each channel in each half second: an image of 20 rows."""

    key = "envelope_BHW"
    argument = "envelope_BCHW"
    grid = (20, 12)

    @property
    def shape(self) -> tuple[int, int]:
        return len(CHANNELS), int(self.config.eeg_seconds * 2)

    def __call__(self, windows: Windows, _draws: Draws | None, /) -> torch.Tensor:
        halves = windows.signals["eeg"].abs().unflatten(1, (-1, 100)).mean(2)
        return (halves + 1).log().transpose(1, 2)

    def overlay(self, values: NDArray[np.float32], /) -> Overlay:
        channel = dict(zip(CHANNELS, values, strict=True))
        return Overlay({"Fp1-F7": np.maximum(channel["Fp1"], channel["F7"])}, None)


class Means(nn.Module):
    """Features of each row's mean over time."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.rows = nn.Conv1d(rows, width, 1)
        self.features = width

    @property
    def last_map(self) -> nn.Module:
        return self.rows

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.rows(given).relu().mean(2)
        return features


def build(seen: Input, *, width: int = 8) -> Means:
    return Means(seen.shape[0], width)
