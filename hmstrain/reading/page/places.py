"""Times of a recording, keys and texts -> where a page begins."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import inf

from hmstrain.errors import ConfigError

SHOWN_S = 0.05
"""Times are shown to the tenth, so the end may be shown by so much later than it is."""
TIME = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,2}):)?(\d{1,6}(?:\.\d*)?)")


@dataclass(frozen=True, slots=True)
class Place:
    """Which stretch of a recording a page shows."""

    seconds: float
    """Length of the recording."""
    start_s: float = 0.0
    length_s: float = 10.0

    def at(self, start_s: float) -> Place:
        """Begin at a time, as far as the recording has a page from there on."""
        last = max(self.seconds - self.length_s, 0.0)
        return replace(self, start_s=min(max(start_s, 0.0), last))

    def around(self, middle_s: float) -> Place:
        """Put a time into the middle of the page."""
        return self.at(middle_s - self.length_s / 2)

    def turned(self, pages: float) -> Place:
        """Turn pages; fractions of one step."""
        return self.at(self.start_s + pages * self.length_s)

    def long(self, length_s: float) -> Place:
        """Show another length from the same time on."""
        return replace(self, length_s=length_s).at(self.start_s)

    @property
    def stop_s(self) -> float:
        """Where the page ends."""
        return min(self.start_s + self.length_s, self.seconds)


def exact_clock(seconds: float) -> str:
    """Write a time as h:mm:ss.s: '0:00:30.5', '-0:00:00.5'."""
    tenths = abs(round(seconds * 10))
    sign = "-" if round(seconds * 10) < 0 else ""
    hours, minutes, whole = tenths // 36_000, tenths // 600 % 60, tenths // 10 % 60
    return f"{sign}{hours}:{minutes:02d}:{whole:02d}.{tenths % 10}"


def read_clock(text: str, end_s: float = inf) -> float:
    """Read a time as one types it: '1:02:03.5', '2:03', or seconds, up to a recording's end.

    Raises
    ------
    ConfigError
        It is not a time, or one beyond the end.
    """
    found = TIME.fullmatch(text.strip())
    if found is None or (found[2] and float(found[3]) >= 60) or (found[1] and int(found[2]) >= 60):
        raise ConfigError(f"Expected a time such as 1:02:03, got {text!r}.")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    time_s = hours * 3600 + minutes * 60 + seconds
    if time_s > end_s + SHOWN_S:
        raise ConfigError(
            f"Expected a time within the recording of {exact_clock(end_s)}, got {text!r}."
        )
    return min(time_s, end_s)
