"""What inputs that are images have in common.

Legend: B windows, H image rows (frequency), W image columns (time), T time, C channels or features.
An image is (B, H, W), or (B, P, H, W) where it has P different planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hmsstore.schema import SPECTROGRAM
from hmstrain.data.augment import Draws, blank_stripes, where_B
from hmstrain.data.inputs import Input, Scale, Windows
from hmstrain.data.inputs.physical import Physical, seen_columns
from hmstrain.data.loader import stored_batch
from hmstrain.data.seeds import Stream, generator

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


class ImageInput(Input):
    """An image whose rows are standardised, and whose columns are spread evenly over time."""

    grid = IMAGE_GRID

    def measure(self, physical: Physical, rows: NDArray[np.int64], /) -> Scale:
        """Measure mean and deviation of each row of each plane."""
        return measure_rows(self, self.signals, physical, rows)

    def seen(self, windows: Windows, /) -> Tensor | None:
        """Tell which columns are of the observed run: bool (B, 1, W)."""
        run_B2 = windows.runs[self.signals[0]]
        if run_B2 is None:
            return None
        rows = windows.signals[self.signals[0]].shape[1]
        return seen_columns(run_B2, rows, self.shape[1], None)[:, None]


def image_BCHW(image: Tensor, size: Sequence[int], channels: int = 3) -> Tensor:
    """Channels of an image: its planes, or so many equal copies of its only one.

    It is resized (bilinear, anti-aliased) where it must be.
    """
    planes = image if image.dim() == 4 else image[:, None]
    if tuple(planes.shape[-2:]) != tuple(size):
        planes = functional.interpolate(
            planes, size=tuple(size), mode="bilinear", align_corners=False, antialias=True
        )
    return planes if image.dim() == 4 else planes.expand(-1, channels, -1, -1)


def finish(
    image: Tensor, config: Config, draws: Draws | None, seen_BHW: Tensor | None = None
) -> Tensor:
    """Take each plane's own level and contrast off if asked, and blank stripes as drawn.

    `seen_BHW` are the values that level and contrast are measured on, bool (B, H or 1, W); by
    default, all.
    """
    if config.standardise == "window":
        centred = image - image_mean(image, seen_BHW)
        deviation = image_mean(centred.square(), seen_BHW).sqrt()
        image = centred / deviation.clamp_min(SMALLEST_DEVIATION)
    if draws is not None and config.mask:
        image = blank_stripes(image, draws.stripes)
    return image


def image_mean(image: Tensor, seen_BHW: Tensor | None) -> Tensor:
    """Mean of each plane over these values, each row of equal weight: (B, [P,] 1, 1)."""
    mean = image.mean((-2, -1), keepdim=True)
    if seen_BHW is None:
        return mean
    of_seen = row_means(image, seen_BHW).mean(-1)[..., None, None]
    # Equal to the last bit where it can be.
    return where_B(seen_BHW.flatten(1).all(1), mean, of_seen)


def row_means(image: Tensor, seen_BHW: Tensor | None) -> Tensor:
    """Mean of each row of each plane over these values, or all: (B, [P,] H)."""
    means = image.mean(-1)
    if seen_BHW is None:
        return means
    share_BHW = seen_BHW / seen_BHW.sum(-1, keepdim=True)
    of_seen = (image * (share_BHW if image.dim() == 3 else share_BHW[:, None])).sum(-1)
    return where_B(seen_BHW.flatten(1).all(1), means, of_seen)


def measure_rows(
    made: Input,
    signals: Sequence[str],
    physical: Physical,
    rows: NDArray[np.int64],
) -> Scale:
    """Mean and deviation of each row of an image, over windows drawn by the seed.

    Parameters
    ----------
    made : Input
        The image, (B, H, W) or (B, P, H, W); the rows of all planes are measured one by one.
    signals : sequence of str
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
        batch = stored_batch(physical.store, part, signals, physical.device)
        windows = physical.windows(batch, None, signals)
        image, seen_BHW = made(windows, None), made.seen(windows)
        means = (row_means(values, seen_BHW) for values in (image, image.square()))
        sums = torch.stack([each.sum(0).flatten() for each in means])
        total = total + sums.cpu().double()
    mean, square = total / len(drawn)
    std = (square - mean.square()).clamp_min(1e-6).sqrt()
    return Scale(tuple(mean.tolist()), tuple(std.tolist()))
