"""Agreement is as scikit-learn and the papers have it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from hmsprep.labelling.agreement import (
    NONE,
    UNSURE,
    cohens_kappa,
    compare_all,
    compare_pair,
    confusion,
    fleiss_kappa,
)

FLEISS = np.asarray(
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]
)  # fmt: skip
"""Ten subjects, fourteen raters, five categories, and kappa 0.210: the worked example of the method
that textbooks share."""


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 6))
def test_kappa_and_confusion_equal_those_of_scikit_learn(
    seed: int, rows: int, classes: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(UNSURE, classes, (2, rows)).astype(np.int8)
    found = compare_pair(("AB", "CD"), codes[0], codes[1], classes)
    both = (codes >= 0).all(axis=0)
    assert found.windows == both.sum()
    if not both.any():
        assert found.same is found.kappa is None
        return
    first, second = codes[:, both]
    labels = list(range(classes))
    np.testing.assert_array_equal(found.confusion, confusion_matrix(first, second, labels=labels))
    assert found.same == pytest.approx((first == second).mean())
    if len({*first.tolist(), *second.tolist()}) > 1:
        assert found.kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    else:
        assert found.kappa is None


def test_fleiss_kappa_equals_a_worked_example() -> None:
    assert fleiss_kappa(FLEISS) == pytest.approx(0.20993, abs=5e-6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 6), st.integers(2, 5))
def test_fleiss_kappa_is_agreement_of_pairs_of_raters_beyond_chance(
    seed: int, rows: int, classes: int, raters: int
) -> None:
    """Counted pair by pair, as the paper derives it."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(NONE, classes, (raters, rows)).astype(np.int8)
    chosen = codes[:, (codes >= 0).all(axis=0)].T.tolist()
    found = compare_all(codes, classes)
    assert (found.readers, found.windows) == (raters, len(chosen))
    if not chosen:
        assert found.kappa is None
        return
    pairs = [(a, b) for row in chosen for i, a in enumerate(row) for b in row[:i]]
    observed = sum(a == b for a, b in pairs) / len(pairs)
    every = [code for row in chosen for code in row]
    expected = sum((every.count(code) / len(every)) ** 2 for code in range(classes))
    if expected == 1:
        assert found.kappa is None
    else:
        assert found.kappa == pytest.approx((observed - expected) / (1 - expected), abs=1e-12)


def test_windows_need_the_same_number_of_raters() -> None:
    with pytest.raises(ValueError, match="the same number of raters"):
        fleiss_kappa(np.asarray([[2, 0], [1, 0]]))
    with pytest.raises(ValueError, match="at least two"):
        fleiss_kappa(np.asarray([[1, 0], [0, 1]]))


def test_agreement_without_windows_is_not_defined() -> None:
    assert cohens_kappa(confusion(np.full(3, NONE), np.arange(3, dtype=np.int8), 3)) is None
