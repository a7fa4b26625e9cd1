"""Configuration and window table -> how much each window counts in the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmstrain.data.rows import Rows, group_sizes

if TYPE_CHECKING:
    from hmstrain.config import Config

Floats = NDArray[np.float64]
MOST_VOTES = 28
"""Largest number of votes in the competition's data."""
FEW, SOME = 2, 8
RANGE_WEIGHTS = (0.3, 0.5, 1.0)
"""`vote_weight=ranges`: of windows with up to `FEW` votes, up to `SOME`, and more, as a network of
the competition's third place had it (github.com/darraghdog/kaggle-hms-3rd-place-solution, cfg_2a).
There they weigh the mean loss of each range's windows in a batch, here the loss of each window.
"""
LEAST_DECAYED = 0.02
"""Share to which `vote_decay` takes the first two at most, from there too."""
BALANCING_ROUNDS = 200
LARGEST_FACTOR = 10.0


def row_weights(config: Config, store: Store, rows: Rows, epoch: int = 0) -> NDArray[np.float32]:
    """Weight of every window of the store in the loss, of mean 1 over an epoch of these rows.

    Parameters
    ----------
    epoch : int
        Its number, from 0: some weights fall from epoch to epoch.
    """
    seen = 1 / group_sizes(config, store, rows)
    votes = store.windows["votes"].astype(np.float64)
    weights = _by_votes(config, votes.sum(axis=1), epoch)
    if config.entropy_weight:
        weights = weights * (1 + config.entropy_weight * disagreement(votes))
    if config.balance == "votes":
        weights = weights * balancing(votes[rows] * (weights[rows] * seen)[:, None], votes)
    mean = np.average(weights[rows], weights=seen)
    scaled: NDArray[np.float32] = (weights / mean).astype(np.float32)
    return scaled


def _by_votes(config: Config, total: Floats, epoch: int) -> Floats:
    if config.vote_weight == "log":
        return np.log1p(total)
    if config.vote_weight == "linear":
        return total / MOST_VOTES
    if config.vote_weight == "ranges":
        few, some, many = RANGE_WEIGHTS
        left = max(1 - config.vote_decay * epoch / config.epochs, LEAST_DECAYED)
        return np.select([total <= FEW, total <= SOME], [few * left, some * left], many)
    return np.ones(len(total))


def disagreement(votes: Floats) -> Floats:
    """Entropy of each window's votes (N, K), as a share of the largest there can be: 0 to 1."""
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    entropy: Floats = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    return entropy / np.log(votes.shape[1])


def balancing(mass: NDArray[np.float64], votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factor of each window of `votes` that gives the classes of `mass` (rows, K) equal sums.

    A window's factor is the mean, by its votes, of one factor per class; those are found by
    iterative proportional fitting, within `LARGEST_FACTOR` of their geometric mean: a class that is
    scarcer still stays lighter, lest a few windows be learned by heart.
    """
    present = mass.sum(axis=0) > 0
    per_class = np.where(present, 1.0, 0.0)
    shares = mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-12)
    for _ in range(BALANCING_ROUNDS):
        sums = (mass * (shares @ per_class)[:, None]).sum(axis=0)
        per_class[present] *= np.sqrt(sums[present].mean() / sums[present])
        per_class[present] /= np.exp(np.log(per_class[present]).mean())
        per_class[present] = per_class[present].clip(1 / LARGEST_FACTOR, LARGEST_FACTOR)
    factors: NDArray[np.float64] = votes @ per_class / np.maximum(votes.sum(axis=1), 1)
    return factors
