"""Probabilities and votes -> the few numbers that bring one nearest to the other.

What is fitted is convex, so there is one best answer: weights of a mean, weights of logarithms and
a bias of each class. Found by Newton steps that stop at bounds (Bertsekas 1982, Projected Newton
methods, SIAM J. Control Optim. 20).

M models; N windows; K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hmstrain.scoring.formulas import EPSILON

Floats = NDArray[np.float64]
Problem = Callable[[Floats], tuple[float, Floats, Floats]]
"""Numbers -> what is to be least, its gradient and its second derivatives."""

FOLDS = 5
MOST_STEPS = 1_000
LONGEST_STEP = 1.0
"""Of any number at once: where answers are certain, second derivatives are 0, and say nothing of
how far to go."""
CONVERGED = 1e-10
"""Gain of a step at which a fit stops."""
RIDGE = 1e-10
"""Added to second derivatives: of two equal models any weights are best."""
LOWEST_SLOPE = 1e-3
"""Of a calibration: temperatures end at 1,000, where an answer says nothing any more."""


def logs(prediction: Floats) -> Floats:
    """Logarithms of probabilities (..., K), those of 0 clipped as the metric clips them."""
    return np.log(np.clip(prediction, EPSILON, None))


def softmax(logits: Floats) -> Floats:
    """Probabilities of logits (N, K)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)


def fit_mixture(predictions: Floats, target: Floats) -> Floats:
    """Weights (M,), at least 0 and summing to 1, of the mean with the least KL to the votes.

    Without the bound on their sum, KL plus the sum has its least value where the sum is 1.

    Parameters
    ----------
    predictions : float64 (M, N, K)
    target : float64 (N, K)
    """
    clipped = np.clip(predictions, EPSILON, None)

    def problem(weights: Floats) -> tuple[float, Floats, Floats]:
        mixed = np.maximum(np.tensordot(weights, clipped, axes=1), EPSILON)
        value = float(weights.sum() - (target * np.log(mixed)).sum(axis=1).mean())
        parts = clipped / mixed
        gradient = 1 - (target * parts).sum(axis=2).mean(axis=1)
        flat = (np.sqrt(target) * parts).reshape(len(parts), -1)
        return value, gradient, flat @ flat.T / len(target)

    count = len(predictions)
    found = _minimise(problem, np.full(count, 1 / count), np.zeros(count))
    return found / found.sum()


def fit_logits(
    predictions: Floats, target: Floats, *, bias: bool = True, lowest: float = 0.0
) -> tuple[Floats, Floats]:
    """Weights (M,) of log probabilities and a bias (K,) of each class with the least KL.

    The answer is softmax(sum of weight * log probability + bias). With one model the weight is one
    over its temperature (Guo et al. 2017); the bias moves the share of each class (vector scaling,
    ibid., with one slope for all classes). Biases sum to 0.

    Parameters
    ----------
    predictions : float64 (M, N, K)
    target : float64 (N, K)
    bias : bool
        Whether to fit one; else it is 0.
    lowest : float
        Least weight.
    """
    models, rows, classes = predictions.shape
    given = logs(predictions)
    given -= given.mean(axis=2, keepdims=True)
    free = classes - 1 if bias else 0
    # What each number adds to the logits; the last class's bias is 0.
    design = np.zeros((models + free, rows, classes))
    design[:models] = given
    design[models + np.arange(free), :, np.arange(free)] = 1

    def problem(numbers: Floats) -> tuple[float, Floats, Floats]:
        logits = np.tensordot(numbers, design, axes=1)
        top = logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
        answer = np.exp(logits - total[:, None])
        value = float((total - (target * logits).sum(axis=1)).mean())
        gradient = np.tensordot(design, answer - target, axes=([1, 2], [0, 1])) / rows
        weighted = design * answer
        means = weighted.sum(axis=2)
        flat = design.reshape(len(design), -1)
        second = (weighted.reshape(len(design), -1) @ flat.T - means @ means.T) / rows
        return value, gradient, second

    start = np.concatenate([np.full(models, 1 / models), np.zeros(free)])
    bounds = np.concatenate([np.full(models, lowest), np.full(free, -np.inf)])
    found = _minimise(problem, start, bounds)
    biases = np.zeros(classes)
    biases[:free] = found[models:]
    return found[:models], biases - biases.mean()


def cross_fitted(
    fit_and_apply: Callable[[NDArray[np.int64], NDArray[np.int64]], Floats],
    groups: NDArray[np.int64],
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> Floats:
    """Answers (N, K) of which each was fitted on other patients.

    Parameters
    ----------
    fit_and_apply : callable
        Given rows to fit on and rows to answer, gives the answers of the latter.
    groups : int64 (N,)
        Patient of each window.
    """
    parts = list(group_folds(groups, folds=folds, seed=seed))
    answers = [(apart, fit_and_apply(fitted, apart)) for fitted, apart in parts]
    found = np.empty((len(groups), answers[0][1].shape[1]))
    for apart, answer in answers:
        found[apart] = answer
    return found


def group_folds(
    groups: NDArray[np.int64], *, folds: int = FOLDS, seed: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to fit on and rows held out, for each fold: whole patients, drawn by the seed.

    Raises
    ------
    ValueError
        There is only one patient.
    """
    names, code = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError("one patient cannot be held out from himself")
    folds = min(folds, len(names))
    fold = np.random.default_rng([seed, len(names)]).permutation(len(names)) % folds
    for number in range(folds):
        apart = fold[code] == number
        yield np.flatnonzero(~apart), np.flatnonzero(apart)


def _minimise(problem: Problem, start: Floats, bounds: Floats) -> Floats:
    """Find the numbers, none below its bound, at which a convex function is least."""
    numbers = np.maximum(start, bounds)
    value, gradient, second = problem(numbers)
    for _ in range(MOST_STEPS):
        free = ~((numbers <= bounds) & (gradient > 0))
        step = np.zeros_like(numbers)
        table = second[np.ix_(free, free)] + RIDGE * np.eye(int(free.sum()))
        step[free] = -np.linalg.solve(table, gradient[free])
        step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max(initial=0)), 1e-300))
        for halving in range(30):
            moved = np.maximum(numbers + step / 2**halving, bounds)
            found = problem(moved)
            if found[0] <= value + 1e-4 * float(gradient @ (moved - numbers)):
                break
        else:
            break
        gain = value - found[0]
        numbers, (value, gradient, second) = moved, found
        if gain < CONVERGED:
            break
    return numbers
