"""The naive CNN of the student report, layer by layer: image -> 512 features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEATURES = 512
DROPOUT = 0.1
NARROWEST = 30
"""Pixels that leave one value after all pooling."""


class NaiveCNN(nn.Module):
    """Two convolutions without padding, pooling, and a hidden layer.

    conv 3 -> 32 (3 x 3), batch norm, ReLU, max pool 2; conv 32 -> 32 (3 x 3), batch norm, ReLU, max
    pool 2; average pool 5; linear -> 512, ReLU, dropout 0.1. An image of 400 x 300 leaves 32 x 19 x
    14 = 8512 values before the linear layer. The report's last layer, 512 -> 6, is the network's
    head.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 3),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.AvgPool2d(5),
            nn.Flatten(),
        )
        with torch.no_grad():
            flat = self.layers.eval()(torch.zeros(1, 3, *size)).shape[1]
        self.layers.train()
        self.fc1 = nn.Sequential(nn.Linear(flat, FEATURES), nn.ReLU(), nn.Dropout(DROPOUT))
        self.num_features = FEATURES

    @property
    def last_map(self) -> nn.Module:
        """What gives the last feature maps (B, 32, h, w)."""
        return self.layers[-2]

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Features (B, 512) of images (B, 3, H, W)."""
        features: Tensor = self.fc1(self.layers(image_BCHW))
        return features
