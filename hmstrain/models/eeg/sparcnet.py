"""SPaRCNet, as its authors built it -> 255 features.

Jing et al. 2023, Development of Expert-Level Classification of Seizures and Rhythmic and Periodic
Patterns During EEG Interpretation (Neurology 100): a DenseNet (Huang et al. 2017) in one dimension
over the 16 pairs of the four chains, ten seconds at 200 Hz, without batch norm, ELU instead of
ReLU but for the last. Seven blocks of four layers that add 32 channels each; transitions halve
channels and time. With six classes 1,090,859 parameters. The authors trained with Adam at 6.25e-5,
decay 1e-3 and dropout 0.5 before the last layer (`drop_rate`), each sample as it is and with left
and right exchanged.

Networks of earlier versions of this package ended in ELU. A mark among the weights tells them
apart: without it, they answer as they did.

It sees microvolts, clipped at 500 as the authors did; their filter was 0.5 to 40 Hz, as the
input's. After ten seconds seven places in time are left and averaged; after more or fewer, all of
them are.

Legend: B windows, P pairs, T samples in time, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hmsstore.montage import CHAIN_PAIRS
from hmstrain.data.inputs import Input
from hmstrain.models.eeg.signals import microvolts

CLIP_UV = 500.0
STEM_WIDTH, STEM_KERNEL = 64, 7
BLOCKS, LAYERS, GROWTH, BOTTLENECK = 7, 4, 32, 4
DROPOUT = 0.2


class DenseLayer(nn.Module):
    """A bottleneck and a convolution, whose output is put beside what it was given."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ELU(),
            nn.Conv1d(channels, BOTTLENECK * GROWTH, 1),
            nn.ELU(),
            nn.Conv1d(BOTTLENECK * GROWTH, GROWTH, 3, padding=1),
            nn.Dropout(dropout),
        )

    def forward(self, x_BCT: Tensor) -> Tensor:
        """32 channels more."""
        return torch.cat([x_BCT, self.layers(x_BCT)], dim=1)


class SPaRCNet(nn.Module):
    """Encoder of (B, 18, T) raw EEG of any length from two seconds up.

    Attributes
    ----------
    relu : float32 (), optional
        The mark that the last maps are rectified, 1; None: they go through ELU.
    """

    relu: Tensor | None

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(
                len(CHAIN_PAIRS), STEM_WIDTH, STEM_KERNEL, stride=2, padding=STEM_KERNEL // 2
            ),
            nn.ELU(),
            nn.MaxPool1d(3, stride=2, padding=1),
        )
        self.blocks, self.transitions = nn.ModuleList(), nn.ModuleList()
        channels = STEM_WIDTH
        for place in range(BLOCKS):
            if place:
                half = channels // 2
                self.transitions.append(
                    nn.Sequential(nn.ELU(), nn.Conv1d(channels, half, 1), nn.AvgPool1d(2))
                )
                channels = half
            widths = [channels + GROWTH * layer for layer in range(LAYERS)]
            self.blocks.append(nn.Sequential(*(DenseLayer(width, dropout) for width in widths)))
            channels += LAYERS * GROWTH
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight)
        self.register_buffer("relu", torch.ones(()))
        self.maps = nn.Identity()
        self.features = channels

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps (B, 255, t)."""
        return self.maps

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *others: Any
    ) -> None:
        """Load weights; those without the mark are of a network that ended in ELU."""
        if prefix + "relu" not in state_dict:
            self.relu = None
        elif self.relu is None:
            self.relu = next(self.parameters()).new_ones(())
        super()._load_from_state_dict(state_dict, prefix, *others)

    def forward(self, raw_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        uv_BPT = microvolts(raw_BPT)[:, : len(CHAIN_PAIRS)].clamp(-CLIP_UV, CLIP_UV)
        x = self.blocks[0](self.stem(uv_BPT))
        for transition, block in zip(self.transitions, list(self.blocks)[1:], strict=True):
            x = block(transition(x))
        last = functional.elu(x) if self.relu is None else functional.relu(x)
        features: Tensor = self.maps(last).mean(2)
        return features


def build(_seen: Input, *, dropout: float = DROPOUT) -> SPaRCNet:
    """Make the trunk of one input of raw EEG; dropout is that of each dense layer."""
    return SPaRCNet(dropout)
