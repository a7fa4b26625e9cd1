"""What is annotated of a recording -> the class of its windows: one file per layout of labels.

::

    words.py        words of the corpora and of the user -> the six classes
    intervals.py    annotated intervals -> the class that each window shows
    layout.py       what a layout of labels is: where its file lies, what it says of a recording
    tuh_csv.py      TUSZ 2, TUAR: `.csv_bi`, `.csv`
    tuh_tse.py      TUSZ 1.5: `.tse_bi`, `.tse`
    tuh_lbl.py      TUSZ 1.5: `.lbl_bi`, `.lbl`
    tuh_rec.py      TUEV: `.rec`
    chb_mit.py      CHB-MIT: `chbNN-summary.txt`
    siena.py        Siena: `Seizures-list-PNxx.txt`
    bids_events.py  BIDS, SzCORE, HED-SCORE: `_events.tsv`
    inside.py       annotations in the recording itself
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.importing.labels import (
    bids_events,
    chb_mit,
    siena,
    tuh_csv,
    tuh_lbl,
    tuh_rec,
    tuh_tse,
)
from hmsprep.importing.labels.inside import read_inside
from hmsprep.importing.labels.intervals import Intervals
from hmsprep.importing.labels.layout import Layout, Marked, Said, Source
from hmsprep.importing.labels.words import NONE, REST, Words, unknown_words
from hmsprep.importing.recording import Recording, stem_of
from hmsprep.words import plural
from hmsstore.schema import CLASSES

LAYOUTS: tuple[Layout, ...] = (
    tuh_csv.LAYOUT,
    tuh_tse.LAYOUT,
    tuh_lbl.LAYOUT,
    tuh_rec.LAYOUT,
    bids_events.LAYOUT,
    chb_mit.LAYOUT,
    siena.LAYOUT,
)
"""Layouts; the first whose file is there and speaks of the recording is read."""
UNREAD = ".csv .tsv .lab .seizures .ann .anno .evt .events .xml .xls .xlsx .ods .txt".split()
"""Endings of files that may hold labels and that nothing here reads."""
NOTHING = Intervals(np.zeros(0), np.zeros(0), np.zeros(0, int))
LATE_S = 1.0
"""By which labels may begin after a recording's end, for rounding."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of one recording."""

    intervals: Intervals
    source: str
    """Name of the file that they were read from."""
    inside: bool = False
    """Whether they are annotations of the recording itself."""
    votes: tuple[int, ...] | None = None
    """Votes of experts on the only window, in the order of the classes."""

    def codes(self, begins_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Class of the windows that begin at these seconds; -1 where there is no label."""
        if self.votes is None:
            return self.intervals.consensus(begins_s)
        return np.full(len(begins_s), self.votes.index(max(self.votes)), np.int64)


def find_labels(recording: Recording, words: Words) -> tuple[Labels | None, tuple[str, ...]]:
    """Find and read the labels of a recording.

    Parameters
    ----------
    recording : Recording
        Labels are sought beside its file, then among its own annotations.
    words : Words
        Which class a word stands for.

    Returns
    -------
    Labels or None, and a tuple of str
        None if there are none; sentences of what the user should know, of files that were seen and
        not read too.

    Raises
    ------
    DataError
        The file beside it cannot be read as labels, has unknown words, or is another recording's.
    """
    if recording.votes is not None:
        return Labels(NOTHING, recording.path.name, votes=recording.votes), ()
    unread: list[str] = []
    notes: tuple[str, ...] = ()
    for layout in LAYOUTS:
        path = layout.find(recording.path)
        if path is None:
            continue
        said = layout.read(Source(path, recording, words))
        if said is not None and said.by_model:
            notes += said.notes
            continue
        if said is not None:
            intervals = _intervals(said, recording, words, str(path))
            notes += said.notes + _doubts(said, recording, words, path)
            return Labels(intervals, path.name), notes
        unread.append(path.name)
    name, stem = recording.path.name, stem_of(recording.path)
    endings = [form for ending in UNREAD for form in (ending, ending.upper())]
    beside = {recording.path.with_name(one + ending) for one in (name, stem) for ending in endings}
    seen = sorted(path.name for path in beside - {recording.path} if path.is_file())
    unread += [name for name in seen if name not in unread]
    if unread:
        notes += (f"{name}: {', '.join(unread)} beside it says nothing that is read as labels.",)
    own = read_inside(recording, words)
    if own is None or not own.marked:
        return None, notes + (() if own is None else own.notes)
    if not words.rest(complete=False):
        notes += (
            f"{name}: its labels are {plural(len(own.marked), 'interval')} of its own annotations; "
            f"windows outside of them are left out (--label '{REST}=other' takes them as other, "
            "--unlabelled takes all without labels).",
        )
    intervals = _intervals(own, recording, words, f"{recording.path}: its annotations")
    return Labels(intervals, name, True), notes + own.notes


def _doubts(said: Said, recording: Recording, words: Words, path: Path) -> tuple[str, ...]:
    """Say what of a file's intervals cannot be, or is not read."""
    found = []
    end_s = max((one.stop_s for one in said.marked), default=0.0)
    if end_s > recording.duration_s + LATE_S:
        found.append(
            f"{recording.path.name} is {recording.duration_s:,.1f} s long, and {path.name} extends "
            f"to {end_s:,.1f} s: see whether these are its labels."
        )
    points = _points(said, words)
    if points:
        found.append(
            f"{path.name} has {plural(len(points), 'mark')} without a length, the first at "
            f"{points[0].start_s:,.1f} s: not read as labels."
        )
    return tuple(found)


def _points(said: Said, words: Words) -> list[Marked]:
    """Marks of patterns that do not say how long they last."""
    return [
        one
        for one in said.marked
        if one.start_s == one.stop_s and words.find(one.word) not in (None, NONE, "other")
    ]


def _intervals(said: Said, recording: Recording, words: Words, where: str) -> Intervals:
    """Put classes for words, and 'other' for the rest where all seizures are listed."""
    found = [words.find(one.word) for one in said.marked]
    unknown = {one.word for one, to in zip(said.marked, found, strict=True) if to is None}
    if unknown:
        raise DataError(f"{where}: {unknown_words(unknown)}")
    late = [one for one in said.marked if one.start_s > recording.duration_s + LATE_S]
    if late:
        raise DataError(
            f"{where}: an interval begins at {late[0].start_s:,.1f} s, expected all within the "
            f"{recording.duration_s:,.1f} s of {recording.path.name}. Are these its labels?"
        )
    points = _points(said, words)
    if points and words.rest(complete=said.complete):
        raise DataError(
            f"{where}: {points[0].word!r} at {points[0].start_s:,.1f} s has no length, so it is "
            "unknown which windows show it. Give it one; or leave out all unmarked time with "
            f"--label '{REST}={NONE}', or all labels with --unlabelled."
        )
    if said.unread and words.rest(complete=said.complete):
        raise DataError(
            f"{where}: {said.unread} seems to name a seizure or another pattern and is not read as "
            "a label, so it is unknown which windows show it. Give it a length or an end, and a "
            f"class with --label WORD=CLASS ({NONE}: it names no pattern); or leave out all "
            f"unmarked time with --label '{REST}={NONE}', or all labels with --unlabelled."
        )
    marked = [(one, to) for one, to in zip(said.marked, found, strict=True) if to != NONE]
    if words.rest(complete=said.complete):
        marked.append((Marked(0.0, recording.duration_s, REST), "other"))
    return Intervals(
        np.asarray([one.start_s for one, _ in marked], float),
        np.asarray([one.stop_s for one, _ in marked], float),
        np.asarray([CLASSES.index(to) for _, to in marked if to], int),
    )
