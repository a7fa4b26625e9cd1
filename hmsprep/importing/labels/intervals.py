"""Annotated intervals of a recording -> the class that each window shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import CLASSES, JUDGED_S
from hmsstore.spec import HMS

LEAST_S = JUDGED_S / 2
"""A pattern is what a window shows if it fills so much of the judged 10 s."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """What is annotated of a recording."""

    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    label: NDArray[np.int64]
    """Index of the class."""

    def consensus(self, begins_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Class of the windows that begin at these seconds; -1 where under half is annotated.

        The pattern that fills most of a window's judged 10 s, if at least half of them; else
        'other', if all intervals together fill half of them. Those that overlap count once.
        """
        first_s = begins_s + HMS.judged_from_s
        last_s = first_s + JUDGED_S
        filled = np.zeros((len(CLASSES), len(begins_s)))
        for code in range(len(CLASSES)):
            of_class = self.label == code
            for start, stop in _merged(self.start_s[of_class], self.stop_s[of_class]):
                filled[code] += np.maximum(np.minimum(stop, last_s) - np.maximum(start, first_s), 0)
        patterns = filled[:-1]
        found = np.where(patterns.max(axis=0) >= LEAST_S, patterns.argmax(axis=0), len(CLASSES) - 1)
        known = np.zeros(len(begins_s))
        for start, stop in _merged(self.start_s, self.stop_s):
            known += np.maximum(np.minimum(stop, last_s) - np.maximum(start, first_s), 0)
        return np.where(known >= LEAST_S, found, -1)


def _merged(start: NDArray[np.float64], stop: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Join intervals that overlap."""
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(zip(start.tolist(), stop.tolist(), strict=True)):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((begin, end))
    return joined
