"""Seed and step -> the random draws of a batch.

Draws of a step come from generators that are seeded by run, step and what they draw (`seeds`), for
the whole batch over all processes; each process takes its own rows. So a run that is resumed sees
the same windows, as does one that more processes share, but for noise and the partners of a mix:
each process draws these for its own rows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore.montage import PAIRS
from hmsstore.schema import EEG
from hmstrain.data.chains import CHAIN_ORDERS
from hmstrain.data.seeds import Stream, generator, sequence
from hmstrain.distributed import World

if TYPE_CHECKING:
    from hmstrain.config import Config


T = TypeVar("T", "Bands", "Drawn", "Draws")
HALVES = 2
"""Most images that an input lays beside each other, one of each signal."""
BAND_LOW_HZ = (1e-4, 2.0)
"""Range of the lower edge of a random band-pass."""
BAND_HIGH_HZ = (10, 19)
"""First and last whole number that its upper edge is drawn from."""
BAND_PAIRS = 8
"""Most pairs of a window that it filters."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Pass bands of windows, and the pairs that they are for."""

    low_hz_B: Tensor
    """float32."""
    high_hz_B: Tensor
    """float32."""
    pairs_BP: Tensor
    """bool (B, 18)."""

    def to(self, device: torch.device) -> Bands:
        """On another device."""
        return moved(self, device)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Windows that a generator draws anew."""

    chosen_B: Tensor
    """bool: those."""
    seed_B: Tensor
    """int64: of each, what its image is drawn by."""
    target_BK: Tensor
    """float32: the shares of votes that it is drawn for, before windows are mixed."""

    def to(self, device: torch.device) -> Drawn:
        """On another device."""
        return moved(self, device)


@dataclass(frozen=True, slots=True)
class Draws:
    """What is done to each window of a (part of a) batch of B; None: to none."""

    flip_B: Tensor
    """bool: reverse time."""
    swap_B: Tensor
    """bool: exchange left and right."""
    kept_BP: Tensor
    """bool (B, 18): bipolar pairs that stay."""
    alone_B: Tensor
    """bool: leave out all around the judged seconds."""
    zoom_B: Tensor
    """int64: samples by which what is shown at closer range is moved off the label."""
    stripes: Tensor
    """float32 (B, 2, stripes, 2): start and width of stripes across frequency and across time."""
    noise: float
    noise_seed: int
    mix: float
    """Share of each window's own part in a mix with its partner; 1: no mixing."""
    partner_B: Tensor
    """int64: the other window of the mix, within this part."""
    boxes: Tensor | None = None
    """float32 (B, inputs, 2, boxes, 4): first row and column, height and width of boxes in each
    input of the run, as shares of its image, or of each of the halves that it has; a box that is
    not there is 0 wide."""
    bands: Bands | None = None
    """Pairs that are filtered once more."""
    chains_B: Tensor | None = None
    """int64: order of the chains, of `chains.CHAIN_ORDERS`."""
    front_back_B: Tensor | None = None
    """bool: exchange front and back."""
    speed_B: Tensor | None = None
    """float32: how much faster time runs; 1: as recorded."""
    generated: Drawn | None = None
    """Windows whose images a generator draws anew."""

    def to(self, device: torch.device) -> Draws:
        """On another device."""
        return moved(self, device)


def moved(values: T, device: torch.device) -> T:
    """A dataclass with all its tensors on another device."""
    on_device: dict[str, Any] = {item.name: getattr(values, item.name) for item in fields(values)}
    for name, value in on_device.items():
        if isinstance(value, Tensor):
            on_device[name] = value.to(device, non_blocking=True)
        elif isinstance(value, Bands | Drawn):
            on_device[name] = value.to(device)
    return type(values)(**on_device)


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
    if config.channel_dropout_most:
        kept = kept_pairs(config, step, count)
    alone = generator(config.seed, Stream.CONTEXT, step).random(count) < config.context_dropout
    furthest = round(config.zoom_jitter_s * EEG.row_rate_hz)
    zoom = generator(config.seed, Stream.ZOOM, step).integers(-furthest, furthest + 1, count)
    flip_B, swap_B, kept_BP, alone_B, zoom_B, stripes_B = (
        torch.from_numpy(world.own(values).copy())
        for values in (flip, swap, kept, alone, zoom, stripes)
    )
    partners = generator(config.seed, Stream.PARTNERS, step, world.rank)
    return Draws(
        flip_B=flip_B,
        swap_B=swap_B,
        kept_BP=kept_BP,
        alone_B=alone_B,
        zoom_B=zoom_B,
        stripes=stripes_B,
        noise=config.noise,
        noise_seed=int(rng.integers(2**31)) + world.rank,
        mix=mix_share(config, step, mix),
        partner_B=torch.from_numpy(partners.permutation(len(flip_B))),
        boxes=own(drawn_boxes(config, step, count), world),
        bands=drawn_bands(config, step, count, world),
        chains_B=own(chain_orders(config, step, count), world),
        front_back_B=own(front_back(config, step, count), world),
        speed_B=own(speeds(config, step, count), world),
    )


def own(values: NDArray[Any] | None, world: World) -> Tensor | None:
    """The part of one process in what was drawn for a batch, if anything was."""
    return None if values is None else torch.from_numpy(world.own(values).copy())


