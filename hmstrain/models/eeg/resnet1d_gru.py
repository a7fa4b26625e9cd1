"""Residual convolutions beside a recurrent layer over the signal itself -> 424 features.

After the public notebook "HMS ResNet1d GRU Train" of the competition (nischaydnk 2024), whose
network came from one for gravitational waves and is often called EEGNet, which is another. With six
classes 168,822 parameters, as there: parallel convolutions of four lengths, put one after the other
in time, nine residual blocks, and a bidirectional GRU of 128 that reads the eight long differences
at 200 Hz.

Two things differ, and no count: what the convolutions leave is averaged over seven parts of the
window, so that any length fits (ten to fifty seconds left seven there too); and both directions of
the GRU give their own last state, where the notebook took the end of the window from both, at which
the backward one has read a single sample.

Legend: B windows, P pairs, T samples in time, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hmstrain.data.eeg import RATE_HZ
from hmstrain.data.inputs import Input
from hmstrain.models.eeg.signals import at_rate, long_differences

DIFFERENCES = 8
KERNELS = (3, 5, 7, 9)
WIDTH, KERNEL, BLOCKS = 24, 5, 9
HIDDEN = 128
PARTS = 7


class ResidualBlock(nn.Module):
    """Two convolutions, each after batch norm and ReLU; both paths are halved by max pooling."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.BatchNorm1d(WIDTH), nn.ReLU(), _convolution()]
        self.residual = nn.Sequential(*layers)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """Half as long; a single sample stays one."""
        if x_BCT.shape[2] < 2:
            return x_BCT + self.residual(x_BCT)
        return functional.max_pool1d(x_BCT, 2) + functional.max_pool1d(self.residual(x_BCT), 2)


class ResNet1DGRU(nn.Module):
    """Encoder of (B, 18, T) raw EEG of any length."""

    def __init__(self, rate_hz: float) -> None:
        super().__init__()
        self.rate_hz = rate_hz
        self.parallel = nn.ModuleList(
            nn.Conv1d(DIFFERENCES, WIDTH, kernel, bias=False) for kernel in KERNELS
        )
        self.layers = nn.Sequential(
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
            _convolution(stride=2),
            *(ResidualBlock() for _ in range(BLOCKS)),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
        )
        self.gru = nn.GRU(DIFFERENCES, HIDDEN, batch_first=True, bidirectional=True)
        self.features = PARTS * WIDTH + 2 * HIDDEN

    @property
    def last_map(self) -> None:
        """None: maps of the convolutions alone would pass over what the GRU saw."""
        return None

    def forward(self, raw_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        signal_BPT = at_rate(long_differences(raw_BPT), self.rate_hz)
        maps = self.layers(torch.cat([each(signal_BPT) for each in self.parallel], dim=2))
        parts = functional.adaptive_avg_pool1d(maps, PARTS).flatten(1)
        _, last_states = self.gru(signal_BPT.transpose(1, 2))
        return torch.cat([parts, last_states[0], last_states[1]], dim=1)


def build(_seen: Input, *, rate_hz: float = RATE_HZ) -> ResNet1DGRU:
    """Make the trunk of one input of raw EEG; a lower rate (40 Hz) makes the GRU faster."""
    return ResNet1DGRU(rate_hz)


def _convolution(stride: int = 1) -> nn.Conv1d:
    return nn.Conv1d(WIDTH, WIDTH, KERNEL, stride=stride, padding=KERNEL // 2, bias=False)
