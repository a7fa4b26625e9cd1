"""Clocks that tell what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle


class Clock:
    """Every second reading is later than the one before by the next of some durations, in turn."""

    def __init__(self, durations_s: Sequence[float]) -> None:
        self.durations_s = cycle(durations_s)
        self.now_s, self.runs = 0.0, False

    def __call__(self) -> float:
        """Seconds."""
        if self.runs:
            self.now_s += next(self.durations_s)
        self.runs = not self.runs
        return self.now_s
