"""Standardised features -> logits of multinomial logistic regression."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmstrain.models.tabular.base import Floats, TabularModel, need

LIMIT = 5.0
"""A standardised feature is clipped here: an artefact of a hundred deviations says no more."""
QUARTILES = (25, 50, 75)
NORMAL_RANGE = 1.349
"""Interquartile range of the standard normal distribution."""


class Linear(TabularModel):
    """Weights of standardised features.

    Parameters
    ----------
    middle, spread : float64 (columns,)
        What each feature is standardised with; a spread of 0 leaves it out. A value that is not
        known counts as the middle.
    weight : float64 (classes, columns)
    bias : float64 (classes,)

    Raises
    ------
    ValueError
        They do not fit each other.
    """

    middle: Tensor
    spread: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, middle: Tensor, spread: Tensor, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.classes, self.columns = weight.shape
        need(middle.shape == spread.shape == (self.columns,), "middle and spread do not fit")
        need(bias.shape == (self.classes,), "weight and bias do not fit")
        given = {"middle": middle, "spread": spread, "weight": weight, "bias": bias}
        for name, values in given.items():
            need(values.dtype == torch.float64 and values.isfinite().all(), f"{name} is not finite")
            self.register_buffer(name, values)

    def forward(self, values_BF: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits (B, classes) of rows of features, float64; and no embeddings."""
        standard = standardised(
            values_BF.cpu().numpy(), self.middle.cpu().numpy(), self.spread.cpu().numpy()
        )
        logits = torch.from_numpy(standard).to(self.weight) @ self.weight.T + self.bias
        return logits, ()

    @property
    def parameters_fitted(self) -> int:
        """Weights and biases."""
        return self.weight.numel() + self.bias.numel()

    def shares(self) -> Floats:
        """Mean size over the classes of each column's weight, over the sum of all."""
        size = np.abs(self.weight.numpy() - self.weight.mean(0).numpy()).mean(axis=0)
        found: Floats = size / max(size.sum(), 1e-300)
        return found


def measure_scale(values_NF: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Median, and interquartile range over that of a normal distribution, of each column.

    Columns of which nothing is known have a median and a range of 0.
    """
    known = ~np.isnan(values_NF).all(axis=0)
    quartiles = np.zeros((len(QUARTILES), values_NF.shape[1]))
    quartiles[:, known] = np.nanpercentile(
        values_NF[:, known].astype(np.float64), QUARTILES, axis=0
    )
    low, middle, high = quartiles
    return middle, (high - low) / NORMAL_RANGE


def standardised(values_NF: NDArray[np.float32], middle: Floats, spread: Floats) -> Floats:
    """Features less their middle over their spread, clipped; what is not known is 0."""
    inverse = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    found = (values_NF.astype(np.float64) - middle) * inverse
    np.nan_to_num(found, copy=False, nan=0.0)
    clipped: Floats = np.clip(found, -LIMIT, LIMIT, out=found)
    return clipped
