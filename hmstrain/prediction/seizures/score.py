"""A model's answers and a reader's events, of one recording or many -> SzCORE scores."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, median, pstdev
from typing import Any

from hmstrain.errors import RESEARCH_ONLY, ConfigError, DataError
from hmstrain.prediction.seizures.answers import ChosenRule, read_answers
from hmstrain.prediction.seizures.events import SLACK_S, moment, read_events, within
from hmstrain.prediction.seizures.measures import (
    RATIOS,
    Counts,
    Measures,
    defined,
    measure,
    total,
)
from hmstrain.prediction.seizures.pairs import Pair, find_pairs
from hmstrain.words import plural


@dataclass(frozen=True, slots=True)
class ScoredRecording:
    """One recording's scores."""

    pair: Pair
    seconds: float
    unknown_s: float
    """Seconds of it without a probability, which count as no seizure; 0 where events were given."""
    rule: dict[str, float] | None
    """How probabilities made events; None: events were given."""
    measures: Measures

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "name": self.pair.name,
            "subject": self.pair.subject,
            "answers": str(self.pair.answers),
            "reference": str(self.pair.reference),
            "seconds": self.seconds,
            "seconds_without_probability": round(self.unknown_s, 3),
            "episode_rule": self.rule,
            "events": self.measures.events.to_json(),
            "samples": self.measures.samples.to_json(),
            "seizures": [
                {
                    "start_s": round(one.start_s, 3),
                    "stop_s": round(one.stop_s, 3),
                    "latency_s": None if one.latency_s is None else round(one.latency_s, 3),
                }
                for one in self.measures.seizures
            ],
        }


