"""The naive CNN of the student report, layer by layer: image -> 512 features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hmstrain.data.inputs import Input
from hmstrain.data.inputs.image import FULL_IMAGE
from hmstrain.errors import ModelError
from hmstrain.models.pooling import pool_by
from hmstrain.models.trunk import ImageTrunk, image_size

FEATURES = 512
DROPOUT = 0.1
NARROWEST = 30
"""Pixels that leave one value after all pooling."""


class NaiveCNN(nn.Module):
    """Two convolutions without padding, pooling, and a hidden layer.

    conv 3 -> 32 (3 x 3), batch norm, ReLU, max pool 2; conv 32 -> 32 (3 x 3), batch norm, ReLU, max
    pool 2; average pool 5, or what `pooling` puts there; linear -> 512, ReLU, dropout 0.1. An image
    of 400 x 300 leaves 32 x 19 x 14 = 8512 values before the linear layer. The report's last layer,
    512 -> 6, is the network's head.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        features: int = FEATURES,
        dropout: float = DROPOUT,
        pooling: str = "avg",
    ) -> None:
        super().__init__()
        mean: nn.Module = nn.AvgPool2d(5)
        if pooling != "avg":
            mean = pool_by(pooling, mean, nn.MaxPool2d(5), axis=1)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 3),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            mean,
            nn.Flatten(),
        )
        with torch.no_grad():
            flat = self.layers.eval()(torch.zeros(1, 3, *size)).shape[1]
        self.layers.train()
        self.fc1 = nn.Sequential(nn.Linear(flat, features), nn.ReLU(), nn.Dropout(dropout))
        self.features = features

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps (B, C, h, w)."""
        return self.layers[-2]

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Features (B, F) of images (B, 3, H, W)."""
        features: Tensor = self.fc1(self.layers(image_BCHW))
        return features


def build(seen: Input, *, features: int = FEATURES, dropout: float = DROPOUT) -> ImageTrunk:
    """Make the trunk of one input.

    Images of another height than the spectrogram's are resized to its 400 x 300, as in the report.

    Raises
    ------
    ModelError
        The images are too small for all its layers.
    """
    size = image_size(seen)
    if not seen.config.image_size and size[0] != FULL_IMAGE[0]:
        size = FULL_IMAGE
    if min(size) < NARROWEST:
        raise ModelError(f"naive_cnn needs images of {NARROWEST} x {NARROWEST} or more.")
    pooling = seen.config.pooling
    return ImageTrunk(NaiveCNN(size, features=features, dropout=dropout, pooling=pooling), size)
