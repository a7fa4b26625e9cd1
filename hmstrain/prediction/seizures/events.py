"""A table of SzCORE events <-> onsets and ends of seizures.

The table is that of SzCORE's annotations, an `events.tsv` of BIDS with terms of HED-SCORE: columns
`onset`, `duration`, `eventType`, `confidence`, `channels`, `dateTime`, `recordingDuration`,
separated by tabs. Times are in seconds from the start of the recording. `sz` and its kinds
(`sz_foc`, `sz_gen`, `sz_uo` and what they go on with) are seizures, `bckg` is none; a recording
without seizures has one row of `bckg`. A word that is neither is left out, and said.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from math import isfinite
from pathlib import Path

from hmstrain.errors import DataError
from hmstrain.prediction.episodes import SEIZURE, Episode, EpisodeRule
from hmstrain.prediction.leaving import RESEARCH, text_of
from hmstrain.prediction.tables import write_csv
from hmstrain.runs.json_file import write_json
from hmstrain.words import plural

COLUMNS = (
    "onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration",
)  # fmt: skip
"""Of SzCORE, in its order."""
NEEDED = COLUMNS[:3]
DESCRIPTION = "description"
SUFFIX = "_events.tsv"
SEIZURE_WORD, BACKGROUND_WORD, UNKNOWN = "sz", "bckg", "n/a"
SEIZURES = re.compile(r"sz(_(foc|gen|uo)(_\w+)?)?")
MOST_PROBLEMS = 5
SLACK_S = 1.0
"""By so much an event may reach beyond the end of its recording: tables give whole seconds."""

Event = tuple[float, float]
"""Start and stop in seconds from the start of the recording."""


@dataclass(frozen=True, slots=True)
class Events:
    """Seizures of a recording."""

    seizures: tuple[Event, ...]
    """In order and apart: those that overlapped or touched are one."""
    seconds: float | None = None
    """Length of the recording, if the table tells it."""
    started: str | None = None
    """When the recording began, as the table writes it, if it does."""
    notes: tuple[str, ...] = ()
    """What of the table was not taken as it stands, one sentence each."""
    by_model: bool = False
    """Whether the table says of a row that it is a model's answer, as `write_events` does."""


def events_names(names: Sequence[str]) -> list[str]:
    """Name the tables of recordings' events: of `night` night_events.tsv.

    As BIDS has it, `sub-01_task-rest_eeg` gets sub-01_task-rest_events.tsv, unless another one
    would have that name.

    Parameters
    ----------
    names : sequence of str
        Of the recordings' files, without their endings, with folders.
    """
    keys = [key_of(name) for name in names]
    return [
        (key if keys.count(key) == 1 else name) + SUFFIX
        for name, key in zip(names, keys, strict=True)
    ]


def key_of(name: str) -> str:
    """What names of a recording and of its tables have in common: without `_eeg` or `_events`."""
    return re.sub(r"(?<=[^/])_(eeg|ieeg|events)$", "", name, flags=re.IGNORECASE)


def write_events(
    path: Path,
    episodes: Sequence[Episode],
    seconds: float,
    rule: EpisodeRule,
) -> None:
    """Write seizure-like episodes as SzCORE events, beside them a description of the columns.

    A column `description`, after those of SzCORE, says of each row that it is a model's answer.

    Parameters
    ----------
    path : Path
        It ends in `_events.tsv`.
    episodes : sequence of Episode
        Those of other classes are left out.
    seconds : float
        Length of the recording.
    """
    rows = [
        (
            f"{one.start_s:.3f}", f"{one.seconds:.3f}", SEIZURE_WORD, f"{one.mean:.4f}", UNKNOWN,
            UNKNOWN, f"{seconds:.3f}", text_of(one),
        )
        for one in episodes
        if one.pattern.key == SEIZURE
    ] or [
        (
            "0.000", f"{seconds:.3f}", BACKGROUND_WORD, UNKNOWN, UNKNOWN, UNKNOWN,
            f"{seconds:.3f}", f"{RESEARCH}: nothing seizure-like ({rule.words})",
        )
    ]  # fmt: skip
    write_csv(path, (*COLUMNS, DESCRIPTION), rows, delimiter="\t")
    write_json(path.with_suffix(".json"), _described(rule))


