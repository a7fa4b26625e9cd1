"""Onsets of a file's records -> stretches without a gap, in the recording's own time.

A file is continuous only if its records' onsets say so, whatever its header says: EDF+D files often
are, and EDF+C files sometimes are not. Where onsets contradict each other, records can be read one
after the other in the order of the file, if that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

import numpy as np

from hmsprep.importing.formats.edf_annotations import Annotation
from hmsprep.importing.pieces import RATE
from hmsprep.words import plural

TOLERANCE_S = Fraction(1, 100)
"""Onsets differ so much from where a record should begin by rounding alone."""
MOST_DRIFT = Fraction(1, 1000)
"""Of a recorder's clock, in seconds per second; a quartz has a tenth of that at the most."""
LONGEST_GAP_S = 24 * 3600
"""Missing values are written for a gap; beyond a day parts are recordings of their own."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Records that follow each other without a gap."""

    first: int
    stop: int
    """Records [first, stop)."""
    start_s: Fraction
    """From the recording's first sample."""
    end_s: Fraction
    slower: Fraction = Fraction(1)
    """Length of its records by their onsets, relative to the one that the header states."""

    @property
    def span(self) -> tuple[int, int]:
        """First sample at 200 Hz that lies in it, and the one after the last."""
        return ceil(self.start_s * RATE), ceil(self.end_s * RATE)


def first_onset(onsets_s: Sequence[Fraction | None], record_s: Fraction) -> Fraction:
    """When the first record begins, from the file's start time; 0 if no record says when."""
    for record, onset_s in enumerate(onsets_s):
        if onset_s is not None:
            return onset_s - record * record_s
    return Fraction(0)


def find_stretches(
    onsets_s: Sequence[Fraction | None], records: int, record_s: Fraction
) -> tuple[tuple[Stretch, ...], str]:
    """Find where records do not follow each other.

    Onsets that jump by more than 10 ms from one record to the next, away from where the clock so
    far leads, leave a gap. Those that move away bit by bit, as a clock does that is up to 0.1% off,
    stay one stretch, whose records are as long as the onsets say.

    Parameters
    ----------
    onsets_s : sequence of Fraction or None
        Of each record; one without is taken to follow the record before. Empty: all are.
    records : int
    record_s : Fraction
        Length of a record.

    Returns
    -------
    tuple of Stretch
        In the order of the file, none before the one ahead of it ends, or more than a day after.
    str
        Where they would be: what is wrong, as in 'record 3 of 9 overlaps the one before it by 2 s';
        all records are then one stretch. Else ''.
    """
    zero_s = first_onset(onsets_s, record_s)
    found = []
    first, start_s, clock = 0, Fraction(0), Clock()
    before, before_s = 0, Fraction(0)
    for record, onset_s in enumerate(onsets_s):
        if onset_s is None:
            continue
        at_s = onset_s - zero_s
        count = record - first
        stepped_s = float(at_s - before_s - (record - before) * record_s)
        before, before_s = record, at_s
        late_s = at_s - start_s - count * record_s
        if clock.follows(float(late_s), float(count * record_s), stepped_s):
            continue
        slower = 1 + late_s / (count * record_s)
        if abs(stepped_s) > TOLERANCE_S or abs(slower - 1) > MOST_DRIFT:  # no clock does that
            slower = clock.slower
        stretch = Stretch(first, record, start_s, start_s + count * record_s * slower, slower)
        late_s = at_s - stretch.end_s
        if late_s < 0 or late_s > LONGEST_GAP_S:
            what = "overlaps the one before it by" if late_s < 0 else "follows after a gap of"
            fault = f"record {record + 1:,} of {records:,} {what} {abs(float(late_s)):,.10g} s"
            return (Stretch(0, records, Fraction(0), records * record_s),), fault
        found.append(stretch)
        first, start_s, clock = record, at_s, Clock()
    end_s = start_s + (records - first) * record_s * clock.slower
    return (*found, Stretch(first, records, start_s, end_s, clock.slower)), ""


