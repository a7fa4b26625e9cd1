"""Feature maps over places and time -> features, and the maps that explain them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALLEST = 1e-4
"""Smallest value of a feature that is pooled: powers need positive ones."""


class GeM(nn.Module):
    """Generalised mean over all places and time, whose power is learned.

    (mean of x^p)^(1/p), after Radenovic et al. 2019, Fine-tuning CNN Image Retrieval with No Human
    Annotation; p begins at 3. Values below 1e-4 count as that. `maps` is given the powers' mean
    over places, (B, C, t): their mean over time is what the features are made of.
    """

    def __init__(self, power: float = 3.0) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([power]))
        self.maps = nn.Identity()

    def forward(self, maps_BCxT: Tensor) -> Tensor:
        """Features (B, C) of maps (B, C, ..., t)."""
        powers = self._powers(maps_BCxT)
        over_time: Tensor = self.maps(powers.flatten(2, -2).mean(2) if powers.dim() > 3 else powers)
        return over_time.mean(2).pow(1 / self.power)

    def over(self, maps: Tensor, axis: int) -> Tensor:
        """The generalised mean over one axis alone."""
        return self._powers(maps).mean(axis).pow(1 / self.power)

    def _powers(self, maps: Tensor) -> Tensor:
        return maps.float().clamp_min(SMALLEST).pow(self.power)