def _described(rule: EpisodeRule) -> dict[str, object]:
    """Describe the columns, as BIDS asks; words and HED tags are those of SzCORE."""
    return {
        "onset": {"Description": "Start, from the start of the recording.", "Units": "s"},
        "duration": {"Description": "Length.", "Units": "s"},
        "eventType": {
            "Description": f"Answers of a model, for research only: {rule.words}.",
            "Levels": {
                SEIZURE_WORD: "Seizure-like to the model. No reader has seen it.",
                BACKGROUND_WORD: "Nothing seizure-like to the model.",
            },
            "HED": {
                SEIZURE_WORD: "Unclassified-epileptic-seizure",
                BACKGROUND_WORD: "Continuous-background-activity",
            },
        },
        "confidence": {"Description": "Mean probability of the class seizure."},
        "channels": {"Description": "Not known."},
        "dateTime": {"Description": "Left out, so that no date leaves with the table."},
        "recordingDuration": {"Description": "Length of the recording.", "Units": "s"},
        DESCRIPTION: {"Description": "What the row is, and which channels were not recorded."},
    }


def union(events: Sequence[Event], gap_s: float = 0.0) -> tuple[Event, ...]:
    """Put events in order, and make one of those that overlap, touch or are close.

    Parameters
    ----------
    events : sequence of (float, float)
    gap_s : float
        Events with less than this between them are one too.
    """
    found: list[Event] = []
    for start, stop in sorted(events):
        if found and (start <= found[-1][1] or start - found[-1][1] < gap_s):
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return tuple(found)


def within(path: Path, events: Events, seconds: float) -> Events:
    """Cut events at the end of the recording.

    Raises
    ------
    DataError
        An event begins at the end of the recording or after it: it is of another one, or its times
        are not seconds from the start.
    """
    beyond = [one for one in events.seizures if one[0] >= seconds]
    if beyond:
        raise DataError(
            f"{path}: {plural(len(beyond), 'event')} of {len(events.seizures)} "
            f"{'begins' if len(beyond) == 1 else 'begin'} after the end of the recording, which is "
            f"{seconds:,.1f} s long (the first at {beyond[0][0]:,.1f} s). Expected seconds from "
            "the start of the same recording."
        )
    notes = events.notes
    over = max((stop - seconds for _, stop in events.seizures), default=0.0)
    if over > SLACK_S:
        notes = (*notes, f"{path}: the last event was cut by {over:,.1f} s at the recording's end.")
    cut = tuple((start, min(stop, seconds)) for start, stop in events.seizures)
    return Events(cut, seconds, events.started, notes)


def is_events(path: Path) -> bool:
    """Whether a file begins as a table of events does, whatever else its columns are."""
    with path.open("rb") as file:
        head = file.readline(10_000)
    names = head.decode("utf-8-sig", "replace").strip().split("\t")
    return set(NEEDED) <= set(names)


