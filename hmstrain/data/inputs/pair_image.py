"""What images with a panel for each bipolar pair have in common.

The panels lie one below the other, in the order of the montage. A panel consists of parts, each
with a time axis of its own: more or less of the EEG around the middle of the judged seconds.

Legend: B windows, P bipolar pairs, R rows of one pair, W columns, T samples; H = P x R image rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hmsstore.montage import PAIRS
from hmsstore.schema import EEG
from hmstrain.data.augment import Draws
from hmstrain.data.eeg import Band, bipolar
from hmstrain.data.inputs import Overlay, Windows
from hmstrain.data.inputs.image import IMAGE_GRID, ImageInput

if TYPE_CHECKING:
    from hmstrain.config import Config

STRETCHES = 200
"""Of the EEG, for each of which an overlay has a value: as many as are told apart when drawn."""


class Part(NamedTuple):
    """A part of each pair's panel."""

    rows: tuple[int, int]
    """First row of the pair, and the one after the last."""
    columns: tuple[int, int]
    """First column, and the one after the last."""
    samples: int
    """Length of the stretch of EEG, around the middle of the judged seconds, that it is made of."""
    first: float
    """Sample of that stretch at the middle of the first column."""
    step: float
    """Samples from column to column."""


class PairImage(ImageInput, ABC):
    """An image of panels."""

    name: ClassVar[str]
    """Of the input."""
    pairs: ClassVar[int] = len(PAIRS)
    """How many pairs there are panels of: the first ones of the montage."""
    band: ClassVar[Band | None] = None
    """That the EEG is filtered to; None: unfiltered."""
    padded: ClassVar[tuple[int, int] | None] = None
    """Height and width that it is padded to, evenly around it, with 0."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.samples = round(config.eeg_seconds * EEG.row_rate_hz)
        self.planes = 3 if config.planes == "difference" else 1
        axes = "BPHW" if self.planes > 1 else "BHW"
        argument = self.name.replace("-", "_")
        self.key = f"{argument}_{axes}"
        self.argument = f"{argument}_BCHW"
        self.grid = (self.pairs, IMAGE_GRID[1])

    @property
    @abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """Parts of each pair's panel."""

    @abstractmethod
    def panels(self, pairs_BPT: Tensor, windows: Windows, /) -> Tensor:
        """Panels (B, P, R, W) of the filtered EEG of windows."""

    @property
    def unpadded(self) -> tuple[int, int]:
        """Height and width without what it is padded with."""
        rows = max(part.rows[1] for part in self.parts)
        return self.pairs * rows, max(part.columns[1] for part in self.parts)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.padded or self.unpadded

    def __call__(self, windows: Windows, draws: Draws | None, /) -> Tensor:
        """Image (B, H, W), or (B, 3, H, W) of difference planes, without what it is padded with."""
        bands = None if draws is None else draws.bands
        pairs_BPT = bipolar(windows.signals["eeg"], bands, self.band)[:, : self.pairs]
        image_BPRW = self.panels(pairs_BPT, windows)
        if self.planes > 1:
            image_BPRW = difference_planes(image_BPRW)
        return image_BPRW.flatten(-3, -2)

    def seen(self, windows: Windows, /) -> Tensor | None:
        """Tell which values are of the observed run: bool (B, H, W).

        Those of columns whose middle lies in it; the whole row, of a run that is too short for the
        middle of any.
        """
        run_B2 = windows.runs["eeg"]
        if run_B2 is None:
            return None
        place_BRW = self.places(windows.centre_B)
        seen_BRW = (place_BRW >= run_B2[:, :1, None]) & (place_BRW < run_B2[:, 1:, None])
        seen_BRW |= ~seen_BRW.any(-1, keepdim=True)
        rows = self.unpadded[0] // self.pairs
        return seen_BRW.expand(-1, rows, -1).repeat(1, self.pairs, 1)

    def places(self, centre_B: Tensor, /) -> Tensor:
        """Sample at the middle of each column: (B, R, W), or (B, 1, W) if that of all rows."""
        height, width = self.unpadded
        place_BRW = torch.full(
            (len(centre_B), height // self.pairs, width), -1.0, device=centre_B.device
        )
        for part in self.parts:
            start_B = stretch_start(centre_B, part.samples, self.samples)
            columns = torch.arange(part.columns[1] - part.columns[0], device=centre_B.device)
            place_BW = start_B[:, None] + part.first + part.step * columns
            place_BRW[:, slice(*part.rows), slice(*part.columns)] = place_BW[:, None]
        return place_BRW

    def complete(self, values: Tensor, draws: Draws | None, /) -> Tensor:
        """Set the panels of pairs that the draws leave out to 0, and pad."""
        if draws is not None:
            kept_BP = draws.kept_BP[:, : self.pairs].to(values)
            kept_BH = kept_BP.repeat_interleave(self.unpadded[0] // self.pairs, 1)
            values = values * kept_BH.view(len(values), *[1] * (values.dim() - 3), -1, 1)
        if self.padded is None:
            return values
        return functional.pad(values, self._padding)

    def cropped(self, values: Tensor, /) -> Tensor:
        """Take off what it is padded with."""
        left, _, top, _ = self._padding
        height, width = self.unpadded
        return values[..., top : top + height, left : left + width]

    @property
    def _padding(self) -> tuple[int, int, int, int]:
        """Columns on the left and right, and rows above and below, that it is padded with."""
        high, wide = (outer - inner for outer, inner in zip(self.shape, self.unpadded, strict=True))
        return wide // 2, wide - wide // 2, high // 2, high - high // 2

    def overlay(self, values: NDArray[np.float32], /) -> Overlay:
        """Over each pair's trace, the sum of its panel's values at the seconds that they are of."""
        left, _, top, _ = self._padding
        height, width = self.unpadded
        panels_PRW = values[top : top + height, left : left + width].reshape(self.pairs, -1, width)
        strips = np.zeros((self.pairs, STRETCHES))
        for part in self.parts:
            start = (self.samples - part.samples) // 2
            sums = panels_PRW[:, slice(*part.rows), slice(*part.columns)].sum(1, dtype=np.float64)
            strips += over_time(sums, start + part.first, part.step, self.samples)
        named = zip(PAIRS[: self.pairs], strips.astype(np.float32), strict=True)
        return Overlay({f"{a}-{b}": strip for (a, b), strip in named}, None)


def stretch_start(centre_B: Tensor, samples: int, whole: int) -> Tensor:
    """First sample of a stretch around a centre, moved as far as it takes to lie in the whole."""
    return (centre_B - samples // 2).clamp(0, whole - samples)


def stretch(pairs_BPT: Tensor, centre_B: Tensor, samples: int) -> Tensor:
    """Cut a stretch around the centre of each window out of it: (B, P, samples)."""
    whole = pairs_BPT.shape[-1]
    if samples == whole:
        return pairs_BPT
    start_B = stretch_start(centre_B, samples, whole)
    place_BT = start_B[:, None] + torch.arange(samples, device=start_B.device)
    return pairs_BPT.take_along_dim(place_BT[:, None], dim=-1)


def difference_planes(image_BPRW: Tensor) -> Tensor:
    """Each panel, less the mean of all others, and less the mean of its neighbours.

    Parameters
    ----------
    image_BPRW : float32 (B, P, R, W)
        Panels of the first P pairs of the montage.

    Returns
    -------
    float32 (B, 3, P, R, W)
    """
    count = image_BPRW.shape[1]
    others = (image_BPRW.sum(1, keepdim=True) - image_BPRW) / (count - 1)
    weights = neighbour_weights(count, image_BPRW.device)
    beside = torch.einsum("pq,bqrw->bprw", weights, image_BPRW)
    return torch.stack([image_BPRW, image_BPRW - others, image_BPRW - beside], dim=1)


@lru_cache(maxsize=8)
def neighbour_weights(count: int, device: torch.device) -> Tensor:
    """Weights of the mean of each pair's neighbours: float32 (P, P), rows add up to 1.

    Neighbours share an electrode. In the four chains each pair has two, since those of a side meet
    at Fp and O; the two of the midline have each other.
    """
    rows = [
        [float(one != other and bool({*one} & {*other})) for other in PAIRS[:count]]
        for one in PAIRS[:count]
    ]
    weights = torch.tensor(rows, device=device)
    return weights / weights.sum(1, keepdim=True)


def over_time(
    columns: NDArray[np.float64], first: float, step: float, samples: int
) -> NDArray[np.float64]:
    """Share columns out over equal stretches of the EEG, none of them lost.

    Parameters
    ----------
    columns : float64 (P, W)
    first, step : float
        Sample at the middle of the first column, and samples from column to column.
    samples : int
        Length of the EEG; what reaches past an end counts there.

    Returns
    -------
    float64 (P, `STRETCHES`)
    """
    count = columns.shape[1]
    borders = (first + step * (np.arange(count + 1) - 0.5)).clip(0, samples)
    total = np.cumsum(np.pad(columns, ((0, 0), (1, 0))), axis=1)
    edges = np.linspace(0, samples, STRETCHES + 1)
    reached = np.stack([np.interp(edges, borders, row, left=0.0) for row in total])
    return np.diff(reached, axis=1)
