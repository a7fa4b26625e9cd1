"""What inputs that are images have in common.

Legend: B windows, H image rows (frequency), W image columns (time), T time, C channels or features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hmsstore.schema import SPECTROGRAM
from hmstrain.data.augment import Draws, blank_stripes, where_B
from hmstrain.data.inputs import Scale
from hmstrain.data.inputs.physical import Physical, seen_columns
from hmstrain.data.loader import stored_batch
from hmstrain.seeds import Stream, generator

if TYPE_CHECKING:
    from hmstrain.config import Config

FULL_IMAGE = (len(SPECTROGRAM.features), SPECTROGRAM.window_rows)
"""Height and width of a whole spectrogram as an image: 400 frequencies, 300 rows in time."""
IMAGE_GRID = (16, 12)
"""Rows and columns of parts that an image is taken apart into."""
MEASURED = 512
"""Windows that the standardisation of an image is measured on."""
SMALLEST_DEVIATION = 1e-3
"""What a nearly constant image is divided by when it is standardised by itself."""


def image_BCHW(image_BHW: Tensor, size: Sequence[int]) -> Tensor:
    """Three equal copies of a mono image, resized (bilinear, anti-aliased) where it must be."""
    image = image_BHW[:, None]
    if tuple(image.shape[-2:]) != tuple(size):
        image = functional.interpolate(
            image, size=tuple(size), mode="bilinear", align_corners=False, antialias=True
        )
    return image.expand(-1, 3, -1, -1)


def finish(
    image_BHW: Tensor, config: Config, draws: Draws | None, seen_BW: Tensor | None = None
) -> Tensor:
    """Take each image's own level and contrast off if asked, and blank stripes as drawn.

    `seen_BW` are the columns that level and contrast are measured on; by default, all.
    """
    if config.standardise == "window":
        centred = image_BHW - image_mean(image_BHW, seen_BW)
        deviation = image_mean(centred.square(), seen_BW).sqrt()
        image_BHW = centred / deviation.clamp_min(SMALLEST_DEVIATION)
    if draws is not None and config.mask:
        image_BHW = blank_stripes(image_BHW, draws.stripes)
    return image_BHW


def image_mean(image_BHW: Tensor, seen_BW: Tensor | None) -> Tensor:
    """Mean of an image over these columns, or all: (B, 1, 1)."""
    mean_B11 = image_BHW.mean((1, 2), keepdim=True)
    if seen_BW is None:
        return mean_B11
    of_seen_B11 = row_means(image_BHW, seen_BW).mean(1)[:, None, None]
    return where_B(seen_BW.all(1), mean_B11, of_seen_B11)  # equal to the last bit where it can be


def row_means(image_BHW: Tensor, seen_BW: Tensor | None) -> Tensor:
    """Mean of each row of an image over these columns, or all: (B, H)."""
    means_BH = image_BHW.mean(2)
    if seen_BW is None:
        return means_BH
    share_BW = seen_BW / seen_BW.sum(1, keepdim=True)
    of_seen_BH = (image_BHW * share_BW[:, None]).sum(2)
    return where_B(seen_BW.all(1), means_BH, of_seen_BH)


def measure_rows(
    made: Callable[[Tensor, None], Tensor],
    signal: str,
    physical: Physical,
    rows: NDArray[np.int64],
) -> Scale:
    """Mean and deviation of each row of an image, over windows drawn by the seed.

    Parameters
    ----------
    made : callable
        The input: physical signal (B, T, C) and no draws -> image (B, H, W).
    signal : str
        That it is made of.
    physical : Physical
        Of the store.
    rows : int64 (N,)
        Training windows; up to 512 of them are measured.
    """
    drawn = generator(physical.config.seed, Stream.NORMALISATION).permutation(rows)[:MEASURED]
    total = torch.zeros(2, 1, dtype=torch.float64)
    for first in range(0, len(drawn), 16):
        part = drawn[first : first + 16]
        batch = stored_batch(physical.store, part, (signal,), physical.device)
        run_B2 = physical.run(signal, batch, None)
        image = made(physical(signal, batch[signal], None, run_B2), None)
        seen_BW = None
        if run_B2 is not None:
            seen_BW = seen_columns(run_B2, physical.rows(signal), image.shape[2], None)
        means = (row_means(values, seen_BW) for values in (image, image.square()))
        sums = torch.stack([each.sum(0) for each in means])
        total = total + sums.cpu().double()
    mean, square = total / len(drawn)
    std = (square - mean.square()).clamp_min(1e-6).sqrt()
    return Scale(tuple(mean.tolist()), tuple(std.tolist()))
