"""An EDF or BDF file and how it was read -> what a user should know, each a sentence less its name.

The age of who was recorded is looked at, and not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from math import inf

from hmsprep.importing.formats.edf_annotations import Annotations
from hmsprep.importing.formats.edf_header import EdfHeader, EdfSignal
from hmsprep.importing.formats.edf_time import Stretch, describe_drift, describe_gaps
from hmsprep.words import plural

SLOW_HZ = 100
"""Slower signals hold less than the 50 Hz and more that models see in what they learn from."""
SLOW_EDGE_HZ = 1
"""A high-pass above takes part of the slow waves, of which delta is made."""
LATE_S = 1.0
"""Notes of a recording's end may lie so much beyond its last sample."""
ADULT_YEARS = 18
_AGE = re.compile(
    r"\bage[\W_]{0,3}(\d{1,3})"
    r"((?-i:[mwd])(?![a-z])|[\s_]*(?:mos?|months?|wks?|weeks?|days?)(?![a-z]))?",
    re.IGNORECASE,
)
"""An age and its unit if that is not years: '9m', '3 weeks', but not '35 M', '35M' or '35 Male'."""
NO_DATE = date(1985, 1, 1)
"""What EDF+ has as the start of recordings of which no date is to be known."""
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()


def describe(
    header: EdfHeader,
    found: Annotations,
    stretches: Sequence[Stretch],
    units: Mapping[int, str],
    rates_hz: Iterable[float],
) -> Iterator[str]:
    """Say what a user should know of how the file was read, without its name in front."""
    if header.stated > header.records:
        yield (
            f"is truncated: it holds {header.records:,} of the {header.stated:,} records of its "
            "header, and was read as far as it goes"
        )
    if header.stated < 0:
        yield f"does not say how long it is: read to its end, {header.records:,} records"
    if header.misnamed:
        yield f"has the version of EDF, but ranges and {header.kind} of BDF: read with 24 bits"
    if header.surplus:
        yield f"continues for {plural(header.surplus, 'record')} beyond its header: not read"
    if header.rest_bytes:
        yield f"ends with {plural(header.rest_bytes, 'byte')} of a partial record: not read"
    silent = (found.onsets_s or (None,) * header.records).count(None)
    if header.is_discontinuous and silent and header.records > 1:
        yield (
            f"is discontinuous by its header ({header.kind}), but has {plural(silent, 'record')} "
            f"of {header.records:,} without an onset: read right after the one before, so that "
            "pauses there are not seen"
        )
    if found.from_notes:
        yield (
            "does not say apart from its notes when its records begin: taken to begin at the first "
            "note of each"
        )
    yield describe_gaps(stretches)
    yield describe_drift(stretches)
    if found.not_utf8:
        yield f"has {plural(found.not_utf8, 'annotation')} not in UTF-8: read as Windows-1252"
    if found.not_understood:
        yield f"has {plural(found.not_understood, 'annotation')} that cannot be read: left out"
    if "" in units.values():
        yield "names no unit: taken for microvolts"
    slowest_hz = min(rates_hz)
    if slowest_hz < SLOW_HZ:
        yield (
            f"has {slowest_hz:g} samples a second: nothing above {slowest_hz / 2:g} Hz was "
            "recorded, and models have learned from EEG at 200"
        )
    if is_of_a_child(header):
        yield "is of a child by its header: answers have not been examined on children's EEG"


def describe_late(places_s: Sequence[float | None], end_s: float) -> str:
    """Say that notes lie beyond a recording's end, as in one whose pauses were lost; else ''."""
    late_s = [place_s for place_s in places_s if place_s is not None and place_s > end_s + LATE_S]
    if not late_s:
        return ""
    return (
        f"has {plural(len(late_s), 'annotation')} beyond its end at second {end_s:,.6g}, the last "
        f"at {max(late_s):,.6g}: it is part of a longer recording, or pauses are not seen"
    )


def describe_filters(signals: Sequence[EdfSignal]) -> Iterator[str]:
    """Say that the header states filters of electrodes that weaken waves that models see."""
    low_hz = [min(filter(None, _edges_hz(one, "LP")), default=inf) for one in signals]
    high_hz = [max(_edges_hz(one, "HP"), default=0.0) for one in signals]
    low_hz = [hz for hz in low_hz if hz < SLOW_HZ / 2]
    high_hz = [hz for hz in high_hz if hz > SLOW_EDGE_HZ]
    for edges_hz, edge_hz, name, waves in (
        (low_hz, min(low_hz, default=0.0), "low-pass", "faster"),
        (high_hz, max(high_hz, default=0.0), "high-pass", "slower"),
    ):
        some = len(edges_hz) < len(signals)
        where = f" on {len(edges_hz)} of {plural(len(signals), 'electrode')}" if some else ""
        if edges_hz:
            yield (
                f"has a {name} at {edge_hz:g} Hz{where} by its header: {waves} waves are "
                "attenuated, and models have learned from EEG that has them"
            )


def _edges_hz(signal: EdfSignal, kind: str) -> list[float]:
    """Edges of a signal's filters of a kind: 0.1 of 'HP:0.1Hz LP:75Hz'."""
    edges = re.findall(
        rf"\b{kind}\s*[:=]?\s*(\d+(?:[.,]\d+)?)\s*Hz", signal.filtering, re.IGNORECASE
    )
    return [float(edge.replace(",", ".")) for edge in edges]


def is_of_a_child(header: EdfHeader) -> bool:
    """Whether the header tells an age of less than 18 years; the age itself is not kept.

    Temple University's files say 'Age:35'; EDF+ names the dates of birth and of the start.
    """
    stated = _AGE.search(header.patient)
    if stated is not None:
        return stated[2] is not None or int(stated[1]) < ADULT_YEARS
    born, begun = _date(header.patient), _date(header.recording) or _short_date(header.date)
    if begun == NO_DATE:
        begun = None
    if born is None or begun is None or born > begun:
        return False
    had_birthday = (begun.month, begun.day) >= (born.month, born.day)
    return begun.year - born.year - (not had_birthday) < ADULT_YEARS


def _date(text: str) -> date | None:
    """Read a date as EDF+ writes it: 02-MAY-1951."""
    found = re.search(r"\b(\d{1,2})-([A-Za-z]{3})-(\d{4})\b", text)
    if found is None or found[2].upper() not in MONTHS:
        return None
    return _valid(int(found[3]), MONTHS.index(found[2].upper()) + 1, int(found[1]))


def _short_date(text: str) -> date | None:
    """Read a date as EDF writes it: 02.05.51, where 85 to 99 are of the last century."""
    found = re.fullmatch(r"(\d\d)\D(\d\d)\D(\d\d)", text)
    if found is None:
        return None
    year = int(found[3])
    return _valid(year + (1900 if year >= 85 else 2000), int(found[2]), int(found[1]))


def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
