"""A page and a length -> which part of a recording its trends show."""

from __future__ import annotations

from dataclasses import dataclass, replace

LENGTHS_S = {"8 h": 28_800.0, "2 h": 7_200.0, "30 min": 1_800.0}
"""Lengths of trends that are offered, beside that of the whole recording."""
WHOLE = "whole"


def offered(seconds: float) -> list[str]:
    """Lengths of trends of a recording of so many seconds: the whole, and what is shorter."""
    return [WHOLE, *(name for name, length_s in LENGTHS_S.items() if length_s < seconds)]


@dataclass(frozen=True, slots=True)
class Zoom:
    """Which part of a recording trends show."""

    seconds: float
    """Length of the recording."""
    name: str = WHOLE
    start_s: float = 0.0

    @property
    def length_s(self) -> float:
        """Length of the part."""
        return min(LENGTHS_S.get(self.name, self.seconds), self.seconds)

    @property
    def stop_s(self) -> float:
        """Where it ends."""
        return self.start_s + self.length_s

    def around(self, middle_s: float) -> Zoom:
        """Put a time into the middle, as far as the recording goes."""
        start_s = min(max(middle_s - self.length_s / 2, 0.0), self.seconds - self.length_s)
        return replace(self, start_s=start_s)

    def holding(self, start_s: float, stop_s: float) -> Zoom:
        """Stay where a page is in sight; else put the page into the middle."""
        if self.start_s <= start_s and stop_s <= self.stop_s:
            return self
        return self.around((start_s + stop_s) / 2)
