"""Epochs hold the rows they should, and weights do what they promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.helpers import blank_outside, build_store, train_row, write_pair
from support.runs import ALONE, SMALL

from hmsstore import Store
from hmsstore.windows import typical_rows
from hmstrain.config import Config
from hmstrain.data.rows import (
    Epoch,
    batches,
    epoch_order,
    left_out,
    plan_epochs,
    split_rows,
    training_rows,
    validation_rows,
)
from hmstrain.data.validation import judges
from hmstrain.data.weights import LARGEST_FACTOR, balancing, row_weights
from hmstrain.runs.folder import RunFolder
from hmstrain.training.run import run

PLAIN = Config(batch_size=8)


def test_the_held_out_fold_and_the_test_set_are_never_trained_on(store: Store) -> None:
    for fold in range(store.folds):
        rows = training_rows(PLAIN, store, fold, 1)
        patients = set(store.windows["patient_id"][rows].tolist())
        for others in (
            validation_rows(store, store.select("valid", fold=fold))[0],
            store.select("test"),
        ):
            assert not patients & set(store.windows["patient_id"][others].tolist())


def test_validation_finds_typical_windows_among_the_whole_fold() -> None:
    """The window typical of the EEG is not typical of its votes once most others are left out."""
    votes = np.zeros((7, 6), np.int32)
    votes[:3, 1], votes[3:, 2] = 12, 12
    table = {
        "eeg_id": np.ones(7, np.int64),
        "eeg_offset_s": np.asarray([0.0, 2, 4, 6, 8, 10, 12]),
        "votes": votes,
    }
    fold = SimpleNamespace(windows=table, select=lambda *_, **__: np.arange(7))
    whole = typical_rows(table, np.arange(7))
    rows, typical = validation_rows(fold, np.arange(7))
    assert len(rows) == 3
    for name in ("votes", "hi"):
        assert rows[typical[name]].tolist() == whole[name].tolist()
    assert typical_rows(table, rows)["votes"].tolist() != typical["votes"].tolist()


def test_an_epoch_of_windows_is_every_row_once(store: Store) -> None:
    rows = training_rows(PLAIN, store, 0, 1)
    first, second = (epoch_order(PLAIN, store, rows, n) for n in range(2))
    assert sorted(first) == sorted(second) == rows.tolist()
    assert first.tolist() != second.tolist()
    assert first.tolist() == epoch_order(PLAIN, store, rows, 0).tolist()


@pytest.mark.parametrize("sample", ["votes", "eeg"])
def test_an_epoch_of_groups_is_one_of_each_and_another_next_time(store: Store, sample: str) -> None:
    config = replace(PLAIN, sample=sample)
    rows = training_rows(config, store, 0, 1)
    table = store.windows

    def keys(chosen: np.ndarray) -> list[tuple[int, ...]]:
        votes = table["votes"][chosen] if sample == "votes" else np.zeros((len(chosen), 0), int)
        return [(int(e), *v.tolist()) for e, v in zip(table["eeg_id"][chosen], votes, strict=True)]

    seen = set()
    for epoch in range(8):
        order = epoch_order(config, store, rows, epoch)
        assert sorted(keys(order)) == sorted(set(keys(rows)))
        seen |= set(order.tolist())
    assert len(seen) > len(order)


def test_batches_are_whole_unless_there_is_only_a_part() -> None:
    for windows, sizes in ((30, [8, 8, 8]), (5, [5])):
        epoch = Epoch(0, 0, None, 1, min(8, windows), 1, 0, 0)
        assert [len(batch) for batch in batches(epoch, np.arange(windows))] == sizes


def test_steps_cut_the_schedule_off_and_a_second_stage_takes_many_votes(store: Store) -> None:
    config = replace(PLAIN, epochs=3, second_epochs=2, batch_size=2)
    planned = plan_epochs(config, store)
    assert [e.stage for e in planned] == [0, 0, 0, 1, 1]
    assert [e.min_votes for e in planned] == [1, 1, 1, 10, 10]
    assert [e.first_step for e in planned[1:]] == np.cumsum([e.steps for e in planned])[
        :-1
    ].tolist()
    total = sum(e.steps for e in planned)
    cut = plan_epochs(replace(config, steps=total - 1), store)
    assert sum(e.steps for e in cut) == total - 1
    rows = training_rows(config, store, 0, 10)
    assert (store.windows["votes"][rows].sum(axis=1) >= 10).all()


def test_a_share_of_the_patients_is_the_same_for_every_fold(store: Store) -> None:
    config = replace(PLAIN, fraction=0.3)
    table = store.windows["patient_id"]
    everyone = np.unique(table[store.select("train")])
    seen = [set(table[training_rows(config, store, f, 1)].tolist()) for f in range(store.folds)]
    assert len(set.union(*seen)) == round(0.3 * len(everyone))


def test_rotating_holds_out_more_than_one_fold(store: Store) -> None:
    planned = plan_epochs(replace(PLAIN, fold="rotate", epochs=20), store)
    assert len({epoch.fold for epoch in planned}) == store.folds


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_balancing_gives_each_class_equal_votes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(6, 0.5), 300) * rng.uniform(0.3, 1, 6)
    votes = np.stack([rng.multinomial(5, p / p.sum()) for p in share]).astype(np.float64)
    per_class = balancing(votes, np.eye(6))
    assume(
        per_class.min() > 1 / LARGEST_FACTOR and per_class.max() < LARGEST_FACTOR
    )  # no limit met
    weights = balancing(votes, votes)
    sums = (votes * weights[:, None]).sum(axis=0)
    assert sums == pytest.approx(sums.mean(), rel=0.1)


def test_a_class_too_scarce_to_balance_is_not_blown_up() -> None:
    votes = np.zeros((1000, 6))
    votes[:, 5] = 3
    votes[0, :2] = 1
    weights = balancing(votes, votes)
    assert np.isfinite(weights).all()
    assert weights.max() / weights.min() <= 100


@pytest.mark.parametrize("sample", ["votes", "eeg"])
def test_balancing_counts_what_an_epoch_shows(store: Store, sample: str) -> None:
    """Over many epochs of one window of each group the classes carry equal votes."""
    config = replace(PLAIN, balance="votes", sample=sample)
    rows = training_rows(config, store, 0, 1)
    weights = row_weights(config, store, rows)
    mass = np.zeros(6)
    total = []
    for epoch in range(60):
        order = epoch_order(config, store, rows, epoch)
        mass += (store.windows["votes"][order] * weights[order, None]).sum(axis=0)
        total.append(weights[order].mean())
    assert mass == pytest.approx(mass.mean(), rel=0.2)
    assert np.mean(total) == pytest.approx(1, rel=0.05)


def test_weights_follow_the_votes_and_average_one(store: Store) -> None:
    rows = training_rows(PLAIN, store, 0, 1)
    total = store.windows["votes"].sum(axis=1)
    for word, expected in (
        ("none", np.ones(len(total))),
        ("log", np.log1p(total)),
        ("linear", total),
    ):
        weights = row_weights(replace(PLAIN, vote_weight=word), store, rows)
        assert weights[rows].mean() == pytest.approx(1)
        np.testing.assert_allclose(weights / weights[0], expected / expected[0], rtol=1e-5)
    balanced = row_weights(replace(PLAIN, balance="votes"), store, rows)
    mass = (store.windows["votes"][rows] * balanced[rows, None]).sum(axis=0)
    assert mass == pytest.approx(mass.mean(), rel=0.1)


def test_windows_without_their_judged_seconds_are_neither_trained_on_nor_scored(
    tmp_path: Path,
) -> None:
    names = ("eeg_id", "spectrogram_id", "label_id", "patient_id")
    folder = write_pair(
        tmp_path / "data", [train_row(**dict.fromkeys(names, n)) for n in range(1, 41)]
    )
    silent = range(1, 41, 2)
    for number in silent:
        blank_outside(folder, number, number, (0, 4300), (0, 300))
    store = build_store(folder, tmp_path / "hms.zarr")
    gone = np.isin(store.windows["eeg_id"], silent)
    old = replace(PLAIN, context="filled")
    told: list[str] = []
    for split, fold in (("train", None), ("train", 0), ("valid", 0), ("test", None)):
        rows = store.select(split, fold=fold)
        assert gone[rows].any()
        np.testing.assert_array_equal(split_rows(old, store, split, fold), rows)
        np.testing.assert_array_equal(split_rows(PLAIN, store, split, fold), rows[~gone[rows]])
    assert not gone[training_rows(PLAIN, store, 0, 1)].any()
    assert not any(gone[one.rows].any() for one in judges(PLAIN, store, plan_epochs(PLAIN, store)))
    assert left_out(old, store) == []
    (message,) = left_out(PLAIN, store)
    assert message.startswith("20 of 40 windows are left out")

    def tell(event: str, values: Mapping[str, Any]) -> None:
        if event == "notice":
            told.append(values["text"])

    config = Config(**(SMALL | {"epochs": 1, "inputs": "spec"}))
    outcome = run(config, store, RunFolder(tmp_path / "run"), ALONE, tell, resume=False)
    assert message in told
    assert outcome.test is not None
    assert outcome.test.windows == (~gone[store.select("test")]).sum()
    with np.load(tmp_path / "run" / "predictions.npz") as saved:
        assert not np.isin(saved["eeg_id"], silent).any()
        assert (saved["observed"] == 1).all()
