"""WaveNet over each pair, with weights that all pairs share -> 64 features.

After the public Keras notebook "WaveNet Starter" of the competition (Deotte 2024): gated dilated
convolutions as in van den Oord et al. 2016 (WaveNet: A Generative Model for Raw Audio), here
without causality, at 40 Hz; means over time and over the pairs of a chain; the four chains side by
side; a hidden layer of 64. With six classes 97,958 parameters, as there. There, two long
differences stand for a chain; here, its four pairs do, since pairs share their weights. The midline
is not used. Weights start as Keras starts them (Glorot and Bengio 2010, uniform), biases at 0: in
25 gated layers that start as PyTorch's own do, at 0.6 of that, the EEG is lost.

Legend: B windows, P pairs, T samples in time, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hmsstore import REGIONS
from hmstrain.data.inputs import Input
from hmstrain.models.eeg.signals import PER_CHAIN, at_rate, by_chain

RATE_HZ = 40.0
BLOCKS = ((8, 12), (16, 8), (32, 4), (64, 1))
"""Channels and layers of each block; layer n has dilation 2^n."""
FEATURES = 64
KERNEL = 3


class WaveBlock(nn.Module):
    """A 1 x 1 convolution, then gated dilated layers; the sum of all their outputs."""

    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, width, 1)
        self.values, self.gates, self.mixes = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for layer in range(layers):
            dilation = 2**layer
            for group in (self.values, self.gates):
                group.append(nn.Conv1d(width, width, KERNEL, padding=dilation, dilation=dilation))
            self.mixes.append(nn.Conv1d(width, width, 1))

    def forward(self, x_BCT: Tensor) -> Tensor:
        """As long, `width` channels."""
        x = self.first(x_BCT)
        total: Tensor = x
        for value, gate, mix in zip(self.values, self.gates, self.mixes, strict=True):
            x = mix(torch.tanh(value(x)) * torch.sigmoid(gate(x)))
            total = total + x
        return total


class WaveNet(nn.Module):
    """Encoder of (B, 18, T) raw EEG of any length."""

    def __init__(self, blocks: Sequence[Sequence[int]], features: int) -> None:
        super().__init__()
        widths = [1, *(width for width, _ in blocks)]
        self.blocks = nn.Sequential(
            *(WaveBlock(before, *block) for before, block in zip(widths, blocks, strict=False))
        )
        self.maps = nn.Identity()
        self.hidden = nn.Sequential(nn.Linear(len(REGIONS) * widths[-1], features), nn.ReLU())
        self.features = features
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps (B, 4 chains x C, t)."""
        return self.maps

    def forward(self, raw_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        pairs_BPT = by_chain(at_rate(raw_BPT, RATE_HZ)).flatten(1, 2)
        maps = self.blocks(pairs_BPT.flatten(0, 1)[:, None])
        chains = maps.unflatten(0, (-1, len(REGIONS), PER_CHAIN)).mean(2)
        features: Tensor = self.hidden(self.maps(chains.flatten(1, 2)).mean(2))
        return features


def build(
    _seen: Input, *, blocks: Sequence[Sequence[int]] = BLOCKS, features: int = FEATURES
) -> WaveNet:
    """Make the trunk of one input of raw EEG: (channels, layers) of its blocks, hidden width."""
    return WaveNet(blocks, features)
