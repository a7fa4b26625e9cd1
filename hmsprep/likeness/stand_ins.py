"""Two sources and another sample -> how it is told from one source when it stands in for the other.

A classifier learns more from 700 windows than from 7, so an area between a few real windows and
many simulated ones does not compare with an area between few and few. Here both are of equal size:
windows of the other sample take the place of one source's, as many of each class, drawn again and
again, and are told from the source that stays as the one that left is told from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsprep.likeness.matching import common_classes
from hmsprep.likeness.sample import Sample
from hmsprep.likeness.two_samples import Fit, tell_apart
from hmsprep.seeds import generator

DRAWS = 10
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Areas under the curve of all draws."""

    auc: float
    """Their mean."""
    low: float
    high: float
    """95% of the draws."""
    each: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class StandIn:
    """A sample in the place of a source."""

    kept: str
    """Source that stays, and the one that left."""
    left: str
    name: str
    """Of what stands in."""
    windows: tuple[int, int]
    """Of the source that stays, and of what stands in."""
    draws: int
    models: Mapping[str, Drawn]

    @property
    def title(self) -> str:
        """What is compared."""
        return f"{self.kept} | {self.name} for {self.left}"


def stand_ins(
    a: Sample,
    b: Sample,
    other: Sample,
    *,
    draws: int = DRAWS,
    seed: int,
    judges: Mapping[str, Fit] | None = None,
) -> tuple[StandIn, ...]:
    """Put another sample in the place of either of two sources.

    Parameters
    ----------
    a, b : Sample
        The sources. Only windows of classes that both have are compared, as between themselves.
    other : Sample
        What stands in: each window of another patient, as far as there are enough.
    judges : mapping, optional
        As in `tell_apart`.

    Returns
    -------
    tuple of StandIn
        `other` for `a`, then for `b`. Without those for which it has too few windows of a class, or
        of which any draw leaves fewer than two patients on a side.
    """
    shared = common_classes(a.code, b.code)
    a, b = (one.take(np.isin(one.code, shared)) for one in (a, b))
    found = []
    for kept, left in ((b, a), (a, b)):
        areas: dict[str, list[float]] = {}
        for number in range(draws):
            rng = generator(seed, f"stand-in for {left.name}", number)
            rows = rows_like(other, left.code, rng)
            if rows is None:
                break
            test = tell_apart(
                kept, other.take(rows), resamples=0, seed=seed + number, repeats=1, judges=judges
            )
            if test is None:
                break
            for model, one in test.models.items():
                areas.setdefault(model, []).append(one.auc)
        if areas and all(len(each) == draws for each in areas.values()):
            models = {model: _drawn(each) for model, each in areas.items()}
            sizes = len(kept), len(left)
            found.append(StandIn(kept.name, left.name, other.name, sizes, draws, models))
    return tuple(found)


def rows_like(sample: Sample, code: Whole, rng: np.random.Generator) -> Whole | None:
    """Draw rows of a sample, as many of each class as there are in `code`; None if it has too few.

    Of each patient one, and more only where a class has fewer patients than are needed.
    """
    chosen: list[int] = []
    for one in np.unique(code).tolist():
        own = rng.permutation(np.flatnonzero(sample.code == one))
        first = np.sort(np.unique(sample.patient[own], return_index=True)[1])
        others = np.delete(own, first)
        needed = int((code == one).sum())
        if len(own) < needed:
            return None
        chosen += [*own[first].tolist(), *others.tolist()][:needed]
    return np.array(chosen, np.int64)


def mean_areas(found: Sequence[StandIn]) -> dict[str, Drawn]:
    """Mean of the areas of each draw by model, weighed by the smaller of both samples."""
    names = found[0].models if found else ()
    weights = [min(one.windows) for one in found]
    return {
        name: _drawn(np.average([one.models[name].each for one in found], axis=0, weights=weights))
        for name in names
    }


def _drawn(areas: Sequence[float] | NDArray[np.float64]) -> Drawn:
    low, high = np.quantile(areas, [0.025, 0.975])
    each = tuple(float(one) for one in areas)
    return Drawn(float(np.mean(areas)), float(low), float(high), each)
