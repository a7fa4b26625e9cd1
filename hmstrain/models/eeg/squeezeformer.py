"""A convolutional front end over pairs and time, then Squeezeformer blocks -> 128 features.

After the 1-D model of the competition's third place (darraghdog 2024, cfg_2a): convolutions in time
and over the pairs, laid out left beside right; a generalised mean over the pairs; three blocks of
Kim et al. 2022 (Squeezeformer: An Efficient Transformer for Automatic Speech Recognition) with 128
channels, four heads, kernels of 51 and no expansion; a generalised mean over time. Positions are
told by rotation (Su et al. 2021, RoFormer), so that any length fits.

That model took 200 Hz, a first kernel of 16 samples and a first pooling by 8; here they are 100 Hz,
8 and 4, the same in seconds at half the cost, for the input ends at 40 Hz. Its band was 1.6 to 30
Hz (order 1), and its dropouts were 0.1 and 0.2. Its front end had batch norm in place of layer
norm, some of its pointwise convolutions in four groups, attention over channels and places (Woo et
al. 2018, CBAM), and no padding over the pairs. Its convolution modules widened twofold and were
gated (GLU); its attention had neither bias nor dropout. The midline is not used.

Legend: B windows, P pairs, T samples in time, C channels, N tokens.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from hmstrain.data.inputs import Input
from hmstrain.models.eeg.signals import at_rate, by_side
from hmstrain.models.pooling import GeM

RATE_HZ = 100.0
STEM_WIDTH, WIDTH = 64, 128
STEM_KERNEL, STEM_POOL = 8, 4
FRONT = (((1, 16), 2), ((3, 1), 1), ((1, 8), 2))
"""Kernel over (pairs, time) and pooling of time of each part of the front end."""
BLOCKS, HEADS, KERNEL, EXPANSION, DROPOUT = 3, 4, 51, 1, 0.1
ROTATION_BASE = 10_000.0


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of maps (B, C, P, T)."""

    def forward(self, x: Tensor) -> Tensor:
        """Of the same shape."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class FrontPart(nn.Module):
    """Pointwise, depthwise and pointwise convolution, each with norm and SiLU; pools time."""

    def __init__(self, channels: int, width: int, kernel: tuple[int, int], pool: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(nn.Conv2d(channels, width, 1), ChannelNorm(width), nn.SiLU())
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.depthwise = nn.Conv2d(width, width, kernel, padding=padding, groups=width)
        self.mix = nn.Sequential(
            ChannelNorm(width), nn.SiLU(), nn.Conv2d(width, width, 1), ChannelNorm(width), nn.SiLU()
        )
        self.pool = nn.AvgPool2d((1, pool))

    def forward(self, x_BCPT: Tensor) -> Tensor:
        """`width` channels, time pooled."""
        same_length = self.depthwise(self.widen(x_BCPT))[..., : x_BCPT.shape[-1]]
        pooled: Tensor = self.pool(self.mix(same_length))
        return pooled


class Attention(nn.Module):
    """Self-attention of several heads over rotated queries and keys."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.given = nn.Linear(width, 3 * width)
        self.taken = nn.Linear(width, width)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """Of the same shape."""
        query, key, value = (
            self.given(x_BNC).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )
        attended = functional.scaled_dot_product_attention(
            rotated(query), rotated(key), value, dropout_p=self.dropout if self.training else 0.0
        )
        mixed: Tensor = self.taken(attended.transpose(1, 2).flatten(2))
        return mixed


class Convolution(nn.Module):
    """Pointwise, depthwise (batch norm) and pointwise convolution along the tokens."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(width, width, 1),
            nn.SiLU(),
            nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width),
            nn.BatchNorm1d(width),
            nn.SiLU(),
            nn.Conv1d(width, width, 1),
        )

    def forward(self, x_BNC: Tensor) -> Tensor:
        """Of the same shape."""
        mixed: Tensor = self.layers(x_BNC.transpose(1, 2)).transpose(1, 2)
        return mixed


class Residual(nn.Module):
    """A module of scaled and shifted tokens added to the tokens; then layer norm."""

    def __init__(self, width: int, module: nn.Module, dropout: float) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.module, self.dropout, self.norm = module, nn.Dropout(dropout), nn.LayerNorm(width)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """Of the same shape."""
        added = self.dropout(self.module(x_BNC * self.scale + self.shift))
        normed: Tensor = self.norm(x_BNC + added)
        return normed


class Squeezeformer(nn.Module):
    """Encoder of (B, 18, T) raw EEG of any length."""

    def __init__(self, width: int, blocks: int, heads: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, STEM_WIDTH, (1, STEM_KERNEL), padding=(0, STEM_KERNEL // 2))
        self.stem_norm = nn.Sequential(
            ChannelNorm(STEM_WIDTH), nn.SiLU(), nn.AvgPool2d((1, STEM_POOL))
        )
        widths = [STEM_WIDTH, *[width] * len(FRONT)]
        self.front = nn.Sequential(
            *(FrontPart(w, width, *part) for w, part in zip(widths, FRONT, strict=False))
        )
        self.over_pairs, self.over_time = (GeM(partial(torch.mean, dim=2)) for _ in range(2))
        self.blocks = nn.Sequential(
            *(part for _ in range(blocks) for part in _block(width, heads, kernel, dropout))
        )
        self.features = width

    @property
    def last_map(self) -> None:
        """None: attention has mixed all places of its maps."""
        return None

    def forward(self, raw_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        left, right = by_side(at_rate(raw_BPT, RATE_HZ))
        beside_BPT = torch.stack([left, right], dim=3).flatten(1, 3)
        stem = self.stem_norm(self.stem(beside_BPT[:, None])[..., : beside_BPT.shape[-1]])
        tokens_BCN = self.over_pairs(self.front(stem))
        features: Tensor = self.over_time(self.blocks(tokens_BCN.transpose(1, 2)).transpose(1, 2))
        return features


def rotated(x_BHND: Tensor) -> Tensor:
    """Rotate halves of each head's channels by their position times a rate of each channel.

    The product of two rotated vectors depends on how far apart their positions are, not on where.
    """
    tokens, width = x_BHND.shape[-2:]
    rate = ROTATION_BASE ** (-torch.arange(0, width, 2, device=x_BHND.device) / width)
    angle = torch.arange(tokens, device=x_BHND.device)[:, None] * rate
    cosine, sine = angle.cos().to(x_BHND), angle.sin().to(x_BHND)
    first, second = x_BHND.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def build(
    _seen: Input,
    *,
    width: int = WIDTH,
    blocks: int = BLOCKS,
    heads: int = HEADS,
    kernel: int = KERNEL,
    dropout: float = DROPOUT,
) -> Squeezeformer:
    """Make the trunk of one input of raw EEG; the kernel is odd, heads divide the width evenly."""
    return Squeezeformer(width, blocks, heads, kernel, dropout)


def _block(width: int, heads: int, kernel: int, dropout: float) -> list[nn.Module]:
    """Attention, feed-forward, convolution, feed-forward."""
    modules = (
        Attention(width, heads, dropout),
        _feed_forward(width, dropout),
        Convolution(width, kernel),
        _feed_forward(width, dropout),
    )
    return [Residual(width, module, dropout) for module in modules]


def _feed_forward(width: int, dropout: float) -> nn.Module:
    hidden = EXPANSION * width
    return nn.Sequential(
        nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
    )
