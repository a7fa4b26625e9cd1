"""Scores are those of the competition, of scikit-learn and of a hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from hmstrain.scoring import formulas, metrics


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
    assert formulas.kaggle_kl(target, prediction) == pytest.approx(expected, abs=1e-6)


def test_kl_of_what_was_called_impossible_is_large_but_finite() -> None:
    assert formulas.kaggle_kl([[1, 0]], [[0, 1]]) == pytest.approx(-np.log(1e-15))


@pytest.mark.parametrize(
    "wrong", [[[0.5, 0.6]], [[-0.1, 1.1]], [[np.nan, 1.0]], [[np.inf, 0.0]], [0.5, 0.5]]
)
def test_what_is_no_distribution_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="predictions"):
        formulas.kaggle_kl([[0.5, 0.5]], wrong)


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
    assert formulas.kaggle_kl(p, q) == pytest.approx(expected, rel=1e-9)
    by_torch = torch.nn.functional.kl_div(
        torch.tensor(np.clip(q, 1e-15, 1)).log(), torch.tensor(p), reduction="batchmean"
    )
    assert formulas.kaggle_kl(p, q) == pytest.approx(float(by_torch), rel=1e-9)


def judged(votes: Any, prediction: Any, patient: Any = None) -> metrics.Judged:
    """Windows with these votes (N, K), of one patient each if nothing else is said."""
    votes, prediction = np.asarray(votes, np.float64), np.asarray(prediction, np.float64)
    total = votes.sum(axis=1)
    patient = np.arange(len(votes)) if patient is None else np.asarray(patient)
    truth = votes.argmax(axis=1)
    return metrics.Judged(votes / total[:, None], total, prediction, truth, patient)


def score(key: str, given: metrics.Judged) -> float | None:
    (found,) = [one for one in metrics.SCORES if one.key == key]
    return found.of(given)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 80), st.integers(0, 10**6))
def test_classification_scores_agree_with_scikit_learn(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, chosen = rng.integers(0, 6, (2, rows))
    table = formulas.confusion(truth, chosen, 6)
    assert (table == sklearn.metrics.confusion_matrix(truth, chosen, labels=range(6))).all()
    import warnings

    given = judged(np.eye(6)[truth], np.eye(6)[chosen])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about predicted classes that do not occur
        balanced = sklearn.metrics.balanced_accuracy_score(truth, chosen)
        kappa = sklearn.metrics.cohen_kappa_score(truth, chosen)
    assert score("accuracy", given) == pytest.approx((truth == chosen).mean())
    assert score("balanced_accuracy", given) == pytest.approx(balanced)
    assert score("kappa", given) == (pytest.approx(kappa) if np.isfinite(kappa) else None)
    f1 = sklearn.metrics.f1_score(truth, chosen, average="macro", zero_division=0)
    assert score("f1_macro", given) == pytest.approx(f1)
    one_vs_rest = np.mean([((truth == k) == (chosen == k)).mean() for k in range(6)])
    assert score("report_accuracy", given) == pytest.approx(one_vs_rest)


def test_an_answer_among_the_tied_is_right_and_tied_windows_have_no_part_in_f1_and_kappa() -> None:
    votes = [[2, 2, 0], [2, 2, 0], [2, 2, 0], [0, 0, 3], [3, 0, 0]]
    answers = np.eye(3)[[0, 1, 2, 2, 1]]
    given = judged(votes, answers)
    assert given.tied.tolist() == [True, True, True, False, False]
    assert score("accuracy", given) == pytest.approx(3 / 5)
    untied = judged(votes[3:], answers[3:])
    for key in ("f1_macro", "kappa", "report_accuracy"):
        assert score(key, given) == score(key, untied)
    # One right answer each is of the class that was answered; the wrong one is half of each.
    assert score("balanced_accuracy", given) == pytest.approx(
        np.mean([1 / (1 + 0.5 + 1), 1 / (1 + 0.5), 1])
    )
    found = metrics.scores_of(given, {"votes": np.arange(5), "hi": np.arange(0)}, list("abc"))
    assert found.tied == 3


def test_shares_that_are_rounded_are_tied_as_their_votes_are() -> None:
    shares = np.round(np.array([[1, 1, 1], [5, 5, 1]]) / [[3], [11]], 7)
    given = metrics.Judged(
        shares, np.full(2, np.nan), np.eye(3)[[1, 1]], np.zeros(2, np.int64), np.arange(2)
    )
    assert given.tied.all()
    assert given.right.all()


def test_calibration_error_is_the_mean_gap_between_probability_and_share_of_votes() -> None:
    sure = np.tile([0.9, 0.1, 0, 0, 0, 0], (10, 1))
    votes = np.eye(6)[[0] * 6 + [1] * 4]
    assert score("calibration_error", judged(votes, sure)) == pytest.approx(0.3)
    half = np.tile([0.5, 0.3, 0.2, 0, 0, 0], (10, 1))
    both = judged(np.concatenate([votes] * 2), np.concatenate([sure, half]))
    assert score("calibration_error", both) == pytest.approx((0.3 + 0.1) / 2)
    shares = np.random.default_rng(0).dirichlet(np.ones(6), 100)
    assert score("calibration_error", judged(shares, shares)) == pytest.approx(0)


def test_debiasing_takes_off_what_chance_puts_into_a_calibration_error() -> None:
    """Single votes drawn from the probabilities themselves: calibrated, but for chance."""
    rng = np.random.default_rng(3)
    prediction = rng.dirichlet(np.ones(6), 400)
    plain, debiased = [], []
    for _ in range(30):
        votes = rng.multinomial(1, prediction)
        given = judged(votes, prediction)
        plain.append(score("calibration_error", given))
        debiased.append(score("calibration_error_debiased", given))
    assert np.mean(plain) > 0.04
    assert np.mean(debiased) < 0.6 * np.mean(plain)
    off = judged(votes, 0.7 * prediction + 0.3 * np.eye(6)[prediction.argmax(axis=1)])
    gap = 0.3 * (1 - prediction.max(axis=1)).mean()
    assert score("calibration_error_debiased", off) == pytest.approx(gap, rel=0.25)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 40), st.integers(0, 10**6))
def test_the_order_of_rows_changes_no_score_nor_interval(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    votes = rng.multinomial(5, rng.dirichlet(np.ones(6), rows))
    given = judged(votes, rng.dirichlet(np.ones(6), rows), rng.integers(0, 5, rows))
    order = rng.permutation(rows)
    typical = {"votes": np.arange(rows), "hi": np.arange(rows)}
    first, second = (
        metrics.scores_of(one, typical, list("abcdef")) for one in (given, given.take(order))
    )
    for key, value in first.values.items():
        assert second.values[key] == (None if value is None else pytest.approx(value))
        before, after = first.intervals[key], second.intervals[key]
        assert (before is None) == (after is None)
        assert before is None or before == pytest.approx(after)
