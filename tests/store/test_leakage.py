"""Which patients stand on both sides."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hmsstore.leakage import leaking_patients
from hmsstore.schema import SPLITS


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)), max_size=40))
def test_it_finds_just_the_patients_with_windows_in_two_groups(
    windows: list[tuple[int, int, int]],
) -> None:
    groups: dict[int, set[object]] = {}
    for patient, split, fold in windows:
        if SPLITS[split] in ("train", "test"):
            groups.setdefault(patient, set()).add(fold if SPLITS[split] == "train" else "test")
    expected = sorted(patient for patient, seen in groups.items() if len(seen) > 1)
    columns = np.asarray(windows, np.int64).reshape(-1, 3).T
    assert leaking_patients(*columns).tolist() == expected
