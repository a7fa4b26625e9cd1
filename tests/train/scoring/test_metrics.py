"""Scores are those of the competition, of scikit-learn and of a hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from hmstrain.scoring import metrics


@pytest.mark.parametrize(
    ("target", "prediction", "expected"),
    [
        (
            [[0, 1], [1, 0], [1, 0], [0, 1]],
            [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]],
            0.216161,
        ),
        (
            [[0, 0.1, 0.9], [0.5, 0.5, 0], [0.5, 0.5, 0]],
            [[0.2, 0.1, 0.7], [0.3, 0.5, 0.2], [0.5, 0.5, 0]],
            0.160531,
        ),
    ],
)
def test_kl_is_kaggles(target: Any, prediction: Any, expected: float) -> None:
    assert metrics.kaggle_kl(target, prediction) == pytest.approx(expected, abs=1e-6)


def test_kl_of_what_was_called_impossible_is_large_but_finite() -> None:
    assert metrics.kaggle_kl([[1, 0]], [[0, 1]]) == pytest.approx(-np.log(1e-15))


@pytest.mark.parametrize(
    "wrong", [[[0.5, 0.6]], [[-0.1, 1.1]], [[np.nan, 1.0]], [[np.inf, 0.0]], [0.5, 0.5]]
)
def test_what_is_no_distribution_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="predictions"):
        metrics.kaggle_kl([[0.5, 0.5]], wrong)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10**6))
def test_kl_agrees_with_scipy_and_torch(rows: int, seed: int) -> None:
    import scipy.stats
    import torch

    rng = np.random.default_rng(seed)
    votes = rng.integers(0, 5, (rows, 6))
    votes[:, 0] += 1
    p = votes / votes.sum(axis=1, keepdims=True)
    q = rng.dirichlet(np.ones(6), rows)
    expected = scipy.stats.entropy(p, np.clip(q, 1e-15, 1), axis=1).mean()
    assert metrics.kaggle_kl(p, q) == pytest.approx(expected, rel=1e-9)
    by_torch = torch.nn.functional.kl_div(
        torch.tensor(np.clip(q, 1e-15, 1)).log(), torch.tensor(p), reduction="batchmean"
    )
    assert metrics.kaggle_kl(p, q) == pytest.approx(float(by_torch), rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 80), st.integers(0, 10**6))
def test_classification_scores_agree_with_scikit_learn(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, chosen = rng.integers(0, 6, (2, rows))
    table = metrics.confusion(truth, chosen, 6)
    assert (table == sklearn.metrics.confusion_matrix(truth, chosen, labels=range(6))).all()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about predicted classes that do not occur
        balanced = sklearn.metrics.balanced_accuracy_score(truth, chosen)
    assert metrics.balanced_accuracy(table) == pytest.approx(balanced)
    f1 = sklearn.metrics.f1_score(truth, chosen, average="macro", zero_division=0)
    assert metrics.f1_macro(table) == pytest.approx(f1)
    one_vs_rest = np.mean([((truth == k) == (chosen == k)).mean() for k in range(6)])
    assert metrics.report_accuracy(table) == pytest.approx(one_vs_rest)


def test_calibration_error_is_the_mean_gap_between_probability_and_share_of_votes() -> None:
    sure = np.tile([0.9, 0.1, 0, 0, 0, 0], (10, 1))
    target = np.eye(6)[[0] * 6 + [1] * 4]
    assert metrics.calibration_error(sure, target) == pytest.approx(0.3)
    half = np.tile([0.5, 0.3, 0.2, 0, 0, 0], (10, 1))
    both = metrics.calibration_error(np.concatenate([sure, half]), np.concatenate([target] * 2))
    assert both == pytest.approx((0.3 + 0.1) / 2)
    shares = np.random.default_rng(0).dirichlet(np.ones(6), 100)
    assert metrics.calibration_error(shares, shares) == pytest.approx(0)


def test_an_interval_covers_the_mean_of_new_patients_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for number in range(200):
        patients = np.repeat(np.arange(40), 3)
        values = np.repeat(rng.normal(size=40), 3) + rng.normal(0, 0.1, 120)
        low, high = metrics.interval(values, patients, seed=number)
        covered += low <= 0 <= high
    assert 0.88 < covered / 200 < 0.99


def test_an_interval_takes_patients_whole() -> None:
    """Ten windows of each patient alike: as wide as with one window of each."""
    values = np.random.default_rng(1).normal(size=30)
    one = metrics.interval(values, np.arange(30))
    ten = metrics.interval(np.repeat(values, 10), np.repeat(np.arange(30), 10))
    assert one == pytest.approx(ten)
    assert metrics.interval(values, np.zeros(30, np.int64)) is None


def test_a_paired_difference_is_surer_than_two_means_apart() -> None:
    """What windows share cancels out; which model is better shows in the sign."""
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(30), 4)
    hard = np.repeat(rng.normal(1, 0.5, 30), 4)
    first, second = hard + rng.normal(-0.05, 0.02, 120), hard
    less, paired = metrics.paired_difference(first, second, patients)
    assert less == pytest.approx((first - second).mean())
    assert paired == metrics.interval(first - second, patients)
    assert paired is not None
    low, high = paired
    assert low < less < high < 0
    alone = metrics.interval(first, patients)
    assert alone is not None
    assert alone[1] - alone[0] > 5 * (high - low)
    none: np.ndarray = np.empty(0)
    assert metrics.paired_difference(none, none, none.astype(np.int64)) == (None, None)
