"""Events that a reader accepted -> figures of each hour in ACNS terms, and text for a report.

Prevalence is the share of the recorded time of an hour, or of the whole recording, that events of a
class take; events of one class that overlap count once. The model's own figure, the share of
windows over a threshold, is none of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from hmsstore import HMS, Spec
from hmstrain.prediction.beside import time_of_day
from hmstrain.prediction.episodes import SEIZURE
from hmstrain.prediction.seizures.events import union
from hmstrain.reading.events.acns import (
    ROUNDING,
    ROUNDING_S,
    STATUS_HOUR_S,
    STATUS_S,
    STATUS_SHARE,
    duration_word,
    prevalence_word,
)
from hmstrain.reading.events.background import Background
from hmstrain.reading.events.event import ACCEPTED, PROPOSED, REJECTED, Event
from hmstrain.words import clock, plural

HOUR_S = 3600.0
UNKNOWN = "Gaps are not known unless all trends are computed: they count as recorded."
"""Said of a recording whose gaps are not given."""
Span = tuple[float, float]
"""Start and stop in seconds from the start of the recording."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Events of one class within an hour, or a whole recording."""

    label: str
    title: str
    count: int
    """Events that begin in it; those that overlap are one."""
    seconds: float
    """Of recorded time that they take."""
    longest_s: float
    """The longest stretch of those that reach into it that was recorded without a gap."""
    share: float
    """Of the recorded time."""

    @property
    def words(self) -> str:
        """As one reads it: 'LPD frequent (23%): 3 events, longest 0:12:00 (long), in all ...'."""
        return (
            f"{self.title} {prevalence_word(self.share)} ({_percent(self.share)}): "
            f"{plural(self.count, 'event')} begin{'s' * (self.count == 1)}, longest "
            f"{_length(self.longest_s)} ({duration_word(self.longest_s)}), in all "
            f"{_length(self.seconds)}"
        )


@dataclass(frozen=True, slots=True)
class Stretch:
    """An hour, or a whole recording."""

    start_s: float
    stop_s: float
    recorded_s: float
    """Without gaps."""
    classes: tuple[ClassFigures, ...]
    """Those of which there is an event, in the classes' order."""
    artefact: float | None
    """Mean share of recorded channels that show artefact, if it was measured."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a reader found in a recording."""

    hours: tuple[Stretch, ...]
    whole: Stretch
    burden: float
    """Largest share of any 60 minutes that seizures take."""
    burden_from_s: float
    """Where those 60 minutes begin."""
    status: bool
    """Whether seizures reach what ACNS 2021 asks of electrographic status epilepticus."""
    undecided: int
    """The model's episodes that were neither accepted nor rejected."""
    rejected: int
    gaps_known: bool
    """Whether it is known what was recorded."""


def summarise(
    events: Sequence[Event],
    seconds: float,
    *,
    gaps: Sequence[Span] | None = None,
    quality_time_s: NDArray[np.floating] | None = None,
    quality: NDArray[np.floating] | None = None,
    spec: Spec = HMS,
) -> Summary:
    """Compute the figures of a recording.

    Parameters
    ----------
    events : sequence of Event
        All of the list; accepted ones count.
    seconds : float
        Length of the recording.
    gaps : sequence of (float, float), optional
        Stretches without EEG: neither they nor what lies in them count. None: they are not known,
        so all time counts, and the report says so.
    quality_time_s, quality : float (T,), optional
        Share of recorded channels that show artefact, and the times that the shares are of; NaN is
        left out.
    spec : Spec
        The classes.
    """
    known_gaps = gaps or ()
    missing = union(
        [(max(0.0, a), min(seconds, b)) for a, b in known_gaps if b > 0 and a < seconds]
    )
    spans = {
        key: union([(one.start_s, min(one.stop_s, seconds)) for one in events
                    if one.state == ACCEPTED and one.label == key and one.start_s < seconds])
        for key in spec.class_keys
        if key != spec.background
    }  # fmt: skip

    seen = {key: _without(missing, given) for key, given in spans.items()}

    def stretch(start_s: float, stop_s: float) -> Stretch:
        recorded = stop_s - start_s - _overlap(missing, start_s, stop_s)
        artefact = None
        if quality is not None and quality_time_s is not None:
            inside = quality[(quality_time_s >= start_s) & (quality_time_s < stop_s)]
            known = inside[np.isfinite(inside)]
            artefact = float(known.mean()) if len(known) else None
        found = []
        for one in spec.classes:
            here = [s for s in spans.get(one.key, ()) if s[0] < stop_s and s[1] > start_s]
            taken = sum(
                min(b, stop_s) - max(a, start_s)
                - _overlap(missing, max(a, start_s), min(b, stop_s))
                for a, b in here
            )  # fmt: skip
            if here:
                count = sum(start_s <= a for a, _ in here)
                at_once = [b - a for a, b in seen[one.key] if a < stop_s and b > start_s]
                longest = max(at_once, default=0.0)
                share = taken / recorded if recorded > 0 else 0.0
                found.append(ClassFigures(one.key, one.title, count, taken, longest, share))
        return Stretch(start_s, stop_s, recorded, tuple(found), artefact)

    count = max(1, ceil(seconds / HOUR_S - 1e-9))
    hours = tuple(
        stretch(hour * HOUR_S, min((hour + 1) * HOUR_S, seconds)) for hour in range(count)
    )
    seizures = seen.get(SEIZURE, ())
    burden, burden_from_s = largest_burden(seizures, seconds)
    longest = max((b - a for a, b in seizures), default=0.0)
    return Summary(
        hours,
        stretch(0.0, seconds),
        burden,
        burden_from_s,
        longest >= STATUS_S - ROUNDING_S or burden >= STATUS_SHARE - ROUNDING,
        sum(one.state == PROPOSED for one in events),
        sum(one.state == REJECTED for one in events),
        gaps is not None,
    )


