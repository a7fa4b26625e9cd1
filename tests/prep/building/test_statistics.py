"""Moments are those of all samples together, whatever pieces they come in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hmsprep.building.values.statistics import Moments, finish, merge, moments


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.integers(0, 99))
def test_merged_moments_are_those_of_all_samples(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(1000, 3, (3, n)).astype(np.float32) for n in lengths]
    masks = [rng.random(part.shape) < 0.2 for part in parts]
    found = finish(merge((moments(p, m) for p, m in zip(parts, masks, strict=True)), 3))
    for feature in range(3):
        values = np.concatenate(
            [p[feature][~m[feature]] for p, m in zip(parts, masks, strict=True)]
        )
        assert found.count[feature] == len(values)
        if len(values) > 1:
            exact = values.astype(np.float64)
            np.testing.assert_allclose(found.mean[feature], exact.mean(), rtol=1e-12)
            np.testing.assert_allclose(found.std[feature], exact.std(), rtol=1e-9)


def test_missing_values_do_not_count_even_if_they_are_nan() -> None:
    values = np.asarray([[1, np.nan, 3]], np.float32)
    found = moments(values, np.isnan(values))
    assert (found.count[0], found.mean[0], found.m2[0]) == (2, 2, 2)


def test_large_features_in_blocks_give_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20, 60_000)).astype(np.float32)
    together = moments(values, None)
    for feature in range(20):
        alone = moments(values[feature : feature + 1], None)
        assert alone.mean[0] == together.mean[feature]
        assert alone.m2[0] == together.m2[feature]


def test_a_constant_feature_keeps_its_mean_and_gets_deviation_one() -> None:
    values = np.full((2, 1000), 9999, np.float32)
    values[1] = np.random.default_rng(0).normal(size=1000)
    found = finish(moments(values, None))
    assert found.constant.tolist() == [True, False]
    assert found.std[0] == 1
    assert found.mean[0] == 9999


def test_no_sample_at_all_gives_mean_zero_and_deviation_one() -> None:
    found = finish(merge([], 2))
    assert found.mean.tolist() == [0, 0]
    assert found.std.tolist() == [1, 1]


def test_moments_survive_json_to_the_last_bit() -> None:
    import json

    rng = np.random.default_rng(2)
    before = moments(rng.normal(size=(5, 777)).astype(np.float32), None)
    after = Moments.from_json(json.loads(json.dumps(before.to_json())))
    np.testing.assert_array_equal(before.mean, after.mean)
    np.testing.assert_array_equal(before.m2, after.m2)
