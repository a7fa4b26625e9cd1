"""Two samples -> how far apart the distributions of each measure are, class by class.

Distance is the 1-Wasserstein distance over the interquartile range of both together (each counts
half): how many of these ranges values must be moved, on average, for one distribution to become
the other. It does not depend on units. Where most values are alike, such as none, the range from 5
to 95% stands for it, at the share that the interquartile range has of it in a normal distribution;
the larger of the two counts. Beside it stands the Kolmogorov-Smirnov statistic.

Legend: N windows, M columns.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsprep.likeness.matching import draws, matched_weights
from hmsprep.likeness.sample import Sample
from hmsprep.qeeg.judged.measures import measure_of
from hmsprep.seeds import generator

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL = 0.6745 / 1.6449
"""Interquartile range over the range from 5 to 95%, of a normal distribution."""
FEWEST_WINDOWS, FEWEST_PATIENTS = 3, 2
"""Of each sample, for a class to be compared."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Distance:
    """One measure in one class."""

    column: str
    group: str
    """Key of the class, or 'all': all classes that both have, in equal shares."""
    distance: float
    low: float
    high: float
    """95% interval of the distance, by drawing patients anew; where all draws are further apart, as
    of a sample and its copy, it reaches down to the distance."""
    chance: float
    """Median of the distance when patients change sides at random."""
    ks: float
    a: tuple[float, ...]
    b: tuple[float, ...]
    """Quantiles of each, `QUANTILES`, in the measure's unit."""
    known_a: float
    known_b: float
    """Share of the windows of which the measure is known."""


