"""Inverted residuals along time with mixing along the chains -> 384 features.

After the 1-D model of the competition's fourth place (yu4u 2024, EfficientNet1d, itself after
bilzard's): the four chains are channels, the position in a chain is height, time at 40 Hz is width.
Five stages of three inverted residuals (Tan and Le 2019, EfficientNet, in one dimension, ELU) and a
convolution along the chains, whose widths are 96, 128, 192, 256 and 384; a generalised mean over
positions and time; a hidden layer. The midline is not used.

That model took every fifth sample after a low-pass at 20 Hz; here `at_rate` does that. How wide its
hidden layer was is not told: 384 here.

Legend: B windows, C channels, H positions in a chain, T samples in time.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hmsstore import REGIONS
from hmstrain.data.inputs import Input
from hmstrain.models.eeg.pooling import PlacesThenTime
from hmstrain.models.eeg.signals import at_rate, by_chain
from hmstrain.models.pooling import GeM

RATE_HZ = 40.0
STEM_WIDTH, STEM_KERNEL = 64, 3
WIDTHS = (96, 128, 192, 256, 384)
KERNELS = (3, 3, 5, 5, 3)
"""Along time, of the inverted residuals of each stage."""
LAYERS = 3
MULTIPLIER = 4
"""Channels that the depthwise convolution makes of each."""
SQUEEZE = 4
MIXER = (3, 1)
FEATURES = 384


class SqueezeExcite(nn.Module):
    """Scales each channel by what all of the map says of it (Hu et al. 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width // SQUEEZE, 1),
            nn.ELU(),
            nn.Conv2d(width // SQUEEZE, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x_BCHT: Tensor) -> Tensor:
        """Of the same shape."""
        scaled: Tensor = x_BCHT * self.scale(x_BCHT)
        return scaled


class InvertedResidual(nn.Module):
    """A pointwise, a widening depthwise and a narrowing pointwise convolution beside a shortcut."""

    def __init__(self, channels: int, width: int, kernel: int) -> None:
        super().__init__()
        wide = MULTIPLIER * width
        self.residual = nn.Sequential(
            *_convolution(channels, width),
            *_convolution(width, wide, (1, kernel), groups=width),
            *_convolution(wide, width),
            SqueezeExcite(width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if channels != width:
            self.shortcut = nn.Conv2d(channels, width, 1)

    def forward(self, x_BCHT: Tensor) -> Tensor:
        """`width` channels."""
        summed: Tensor = self.shortcut(x_BCHT) + self.residual(x_BCHT)
        return summed


class Mixer(nn.Module):
    """A separable convolution along the chain beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_convolution(width, width, MIXER, groups=width),
            *_convolution(width, width),
            SqueezeExcite(width),
        )

    def forward(self, x_BCHT: Tensor) -> Tensor:
        """Of the same shape."""
        summed: Tensor = x_BCHT + self.residual(x_BCHT)
        return summed


class Stage(nn.Module):
    """Inverted residuals and a mixer, max-pooled, beside a convolution of stride 2."""

    def __init__(self, channels: int, width: int, kernel: int, layers: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(channels, width, (1, 2), stride=(1, 2))
        inputs = [channels, *[width] * (layers - 1)]
        self.layers = nn.Sequential(
            *(InvertedResidual(before, width, kernel) for before in inputs),
            Mixer(width),
            nn.MaxPool2d((1, 2)),
        )

    def forward(self, x_BCHT: Tensor) -> Tensor:
        """`width` channels, half as long."""
        summed: Tensor = self.shortcut(x_BCHT) + self.layers(x_BCHT)
        return summed


class EfficientNet1D(nn.Module):
    """Encoder of (B, 18, T) raw EEG of any length from two seconds up."""

    def __init__(self, widths: Sequence[int], layers: int, features: int) -> None:
        super().__init__()
        self.stages = stages(len(REGIONS), STEM_WIDTH, widths, layers)
        self.mean = PlacesThenTime()
        self.pool = GeM(self.mean)
        self.hidden = nn.Sequential(
            nn.Linear(widths[-1], features), nn.BatchNorm1d(features), nn.ReLU()
        )
        self.features = features

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps (B, C, t)."""
        return self.mean.maps

    def forward(self, raw_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        chains_BCHT = by_chain(at_rate(raw_BPT, RATE_HZ))
        features: Tensor = self.hidden(self.pool(self.stages(chains_BCHT)))
        return features


def stages(channels: int, stem_width: int, widths: Sequence[int], layers: int) -> nn.Sequential:
    """A convolution along time, and five stages: (B, C, H, T) -> (B, widths[-1], H, T / 32)."""
    before = [stem_width, *widths[:-1]]
    return nn.Sequential(
        *_convolution(channels, stem_width, (1, STEM_KERNEL)),
        *(Stage(*sizes, layers) for sizes in zip(before, widths, KERNELS, strict=True)),
    )


def build(
    _seen: Input,
    *,
    widths: Sequence[int] = WIDTHS,
    layers: int = LAYERS,
    features: int = FEATURES,
) -> EfficientNet1D:
    """Make the trunk of one input of raw EEG: widths of five stages, their layers, hidden width."""
    return EfficientNet1D(widths, layers, features)


def _convolution(
    channels: int, width: int, kernel: tuple[int, int] = (1, 1), groups: int = 1
) -> list[nn.Module]:
    padding = (kernel[0] // 2, kernel[1] // 2)
    return [
        nn.Conv2d(channels, width, kernel, padding=padding, groups=groups, bias=False),
        nn.BatchNorm2d(width),
        nn.ELU(),
    ]
