"""Intervals are SciPy's and hold what they promise; tests of differences are those of a hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from hmstrain.scoring import bootstrap


def test_an_interval_covers_the_mean_of_new_patients_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for number in range(200):
        patients = np.repeat(np.arange(40), 3)
        values = np.repeat(rng.normal(size=40), 3) + rng.normal(0, 0.1, 120)
        low, high = bootstrap.interval(values, patients, seed=number)
        covered += low <= 0 <= high
    assert 0.88 < covered / 200 < 0.99


def test_an_interval_takes_patients_whole() -> None:
    """Ten windows of each patient alike: as wide as with one window of each."""
    values = np.random.default_rng(1).normal(size=30)
    one = bootstrap.interval(values, np.arange(30))
    ten = bootstrap.interval(np.repeat(values, 10), np.repeat(np.arange(30), 10))
    assert one == pytest.approx(ten)
    assert bootstrap.interval(values, np.zeros(30, np.int64)) is None


def test_a_paired_difference_is_surer_than_two_means_apart() -> None:
    """What windows share cancels out; which model is better shows in the sign."""
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(30), 4)
    hard = np.repeat(rng.normal(1, 0.5, 30), 4)
    first, second = hard + rng.normal(-0.05, 0.02, 120), hard
    less, paired = bootstrap.paired_difference(first, second, patients)
    assert less == pytest.approx((first - second).mean())
    assert paired == bootstrap.interval(first - second, patients)
    assert paired is not None
    low, high = paired
    assert low < less < high < 0
    alone = bootstrap.interval(first, patients)
    assert alone is not None
    assert alone[1] - alone[0] > 5 * (high - low)
    none: np.ndarray = np.empty(0)
    assert bootstrap.paired_difference(none, none, none.astype(np.int64)) == (None, None)


def test_the_interval_of_a_ratio_of_sums_is_scipys() -> None:
    """SciPy resamples patients too, if each is handed over as its own sum and count."""
    rng = np.random.default_rng(4)
    patients = rng.integers(0, 50, 400)
    values = rng.normal(size=50)[patients] + rng.normal(0, 0.5, 400)
    names, group = np.unique(patients, return_inverse=True)
    total, count = np.bincount(group, values), np.bincount(group)
    theirs = scipy.stats.bootstrap(
        (total, count),
        lambda sums, counts, axis: sums.sum(axis=axis) / counts.sum(axis=axis),
        paired=True,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    ours = bootstrap.interval(values, patients)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.02 * (theirs.high - theirs.low))
    assert len(names) == 50


def test_simultaneous_intervals_hold_all_differences_at_once_95_times_in_100() -> None:
    rng = np.random.default_rng(5)
    held_all, held_each = 0, 0
    for number in range(60):
        values = rng.normal(size=(60, 5))  # five differences, of which none is one
        sums = np.column_stack([values, np.ones(60)])
        drawn = bootstrap.resampled_sums(sums, seed=number, replicates=2000)
        means = [drawn[:, k] / drawn[:, 5] for k in range(5)]
        spans = bootstrap.simultaneous(values.mean(axis=0).tolist(), means)
        held_all += all(span is not None and span[0] < 0 < span[1] for span in spans)
        plain = [bootstrap.percentiles(one) for one in means]
        held_each += all(span is not None and span[0] < 0 < span[1] for span in plain)
    assert held_all / 60 > 0.85
    assert held_each < held_all


def test_simultaneous_intervals_of_one_difference_and_of_a_copy() -> None:
    values = np.random.default_rng(6).normal(size=1000)
    (one,) = bootstrap.simultaneous([0.0], [values])
    assert one == pytest.approx((-1.96, 1.96), abs=0.15)
    spans = bootstrap.simultaneous([0.0, 0.0], [values, np.zeros(1000)])
    assert spans[1] == (0.0, 0.0)
    assert spans[0] == pytest.approx(one)


def mean(sums: np.ndarray) -> np.ndarray:
    found: np.ndarray = sums[..., 0] / sums[..., 1]
    return found


@pytest.mark.parametrize("groups", [8, 20])
def test_flipping_signs_gives_scipys_p_value(groups: int) -> None:
    rng = np.random.default_rng(7)
    first, second = rng.normal(0.4, 1, groups), rng.normal(0, 1, groups)
    ones = np.ones(groups)
    ours = bootstrap.sign_flip(
        np.column_stack([first, ones]), np.column_stack([second, ones]), mean
    )
    theirs = scipy.stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.abs((a - b).mean(axis=axis)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).pvalue
    assert ours == pytest.approx(theirs, abs=0.015 if groups > 12 else 1e-9)


def test_flipping_signs_of_equal_models_is_never_significant() -> None:
    sums = np.column_stack([np.arange(6.0), np.ones(6)])
    assert bootstrap.sign_flip(sums, sums, mean) == 1
