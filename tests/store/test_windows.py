"""Which window stands for its group."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hmsstore import most_overlapping


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
