"""Feature maps over places and time -> their mean, and the maps that explain it."""

from __future__ import annotations

from torch import Tensor, nn


class PlacesThenTime(nn.Module):
    """Mean over places, then over time; `maps` is given what lies between, (B, C, t)."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Identity()

    def forward(self, maps_BCxT: Tensor) -> Tensor:
        """Means (B, C) of maps (B, C, ..., t)."""
        over_time: Tensor = self.maps(maps_BCxT.flatten(2, -2).mean(2))
        return over_time.mean(2)
