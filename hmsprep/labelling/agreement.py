"""Classes that raters gave the same windows -> Cohen's and Fleiss' kappa, confusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NONE, UNSURE = -1, -2
"""Codes of a window that a rater did not judge, and on which he would not decide."""


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """How far two raters agree on the windows to which both gave a class."""

    first: str
    second: str
    windows: int
    """That both judged."""
    same: float | None
    """Share of them to which both gave the same class."""
    kappa: float | None
    """Cohen's; None where it is not defined."""
    confusion: NDArray[np.int64]
    """(K, K) windows: rows are the first's classes, columns the second's."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "readers": [self.first, self.second],
            "windows": self.windows,
            "same": self.same,
            "kappa": self.kappa,
            "confusion": self.confusion.tolist(),
        }


@dataclass(frozen=True, slots=True)
class FleissAgreement:
    """How far all raters agree on the windows to which every one of them gave a class."""

    readers: int
    windows: int
    kappa: float | None

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"readers": self.readers, "windows": self.windows, "kappa": self.kappa}


def confusion(first: NDArray[np.int8], second: NDArray[np.int8], classes: int) -> NDArray[np.int64]:
    """Count windows by both raters' classes.

    Parameters
    ----------
    first, second : int8 (N,)
        Codes of classes; negative where a rater gave none.
    classes : int
        How many there are, K.

    Returns
    -------
    int64 (K, K)
        Of windows to which both gave a class: rows are the first's, columns the second's.
    """
    both = (first >= 0) & (second >= 0)
    pairs = first[both].astype(np.int64) * classes + second[both]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def cohens_kappa(counts: NDArray[np.int64]) -> float | None:
    """Agreement of two raters beyond chance.

    Cohen, A coefficient of agreement for nominal scales, Educ Psychol Meas 1960, 20: 37-46:
    (p_o - p_e) / (1 - p_e), where p_o is the share of equal answers, and p_e what it would be if
    both gave their classes at random with the same frequencies.

    Parameters
    ----------
    counts : int64 (K, K)
        As `confusion` gives them.

    Returns
    -------
    float or None
        None without windows, and if both gave one and the same class to all.
    """
    total = int(counts.sum())
    if not total:
        return None
    observed = np.trace(counts) / total
    expected = float((counts.sum(axis=1) * counts.sum(axis=0)).sum()) / total**2
    return None if expected >= 1 else float((observed - expected) / (1 - expected))


def fleiss_kappa(votes: NDArray[np.int64]) -> float | None:
    """Agreement of several raters beyond chance.

    Fleiss, Measuring nominal scale agreement among many raters, Psychol Bull 1971, 76: 378-382.

    Parameters
    ----------
    votes : int (N, K)
        How many raters gave each window each class; every window has the same number, n > 1.

    Returns
    -------
    float or None
        None without windows, and if all gave one and the same class to all.

    Raises
    ------
    ValueError
        Windows have different numbers of raters, or fewer than two.
    """
    if not len(votes):
        return None
    raters = votes.sum(axis=1)
    n = int(raters[0])
    if n < 2 or (raters != n).any():
        raise ValueError("expected the same number of raters, at least two, for each window")
    observed = float(((votes**2).sum(axis=1) - n).mean()) / (n * (n - 1))
    expected = float(((votes.sum(axis=0) / (len(votes) * n)) ** 2).sum())
    return None if expected >= 1 else (observed - expected) / (1 - expected)


def compare_pair(
    names: tuple[str, str], first: NDArray[np.int8], second: NDArray[np.int8], classes: int
) -> PairAgreement:
    """Tell how far two raters agree; codes as `confusion` takes them."""
    counts = confusion(first, second, classes)
    total = int(counts.sum())
    same = float(np.trace(counts)) / total if total else None
    return PairAgreement(*names, total, same, cohens_kappa(counts), counts)


def compare_all(codes: NDArray[np.int8], classes: int) -> FleissAgreement:
    """Tell how far all raters agree on the windows to which each gave a class.

    Parameters
    ----------
    codes : int8 (R, N)
        Of R raters, at least two.
    classes : int
    """
    chosen = codes[:, (codes >= 0).all(axis=0)]
    votes = np.stack([(chosen == code).sum(axis=0) for code in range(classes)], axis=1)
    return FleissAgreement(len(codes), len(votes), fleiss_kappa(votes))
