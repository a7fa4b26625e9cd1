"""What each window is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsprep.planning.folds import assign
from hmsprep.planning.parameters import Parameters
from hmsstore.schema import SPLITS
from hmsstore.windows import leaking_patients

TRAIN, TEST, PREDICT = (SPLITS.index(word) for word in ("train", "test", "predict"))


def columns(patients: int, windows: int = 8, seed: int = 0, classes: int = 6) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    patient = np.sort(rng.permutation(np.repeat(np.arange(patients), windows)))
    return {
        "patient_id": patient,
        "expert_consensus": rng.integers(0, classes, len(patient)).astype(np.int8),
        "eeg_id": np.arange(len(patient)),
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 10))
def test_no_patient_is_ever_on_two_sides(patients: int, windows: int, seed: int) -> None:
    table = columns(patients, windows, seed)
    split = assign(table, Parameters(seed=seed))
    assert not split.leaks
    assert not len(leaking_patients(table["patient_id"], split.split, split.fold))
    train = split.split == TRAIN
    assert ((split.fold >= 0) == (train & (split.folds > 0))).all()
    assert len(set(split.fold[train].tolist()) - {-1}) == split.folds


def test_a_tenth_is_tested_and_five_folds_are_alike() -> None:
    table = columns(100, 20)
    split = assign(table, Parameters())
    assert (split.split == TEST).mean() == pytest.approx(0.1, abs=0.02)
    assert split.folds == 5
    sizes = np.bincount(split.fold[split.fold >= 0])
    assert sizes.max() / sizes.min() < 1.2
    for fold in range(5):
        shares = np.bincount(table["expert_consensus"][split.fold == fold], minlength=6)
        assert shares.min() / shares.max() > 0.6
    assert split.warnings == ()


def test_another_seed_gives_another_split() -> None:
    table = columns(60)
    first, again, other = (assign(table, Parameters(seed=s)).split for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_split_by_window_takes_exactly_nine_tenths_and_declares_the_leak() -> None:
    table = columns(200, 267)
    assert len(table["eeg_id"]) == 53_400
    split = assign(table, Parameters(split_by="window"))
    assert (split.split == TRAIN).sum() == 48_060
    assert (split.split == TEST).sum() == 5_340
    assert split.leaks
    assert "patients are in train and test" in split.warnings[0]
    assert split.folds == 5
    train = split.split == TRAIN
    assert not len(
        leaking_patients(table["patient_id"][train], split.split[train], split.fold[train])
    )


@pytest.mark.parametrize(
    ("patients", "folds", "warning"),
    [
        (1, 0, "Only 1 patient: no test set (it needs 10) and no folds instead of 5."),
        (2, 2, "Only 2 patients: no test set (it needs 10) and 2 folds instead of 5."),
        (4, 4, "Only 4 patients: no test set (it needs 10) and 4 folds instead of 5."),
        (9, 5, "Only 9 patients: no test set (it needs 10)."),
    ],
)
def test_few_patients_give_no_test_set_and_fewer_folds(
    patients: int, folds: int, warning: str
) -> None:
    split = assign(columns(patients, 40), Parameters())
    assert split.folds == folds
    assert not (split.split == TEST).any()
    assert split.warnings == (warning,)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 50))
def test_the_split_by_window_works_for_any_number_of_patients(
    patients: int, windows: int, seed: int
) -> None:
    table = columns(patients, windows, seed)
    split = assign(table, Parameters(split_by="window", seed=seed))
    train = split.split == TRAIN
    assert train.sum() == round(0.9 * len(train))
    assert len(set(split.fold[train].tolist()) - {-1}) == split.folds


def test_ten_patients_give_a_test_set() -> None:
    split = assign(columns(10, 60), Parameters())
    assert (split.split == TEST).any()
    assert split.folds == 5


def test_a_scarce_class_makes_way_for_patients() -> None:
    table = columns(20, 10, classes=5)
    table["expert_consensus"][:3] = 5
    split = assign(table, Parameters())
    assert split.folds == 5
    assert (
        "Other has 3 windows, fewer than 10: the test set is drawn by patient alone"
        in split.warnings[0]
    )


def test_everything_can_be_for_testing() -> None:
    split = assign(columns(3), Parameters(split_by="all"))
    assert (split.split == TEST).all()
    assert split.folds == 0


def test_unlabelled_windows_are_to_be_predicted() -> None:
    table = columns(3)
    table["expert_consensus"][:] = -1
    assert (assign(table, Parameters()).split == PREDICT).all()
