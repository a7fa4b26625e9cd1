"""Seed and step -> the random draws of a batch, the same however many processes share it.

Every draw of a step comes from one generator seeded by run and step, for the whole batch over all
processes; each takes its own rows. So a run that is resumed, or shared, sees the same windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore.montage import PAIRS
from hmsstore.schema import EEG
from hmstrain.config import Config
from hmstrain.seeds import Stream, generator, sequence


@dataclass(frozen=True, slots=True)
class Draws:
    """What is done to each window of a (part of a) batch of B."""

    flip_B: Tensor
    """bool: reverse time."""
    swap_B: Tensor
    """bool: exchange left and right."""
    kept_BP: Tensor
    """bool (B, 18): bipolar pairs that stay."""
    stripes: Tensor
    """float32 (B, 2, stripes, 2): start and width of stripes across frequency and across time."""
    noise: float
    noise_seed: int
    mix: float
    """Share of each window's own part in a mix with its partner; 1: no mixing."""
    partner_B: Tensor
    """int64: the other window of the mix, within this part."""

    def to(self, device: torch.device) -> Draws:
        """On another device."""
        return Draws(
            self.flip_B.to(device, non_blocking=True),
            self.swap_B.to(device, non_blocking=True),
            self.kept_BP.to(device, non_blocking=True),
            self.stripes.to(device, non_blocking=True),
            self.noise,
            self.noise_seed,
            self.mix,
            self.partner_B.to(device, non_blocking=True),
        )


def draw(config: Config, step: int, count: int, rank: int, world: int) -> Draws:
    """Draw for the rows `rank`, `rank + world`, ... of this step's batch of `count`."""
    rng = generator(config.seed, Stream.AUGMENTATION, step)
    flip = rng.random(count) < config.flip
    swap = rng.random(count) < config.swap
    kept = rng.random((count, len(PAIRS))) >= config.channel_dropout
    stripes = rng.random((count, 2, config.mask, 2)).astype(np.float32)
    stripes[..., 1] *= config.mask_size
    stripes[..., 0] *= 1 - stripes[..., 1]
    mix = float(rng.beta(config.mixup, config.mixup)) if config.mixup else 1.0
    own = slice(rank, None, world)
    partner = generator(config.seed, Stream.PARTNERS, step, rank).permutation(len(flip[own]))
    return Draws(
        flip_B=torch.from_numpy(flip[own].copy()),
        swap_B=torch.from_numpy(swap[own].copy()),
        kept_BP=torch.from_numpy(kept[own].copy()),
        stripes=torch.from_numpy(stripes[own].copy()),
        noise=config.noise,
        noise_seed=int(rng.integers(2**31)) + rank,
        mix=mix,
        partner_B=torch.from_numpy(partner),
    )


def shifts(
    config: Config, step: int, count: int, rank: int, world: int
) -> NDArray[np.int64] | None:
    """Shift in samples of these rows of a step's batch of `count`, int64; None without any."""
    limit = round(config.shift_s * EEG.row_rate_hz)
    if not limit:
        return None
    rng = generator(config.seed, Stream.SHIFTS, step)
    return rng.integers(-limit, limit + 1, count)[rank::world]


def seed_step(config: Config, step: int, rank: int) -> None:
    """Seed what the network itself draws at a step, such as dropout."""
    torch.manual_seed(int(sequence(config.seed, Stream.NETWORK, step, rank).generate_state(1)[0]))


def choose(condition_B: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Take `yes` for windows where the condition holds, else `no`."""
    return torch.where(condition_B.view(-1, *[1] * (no.ndim - 1)), yes, no)


def blank_stripes(image_BHW: Tensor, stripes: Tensor) -> Tensor:
    """Set stripes across frequency and across time to 0, the mean of a standardised image."""
    _, height, width = image_BHW.shape
    blank = torch.zeros_like(image_BHW, dtype=torch.bool)
    for axis, size in ((0, height), (1, width)):
        place = torch.arange(size, device=image_BHW.device) / size
        start, extent = stripes[:, axis, :, 0, None], stripes[:, axis, :, 1, None]
        inside = ((place >= start) & (place < start + extent)).any(1)
        blank |= inside[:, :, None] if axis == 0 else inside[:, None, :]
    return image_BHW.masked_fill(blank, 0.0)


def add_noise(x: Tensor, draws: Draws, stream: int) -> Tensor:
    """Add white noise; `stream` tells the two signals apart."""
    if not draws.noise:
        return x
    source = torch.Generator(x.device).manual_seed(draws.noise_seed * 2 + stream)
    return x + draws.noise * torch.randn(x.shape, generator=source, device=x.device, dtype=x.dtype)


def mixed(x: Tensor, draws: Draws) -> Tensor:
    """Mix each window with its partner (Zhang et al. 2018, mixup)."""
    return x if draws.mix == 1 else draws.mix * x + (1 - draws.mix) * x[draws.partner_B]
