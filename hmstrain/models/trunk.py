"""What the trunks of all models have in common; images -> a network for colour images."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from hmstrain.data.inputs import Input
from hmstrain.data.inputs.image import image_BCHW


class Trunk(Protocol):
    """A module that turns an input of B windows into features (B, `features`)."""

    features: int

    @property
    def last_map(self) -> nn.Module | None:
        """Module that gives the last feature maps, (B, C, h, w) or (B, C, t), if there are any."""

    def __call__(self, given: Tensor, /) -> Tensor:
        """Features (B, F)."""


class ImageTrunk(nn.Module):
    """Images of one plane or three -> features, by a network for images of three channels.

    Parameters
    ----------
    backbone : nn.Module
        Takes (B, 3, height, width); like a trunk, it has `features` and `last_map`.
    size : (int, int)
        Height and width that images are resized to.
    """

    def __init__(self, backbone: Trunk, size: tuple[int, int]) -> None:
        super().__init__()
        self.backbone = backbone
        self.size = size
        self.features = backbone.features

    @property
    def last_map(self) -> nn.Module | None:
        """Module that gives the backbone's last feature maps (B, C, h, w), if it has any."""
        return self.backbone.last_map

    def forward(self, image_BHW: Tensor) -> Tensor:
        """Features (B, F)."""
        return self.backbone(image_BCHW(image_BHW, self.size))


def image_size(seen: Input) -> tuple[int, int]:
    """Height and width that an input's images are resized to; its own where no size is set."""
    side = seen.config.image_size
    return (side, side) if side else seen.shape
