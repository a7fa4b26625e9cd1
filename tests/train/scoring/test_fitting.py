"""Fits are SciPy's, and fool nobody: on patients that they have not seen they gain what is true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from support.answered import Set

from hmstrain.scoring import blending, fitting
from hmstrain.scoring.formulas import kaggle_kl

Floats = np.ndarray[Any, np.dtype[np.float64]]


def answers(models: int, rows: int, seed: int) -> tuple[Floats, Floats]:
    made = Set(rows, seed=seed)
    return np.stack([made.model(0.3 + 0.3 * n, seed=n) for n in range(models)]), made.shares


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 4), st.integers(60, 200), st.integers(0, 10**6), st.booleans())
def test_weights_of_logarithms_and_biases_are_those_of_scipys_solver(
    models: int, rows: int, seed: int, bias: bool
) -> None:
    stacked, target = answers(models, rows, seed)
    weights, biases = fitting.fit_logits(stacked, target, bias=bias)

    def loss(numbers: Floats) -> float:
        added = numbers[models:] if bias else np.zeros(6)
        logits = np.tensordot(numbers[:models], np.log(stacked), axes=1) + added
        return kaggle_kl(target, scipy.special.softmax(logits, axis=1))

    start = np.r_[np.full(models, 1 / models), np.zeros(6 * bias)]
    bounds = [(0, None)] * models + [(None, None)] * (6 * bias)
    theirs = scipy.optimize.minimize(loss, start, bounds=bounds, method="L-BFGS-B")
    ours = np.r_[weights, biases[: 6 * bias]]
    assert loss(ours) <= theirs.fun + 1e-9
    assert loss(ours) == pytest.approx(theirs.fun, abs=1e-5)
    assert biases.sum() == pytest.approx(0, abs=1e-12)
    assert (weights >= 0).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 4), st.integers(60, 200), st.integers(0, 10**6))
def test_weights_of_a_mean_are_those_of_scipys_solver(models: int, rows: int, seed: int) -> None:
    stacked, target = answers(models, rows, seed)
    ours = fitting.fit_mixture(stacked, target)
    loss = lambda weights: kaggle_kl(target, np.tensordot(weights / weights.sum(), stacked, 1))  # noqa: E731
    theirs = scipy.optimize.minimize(
        loss, np.full(models, 1 / models), bounds=[(1e-9, 1)] * models, method="L-BFGS-B"
    )
    assert loss(ours) <= theirs.fun + 1e-9
    assert ours.sum() == pytest.approx(1)
    assert (ours >= 0).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 4), st.integers(60, 200), st.integers(0, 10**6))
def test_a_fitted_blend_is_never_worse_in_sample_than_its_best_member(
    models: int, rows: int, seed: int
) -> None:
    stacked, target = answers(models, rows, seed)
    best = min(kaggle_kl(target, one) for one in stacked)
    for how in ("fitted", "logits"):
        weights, bias = blending.fit(stacked, target, how)
        blended = blending.combine(stacked, how, weights, bias)
        assert kaggle_kl(target, blended) <= best + 1e-9


def test_of_equal_models_any_weights_are_best_and_some_are_found() -> None:
    stacked, target = answers(1, 100, 0)
    twice = np.concatenate([stacked, stacked])
    weights = fitting.fit_mixture(twice, target)
    assert weights == pytest.approx([0.5, 0.5])
    one, both = (fitting.fit_logits(s, target)[0].sum() for s in (stacked, twice))
    assert both == pytest.approx(one, rel=1e-4)


def test_certain_and_wrong_answers_are_survived() -> None:
    target = np.eye(6)[[0, 1, 2, 0, 1, 2] * 10]
    stacked = np.stack([np.eye(6)[[1, 1, 2, 0, 1, 2] * 10], np.full((60, 6), 1 / 6)])
    for how in blending.HOWS:
        weights, bias = blending.fit(stacked, target, how)
        assert np.isfinite(weights).all()
        assert np.isfinite(blending.combine(stacked, how, weights, bias)).all()


@pytest.mark.parametrize("certain", range(6))
def test_a_fit_leaves_the_flat_places_where_answers_are_certain(certain: int) -> None:
    """Second derivatives are 0 there, so a step by them alone would end anywhere."""
    target = Set(60).shares
    answers_of_one = np.tile(np.eye(6)[certain], (1, 60, 1))
    weights, bias = fitting.fit_logits(answers_of_one, target, lowest=fitting.LOWEST_SLOPE)
    found = fitting.softmax(weights[0] * fitting.logs(answers_of_one[0]) + bias)
    best = np.tile(target.mean(axis=0), (60, 1))
    assert kaggle_kl(target, found) == pytest.approx(kaggle_kl(target, best), abs=1e-4)


def test_folds_hold_out_whole_patients_each_once() -> None:
    groups = np.repeat(np.arange(13), 7)
    seen = np.zeros(len(groups), int)
    for fitted, apart in fitting.group_folds(groups):
        assert not set(groups[fitted]) & set(groups[apart])
        seen[apart] += 1
    assert (seen == 1).all()


def test_with_permuted_votes_cross_fitting_gains_nothing() -> None:
    """Fitted in sample there is a gain; on other patients there is none."""
    made = Set(400, patients=80, seed=5)
    order = np.random.default_rng(0).permutation(400)
    prior = np.tile(made.shares.mean(axis=0), (400, 1))
    target = made.shares[order]

    def fit_and_apply(fitted: Any, apart: Any) -> Floats:
        slope, bias = fitting.fit_logits(prior[None, fitted], target[fitted])
        return fitting.softmax(slope[0] * fitting.logs(prior[apart]) + bias)

    crossed = fitting.cross_fitted(fit_and_apply, made.patient)
    assert kaggle_kl(target, crossed) >= kaggle_kl(target, prior)