class Pooled:
    """Values of two samples in one order, so that any weights can be compared at once."""

    def __init__(self, a: Floats, b: Floats) -> None:
        values = np.concatenate([a, b])
        self.of_a = np.arange(len(values)) < len(a)
        self.order = np.argsort(values, axis=0, kind="stable")  # what is not known comes last
        self.values = np.take_along_axis(values, self.order, axis=0)
        self.known = np.isfinite(self.values)
        steps = np.diff(self.values, axis=0)
        self.steps = np.where(np.isfinite(steps), steps, 0.0)

    def cumulated(self, weights_N: Floats, of_a: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Distribution functions (N, M) of those that are marked and of the others."""
        both = []
        for side in (of_a, ~of_a):
            each = np.where(side, weights_N, 0.0)[self.order] * self.known
            total = each.sum(axis=0)
            both.append(np.cumsum(each, axis=0) / np.where(total > 0, total, np.nan))
        return both[0], both[1]

    def wasserstein(self, one: Floats, other: Floats) -> Floats:
        """Area between distribution functions, (M,)."""
        area: Floats = (np.abs(one - other)[:-1] * self.steps).sum(axis=0)
        return area

    def kolmogorov_smirnov(self, one: Floats, other: Floats) -> Floats:
        """Largest difference of distribution functions, (M,), where values change."""
        last = np.ones((1, self.values.shape[1]), bool)
        changes = np.concatenate([self.steps > 0, last])
        found: Floats = np.where(changes, np.abs(one - other), 0.0).max(axis=0)
        return found

    def quantiles(self, cumulated: Floats) -> Floats:
        """Quantiles (Q, M) of a distribution function; NaN of one without values."""
        rows = [np.argmax(cumulated >= q - 1e-12, axis=0) for q in QUANTILES]
        found = np.stack([np.take_along_axis(self.values, r[None], axis=0)[0] for r in rows])
        return np.where(np.isfinite(cumulated[-1]), found, np.nan)

    def scale(self, one: Floats, other: Floats) -> Floats:
        """Range of both together, (M,), as the module says; their deviation where that is 0."""
        both = (one + other) / 2
        lowest, low, _, high, highest = self.quantiles(both)
        spread = np.fmax(high - low, NORMAL * (highest - lowest))
        density = np.diff(both, axis=0, prepend=0.0)
        values = np.where(self.known, self.values, 0.0)
        mean = (density * values).sum(axis=0)
        deviation = np.sqrt(
            np.maximum((density * (values - mean) ** 2 * self.known).sum(axis=0), 0)
        )
        scale: Floats = np.where(spread > 1e-12, spread, deviation)
        return scale


def distances(
    a: Sample, b: Sample, group: str, code: int | None, *, resamples: int, seed: int
) -> list[Distance]:
    """Compare every column of two samples, in one class or in all that both have.

    Parameters
    ----------
    group : str
        What the rows are called.
    code : int or None
        The class; None for all, weighed so that their shares are those in `a`.

    Returns
    -------
    list of Distance
        In the order of the columns; empty where there are too few windows or patients.
    """
    if code is not None:
        a, b = a.take(a.code == code), b.take(b.code == code)
    if min(len(a), len(b)) < FEWEST_WINDOWS or any(
        len(np.unique(one.patient)) < FEWEST_PATIENTS for one in (a, b)
    ):
        return []
    log = np.array([measure_of(column).log for column in a.columns])
    pooled = Pooled(scaled(a.values, log), scaled(b.values, log))
    ones = np.ones(len(a)), np.ones(len(b))
    weights = np.concatenate(matched_weights(a.code, b.code, *ones))
    if not weights.any():
        return []
    one, other = pooled.cumulated(weights, pooled.of_a)
    scale = pooled.scale(one, other)
    # Where nothing varies at all, nothing is apart.
    divide = np.where(scale > 0, scale, np.inf)
    found = pooled.wasserstein(one, other) / divide
    again = _resampled(a, b, pooled, resamples, seed, group) / divide
    moved = _exchanged(a, b, pooled, resamples, seed, group) / divide
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns that no window tells
        low, high = np.nanquantile(again, [0.025, 0.975], axis=0)
        chance = np.nanmedian(moved, axis=0)
    low, high = np.minimum(low, found), np.maximum(high, found)
    ks = pooled.kolmogorov_smirnov(one, other)
    back = [_unscaled(pooled.quantiles(side), log) for side in (one, other)]
    known = [
        np.array([np.average(column, weights=share) for column in np.isfinite(sample.values).T])
        for sample, share in ((a, weights[: len(a)]), (b, weights[len(a) :]))
    ]
    return [
        Distance(
            column,
            group,
            float(found[n]),
            float(low[n]),
            float(high[n]),
            float(chance[n]),
            float(ks[n]),
            tuple(back[0][:, n].tolist()),
            tuple(back[1][:, n].tolist()),
            float(known[0][n]),
            float(known[1][n]),
        )
        for n, column in enumerate(a.columns)
    ]


def scaled(values: Floats, log: NDArray[np.bool_]) -> Floats:
    """Take the logarithm of columns that are compared so."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(log, np.log(values), values)
    return np.where(np.isfinite(found), found, np.nan)


def _unscaled(values: Floats, log: NDArray[np.bool_]) -> Floats:
    found = values.copy()
    found[:, log] = np.exp(found[:, log])
    return found


def _resampled(a: Sample, b: Sample, pooled: Pooled, count: int, seed: int, group: str) -> Floats:
    """Distances (count, M) after drawing patients anew."""
    rng = generator(seed, f"realism patients {group}", 0)
    times = draws(a.patient, count, rng), draws(b.patient, count, rng)
    found = np.full((count, pooled.values.shape[1]), np.nan)
    for number, (of_a, of_b) in enumerate(zip(*times, strict=True)):
        weights = np.concatenate(matched_weights(a.code, b.code, of_a, of_b))
        if weights.any():
            found[number] = pooled.wasserstein(*pooled.cumulated(weights, pooled.of_a))
    return found


def _exchanged(a: Sample, b: Sample, pooled: Pooled, count: int, seed: int, group: str) -> Floats:
    """Distances (count, M) after patients were dealt to the two sides at random."""
    rng = generator(seed, f"realism chance {group}", 0)
    code = np.concatenate([a.code, b.code])
    patients = np.concatenate([np.unique(a.patient, return_inverse=True)[1],
                               np.unique(b.patient, return_inverse=True)[1]])  # fmt: skip
    of_a = int(patients[: len(a)].max()) + 1
    patients[len(a) :] += of_a
    number_of = int(patients.max()) + 1
    found = np.full((count, pooled.values.shape[1]), np.nan)
    for number in range(count):
        dealt = np.zeros(number_of, bool)
        dealt[rng.permutation(number_of)[:of_a]] = True
        side = dealt[patients]
        weights = np.zeros(len(code))
        ones = np.ones(int(side.sum())), np.ones(int((~side).sum()))
        weights[side], weights[~side] = matched_weights(code[side], code[~side], *ones)
        if weights.any():
            found[number] = pooled.wasserstein(*pooled.cumulated(weights, side))
    return found
