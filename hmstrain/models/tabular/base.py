"""What models of a table have in common; the arrays of a checkpoint -> a model of either kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hmstrain.errors import RunError

KINDS = {
    "linear": "hmstrain.models.tabular.linear:Linear",
    "boosted": "hmstrain.models.tabular.trees:Trees",
}
"""By the word of `model_args`, the class."""
RARE = 1e-7
"""Probability of a class that no training window has a vote for."""
Floats = NDArray[np.float64]


class TabularModel(nn.Module, ABC):
    """A model of a table; its numbers are buffers, as its checkpoint holds them."""

    columns: int
    """Of the table."""
    classes: int

    @abstractmethod
    def forward(self, values_BF: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits (B, classes) of rows of features, float64; and no embeddings."""

    @property
    @abstractmethod
    def parameters_fitted(self) -> int:
        """How many numbers were fitted."""

    @abstractmethod
    def shares(self) -> Floats:
        """How much the model makes of each column: (columns,), of sum 1."""


def restored(kind: object, state: Mapping[str, Tensor], where: object) -> TabularModel:
    """Make the model that a checkpoint holds.

    Raises
    ------
    RunError
        Its arrays are not those of such a model.
    """
    try:
        module, _, name = KINDS[cast("str", kind)].partition(":")
        return cast("TabularModel", getattr(import_module(module), name)(**state))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RunError(
            f"{where} is damaged: it holds no {kind} model of features: {error}"
        ) from None


def all_classes(logits: Floats, known: Sequence[int], classes: int) -> Floats:
    """Logits of all classes, from those of the ones that some window has votes for.

    Parameters
    ----------
    logits : float64 (..., known)
        Of these classes.
    """
    if len(known) == classes:
        return logits
    peak = logits.max(axis=-1, keepdims=True)
    total = peak + np.log(np.exp(logits - peak).sum(axis=-1, keepdims=True))
    found = np.full((*logits.shape[:-1], classes), np.log(RARE))
    found[..., list(known)] = logits - total
    return found


def need(condition: Any, what: str) -> None:
    """Refuse arrays of a checkpoint that are not as they must be; raises ValueError."""
    if not bool(condition):
        raise ValueError(what)


def probabilities(
    model: TabularModel, values_NF: NDArray[np.float32], at_once: int = 512
) -> Floats:
    """Softmax of a model's logits, float64 (N, classes)."""
    parts = []
    for first in range(0, len(values_NF), at_once):
        part = torch.from_numpy(np.ascontiguousarray(values_NF[first : first + at_once]))
        with torch.no_grad():
            parts.append(model(part)[0].softmax(1).numpy())
    return np.concatenate(parts) if parts else np.empty((0, model.classes))