def gaps_where(
    time_s: NDArray[np.floating], missing: NDArray[np.floating], epoch_s: float
) -> list[Span] | None:
    """Find stretches without EEG by a trend of how much was missing.

    Parameters
    ----------
    time_s : float (T,)
        Middles of epochs, ascending.
    missing : float (T,)
        Share of channels, or pairs, that were not recorded; NaN where it is not known yet.
    epoch_s : float
        From one middle to the next.

    Returns
    -------
    list of (float, float) or None
        Epochs of which nothing was recorded, joined; None if some are not known.
    """
    if not np.isfinite(missing).all():
        return None
    half = epoch_s / 2
    return list(union([(at - half, at + half) for at in time_s[missing >= 1].tolist()]))


def largest_burden(spans: Sequence[Span], seconds: float) -> tuple[float, float]:
    """Find the 60 minutes of which seizures take most.

    Parameters
    ----------
    spans : sequence of (float, float)
        Seizures, in order and apart.
    seconds : float
        Length of the recording; one of less than 60 minutes counts as 60 all the same.

    Returns
    -------
    (float, float)
        Share of the 60 minutes, and where they begin.
    """
    last = max(0.0, seconds - STATUS_HOUR_S)
    starts = {0.0}  # the share is largest where the 60 minutes begin or end with a seizure
    for start, stop in spans:
        starts |= {min(start, last), min(max(0.0, stop - STATUS_HOUR_S), last)}
    shares = {at: _overlap(spans, at, at + STATUS_HOUR_S) / STATUS_HOUR_S for at in sorted(starts)}
    best = max(shares, key=lambda at: shares[at])
    return shares[best], best


def report_text(
    summary: Summary,
    name: str,
    reader: str,
    *,
    background: Sequence[Background] = (),
    start: time | None = None,
) -> str:
    """Write a summary as plain text that can be copied into a report.

    Parameters
    ----------
    summary : Summary
    name : str
        What the recording is called.
    reader : str
        Initials.
    background : sequence of Background
        Descriptions of the background.
    start : time, optional
        Time of day at which the recording starts: times are then of the day.
    """
    whole = summary.whole
    lines = [
        f"{name}, {clock(whole.stop_s)} h:mm:ss{_recorded(summary, whole)}. Reader: {reader}.",
        "Events that the reader accepted; terms of ACNS 2021.",
        *([] if summary.gaps_known else [UNKNOWN]),
        "",
        "Whole recording",
        *_stretch_lines(whole),
    ]
    if any(one.label == SEIZURE for one in whole.classes):
        at = time_of_day(summary.burden_from_s, start)
        lines.append(
            f"  Largest seizure burden of any 60 minutes: {_percent(summary.burden)} (from {at})."
        )
        if summary.status:
            lines.append(
                "  Reaches 10 minutes at a stretch, or 20% of 60 minutes: electrographic status "
                "epilepticus by ACNS 2021, if the events are electrographic seizures."
            )
    if summary.undecided:
        lines.append(
            f"  {plural(summary.undecided, 'episode')} of the model not reviewed: not counted."
        )
    if len(summary.hours) > 1:
        for hour in summary.hours:
            begin, stop = (time_of_day(at, start) for at in (hour.start_s, hour.stop_s))
            lines += [
                "",
                f"{begin} to {stop}{_recorded(summary, hour)}",
                *_stretch_lines(hour),
            ]
    if background:
        lines += ["", "Background", *(f"  {one.words}" for one in background)]
    return "\n".join(lines) + "\n"


def _stretch_lines(stretch: Stretch) -> list[str]:
    lines = [f"  {one.words}." for one in stretch.classes] or ["  No events."]
    if stretch.recorded_s <= 0:
        return ["  Not recorded."]
    if stretch.artefact is not None:
        lines.append(f"  Artefact on {stretch.artefact:.0%} of channels, on average.")
    return lines


def _recorded(summary: Summary, stretch: Stretch) -> str:
    """How much of a stretch was recorded, if that is known."""
    share = stretch.recorded_s / (stretch.stop_s - stretch.start_s)
    return f", EEG recorded {_percent(share)}" if summary.gaps_known else ""


def _overlap(spans: Sequence[Span], start_s: float, stop_s: float) -> float:
    return sum(max(0.0, min(b, stop_s) - max(a, start_s)) for a, b in spans)


def _without(gaps: Sequence[Span], spans: Sequence[Span]) -> list[Span]:
    """What is left of spans without gaps, both in order and apart: nobody saw what was in them."""
    found = []
    for start_s, stop_s in spans:
        for a, b in gaps:
            if a < stop_s and b > start_s:
                found.append((start_s, a))
                start_s = b
        found.append((start_s, stop_s))
    return [(a, b) for a, b in found if b > a]


def _percent(share: float) -> str:
    """A share of time, small ones so that they are not 0.

    Rounded down, as lengths are: up, it would be that of another word than beside it.
    """
    if ROUNDING < share < 0.001:
        return "less than 0.1%"
    if share < 0.1 - ROUNDING:
        return f"{floor(share * 1000 + ROUNDING_S) / 10:.1f}%"
    return f"{floor(share * 100 + ROUNDING_S)}%"


def _length(seconds: float) -> str:
    """A length as h:mm:ss, rounded down."""
    return clock(floor(seconds + ROUNDING_S))
