"""Onsets of a file's records -> stretches without a gap, in the recording's own time.

A file is continuous only if its records' onsets say so, whatever its header says: EDF+D files often
are, and EDF+C files sometimes are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from hmsprep.errors import DataError
from hmsprep.importing.pieces import RATE
from hmsprep.words import plural

TOLERANCE_S = Fraction(1, 100)
"""Onsets differ so much from where the record before ends by rounding alone."""
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
    onsets_s: Sequence[Fraction | None], records: int, record_s: Fraction, where: str
) -> tuple[Stretch, ...]:
    """Find where records do not follow each other.

    Parameters
    ----------
    onsets_s : sequence of Fraction or None
        Of each record; one without is taken to follow the record before. Empty: all are.
    records : int
    record_s : Fraction
        Length of a record.
    where : str
        Name of the file, for messages.

    Raises
    ------
    DataError
        A record begins before the one ahead of it ends, or more than a day after.
    """
    zero_s = first_onset(onsets_s, record_s)
    found = []
    first, start_s = 0, Fraction(0)
    for record, onset_s in enumerate(onsets_s):
        if onset_s is None:
            continue
        end_s = start_s + (record - first) * record_s
        late_s = onset_s - zero_s - end_s
        if abs(late_s) <= TOLERANCE_S:
            continue
        if late_s < 0 or late_s > LONGEST_GAP_S:
            what = "overlaps the one before it by" if late_s < 0 else "follows after a gap of"
            raise DataError(
                f"{where} cannot be put in order of time: record {record + 1} of {records:,} "
                f"{what} {abs(float(late_s)):,.10g} s. Export each part as a file of its own."
            )
        found.append(Stretch(first, record, start_s, end_s))
        first, start_s = record, end_s + late_s
    return (*found, Stretch(first, records, start_s, start_s + (records - first) * record_s))


def describe_gaps(stretches: Sequence[Stretch]) -> str:
    """Say how many gaps there are and where the longest is; '' if there are none."""
    gaps = [(after.start_s - one.end_s, one.end_s) for one, after in pairwise(stretches)]
    if not gaps:
        return ""
    length_s, at_s = max(gaps)
    in_all = f" {float(sum(gap for gap, _ in gaps)):,.6g} s in all, the longest"
    return (
        f"has {plural(len(gaps), 'gap')},{in_all if len(gaps) > 1 else ''} of "
        f"{float(length_s):,.6g} s from second {float(at_s):,.6g} on: missing values there"
    )


def length(stretches: Sequence[Stretch]) -> int:
    """Samples at 200 Hz from the first to the last."""
    return floor(stretches[-1].end_s * RATE)
