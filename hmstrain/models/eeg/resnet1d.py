"""A residual encoder of raw bipolar EEG: signal -> 256 features.

Residual blocks as in He et al. 2016 (pre-activation, Identity Mappings in Deep Residual Networks),
in one dimension and with long kernels, as medal teams of the competition used for raw EEG.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hmstrain.data.inputs import Input

WIDTHS = (32, 64, 64, 128, 128, 256)
KERNEL = 9
STEM_KERNEL = 15


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; time is halved by average pooling."""

    def __init__(self, channels: int, width: int, kernel: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm1d(channels),
            nn.SiLU(),
            nn.Conv1d(channels, width, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(width),
            nn.SiLU(),
            nn.Conv1d(width, width, kernel, padding=kernel // 2, bias=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if channels != width:
            self.shortcut = nn.Conv1d(channels, width, 1, bias=False)
        self.pool = nn.AvgPool1d(2)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """Half as long, `width` channels."""
        halved: Tensor = self.pool(self.shortcut(x_BCT) + self.residual(x_BCT))
        return halved


class ResNet1D(nn.Module):
    """Encoder of (B, P, T) raw EEG; any length from a few seconds up."""

    def __init__(self, pairs: int, *, widths: Sequence[int] = WIDTHS, kernel: int = KERNEL) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv1d(pairs, widths[0], STEM_KERNEL, stride=2, padding=STEM_KERNEL // 2, bias=False)
        ]
        before = widths[0]
        for width in widths:
            layers.append(ResidualBlock(before, width, kernel))
            before = width
        self.layers = nn.Sequential(*layers, nn.BatchNorm1d(before), nn.SiLU())
        self.features = before

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps (B, F, t)."""
        return self.layers

    def forward(self, raw_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        features: Tensor = self.layers(raw_BPT).mean(dim=2)
        return features


def build(seen: Input, *, widths: Sequence[int] = WIDTHS, kernel: int = KERNEL) -> ResNet1D:
    """Make the trunk of one input of raw EEG: widths of its blocks, odd length of their kernels."""
    return ResNet1D(seen.shape[0], widths=widths, kernel=kernel)