@dataclass(frozen=True, slots=True)
class SeizureScores:
    """Scores of a model's seizure-like events against a reader's seizures."""

    recordings: tuple[ScoredRecording, ...]
    left_out: tuple[Path, ...]
    """Files that have no counterpart."""
    notes: tuple[str, ...]
    """What the user should know, one sentence each."""

    @property
    def seconds(self) -> float:
        """Length of all recordings."""
        return sum(one.seconds for one in self.recordings)

    @property
    def events(self) -> Counts:
        """Counts by event, of all recordings."""
        return total(one.measures.events for one in self.recordings)

    @property
    def samples(self) -> Counts:
        """Counts by sample, of all recordings."""
        return total(one.measures.samples for one in self.recordings)

    @property
    def latencies_s(self) -> list[float]:
        """Of each seizure that was found, seconds from its onset to the model's event."""
        return [
            seizure.latency_s
            for one in self.recordings
            for seizure in one.measures.seizures
            if seizure.latency_s is not None
        ]

    @property
    def latency(self) -> dict[str, float | int] | None:
        """Median, smallest and largest latency; None: nothing was found."""
        found = self.latencies_s
        if not found:
            return None
        return {
            "seizures": sum(len(one.measures.seizures) for one in self.recordings),
            "found": len(found),
            "median_s": round(median(found), 3),
            "smallest_s": round(min(found), 3),
            "largest_s": round(max(found), 3),
        }

    @property
    def by_subject(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Mean and standard deviation over subjects of each ratio, as SzCORE ranks detectors.

        Empty unless all recordings tell their subject and there are two or more. A subject for whom
        a ratio is not defined does not count in it.
        """
        of: dict[str | None, list[ScoredRecording]] = defaultdict(list)
        for one in self.recordings:
            of[one.pair.subject].append(one)
        if None in of or len(of) < 2:
            return {}
        found: dict[str, dict[str, dict[str, float | None]]] = {}
        for kind in ("events", "samples"):
            sums = [total(getattr(one.measures, kind) for one in own) for own in of.values()]
            found[kind] = {}
            for name in RATIOS:
                values = [v for v in (getattr(one, name) for one in sums) if isfinite(v)]
                found[kind][name] = {
                    "mean": defined(fmean(values)) if values else None,
                    "std": defined(pstdev(values)) if values else None,
                    "subjects": len(values),
                }
        return found

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "notice": RESEARCH_ONLY,
            "seconds": self.seconds,
            "events": self.events.to_json(),
            "samples": self.samples.to_json(),
            "latency": self.latency,
            "by_subject": self.by_subject,
            "left_out": [str(path) for path in self.left_out],
            "notes": list(self.notes),
            "recordings": [one.to_json() for one in self.recordings],
        }


def score(
    timeline: Path | str,
    events: Path | str,
    *,
    threshold: float | None = None,
    shortest_s: float | None = None,
    smoothing_s: float | None = None,
    tolerance_s: float = SLACK_S,
    partial: bool = False,
) -> SeizureScores:
    """Score a model's seizure-like events against a reader's seizures, as SzCORE does.

    Parameters
    ----------
    timeline : path
        A timeline that `predict` wrote (`night.csv`), or a table of SzCORE events of any program;
        or a folder of such.
    events : path
        A reader's table of SzCORE events (`NAME_events.tsv`), or a folder of such, found by name.
    threshold, shortest_s, smoothing_s : float, optional
        When probabilities make an event; by default as `predict` did. For timelines alone.
    tolerance_s : float
        By how much the recording's length may differ between both.
    partial : bool
        Of folders: leave out what has no counterpart.

    Returns
    -------
    SeizureScores

    Raises
    ------
    TrainError
        A file cannot be read, does not fit its counterpart or has none, a model's answers are given
        as the reader's, or an option makes no sense; or timescoring is not installed.

    Examples
    --------
    >>> found = hmstrain.score("night/night.csv", "night_events.tsv")  # doctest: +SKIP
    >>> found.events.sensitivity, found.events.false_per_day  # doctest: +SKIP
    (0.75, 4.2)
    """
    if not (isfinite(tolerance_s) and tolerance_s >= 0):
        raise ConfigError(f"--tolerance: expected 0 seconds or more, got {tolerance_s:g}.")
    chosen = ChosenRule(threshold, shortest_s, smoothing_s)
    pairs = find_pairs(Path(timeline), Path(events), partial=partial)
    notes: list[str] = []
    if pairs.left_out:
        names = ", ".join(path.name for path in pairs.left_out)
        notes.append(
            f"Left out {plural(len(pairs.left_out), 'file')} without counterpart: {names}."
        )
    if pairs.earlier:
        names = ", ".join(path.name for path in pairs.earlier)
        notes.append(
            f"Left out {plural(len(pairs.earlier), 'timeline')} of an earlier prediction: {names}. "
            "Predict all recordings at once, or score it by its own name."
        )
    recordings = []
    for pair in pairs.pairs:
        found, told = _score_pair(pair, chosen, tolerance_s)
        recordings.append(found)
        notes += told
    rules = {tuple(sorted((one.rule or {}).items())) for one in recordings}
    if len(rules) > 1:
        notes.append(
            "Events of different recordings were made by different rules (episode_rule): name "
            "--threshold, --shortest and --smoothing to have one."
        )
    return SeizureScores(tuple(recordings), pairs.left_out, tuple(notes))


def _score_pair(
    pair: Pair, chosen: ChosenRule, tolerance_s: float
) -> tuple[ScoredRecording, tuple[str, ...]]:
    """Score one recording; what the user should know of it."""
    answers, reference = read_answers(pair.answers, chosen), read_events(pair.reference)
    ours, theirs = answers.events, reference
    if theirs.by_model:
        raise DataError(
            f"{pair.reference} holds a model's answers: expected a reader's seizures. Once a "
            "reader has confirmed every row, remove its column description."
        )
    if ours.started and theirs.started and moment(ours.started) != moment(theirs.started):
        raise DataError(
            f"{pair.answers} says that the recording began at {ours.started}, {pair.reference} at "
            f"{theirs.started}: expected times from one start."
        )
    if ours.seconds and theirs.seconds and abs(ours.seconds - theirs.seconds) > tolerance_s:
        raise DataError(
            f"{pair.answers} is of a recording of {ours.seconds:,.1f} s, {pair.reference} of one "
            f"of {theirs.seconds:,.1f} s: expected the same recording. --tolerance accepts a "
            "larger difference; the reference's length then counts."
        )
    seconds = theirs.seconds or ours.seconds
    if seconds is None:
        raise DataError(
            f"{pair.reference}: expected the recording's length, without which there are no false "
            "alarms per day. Add a column recordingDuration, in seconds, or keep NAME.json of "
            "hmstrain predict beside the timeline."
        )
    if seconds < 1:
        raise DataError(
            f"{pair.reference}: expected a recording of 1 s or more, got {seconds:g} s."
        )
    theirs = within(pair.reference, theirs, seconds)
    ours = within(pair.answers, ours, seconds)
    measures = measure(theirs.seizures, ours.seizures, seconds)
    rule = None if answers.rule is None else answers.rule.to_json()
    scored = ScoredRecording(pair, seconds, answers.unknown_s(seconds), rule, measures)
    return scored, (*theirs.notes, *ours.notes)
