"""A map of importance -> whether it shows the places that the answer rests on.

Parts are deleted, or inserted into an empty input, most important first, and the mean probability
of the class is measured (deletion and insertion, Petsiuk et al. 2018, RISE: Randomized Input
Sampling for Explanation). The same is done with the map in wrong places: shifted by a random
distance, with wrap-around. Unlike random orders, such maps are as coherent as the real one.

Legend: N inputs, H rows (frequency, bipolar pairs or channels), W columns (time).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MOVES = 10
"""Steps of a deletion or insertion."""
MISPLACED = 19
"""A worthless map beats as many misplaced ones one time in 20."""

Inputs = dict[str, Tensor]
"""What a network sees, by name, each upright: (1, H, W), or (1, P, H, W) with several planes."""
Forward = Callable[..., Tensor]
"""Logits of such inputs in their order."""


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Mean probability of the class during deletion and insertion, beside misplaced maps."""

    deletion: float
    """Most important parts first: lower is better."""
    misplaced_deletion: float
    """Mean of the misplaced maps."""
    insertion: float
    """Most important parts first: higher is better."""
    misplaced_insertion: float
    beaten: int
    """Number of misplaced maps that the map beats in both deletion and insertion."""
    compared: int = MISPLACED

    @property
    def holds(self) -> bool:
        """Whether the map is better than every misplaced one."""
        return self.beaten == self.compared


@torch.no_grad()
def measure_faithfulness(
    forward: Forward,
    prepared: Inputs,
    maps: dict[str, NDArray[np.float32]],
    grids: Mapping[str, tuple[int | None, int]],
    target: int,
) -> Faithfulness:
    """Delete and insert parts in order of importance, and of misplaced importance.

    Parameters
    ----------
    forward : callable
        Logits of the inputs.
    prepared : dict of Tensor
        The inputs of one window.
    maps : dict of float32 (H, W)
        Importance of each value, at least 0, in one unit for all inputs.
    grids : mapping of (rows, columns)
        Parts that each input is divided into; None for rows: one part for each trace.
    target : int
        Class that the maps are of.
    """
    parts = {name: _parts(maps[name].shape, grids[name]) for name in prepared}
    sums = {name: _sums(*parts[name], maps[name]) for name in prepared}
    rng = np.random.default_rng(0)
    placed = [sums, *(_misplaced(sums, rng) for _ in range(MISPLACED))]
    numbers = {name: numbers for name, (numbers, _) in parts.items()}
    shuffled = rng.permutation(sum(grid.size for grid in sums.values()))
    found = []
    for every in placed:
        weight = np.concatenate([grid.ravel() for grid in every.values()])
        order = shuffled[np.argsort(-weight[shuffled], kind="stable")]  # equal parts: at random
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        moved = np.linspace(0, len(order), MOVES + 1).astype(int)[:, None] > rank
        found.append(
            [_probability(forward, prepared, numbers, kept, target) for kept in (~moved, moved)]
        )
    deletion, insertion = np.transpose(found)
    better = (deletion[0] < deletion[1:]) & (insertion[0] > insertion[1:])
    return Faithfulness(
        float(deletion[0]),
        float(deletion[1:].mean()),
        float(insertion[0]),
        float(insertion[1:].mean()),
        int(better.sum()),
    )


def _parts(
    shape: tuple[int, ...], grid: tuple[int | None, int]
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Number of the part that each value of a map (H, W) belongs to, and the grid of parts."""
    rows = shape[0] if grid[0] is None else min(grid[0], shape[0])
    columns = min(grid[1], shape[1])
    down = np.arange(shape[0]) * rows // shape[0]
    across = np.arange(shape[1]) * columns // shape[1]
    return down[:, None] * columns + across, (rows, columns)


def _sums(
    numbers: NDArray[np.int64], grid: tuple[int, int], values: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Importance of each part (rows, columns)."""
    sums = np.bincount(numbers.ravel(), values.ravel().astype(np.float64))
    return sums.reshape(grid).astype(np.float64)


def _misplaced(
    grids: dict[str, NDArray[np.float64]], rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """The same maps, each shifted in time, and up or down by any distance."""
    return {
        name: np.roll(grid, (rng.integers(grid.shape[0]), rng.integers(1, grid.shape[1])), (0, 1))
        for name, grid in grids.items()
    }


def _probability(
    forward: Forward,
    prepared: Inputs,
    parts: dict[str, NDArray[np.int64]],
    kept: NDArray[np.bool_],
    target: int,
) -> float:
    """Mean probability of a class over inputs in which only some parts (N, parts) are kept."""
    masked, first = [], 0
    for name, tensor in prepared.items():
        count = int(parts[name].max()) + 1
        mask = torch.from_numpy(kept[:, first : first + count][:, parts[name]]).to(tensor.device)
        first += count
        masked.append(tensor * (mask if tensor.dim() == 3 else mask[:, None]))
    return float(forward(*masked).cpu().double().softmax(dim=1)[:, target].mean())