def place_notes(
    notes: Sequence[Annotation], onsets_s: Sequence[Fraction | None], record_s: Fraction
) -> Iterator[float | None]:
    """Tell when notes are, of records that are read one after the other despite their onsets.

    A note may be when it says, from the first record's onset on, or as far into a record as it is
    by that record's onset. Where these differ by more than a record, those count that agree with
    the place of the record that holds the note.

    Yields
    ------
    float or None
        Seconds from the first record on; None where they still differ.
    """
    zero_s = float(first_onset(onsets_s, record_s))
    begins_s = np.asarray([np.nan if one is None else float(one) for one in onsets_s])
    long_s = float(record_s)
    for note in notes:
        into_s = float(note.onset_s) - begins_s
        inside = np.flatnonzero((into_s >= 0) & (into_s < long_s))
        places_s = np.append(float(note.onset_s) - zero_s, inside * long_s + into_s[inside])
        for around_s in (0.0, long_s):
            if np.ptp(places_s) <= long_s:
                break
            away_s = np.abs(places_s - (note.record + 0.5) * long_s) - long_s / 2
            near = away_s <= around_s + float(TOLERANCE_S)
            places_s = places_s[near] if near.any() else places_s
        yield float(places_s[-1]) if np.ptp(places_s) <= long_s else None


class Clock:
    """How much slower than stated a recorder's clock can be, by the onsets of a stretch so far."""

    def __init__(self) -> None:
        self.low, self.high = -float(MOST_DRIFT), float(MOST_DRIFT)
        """Relative drift by which all onsets so far are met within the tolerance."""
        self.last = 0.0
        """Relative drift of the last onset."""

    @property
    def drift(self) -> float:
        """None where that meets all onsets, else nearest to the last one's."""
        wanted = 0.0 if self.low <= 0 <= self.high else self.last
        return min(max(wanted, self.low), self.high)

    @property
    def slower(self) -> Fraction:
        """Length of a record by the onsets, relative to the stated one."""
        return 1 + Fraction(self.drift).limit_denominator(10**9)

    def follows(self, late_s: float, stated_s: float, stepped_s: float) -> bool:
        """Take the next onset, unless it is of no record that follows.

        Parameters
        ----------
        late_s : float
            How much later it is than the stretch's start and `stated_s` seconds of records say.
        stated_s : float
        stepped_s : float
            How much later it is than the record before says.
        """
        tolerance_s = float(TOLERANCE_S)
        if stated_s <= 0:
            return abs(late_s) <= tolerance_s
        jumped = abs(stepped_s) > tolerance_s
        if jumped and abs(late_s - self.drift * stated_s) > tolerance_s:
            return False
        low = max(self.low, (late_s - tolerance_s) / stated_s)
        high = min(self.high, (late_s + tolerance_s) / stated_s)
        if low > high:
            return False
        self.low, self.high, self.last = low, high, late_s / stated_s
        return True


def find_gaps(stretches: Sequence[Stretch]) -> tuple[tuple[int, int], ...]:
    """Spans of samples at 200 Hz, [first, stop), that lie between stretches."""
    pairs = ((one.span[1], after.span[0]) for one, after in pairwise(stretches))
    return tuple((first, stop) for first, stop in pairs if stop > first)


def describe_gaps(stretches: Sequence[Stretch]) -> str:
    """Say how many gaps there are and where the longest is; '' if there are none."""
    gaps = [(after.start_s - one.end_s, one.end_s) for one, after in pairwise(stretches)]
    gaps = [(gap_s, at_s) for gap_s, at_s in gaps if gap_s > 0]
    if not gaps:
        return ""
    length_s, at_s = max(gaps)
    in_all = f" {float(sum(gap for gap, _ in gaps)):,.6g} s in all, the longest"
    return (
        f"has {plural(len(gaps), 'gap')},{in_all if len(gaps) > 1 else ''} of "
        f"{float(length_s):,.6g} s from second {float(at_s):,.6g} on: missing values there"
    )


def describe_drift(stretches: Sequence[Stretch]) -> str:
    """Say how far the clock of the records drifts from the rate of the header; '' if it does not.

    The samples of a stretch are spread evenly over the time that its onsets tell.
    """
    drifts = [(one.end_s - one.start_s) * (1 - 1 / one.slower) for one in stretches]
    drift_s = float(sum(drifts))
    if not any(drifts):
        return ""
    return (
        f"has records whose onsets drift from its rate by {drift_s:+,.3g} s in all: its samples "
        "are read at the rate that the onsets tell"
    )


def length(stretches: Sequence[Stretch]) -> int:
    """Samples at 200 Hz from the first to the last."""
    return floor(stretches[-1].end_s * RATE)
