"""Cleaned recordings -> exact mean and deviation per feature, the same for any number of workers.

Each recording gives a count, a centred (two-pass) mean and a sum of squared deviations in double
precision; these merge pairwise (Chan, Golub and LeVeque 1983) in the order of the plan. Only NumPy
reductions are used: their order of summation does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_VALUES = 1 << 18
"""Values turned to double precision at a time: 2 MiB, so that they stay in the cache."""
CONSTANT = 1e-6
"""A deviation under this, times max(1, |mean|), is rounding: the feature is constant."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and sum of squared deviations per feature, as arrays (features,)."""

    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]

    def merged(self, other: Moments) -> Moments:
        """Moments of both samples together."""
        count = self.count + other.count
        share = np.divide(other.count, count, out=np.zeros(len(count)), where=count > 0)
        apart = other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * share,
            self.m2 + other.m2 + apart**2 * self.count * share,
        )

    def to_json(self) -> dict[str, list[float]]:
        """As JSON; Python writes floats so that they read back to the last bit."""
        return {
            "count": self.count.tolist(),
            "mean": self.mean.tolist(),
            "m2": self.m2.tolist(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Moments:
        """Read back what `to_json` wrote."""
        return cls(
            np.asarray(value["count"], np.int64),
            np.asarray(value["mean"], np.float64),
            np.asarray(value["m2"], np.float64),
        )

    @classmethod
    def none(cls, features: int) -> Moments:
        """Moments of no sample at all."""
        return cls(np.zeros(features, np.int64), np.zeros(features), np.zeros(features))


@dataclass(frozen=True, slots=True)
class Statistics:
    """What z-scores are computed with, as float64 arrays (features,)."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    count: NDArray[np.int64]
    constant: NDArray[np.bool_]
    """Features with no value or no spread among the training recordings; their std is 1."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "count": self.count.tolist(),
        }


def moments(cleaned: NDArray[np.float32], missing: NDArray[np.bool_] | None) -> Moments:
    """Moments of one recording.

    Parameters
    ----------
    cleaned : float32 (features, rows)
        Cleaned values; what stands at missing places does not count.
    missing : bool (features, rows), optional
        Which values were missing.
    """
    features, rows = cleaned.shape
    result = Moments.none(features)
    block = max(1, BLOCK_VALUES // max(rows, 1))
    for first in range(0, features, block):
        part = slice(first, first + block)
        values = cleaned[part].astype(np.float64)
        count = np.full(len(values), rows)
        if missing is not None:
            values[missing[part]] = 0.0
            count = count - missing[part].sum(axis=1)
        total = np.maximum(count, 1)
        mean = values.sum(axis=1) / total
        values -= mean[:, None]
        if missing is not None:
            values[missing[part]] = 0.0
        np.square(values, out=values)
        result.count[part], result.mean[part], result.m2[part] = count, mean, values.sum(axis=1)
    return result


def merge(parts: Iterable[Moments], features: int) -> Moments:
    """Merge moments in the order given."""
    merged = Moments.none(features)
    for part in parts:
        merged = merged.merged(part)
    return merged


def finish(merged: Moments) -> Statistics:
    """Mean and (population) standard deviation; constant features keep their mean and get std 1."""
    std = np.sqrt(merged.m2 / np.maximum(merged.count, 1))
    constant = std < CONSTANT * np.maximum(1.0, np.abs(merged.mean))
    return Statistics(merged.mean, np.where(constant, 1.0, std), merged.count, constant)