def kept_pairs(config: Config, step: int, count: int) -> NDArray[np.bool_]:
    """Pairs that stay, bool (count, 18), where their number is drawn: 1 to the most, all alike."""
    rng = generator(config.seed, Stream.DROPPED_PAIRS, step)
    dropping = rng.random(count) < config.channel_dropout
    number = rng.integers(1, config.channel_dropout_most + 1, count)
    place = rng.random((count, len(PAIRS))).argsort(axis=1)
    return ~dropping[:, None] | (place >= number[:, None])


def mix_share(config: Config, step: int, drawn: float) -> float:
    """Share of each window's own part in its mix: as drawn, within the bounds, or 1 for none."""
    if not config.mixup:
        return 1.0
    # Of each step, so that all processes mix or none: the loss has both patients of a mix.
    if generator(config.seed, Stream.MIXUP, step).random() >= config.mixup_p:
        return 1.0
    return min(max(drawn, config.mixup_clip), 1 - config.mixup_clip)


def drawn_boxes(config: Config, step: int, count: int) -> NDArray[np.float32] | None:
    """Boxes of each window, input and half (count, inputs, 2, boxes, 4), none to all of them."""
    if not config.boxes:
        return None
    rng = generator(config.seed, Stream.BOXES, step)
    shape = (count, len(config.encoders), HALVES, config.boxes)
    size = rng.random((*shape, 2)) * config.box_size
    start = rng.random((*shape, 2)) * (1 - size)
    number = rng.integers(0, config.boxes + 1, shape[:3])
    size[np.arange(config.boxes) >= number[..., None]] = 0
    return np.concatenate([start, size], axis=-1).astype(np.float32)


def drawn_bands(config: Config, step: int, count: int, world: World) -> Bands | None:
    """Windows, pairs and pass bands of a second, random filter."""
    if not config.random_bandpass:
        return None
    rng = generator(config.seed, Stream.BANDS, step)
    filtered = rng.random(count) < config.random_bandpass
    number = rng.integers(1, BAND_PAIRS + 1, count)
    place = rng.random((count, len(PAIRS))).argsort(axis=1)
    low = rng.uniform(*BAND_LOW_HZ, count).astype(np.float32)
    high = rng.integers(BAND_HIGH_HZ[0], BAND_HIGH_HZ[1] + 1, count).astype(np.float32)
    pairs = filtered[:, None] & (place < number[:, None])
    return Bands(*(torch.from_numpy(world.own(values).copy()) for values in (low, high, pairs)))


def chain_orders(config: Config, step: int, count: int) -> NDArray[np.int64] | None:
    """Number of the order that each window's chains take; 0: as they are."""
    if not config.permute_chains:
        return None
    rng = generator(config.seed, Stream.CHAINS, step)
    chosen = rng.random(count) < config.permute_chains
    return np.where(chosen, rng.integers(1, len(CHAIN_ORDERS), count), 0)


def front_back(config: Config, step: int, count: int) -> NDArray[np.bool_] | None:
    """Windows whose front and back are exchanged."""
    if not config.front_back:
        return None
    return generator(config.seed, Stream.FRONT_BACK, step).random(count) < config.front_back


def speeds(config: Config, step: int, count: int) -> NDArray[np.float32] | None:
    """How much faster time runs in each window: from 1 / (1 + stretch) to 1 + stretch.

    Its logarithm is uniform, so that as many windows are slowed down as are sped up.
    """
    if not config.stretch:
        return None
    rng = generator(config.seed, Stream.SPEEDS, step)
    limit = np.log1p(config.stretch)
    return np.exp(rng.uniform(-limit, limit, count)).astype(np.float32)


def generated(
    config: Config, step: int, count: int, world: World, target_BK: Tensor
) -> Drawn | None:
    """Choose the windows of a step's batch of `count` that a generator draws anew.

    Parameters
    ----------
    target_BK : float32
        Shares of the votes of the windows of this process.
    """
    if not config.generated:
        return None
    rng = generator(config.seed, Stream.GENERATED, step)
    chosen = rng.permutation(count) < round(config.generated * count)
    seeds = rng.integers(2**62, size=count)
    chosen_B, seed_B = (torch.from_numpy(world.own(one).copy()) for one in (chosen, seeds))
    return Drawn(chosen_B, seed_B, target_BK)


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


def blank_boxes(image: Tensor, boxes_BN4: Tensor) -> Tensor:
    """Set boxes to 0, the mean of a standardised image; in several planes (B, P, H, W) the same."""
    within = []
    for axis, size in enumerate(image.shape[-2:]):
        place = torch.arange(size, device=image.device) / size
        start, extent = boxes_BN4[..., axis, None], boxes_BN4[..., 2 + axis, None]
        within.append((place >= start) & (place < start + extent))
    rows_BNH, columns_BNW = (part.to(image.dtype) for part in within)
    blank_BHW = rows_BNH.transpose(1, 2) @ columns_BNW > 0
    return image.masked_fill(blank_BHW if image.dim() == 3 else blank_BHW[:, None], 0.0)


def add_noise(x: Tensor, draws: Draws, stream: int) -> Tensor:
    """Add white noise; `stream` tells the two signals apart."""
    if not draws.noise:
        return x
    source = torch.Generator(x.device).manual_seed(draws.noise_seed * 2 + stream)
    return x + draws.noise * torch.randn(x.shape, generator=source, device=x.device, dtype=x.dtype)


def mixed(x: Tensor, draws: Draws) -> Tensor:
    """Mix each window with its partner (Zhang et al. 2018, mixup)."""
    return x if draws.mix == 1 else draws.mix * x + (1 - draws.mix) * x[draws.partner_B]
