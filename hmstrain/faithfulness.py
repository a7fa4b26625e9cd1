"""A map of importance -> whether taking away what it names moves the answer more than chance does.

Parts are taken away, or put into an empty input, most important first, and the mean probability of
the class is compared with that of random orders (deletion and insertion, Petsiuk et al. 2018, RISE:
Randomized Input Sampling for Explanation).

Legend: N inputs, H rows (frequency, bipolar pairs or channels), W columns (time).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PARTS = 16, 12
"""Rows and columns of parts that an image is taken apart into; raw EEG, trace by trace."""
MOVES = 20
"""Steps of a deletion or insertion."""
RANDOM_ORDERS = 8

Inputs = dict[str, Tensor]
"""What a network takes, by name: (1, H, W), but EEG in microvolts (1, T, 20)."""
Forward = Callable[..., Tensor]
"""Logits of such inputs in their order."""


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Mean probability of the class while parts go away, or come in; beside random orders."""

    deletion: float
    """Important parts first: low is good."""
    random_deletion: float
    insertion: float
    """High is good."""
    random_insertion: float
    holds: bool
    """Whether the map does better than every random order, both ways."""


@torch.no_grad()
def measure_faithfulness(
    forward: Forward, prepared: Inputs, maps: dict[str, NDArray[np.float32]], target: int
) -> Faithfulness:
    """Take parts away, and put them in, by importance and at random."""
    parts = {name: _parts(name, maps[name].shape) for name in prepared}
    weight = np.concatenate([_mean_of(parts[name], maps[name]) for name in prepared])
    rng = np.random.default_rng(0)
    orders = [np.argsort(-weight, kind="stable")]
    orders += [rng.permutation(len(weight)) for _ in range(RANDOM_ORDERS)]
    found = []
    for order in orders:
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        moved = np.linspace(0, len(order), MOVES + 1).astype(int)[:, None] > rank
        found.append(
            [_probability(forward, prepared, parts, kept, target) for kept in (~moved, moved)]
        )
    deletion, insertion = np.transpose(found)
    return Faithfulness(
        float(deletion[0]),
        float(deletion[1:].mean()),
        float(insertion[0]),
        float(insertion[1:].mean()),
        bool(deletion[0] < deletion[1:].min() and insertion[0] > insertion[1:].max()),
    )


def _parts(name: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Number of the part that each value of a map (H, W) belongs to."""
    rows, columns = PARTS if name.endswith("HW") else (shape[0], PARTS[1])
    down = np.arange(shape[0]) * rows // shape[0]
    across = np.arange(shape[1]) * columns // shape[1]
    return down[:, None] * columns + across


def _mean_of(parts: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.bincount(parts.ravel(), values.ravel()) / np.bincount(parts.ravel())


def _probability(
    forward: Forward,
    prepared: Inputs,
    parts: dict[str, NDArray[np.int64]],
    kept: NDArray[np.bool_],
    target: int,
) -> float:
    """Mean probability of a class over inputs of which only some parts (N, parts) are kept."""
    masked, first = [], 0
    for name, tensor in prepared.items():
        count = int(parts[name].max()) + 1
        mask = torch.from_numpy(kept[:, first : first + count][:, parts[name]]).to(tensor.device)
        first += count
        masked.append(tensor * (mask.transpose(1, 2) if name == "eeg_uv_BTC" else mask))
    return float(forward(*masked).double().softmax(dim=1)[:, target].mean())