def read_events(path: Path) -> Events:
    """Read a table of SzCORE events.

    Raises
    ------
    DataError
        It is no such table, listing what is wrong with which rows.
    """
    table = _read_rows(path)
    problems: list[str] = []
    seizures: list[Event] = []
    left_out: Counter[str] = Counter()
    for number, row in table:
        word = row.get("eventType", "")
        if SEIZURES.fullmatch(word):
            problem = _take_seizure(row, seizures)
        elif not word or _sounds_like_one(word):
            problem = f"expected the eventType sz, sz_foc, sz_gen, sz_uo or bckg, got {word!r}"
        else:
            problem = ""
            left_out[word] += word != BACKGROUND_WORD
        problems += [f"line {number}: {problem}"] if problem else []
    seconds = _length(_stated(table, "recordingDuration"), problems)
    started = _stated(table, "dateTime")
    moments = {moment(one): one for one in started}
    if len(moments) > 1:
        first, second, *_ = moments.values()
        problems.append(f"expected one dateTime, the recording's start, got {first} and {second}")
    if problems:
        more = len(problems) - MOST_PROBLEMS
        said = "; ".join(problems[:MOST_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
        raise DataError(f"{path}: {said}.")
    words = ", ".join(f"{word!r} ({count})" for word, count in left_out.most_common(10) if count)
    notes = (f"{path}: left out, being neither sz nor bckg: {words}.",) if words else ()
    by_model = any(row.get(DESCRIPTION, "").startswith(RESEARCH) for _, row in table)
    return Events(union(seizures), seconds, started[0] if started else None, notes, by_model)


Row = Mapping[str, str]
"""Cells of a line by the name of their column."""


def _read_rows(path: Path) -> list[tuple[int, Row]]:
    """Lines that are not empty, with their numbers; columns are checked."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: expected a table in UTF-8, got other bytes.") from None
    cells = csv.reader(StringIO(text), delimiter="\t")
    try:
        rows = list(cells)
    except csv.Error as error:
        raise DataError(f"{path}, line {cells.line_num}: expected a row, got {error}.") from None
    header = [name.strip() for name in rows[0]] if rows else []
    if missing := [name for name in NEEDED if name not in header]:
        raise DataError(
            f"{path}: expected columns {', '.join(NEEDED)}, separated by tabs; found no "
            f"{', '.join(missing)} in {text.partition(chr(10))[0][:200]!r}."
        )
    if twice := [name for name in COLUMNS if header.count(name) > 1]:
        raise DataError(f"{path}: expected one column {twice[0]}, got {header.count(twice[0])}.")
    return [
        (number, dict(zip(header, (cell.strip() for cell in row), strict=False)))
        for number, row in enumerate(rows[1:], 2)
        if any(cell.strip() for cell in row)
    ]


def _take_seizure(row: Row, seizures: list[Event]) -> str:
    """Take a row's seizure; tell what is wrong with it, if anything."""
    found = []
    for name in ("onset", "duration"):
        value = _number(row.get(name, ""))
        if value is None:
            return f"expected {name} in seconds, got {row.get(name, '')!r}"
        found.append(value)
    onset, duration = found
    if onset < 0:
        return f"expected an onset of 0 s or later, got {onset:g}"
    if duration <= 0:
        return f"expected a duration above 0 s, got {duration:g}"
    seizures.append((onset, onset + duration))
    return ""


def _sounds_like_one(word: str) -> bool:
    """Whether a word that is not of SzCORE may stand for a seizure, so that it must not be lost."""
    small = word.lower()
    return "sz" in small or "seiz" in small or small == "ictal"


def _stated(table: Sequence[tuple[int, Row]], column: str) -> list[str]:
    """Different values of a column, without those that say nothing."""
    values = (row.get(column, "") for _, row in table)
    return [one for one in dict.fromkeys(values) if one not in ("", UNKNOWN)]


def moment(started: str) -> datetime | str:
    """Read a dateTime, so that spellings of one moment are equal; as it stands if it is none."""
    try:
        return datetime.fromisoformat(started)
    except ValueError:
        return started


def _length(lengths: Sequence[str], problems: list[str]) -> float | None:
    """The recording's length from the different values of its column; None if it is not told."""
    known = [_number(one) for one in lengths]
    for text, value in zip(lengths, known, strict=True):
        if value is None or value <= 0:
            problems.append(f"expected recordingDuration in seconds, got {text!r}")
            return None
    values = [one for one in known if one is not None]
    if values and max(values) - min(values) > SLACK_S:
        problems.append(
            f"expected one recordingDuration, got {min(values):g} and {max(values):g} s"
        )
    return values[0] if values else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
