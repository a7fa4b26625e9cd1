"""Typical windows, and patients that leak."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hmsstore import Store, most_overlapping
from hmsstore.schema import SPLITS
from hmsstore.windows import MANY_VOTES, leaking_patients, typical_rows


def slow(keys: list[tuple[int, ...]], offset: list[float]) -> list[int]:
    """The same by brute force."""
    chosen = []
    for key in set(keys):
        members = [i for i, k in enumerate(keys) if k == key]

        def score(i: int, members: list[int] = members) -> tuple[float, float, int]:
            total = sum(max(0.0, 50 - abs(offset[i] - offset[j])) for j in members)
            return (-total, offset[i], i)

        chosen.append(min(members, key=score))
    return sorted(chosen)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 60)), min_size=1, max_size=30
    )
)
def test_it_is_the_window_that_shares_most_time_with_the_others(
    windows: list[tuple[int, int, int]],
) -> None:
    eeg = np.asarray([w[0] for w in windows])
    votes = np.asarray([[w[1], 3] for w in windows])
    offset = np.asarray([2.0 * w[2] for w in windows])
    expected = slow([(w[0], w[1]) for w in windows], offset.tolist())
    assert most_overlapping([eeg, votes], offset).tolist() == expected


def test_of_two_equals_it_is_the_earlier() -> None:
    assert most_overlapping([np.zeros(2, int)], np.asarray([4.0, 2.0])).tolist() == [1]


def test_a_large_group_is_compared_piece_by_piece_to_the_very_sums_of_all_at_once() -> None:
    offset = 0.1 * np.random.default_rng(0).permutation(500)
    in_order = np.sort(offset)
    overlap = np.maximum(0.0, 50.0 - np.abs(in_order[:, None] - in_order)).sum(axis=1)
    chosen = most_overlapping([np.zeros(500, int)], offset)
    assert offset[chosen].tolist() == [in_order[np.argmax(overlap)]]


def test_an_hour_of_windows_with_equal_votes_takes_little_memory() -> None:
    windows = 10_000
    tracemalloc.start()
    most_overlapping([np.zeros(windows, int)], 0.1 * np.arange(windows))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < windows**2  # an eighth of one number for each pair of windows


def test_typical_windows_are_one_of_each_eeg_and_votes_and_one_of_each_eeg_with_many(
    store: Store,
) -> None:
    rows = store.select("train")
    table = store.windows
    typical = typical_rows(table, rows)
    pairs = {(int(table["eeg_id"][r]), *table["votes"][r].tolist()) for r in rows}
    assert len(typical["votes"]) == len(pairs)
    many = {int(table["eeg_id"][r]) for r in rows if table["votes"][r].sum() >= MANY_VOTES}
    found = table["eeg_id"][rows[typical["hi"]]].tolist()
    assert sorted(found) == sorted(many)


def test_of_no_windows_none_is_typical(store: Store) -> None:
    found = typical_rows(store.windows, np.empty(0, np.int64))
    assert {name: len(rows) for name, rows in found.items()} == {"votes": 0, "hi": 0}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)), max_size=40))
def test_leaking_patients_are_just_the_patients_with_windows_in_two_groups(
    windows: list[tuple[int, int, int]],
) -> None:
    groups: dict[int, set[object]] = {}
    for patient, split, fold in windows:
        if SPLITS[split] in ("train", "test"):
            groups.setdefault(patient, set()).add(fold if SPLITS[split] == "train" else "test")
    expected = sorted(patient for patient, seen in groups.items() if len(seen) > 1)
    columns = np.asarray(windows, np.int64).reshape(-1, 3).T
    assert leaking_patients(*columns).tolist() == expected
