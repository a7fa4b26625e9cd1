"""One encoder for the left and the right half of the head -> 128 features, the same if they swap.

After the 1-D models of bilzard (fourth place of the competition, 2024; 863,504 parameters): both
halves go through the same convolutions, those of `efficientnet1d` with 64 channels throughout,
which mix the pairs of a chain. Features are the mean of both halves, the magnitude of their
difference, and how alike they are (the cosine between corresponding places, at each time). None of
these changes if left and right change places, so no answer does.

That model also knew the quality of each channel and mixed the pairs of a side by a recurrent layer.
Here the two chains of a side are channels, at 40 Hz, and the midline is not used.

Legend: B windows, C channels, H positions in a chain, T samples in time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hmstrain.data.inputs import Input
from hmstrain.models.eeg.efficientnet1d import KERNELS, LAYERS, RATE_HZ, stages
from hmstrain.models.eeg.signals import at_rate, by_side

WIDTH = 64
FEATURES = 128


class Symmetric1D(nn.Module):
    """Encoder of (B, 18, T) raw EEG of any length from two seconds up."""

    def __init__(self, width: int, layers: int, features: int) -> None:
        super().__init__()
        self.stages = stages(2, width, [width] * len(KERNELS), layers)
        self.alike = nn.Sequential(
            nn.Conv2d(1, width, 1, bias=False), nn.BatchNorm2d(width), nn.PReLU()
        )
        self.maps = nn.Identity()
        self.hidden = nn.Sequential(
            nn.Linear(3 * width, features), nn.BatchNorm1d(features), nn.ReLU()
        )
        self.width = width
        self.features = features

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps (B, 3 C, t): left, right, how alike they are."""
        return self.maps

    def forward(self, raw_BPT: Tensor) -> Tensor:
        """Features (B, F), equal for a window and its mirror image."""
        halves = torch.cat(by_side(at_rate(raw_BPT, RATE_HZ)))
        left, right = self.stages(halves).chunk(2)
        cosine = functional.cosine_similarity(left, right, dim=1)[:, None]
        maps_BCT = torch.cat([each.mean(2) for each in (left, right, self.alike(cosine))], dim=1)
        left_BC, right_BC, alike_BC = self.maps(maps_BCT).mean(2).split(self.width, dim=1)
        both = torch.cat([(left_BC + right_BC) / 2, (left_BC - right_BC).abs(), alike_BC], dim=1)
        features: Tensor = self.hidden(both)
        return features


def build(
    _seen: Input, *, width: int = WIDTH, layers: int = LAYERS, features: int = FEATURES
) -> Symmetric1D:
    """Make the trunk of one input of raw EEG: width of maps, layers of a stage, hidden width."""
    return Symmetric1D(width, layers, features)
