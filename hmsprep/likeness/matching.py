"""Two samples -> weights under which their classes have equal shares; patients drawn again.

Legend: N windows, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.likeness.sample import NO_CLASS

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


def common_classes(code_a: Whole, code_b: Whole) -> Whole:
    """Codes of the classes that both have, int64 (K,)."""
    both: Whole = np.intersect1d(code_a, code_b)
    found: Whole = both[both != NO_CLASS]
    return found


def matched_weights(
    code_a: Whole, code_b: Whole, times_a: Floats, times_b: Floats
) -> tuple[Floats, Floats]:
    """Weights under which both samples have the classes of the first in its shares.

    Parameters
    ----------
    code_a, code_b : int64 (N,)
        Classes of the windows of each.
    times_a, times_b : float64 (N,)
        How often each window counts: 1, or as often as its patient was drawn.

    Returns
    -------
    two arrays, float64 (N,)
        Each sums to 1; 0 for windows of classes that only one sample has. All 0 if they share none.
    """
    weights_a, weights_b = np.zeros(len(code_a)), np.zeros(len(code_b))
    total = 0.0
    for code in common_classes(code_a[times_a > 0], code_b[times_b > 0]).tolist():
        of_a, of_b = code_a == code, code_b == code
        share = times_a[of_a].sum()
        weights_a[of_a] = times_a[of_a]
        weights_b[of_b] = times_b[of_b] * share / times_b[of_b].sum()
        total += share
    return (weights_a / total, weights_b / total) if total else (weights_a, weights_b)


def draws(patient: Whole, count: int, rng: np.random.Generator) -> Floats:
    """Draw patients with replacement, as many as there are.

    Returns
    -------
    float64 (count, N)
        How often each window's patient was drawn.
    """
    _, place = np.unique(patient, return_inverse=True)
    patients = int(place.max()) + 1 if len(place) else 0
    chosen = rng.multinomial(patients, np.full(patients, 1 / patients), size=count)
    found: Floats = chosen[:, place].astype(np.float64)
    return found
