"""Which windows are chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsprep.errors import ParameterError
from hmsprep.planning.parameters import Parameters
from hmsprep.planning.windows import balanced, half_of, one_per_eeg, select, take
from hmsprep.seeds import generator


def columns(
    sizes: list[int], *, per_spectrogram: int = 2, per_patient: int = 3, seed: int = 0
) -> dict[str, Any]:
    """Windows of EEGs with these many windows each, with random votes."""
    rng = np.random.default_rng(seed)
    eeg = np.repeat(np.arange(len(sizes)), sizes)
    votes = rng.multinomial(3, rng.dirichlet(np.ones(6), len(eeg)))
    return {
        "eeg_id": 100 + eeg,
        "spectrogram_id": 100 + eeg // per_spectrogram,
        "patient_id": 7 * (eeg // per_spectrogram // per_patient) + 1,
        "eeg_offset_s": np.concatenate([2.0 * np.arange(n) for n in sizes]),
        "votes": votes,
        "expert_consensus": votes.argmax(axis=1).astype(np.int8),
    }


sizes = st.lists(st.integers(1, 9), min_size=2, max_size=30)


@given(sizes, st.integers(0, 99))
def test_half_is_exactly_half_and_cuts_one_recording_at_most(sizes: list[int], seed: int) -> None:
    table = columns(sizes)
    rows = half_of(table, generator(seed, "half"))
    assert len(rows) == len(table["eeg_id"]) // 2
    assert len(set(rows.tolist())) == len(rows)
    whole, kept = (
        np.unique(t, return_counts=True) for t in (table["eeg_id"], table["eeg_id"][rows])
    )
    sizes_of = dict(zip(*(part.tolist() for part in whole), strict=True))
    cut = [e for e, n in zip(*(part.tolist() for part in kept), strict=True) if n < sizes_of[e]]
    assert len(cut) <= 1
    patients = np.unique(table["patient_id"][rows])
    left_out = np.setdiff1d(np.arange(len(table["eeg_id"])), rows)
    assert len(set(patients.tolist()) & set(table["patient_id"][left_out].tolist())) <= 1


def test_half_depends_on_the_seed_alone() -> None:
    table = columns([3] * 40)
    first = half_of(table, generator(1, "half"))
    assert first.tolist() == half_of(table, generator(1, "half")).tolist()
    assert first.tolist() != half_of(table, generator(2, "half")).tolist()


@given(sizes)
def test_one_per_eeg_keeps_the_middle_window_and_all_votes(sizes: list[int]) -> None:
    table = columns(sizes)
    middle = one_per_eeg(table)
    assert middle["eeg_id"].tolist() == np.unique(table["eeg_id"]).tolist()
    for i, eeg in enumerate(middle["eeg_id"]):
        own = table["eeg_id"] == eeg
        assert middle["votes"][i].tolist() == table["votes"][own].sum(axis=0).tolist()
        offset = table["eeg_offset_s"][own]
        centre = (offset.min() + offset.max()) / 2
        distance = np.abs(offset - centre)
        assert middle["eeg_offset_s"][i] == offset[distance == distance.min()].min()
        votes = middle["votes"][i]
        assert votes[middle["expert_consensus"][i]] == votes.max()


def test_a_tied_sum_of_votes_keeps_the_middle_windows_own_consensus() -> None:
    table = columns([3])
    table["votes"] = np.asarray([[3, 0, 0, 0, 0, 0], [0, 0, 3, 0, 0, 0], [0, 0, 0, 0, 0, 1]])
    table["expert_consensus"] = np.asarray([0, 2, 5], np.int8)
    assert one_per_eeg(table)["expert_consensus"].tolist() == [2]


def test_windows_votes_keeps_one_window_per_eeg_and_votes() -> None:
    table = columns([6] * 20)
    chosen, _ = select(table, Parameters(windows="votes"))
    pairs = np.column_stack([table["eeg_id"], table["votes"]])
    assert len(chosen["eeg_id"]) == len(np.unique(pairs, axis=0))
    table["votes"][:] = table["votes"][0]
    chosen, _ = select(table, Parameters(windows="votes"))
    assert chosen["eeg_offset_s"].tolist() == [4.0] * 20  # of 0, 2 ... 10 s, the first middle one


@settings(max_examples=20)
@given(st.integers(0, 999))
def test_balancing_gives_each_class_nearly_the_same_votes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lead = rng.choice(6, 4000, p=(0.3, 0.1, 0.1, 0.15, 0.15, 0.2))
    truth = 0.75 * np.eye(6)[lead] + 0.25 / 6
    votes = rng.multinomial(5, truth)
    table = {"votes": votes, "expert_consensus": votes.argmax(axis=1)}
    rows = balanced(table, generator(seed, "balance"))
    mass = votes[rows].sum(axis=0)
    assert mass.max() / mass.min() < 1.1
    before = votes.sum(axis=0)
    assert before.max() / before.min() > 1.5
    # As few windows are lost as can be: the scarcest class keeps all of its own.
    kept = [np.isin(np.flatnonzero(table["expert_consensus"] == c), rows).mean() for c in range(6)]
    assert max(kept) == 1


def test_votes_that_cannot_be_balanced_are_warned_of() -> None:
    table = columns([4] * 30)
    table["votes"] = np.tile([5, 1, 0, 0, 0, 0], (120, 1))
    table["expert_consensus"] = np.zeros(120, np.int8)
    _, warnings = select(table, Parameters(balance="votes"))
    assert "the best balance of these windows is Seizure 600, LPD 120" in warnings[0]


def test_half_comes_after_the_other_choices() -> None:
    table = columns([5] * 31)
    chosen, _ = select(table, Parameters(windows="eeg", half=True))
    assert len(chosen["eeg_id"]) == 31 // 2


def test_unlabelled_windows_cannot_be_chosen_by_votes() -> None:
    table = columns([2, 2])
    table["expert_consensus"][:] = -1
    for parameters in (Parameters(windows="votes"), Parameters(balance="votes")):
        with pytest.raises(ParameterError, match="these windows have none"):
            select(table, parameters)


def test_half_of_one_window_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least two windows"):
        half_of(take(columns([3]), np.asarray([0])), generator(0, "half"))
