"""Events of a model and of a reader -> sensitivity, precision, F1, false alarms, latency.

Detections are counted by `timescoring`, the package of SzCORE (doi:10.1111/epi.18113):

- by event, at 10 Hz: events less than 90 s apart are one, longer ones than 300 s are cut into such;
  a reference event is found if an event of the model overlaps it or the 30 s before or the 60 s
  after it; an event of the model that overlaps no such stretch is a false alarm.
- by sample, at 1 Hz, without any tolerance.

Ratios are of counts summed over recordings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from hmstrain.errors import RunError
from hmstrain.prediction.seizures.events import Event, union

DAY_S = 86_400.0
EVENT_HZ = 10
"""Of the masks that `timescoring` counts events in."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Detections, of events or of samples of a second."""

    reference: int
    """Events, or samples of them, of the reader."""
    found: int
    """Those of them that the model found."""
    false: int
    """False alarms."""
    seconds: float
    """Length of what was looked at."""

    @property
    def sensitivity(self) -> float:
        """Share of the reader's that was found; NaN: there are none."""
        return _ratio(self.found, self.reference)

    @property
    def precision(self) -> float:
        """Share of what was found among that and false alarms; NaN: there are neither."""
        return _ratio(self.found, self.found + self.false)

    @property
    def f1(self) -> float:
        """Harmonic mean of both; NaN: there is neither a reader's event nor a false alarm."""
        if not self.reference + self.false:
            return nan
        return 2 * self.found / (self.found + self.false + self.reference)

    @property
    def false_per_day(self) -> float:
        """False alarms per 24 hours."""
        return _ratio(self.false * DAY_S, self.seconds)

    def to_json(self) -> dict[str, float | int | None]:
        """Counts and ratios; null for those that are not defined."""
        return {
            "reference": self.reference,
            "found": self.found,
            "false": self.false,
            **{name: defined(getattr(self, name)) for name in RATIOS},
        }


RATIOS = {
    "sensitivity": "sensitivity",
    "precision": "precision",
    "f1": "F1",
    "false_per_day": "false alarms per 24 h",
}
"""What is made of counts, by name, and as it is shown."""


def defined(value: float) -> float | None:
    """A number for JSON, None in place of NaN."""
    return None if value != value else round(value, 6)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else nan


def total(counts: Iterable[Counts]) -> Counts:
    """Sum counts of several recordings."""
    every = list(counts)
    return Counts(
        sum(one.reference for one in every),
        sum(one.found for one in every),
        sum(one.false for one in every),
        sum(one.seconds for one in every),
    )


@dataclass(frozen=True, slots=True)
class Seizure:
    """A seizure of the reader: those less than 90 s apart are one."""

    start_s: float
    stop_s: float
    latency_s: float | None
    """From its onset to that of the first event of the model which finds it: negative if this began
    before, by at most the tolerance of 30 s. None: it was missed."""


@dataclass(frozen=True, slots=True)
class Measures:
    """How the answers to one recording do."""

    events: Counts
    samples: Counts
    seizures: tuple[Seizure, ...]


def measure(reference: Sequence[Event], answers: Sequence[Event], seconds: float) -> Measures:
    """Score a model's events against a reader's.

    Parameters
    ----------
    reference, answers : sequence of (float, float)
        Start and stop in seconds, within the recording; in order and apart.
    seconds : float
        Length of the recording.

    Raises
    ------
    RunError
        timescoring is not installed.
    """
    scoring, annotation = _timescoring()
    length = round(seconds * EVENT_HZ)
    theirs, ours = (annotation(list(events), EVENT_HZ, length) for events in (reference, answers))
    parameters = scoring.EventScoring.Parameters()
    by_event = scoring.EventScoring(theirs, ours, parameters)
    by_sample = scoring.SampleScoring(theirs, ours)
    before, after = parameters.toleranceStart, parameters.toleranceEnd
    gap_s = parameters.minDurationBetweenEvents
    alarms = union(answers, gap_s)
    seizures = []
    for start, stop in union(reference, gap_s):
        onsets = [one[0] for one in alarms if one[0] < stop + after and one[1] > start - before]
        latency = max(onsets[0] - start, -float(before)) if onsets else None
        seizures.append(Seizure(start, stop, latency))
    return Measures(_counts(by_event), _counts(by_sample), tuple(seizures))


def _counts(found: Any) -> Counts:
    """What `timescoring` counted."""
    return Counts(
        int(found.refTrue), int(found.tp), int(found.fp), float(found.numSamples / found.fs)
    )


def _timescoring() -> tuple[Any, Any]:
    try:
        from timescoring import scoring
        from timescoring.annotations import Annotation
    except ImportError:
        raise RunError("timescoring is not installed. Run: pip install 'hms-eeg[score]'") from None
    return scoring, Annotation
