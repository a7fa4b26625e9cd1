"""What windows count and aim at, where a run asks for more than each alike and its own votes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.stats import entropy
from support.runs import ALONE, SMALL

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.rows import plan_epochs, training_rows
from hmstrain.data.steps import Step, steps
from hmstrain.data.targets import mean_target, targets
from hmstrain.data.weights import row_weights
from hmstrain.errors import ConfigError


def taken(store: Store, config: Config) -> Iterator[tuple[int, Step]]:
    """Every step of a run, with its epoch's number."""
    for epoch in plan_epochs(config, store):
        for step in steps(config, store, epoch, ALONE):
            yield epoch.number, step


def chosen(**settings: Any) -> Config:
    return Config(**(SMALL | {"flip": 0.0} | settings))


@pytest.mark.parametrize("decay", [0.0, 1.2])
def test_weights_by_ranges_of_votes_fall_for_few_votes_alone(store: Store, decay: float) -> None:
    config = chosen(vote_weight="ranges", vote_decay=decay, epochs=6)
    rows = training_rows(config, store, 0, 1)
    total = store.windows["votes"].sum(axis=1)
    seen: dict[int, dict[int, float]] = {}
    for epoch, step in taken(store, config):
        for row, weight in zip(step.rows.tolist(), step.weight_B.tolist(), strict=True):
            seen.setdefault(epoch, {})[row] = weight
    assert sorted(seen) == list(range(6))
    for epoch, found in seen.items():
        left = max(1 - decay * epoch / 6, 0.02)
        raw = np.where(total <= 2, 0.3 * left, np.where(total <= 8, 0.5 * left, 1.0))
        expected = raw / raw[rows].mean()
        for row, weight in found.items():
            assert weight == pytest.approx(expected[row], rel=1e-5)
    few = total[rows] <= 8
    assert few.any()
    assert not few.all()
    if decay:
        assert row_weights(config, store, rows, 5)[rows][few].max() < 0.05


def test_a_decay_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="vote_decay needs vote_weight=ranges"):
        Config(vote_decay=1.2)


def test_windows_that_raters_disagree_about_weigh_more(store: Store) -> None:
    config = chosen(entropy_weight=2.0)
    rows = training_rows(config, store, 0, 1)
    votes = store.windows["votes"]
    raw = 1 + 2 * entropy(votes[rows], axis=1) / np.log(6)
    weights = row_weights(config, store, rows)[rows]
    np.testing.assert_allclose(weights, raw / raw.mean(), rtol=1e-5)
    unanimous = votes[rows].max(axis=1) == votes[rows].sum(axis=1)
    assert weights[unanimous].max() < weights[~unanimous].min()
    (_, step), *_ = taken(store, config)
    np.testing.assert_allclose(step.weight_B, row_weights(config, store, rows)[step.rows])


def test_the_target_of_an_eeg_is_the_shares_of_all_its_votes(store: Store) -> None:
    config = chosen(target="eeg")
    rows = training_rows(config, store, 0, 1)
    votes, eeg = store.windows["votes"], store.windows["eeg_id"]
    expected = {}
    for one in np.unique(eeg[rows]):
        summed = votes[rows[eeg[rows] == one]].sum(axis=0)
        expected[one] = summed / summed.sum()
    for _, step in taken(store, config):
        aims = np.stack([expected[one] for one in eeg[step.rows]])
        np.testing.assert_allclose(step.target, aims, atol=1e-6)
    own = store.windows["target"]
    assert not np.allclose(targets(config, store, rows)[rows], own[rows])
    others = np.setdiff1d(np.arange(len(store)), rows)
    np.testing.assert_array_equal(targets(config, store, rows)[others], own[others])
    mean = np.mean([expected[one] for one in eeg[rows]], axis=0)
    np.testing.assert_allclose(mean_target(config, store, rows), mean, rtol=1e-5)
