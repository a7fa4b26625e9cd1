"""EEGNet -> features of a window of fixed length.

Lawhern et al. 2018, EEGNet: a compact convolutional neural network for EEG-based brain-computer
interfaces (J. Neural Eng. 15), version 8,2 as in braindecode's `EEGNet`: 8 filters along time, 2
over all traces for each, a separable convolution; with a linear layer on what is left. With 22
traces, 512 samples and four classes 2,484 parameters.

It was made for 128 Hz, with filters of half a second; here it sees 100 Hz, and its filters keep
their number of samples.

Legend: B windows, P pairs, T samples in time, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hmstrain.data.eeg import RATE_HZ as GIVEN_HZ
from hmstrain.data.inputs import Input
from hmstrain.models.eeg.signals import at_rate

RATE_HZ = 100.0
FILTERS, DEPTH = 8, 2
KERNEL, SECOND_KERNEL = 64, 16
POOLS = (4, 8)
DROPOUT = 0.25
LARGEST_NORM = 1.0
"""Of each filter over the traces."""


class EEGNet(nn.Module):
    """Encoder of (B, P, T) traces at its own rate, of the length that it is made for."""

    def __init__(
        self, traces: int, samples: int, *, filters: int, depth: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        width = filters * depth
        self.time = nn.Conv2d(1, filters, (1, kernel), padding=(0, kernel // 2), bias=False)
        self.time_norm = _norm(filters)
        self.space = nn.Conv2d(filters, width, (traces, 1), groups=filters, bias=False)
        self.layers = nn.Sequential(
            _norm(width),
            nn.ELU(),
            nn.AvgPool2d((1, POOLS[0])),
            nn.Dropout(dropout),
            nn.Conv2d(
                width,
                width,
                (1, SECOND_KERNEL),
                padding=(0, SECOND_KERNEL // 2),
                groups=width,
                bias=False,
            ),
            nn.Conv2d(width, width, 1, bias=False),
            _norm(width),
            nn.ELU(),
            nn.AvgPool2d((1, POOLS[1])),
        )
        self.dropout = nn.Dropout(dropout)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
        after = samples + 1 - kernel % 2
        after = after // POOLS[0] + 1 - SECOND_KERNEL % 2
        self.features = width * (after // POOLS[1])

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps (B, C, 1, t)."""
        return self.layers

    def forward(self, x_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        filtered = self.time_norm(self.time(x_BPT[:, None]))
        weight = torch.renorm(self.space.weight, 2, 0, LARGEST_NORM)
        maps = self.layers(functional.conv2d(filtered, weight, groups=self.space.groups))
        features: Tensor = self.dropout(maps.flatten(1))
        return features


class SlowerEEGNet(EEGNet):
    """The same for traces at the input's rate."""

    def forward(self, x_BPT: Tensor) -> Tensor:
        """Features (B, F) of (B, 18, T) raw EEG."""
        return super().forward(at_rate(x_BPT, RATE_HZ))


def build(
    seen: Input,
    *,
    filters: int = FILTERS,
    depth: int = DEPTH,
    kernel: int = KERNEL,
    dropout: float = DROPOUT,
) -> SlowerEEGNet:
    """Make the trunk of one input of raw EEG, for windows of its length."""
    traces, samples = seen.shape
    at_own_rate = round(samples * RATE_HZ / GIVEN_HZ)
    return SlowerEEGNet(
        traces, at_own_rate, filters=filters, depth=depth, kernel=kernel, dropout=dropout
    )


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, momentum=0.01, eps=1e-3)
