"""Seed and step -> the random draws of a batch, the same however many processes share it.

Every draw of a step comes from one generator seeded by run and step, for the whole batch over all
processes; each takes its own rows. So a run that is resumed, or shared, sees the same windows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore.montage import PAIRS
from hmsstore.schema import EEG
from hmstrain.distributed import World
from hmstrain.seeds import Stream, generator, sequence

if TYPE_CHECKING:
    from hmstrain.config import Config


@dataclass(frozen=True, slots=True)
class Draws:
    """What is done to each window of a (part of a) batch of B."""

    flip_B: Tensor
    """bool: reverse time."""
    swap_B: Tensor
    """bool: exchange left and right."""
    kept_BP: Tensor
    """bool (B, 18): bipolar pairs that stay."""
    alone_B: Tensor
    """bool: leave out all around the judged seconds."""
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
        values: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, value in values.items():
            if isinstance(value, Tensor):
                values[name] = value.to(device, non_blocking=True)
        return Draws(**values)


def draw(config: Config, step: int, count: int, world: World) -> Draws:
    """Draw for a step's batch of `count` windows, and take the part of one process in that."""
    rng = generator(config.seed, Stream.AUGMENTATION, step)
    flip = rng.random(count) < config.flip
    swap = rng.random(count) < config.swap
    kept = rng.random((count, len(PAIRS))) >= config.channel_dropout
    stripes = rng.random((count, 2, config.mask, 2)).astype(np.float32)
    stripes[..., 1] *= config.mask_size
    stripes[..., 0] *= 1 - stripes[..., 1]
    mix = float(rng.beta(config.mixup, config.mixup)) if config.mixup else 1.0
    alone = generator(config.seed, Stream.CONTEXT, step).random(count) < config.context_dropout
    flip_B, swap_B, kept_BP, alone_B, stripes_B = (
        torch.from_numpy(world.own(values).copy()) for values in (flip, swap, kept, alone, stripes)
    )
    partners = generator(config.seed, Stream.PARTNERS, step, world.rank)
    return Draws(
        flip_B=flip_B,
        swap_B=swap_B,
        kept_BP=kept_BP,
        alone_B=alone_B,
        stripes=stripes_B,
        noise=config.noise,
        noise_seed=int(rng.integers(2**31)) + world.rank,
        mix=mix,
        partner_B=torch.from_numpy(partners.permutation(len(flip_B))),
    )


def shifts(config: Config, step: int, count: int) -> NDArray[np.int64] | None:
    """Shift in samples of each window of a step's batch of `count`, int64; None without any."""
    limit = round(config.shift_s * EEG.row_rate_hz)
    if not limit:
        return None
    rng = generator(config.seed, Stream.SHIFTS, step)
    return rng.integers(-limit, limit + 1, count)


def network_seed(config: Config, step: int, rank: int) -> int:
    """Seed of what the network itself draws at a step, such as dropout."""
    return int(sequence(config.seed, Stream.NETWORK, step, rank).generate_state(1)[0])


def where_B(condition_B: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Take `yes` for windows where the condition holds, else `no`."""
    return torch.where(condition_B.view(-1, *[1] * (no.ndim - 1)), yes, no)


def blank_stripes(image: Tensor, stripes: Tensor) -> Tensor:
    """Set stripes across frequency and across time to 0, the mean of a standardised image.

    Those of an image (B, P, H, W) of several planes are the same in all.
    """
    height, width = image.shape[-2:]
    blank = torch.zeros(len(image), height, width, dtype=torch.bool, device=image.device)
    for axis, size in ((0, height), (1, width)):
        place = torch.arange(size, device=image.device) / size
        start, extent = stripes[:, axis, :, 0, None], stripes[:, axis, :, 1, None]
        inside = ((place >= start) & (place < start + extent)).any(1)
        blank |= inside[:, :, None] if axis == 0 else inside[:, None, :]
    return image.masked_fill(blank if image.dim() == 3 else blank[:, None], 0.0)


def add_noise(x: Tensor, draws: Draws, stream: int) -> Tensor:
    """Add white noise; `stream` tells the two signals apart."""
    if not draws.noise:
        return x
    source = torch.Generator(x.device).manual_seed(draws.noise_seed * 2 + stream)
    return x + draws.noise * torch.randn(x.shape, generator=source, device=x.device, dtype=x.dtype)


def mixed(x: Tensor, draws: Draws) -> Tensor:
    """Mix each window with its partner (Zhang et al. 2018, mixup)."""
    return x if draws.mix == 1 else draws.mix * x + (1 - draws.mix) * x[draws.partner_B]
