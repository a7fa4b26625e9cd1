"""Feature maps -> one value of each channel: their generalised mean, or mean and maximum."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
from torch import Tensor, nn

from hmstrain.errors import ModelError

Pool = Callable[[Tensor], Tensor]
START, LEAST = 3.0, 1e-6
"""GeM: its first exponent, and what smaller values count as."""
AVERAGES = ("avg", "fast", "fastavg")
"""What timm calls the mean."""


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


def replace_mean(backbone: nn.Module, kind: str) -> None:
    """Let a network of timm pool its last maps in this way, with all that follows as it was.

    With 'catavgmax' its rows are twice as many from there on: those of the mean, then those of the
    maximum, so that what follows sees either as it would see the mean alone.

    Raises
    ------
    ModelError
        It does not take the mean of its last maps.
    """
    found = [module for module in backbone.modules() if isinstance(module, SelectAdaptivePool2d)]
    if len(found) != 1 or found[0].pool_type not in AVERAGES:
        raise ModelError(
            f"pooling={kind} needs a network that takes the mean of its last maps, which "
            f"{type(backbone).__name__} does not: use pooling=avg."
        )
    (select,) = found
    # Whichever of timm's two kinds it is: one squeezes by itself, and knows where channels are.
    axes = getattr(select.pool, "dim", (2, 3))
    kept = not getattr(select.pool, "flatten", False)
    mean, maximum = (partial(f, dim=axes, keepdim=kept) for f in (torch.mean, torch.amax))
    setattr(select, "pool", pool_by(kind, mean, maximum, axis=0))  # noqa: B010 - of any type
