"""The former place of `hmstrain.data.dataset`, kept for one release."""

from hmstrain.data.dataset import WindowDataset

__all__ = ["WindowDataset"]
