"""What `hmstrain predict` wrote of a recording, or any table of SzCORE events -> its seizures."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmsstore.json_shapes import entry, finite, mapping, read_json, whole
from hmstrain.errors import ConfigError, DataError
from hmstrain.prediction.episodes import (
    ROUNDING,
    SEIZURE,
    EpisodeRule,
    smooth,
    stretches,
)
from hmstrain.prediction.seizures.events import Event, Events, is_events, read_events, union

TIMELINE_BEGINS = b"start_s,stop_s,"


@dataclass(frozen=True, slots=True)
class ChosenRule:
    """What the user says of when probabilities make an episode; None: as `predict` did."""

    threshold: float | None = None
    shortest_s: float | None = None
    smoothing_s: float | None = None

    def __post_init__(self) -> None:
        self.over(EpisodeRule())  # refuses what makes no sense

    @property
    def given(self) -> dict[str, float]:
        """Those that the user named."""
        values = {
            "threshold": self.threshold,
            "shortest_s": self.shortest_s,
            "smoothing_s": self.smoothing_s,
        }
        return {name: value for name, value in values.items() if value is not None}

    def over(self, rule: EpisodeRule) -> EpisodeRule:
        """The rule, with what the user named in place of its values."""
        return replace(rule, **self.given)


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's seizures of a recording."""

    events: Events
    rule: EpisodeRule | None
    """How probabilities made them; None: the table has events alone."""
    known: tuple[Event, ...] | None = None
    """Stretches of time with a probability, in order; None: the table has events alone."""

    def unknown_s(self, seconds: float) -> float:
        """Count the seconds without a probability, of a recording of so many: ends and gaps."""
        if self.known is None:
            return 0.0
        return seconds - sum(max(min(stop, seconds) - start, 0.0) for start, stop in self.known)


def is_timeline(path: Path) -> bool:
    """Whether a file begins as a timeline of `hmstrain predict` does."""
    with path.open("rb") as file:
        return file.read(len(TIMELINE_BEGINS)) == TIMELINE_BEGINS


def read_answers(path: Path, chosen: ChosenRule) -> Answers:
    """Read a timeline, whose probabilities make events, or events themselves.

    Parameters
    ----------
    path : Path
        A timeline as `hmstrain predict` writes it (`night.csv`, with `night.json` beside it), or a
        table of SzCORE events.
    chosen : ChosenRule

    Raises
    ------
    DataError
        It is neither.
    ConfigError
        A rule was chosen for events, which have no probabilities.
    """
    if is_timeline(path):
        return _of_timeline(path, chosen)
    if not is_events(path):
        raise DataError(
            f"{path}: expected a timeline that hmstrain predict wrote (NAME.csv), or a table of "
            "SzCORE events (onset, duration, eventType; separated by tabs), got neither."
        )
    if chosen.given:
        names = ", ".join(f"--{name.removesuffix('_s')}" for name in chosen.given)
        raise ConfigError(
            f"{names}: expected a timeline, whose probabilities make events, got the events "
            f"{path}. Name NAME.csv of hmstrain predict, or leave the options out."
        )
    return Answers(read_events(path), None)


def _of_timeline(path: Path, chosen: ChosenRule) -> Answers:
    about = _about(path.with_suffix(".json"))
    rule = chosen.over(about.rule)
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        table = csv.DictReader(file)
        try:
            if SEIZURE not in (table.fieldnames or ()):
                raise DataError(
                    f"{path}: expected probabilities of the class {SEIZURE}, found the columns "
                    f"{', '.join(table.fieldnames or ())}."
                )
            rows = [
                (float(row["start_s"]), float(row["stop_s"]), _probability(row[SEIZURE]))
                for row in table
            ]
        except (TypeError, ValueError, KeyError, csv.Error):
            raise DataError(
                f"{path}, line {table.line_num}: expected numbers in start_s, stop_s and "
                f"{SEIZURE}. Run hmstrain predict again."
            ) from None
    if about.windows not in (None, len(rows)):
        raise DataError(
            f"{path}: expected the {about.windows:,} windows that {path.stem}.json tells of, got "
            f"{len(rows):,}. Run hmstrain predict again."
        )
    values = np.asarray(rows, np.float64).reshape(-1, 3)
    spans_s, probability = values[:, :2], values[:, 2:]
    averaged = smooth(spans_s, probability, rule.smoothing_s)[:, 0]
    over = averaged >= rule.threshold - ROUNDING
    found = tuple(
        (float(spans_s[first, 0]), float(spans_s[stop - 1, 1]))
        for first, stop in stretches(spans_s, over, rule.shortest_s)
    )
    known = union([(start, stop) for start, stop, value in rows if isfinite(value)])
    return Answers(Events(found, about.seconds), rule, known)


def _probability(cell: str) -> float:
    return nan if cell == "" else float(cell)


class _About(NamedTuple):
    """What `predict` tells of a timeline in the file beside it."""

    seconds: float | None
    windows: int | None
    rule: EpisodeRule


def _about(path: Path) -> _About:
    """Read the file beside a timeline; where there is none, the rule is the default."""
    try:
        found = mapping(read_json(path))
        seconds = entry(found, "seconds", finite)
        values = mapping(found.get("episode_rule", {}))
        rule = EpisodeRule(**{name: finite(value) for name, value in values.items()})
        return _About(seconds, entry(entry(found, "windows", mapping), "all", whole), rule)
    except FileNotFoundError:
        return _About(None, None, EpisodeRule())
    except (ValueError, TypeError, AttributeError, ConfigError):
        raise DataError(
            f"{path}: expected the JSON file that hmstrain predict writes with a timeline "
            "(seconds, windows, episode_rule), got something else. Run hmstrain predict again."
        ) from None
