"""Feature maps -> one value of each channel: their generalised mean, or mean and maximum."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Pool = Callable[[Tensor], Tensor]
START, LEAST = 3.0, 1e-6
"""GeM: its first exponent, and what smaller values count as."""


class GeM(nn.Module):
    """Generalised mean of what is positive, its exponent p trained: (mean of x^p)^(1/p).

    From p = 1, the mean, it goes to the maximum as p grows. (Radenovic et al. 2019, Fine-tuning CNN
    Image Retrieval with No Human Annotation.) In float32 whatever the maps are in.

    Parameters
    ----------
    mean : callable
        Mean over the places that become one.
    """

    def __init__(self, mean: Pool) -> None:
        super().__init__()
        self.mean = mean
        self.p = nn.Parameter(torch.tensor(START))

    def forward(self, maps: Tensor) -> Tensor:
        """Pooled maps, float32."""
        with torch.autocast(maps.device.type, enabled=False):
            p = self.p.float()
            powers = maps.float().clamp_min(LEAST).pow(p)
            pooled: Tensor = self.mean(powers).pow(1 / p)
            return pooled


class MeanAndMaximum(nn.Module):
    """Mean and maximum, one after the other along an axis."""

    def __init__(self, mean: Pool, maximum: Pool, axis: int) -> None:
        super().__init__()
        self.mean, self.maximum, self.axis = mean, maximum, axis

    def forward(self, maps: Tensor) -> Tensor:
        """Pooled maps, twice as many along the axis."""
        return torch.cat([self.mean(maps), self.maximum(maps)], dim=self.axis)


def pool_by(kind: str, mean: Pool, maximum: Pool, axis: int) -> nn.Module:
    """Make the pooling that `pooling=gem` or `catavgmax` asks for.

    Parameters
    ----------
    mean, maximum : callable
        Over the places that become one.
    axis : int
        Along which both are put together.
    """
    return GeM(mean) if kind == "gem" else MeanAndMaximum(mean, maximum, axis)
