"""A file or a tree, of a model's answers and of a reader's events -> which belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hmsstore.json_shapes import ShapeError, entry, items, read_json, text
from hmstrain.errors import DataError
from hmstrain.prediction.seizures.answers import is_timeline
from hmstrain.prediction.seizures.events import SUFFIX, key_of
from hmstrain.words import plural

SUBJECT = re.compile(r"sub-([A-Za-z0-9]+)")
MOST_NAMED = 5
EARLIER = "left out, being of an earlier prediction"
SUMMARY = "predictions.json"
"""What `predict` writes last; says which timelines it wrote."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One recording: a model's answers and a reader's events."""

    name: str
    subject: str | None
    """As the names of BIDS tell: of `sub-01/...` or `sub-01_...` 01."""
    answers: Path
    reference: Path


@dataclass(frozen=True, slots=True)
class Pairs:
    """What belongs together, and what has no counterpart."""

    pairs: tuple[Pair, ...]
    left_out: tuple[Path, ...] = ()
    """Answers without events, and events without answers."""
    earlier: tuple[Path, ...] = ()
    """Timelines that an earlier prediction, maybe of another model, left in the same folder."""


def find_pairs(answers: Path, reference: Path, *, partial: bool = False) -> Pairs:
    """Find which events belong to which answers.

    Two files belong together whatever they are called. Of a tree, those do that have one name but
    for `_eeg`, `_events` and what follows the last dot; if several have it, those in the same
    folder below both.

    Parameters
    ----------
    answers : Path
        A timeline or a table of events; or a folder of timelines, or, if it holds none, of tables
        that end in `_events.tsv`.
    reference : Path
        A table of events, or a folder of tables that end in `_events.tsv`.
    partial : bool
        Leave out what has no counterpart.

    Raises
    ------
    DataError
        There is nothing, something has no counterpart, or it cannot be told which one.
    """
    for path in (answers, reference):
        if not path.exists():
            raise DataError(f"{path}: expected a file or a folder, found nothing.")
    if answers.is_file() and reference.is_file():
        name = key_of(reference.stem)
        return Pairs((Pair(name, _subject(reference.name), answers, reference),))
    (ours, earlier), theirs = _answers_of(answers), _events_of(reference)
    found: list[Pair] = []
    used: dict[Path, Path] = {}
    for path in theirs:
        key = key_of(path.stem)
        same = [one for one in ours if key_of(one.stem) == key]
        if len(same) > 1:
            here = _below(path, reference)
            same = [one for one in same if _below(one, answers) == here] or same
        if len(same) > 1 or (same and same[0] in used):
            both = same[:2] if len(same) > 1 else [used[same[0]], path]
            raise DataError(
                f"{key}: expected one file of this name, found {both[0]} and {both[1]}. Name "
                "recordings differently, or have both trees have the same folders."
            )
        if same:
            used[same[0]] = path
            subject = _subject(str(path.relative_to(reference)) if path != reference else path.name)
            found.append(Pair(key, subject, same[0], path))
    without = [path for path in theirs if path not in used.values()]
    unread = [path for path in ours if path not in used]
    if not found:
        raise DataError(
            f"Expected a table of events with the name of each recording: none of "
            f"{plural(len(theirs), 'table')} ({theirs[0].name}, ...) has the name of one of "
            f"{plural(len(ours), 'recording')} ({ours[0].name}, ...). "
            f"{_named(earlier, EARLIER)}".rstrip()
        )
    # One file against a tree asks for that file alone.
    wanted = [*without, *unread] if answers.is_dir() and reference.is_dir() else []
    if wanted and not partial:
        raise DataError(
            f"Expected answers and events of each recording. {_named(without, 'without answers')}"
            f"{_named(unread, 'without events')}{_named(earlier, EARLIER)}"
            f"Give --partial to score the other {plural(len(found), 'recording')}."
        )
    return Pairs(tuple(found), tuple(wanted), earlier)


def _named(paths: Sequence[Path], what: str) -> str:
    if not paths:
        return ""
    more = len(paths) - MOST_NAMED
    names = ", ".join(path.name for path in paths[:MOST_NAMED])
    return f"{what.capitalize()}: {names}{f' and {more} more' if more > 0 else ''}. "


def _below(path: Path, top: Path) -> Path:
    return path.relative_to(top).parent if top.is_dir() else Path()


def _answers_of(path: Path) -> tuple[list[Path], tuple[Path, ...]]:
    """Answers in a file or a folder, and timelines there of an earlier prediction."""
    if path.is_file():
        return [path], ()
    found = [one for one in sorted(path.rglob("*.csv")) if one.is_file() and is_timeline(one)]
    last = _last_predicted(path)
    kept = [one for one in found if last is None or one.relative_to(path).as_posix() in last]
    if kept:
        return kept, tuple(one for one in found if one not in kept)
    if found:
        raise DataError(
            f"{path}: {plural(len(found), 'timeline')} of an earlier prediction "
            f"({found[0].name}, ...) and none of the last one. Predict the recordings again, or "
            "name a timeline by itself."
        )
    return _events_of(path, "timelines (NAME.csv of hmstrain predict), or of "), ()


def _last_predicted(folder: Path) -> set[str] | None:
    """Names of the timelines that the last prediction into a folder wrote; None if unknown."""
    try:
        recordings = entry(read_json(folder / SUMMARY), "recordings", items)
        return {entry(one, "timeline", text) for one in recordings}
    except (OSError, ShapeError):
        return None  # of another program, or of a version that did not say


def _events_of(path: Path, before: str = "") -> list[Path]:
    if path.is_file():
        return [path]
    found = [one for one in sorted(path.rglob(f"*{SUFFIX}")) if one.is_file()]
    if not found:
        raise DataError(
            f"{path}: expected a folder of {before}tables of events (NAME{SUFFIX}), found none."
        )
    return found


def _subject(name: str) -> str | None:
    found = SUBJECT.search(name)
    return None if found is None else found[1]
