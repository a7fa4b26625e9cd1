"""Normalising in half precision, beside the same in NumPy, step by step."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hmsprep.building.values.normalise import MOST_FEATURES, Normaliser

HALF_MAX = 65_504


def expected(
    stored: NDArray[np.float16], mean: NDArray[np.float64], std: NDArray[np.float64], zscore: bool
) -> NDArray[np.float16]:
    values = stored.astype(np.float32)
    values = np.where(np.isnan(values), mean.astype(np.float32), values)
    if zscore:
        values = (values - mean.astype(np.float32)) / std.astype(np.float32)
    return np.clip(values, -HALF_MAX, HALF_MAX).astype(np.float16)


@pytest.mark.parametrize("features", [1, 20, MOST_FEATURES, MOST_FEATURES + 1])
@pytest.mark.parametrize("zscore", [True, False])
@pytest.mark.parametrize("smallest_std", [1.2, 1e-3])
def test_values_looked_up_are_those_computed(
    features: int, zscore: bool, smallest_std: float
) -> None:
    """They are computed where a table would be large, or where some z-scores are too large."""
    rng = np.random.default_rng(features)
    mean, std = rng.normal(scale=30, size=features), rng.uniform(smallest_std, 60, features)
    std[0] = smallest_std
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[~np.isinf(every)]
    stored = np.stack([rng.permutation(finite) for _ in range(features)], axis=1)
    normaliser = Normaliser(mean, std, zscore=zscore)
    looked_up = features <= MOST_FEATURES and (smallest_std > 1 or not zscore)
    assert (normaliser._table is not None) == looked_up
    found = normaliser.rows(stored)
    wanted = expected(stored, mean, std, zscore)
    np.testing.assert_array_equal(found.view(np.uint16), wanted.view(np.uint16))
    known = np.where(np.isnan(stored), mean, stored).astype(np.float32)
    scores = (known - mean.astype(np.float32)) / std.astype(np.float32)
    assert normaliser.saturated == (np.sum(np.abs(scores) > HALF_MAX) if zscore else 0)
    assert zscore or not normaliser.saturated
    assert normaliser.rows(stored[:0]).shape == (0, features)
