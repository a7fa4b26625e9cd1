"""What a layout of labels is: where its file lies, and what it says of a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hmsprep.errors import DataError
from hmsprep.importing.labels.words import Words
from hmsprep.importing.recording import Recording, stem_of


class Marked(NamedTuple):
    """An interval with the word that stands there."""

    start_s: float
    stop_s: float
    word: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says of one recording."""

    marked: tuple[Marked, ...]
    complete: bool = False
    """Whether whatever is not marked was seen to be none of it: the layout lists all seizures."""
    notes: tuple[str, ...] = ()
    """What the user should know of it."""
    unread: str = ""
    """The first mark that seems to name a pattern and is not read, and when it is; '' for none."""
    by_model: bool = False
    """Whether the file holds a model's answers, which are no labels."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read, and of what."""

    path: Path
    recording: Recording
    words: Words


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of labels."""

    title: str
    find: Callable[[Path], Path | None]
    """Path of a recording -> the file that may hold its labels, if that is there."""
    read: Callable[[Source], Said | None]
    """What it says of the recording; None if nothing. Raises DataError."""


def beside(*suffixes: str) -> Callable[[Path], Path | None]:
    """Find the first file that is called as a recording but for its ending, of either case."""

    def find(recording: Path) -> Path | None:
        stem = stem_of(recording)
        endings = (form for suffix in suffixes for form in (suffix, suffix.upper()))
        each = (recording.with_name(stem + ending) for ending in endings)
        return next((path for path in each if path != recording and path.is_file()), None)

    return find


def interval(path: Path, start: str, stop: str, word: str, names: Sequence[str]) -> Marked:
    """Take a start and a stop in seconds.

    Parameters
    ----------
    path : Path
        For messages.
    start, stop : str
        As they stand there.
    word : str
        The label.
    names : sequence of str
        What the file calls start and stop.

    Raises
    ------
    DataError
        One is no number, or they are the wrong way round.
    """
    try:
        first, last = float(start), float(stop)
        if 0 <= first <= last < float("inf"):
            return Marked(first, last, word)
    except ValueError:
        pass
    raise DataError(
        f"{path}: expected an interval in seconds from the start of the recording, got {names[0]} "
        f"{start!r} and {names[1]} {stop!r}."
    )
