"""Windows and marks -> the class that each reader gave each window.

A mark counts for windows of whose judged seconds it covers half or more. Each reader has one vote
for a window: the class that covers most of it, all his marks of that class together; of two that
cover as much, the one that he marked last. Where that is 'unsure', there is no vote, nor where more
than a fifth of the judged seconds was not recorded: what is there is not EEG.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError, several
from hmsprep.labelling.agreement import NONE, UNSURE
from hmsprep.labelling.marked_eegs import other_eegs
from hmsprep.labelling.places import Places, recorded, rows_of_eeg, rows_of_recording
from hmsprep.words import plural
from hmsstore import Store
from hmsstore.errors import LabelsError
from hmsstore.labels import UNSURE as UNSURE_WORD
from hmsstore.labels import Labels, Mark, label_files, read_labels

RECORDING, EEG = "recording", "EEG"
Place = tuple[str, int]
"""What marks are of: a recording and its place, or an EEG of no recording and its id."""
HALF = 0.5
LONGEST_PAGE_S = 60.0
"""A mark of the last page may reach so far beyond the end of its recording."""
ROUNDING_S = 1e-6
"""Seconds by which sums of times may be off."""
NAMED = 5
"""EEGs that a sentence names."""


@dataclass
class Ratings:
    """What readers said of the windows of a data set."""

    readers: tuple[str, ...]
    """Initials, sorted."""
    codes: NDArray[np.int8]
    """(R, N) position of the class that each reader gave each window; -1 none, -2 unsure."""
    blind: NDArray[np.int8]
    """(R, N) the same by marks alone that were made before the model's answer was seen."""
    marks: Mapping[str, int]
    """Reader -> number of marks."""
    left_out: list[str] = field(default_factory=list)
    """Label files that are of other recordings, a sentence each."""
    in_gaps: int = 0
    """Marked windows that lost their codes, since too few of the judged seconds were recorded."""

    def votes(self, classes: int, *, blind: bool = False) -> NDArray[np.int64]:
        """(N, K) readers that gave each window each class; `blind`: by their blind marks."""
        codes = self.blind if blind else self.codes
        return np.stack([(codes == code).sum(axis=0) for code in range(classes)], axis=1)


def rate(places: Places, folder: Path, store: Store | None = None) -> Ratings:
    """Read all label files of a folder, and tell what they say of each window.

    Parameters
    ----------
    places : Places
        The windows.
    folder : Path
        Where label files lie.
    store : Store, optional
        The store in which windows were marked that lie in EEGs of the data set.

    Raises
    ------
    DataError
        Files cannot be read, two are of one reader and recording, a mark does not fit its
        recording, the store is of another data set, or no file is of this one; all problems are
        listed.
    """
    problems: list[str] = []
    left_out: list[str] = []
    taken: dict[str, list[tuple[Labels, bool]]] = {}
    first: dict[tuple[str, str], Path] = {}
    for labels in _read_all(places, folder, problems):
        of_store = store is not None and labels.sha256 == store.identity
        if not of_store and not _recordings_of(places, labels):
            left_out.append(_not_here(places, labels))
            continue
        other = first.setdefault((labels.reader, labels.sha256), labels.path)
        if other is not labels.path:
            problems.append(
                f"{labels.path} and {other} are both of the reader {labels.reader} and the same "
                "recording: move one away."
            )
        taken.setdefault(labels.reader, []).append((labels, of_store))
    if store is not None:
        problems += _of_other_data(places, store, taken)
    readers = tuple(sorted(taken))
    codes = np.full((2, len(readers), len(places)), NONE, np.int8)
    for number, reader in enumerate(readers):
        marks_of: dict[Place, list[Mark]] = {}
        for labels, of_store in taken[reader]:
            _sort_marks(places, labels, marks_of, problems, of_store=of_store)
        for place, some in marks_of.items():
            _rate_rows(places, place, some, codes[:, number])
    if problems:
        raise DataError(several(f"{folder} has {plural(len(problems), 'problem')}:", problems))
    if not taken:
        raise DataError("\n  ".join([f"{folder} holds no labels of {places.path}.", *left_out]))
    marks = {reader: sum(len(one.marks) for one, _ in taken[reader]) for reader in readers}
    return Ratings(readers, codes[0], codes[1], marks, left_out)


def leave_out_gaps(ratings: Ratings, places: Places) -> None:
    """Take the codes of windows of whose judged seconds too few were recorded.

    Raises
    ------
    DataError
        The file of a marked EEG is missing, or not as it should be.
    """
    marked = np.flatnonzero((ratings.codes != NONE).any(axis=0))
    lost = marked[~recorded(places, marked)]
    ratings.codes[:, lost] = ratings.blind[:, lost] = NONE
    ratings.in_gaps = len(lost)


def _read_all(places: Places, folder: Path, problems: list[str]) -> Iterable[Labels]:
    try:
        files = label_files(folder)
    except LabelsError as error:
        raise DataError(str(error)) from None
    for path in files:
        try:
            yield read_labels(path, spec=places.spec)
        except LabelsError as error:
            problems.append(str(error))


def _of_other_data(
    places: Places, store: Store, taken: Mapping[str, Sequence[tuple[Labels, bool]]]
) -> list[str]:
    """Say that EEGs of the store that were marked are others than those of the data set."""
    files = [labels for some in taken.values() for labels, of_store in some if of_store]
    known = set(places.table["eeg_id"].tolist())
    marks = (mark for labels in files for mark in labels.marks if mark.eeg_id in known)
    if not (found := other_eegs(places.path, store, marks)):
        return []
    return [
        f"{store.path} was not built from {places.path}: {plural(len(found), 'EEG')} marked in it "
        f"({', '.join(map(str, found[:NAMED]))}{' ...' if len(found) > NAMED else ''}) "
        f"{'is another' if len(found) == 1 else 'are others'} here. Name the store of this data "
        "set, or the data set of this store."
    ]


def _recordings_of(places: Places, labels: Labels) -> list[int]:
    """Recordings of the data set that a file is of."""
    return [n for n, one in enumerate(places.sha256) if one == labels.sha256]


def _not_here(places: Places, labels: Labels) -> str:
    what = f"{labels.path.name} was left out: it is of {labels.recording} (SHA-256 "
    what += f"{labels.sha256[:12]}), which is not in {places.path}"
    if any(mark.eeg_id is not None for mark in labels.marks):
        return f"{what}. If that is a store, name it with --store."
    return f"{what}."


def _sort_marks(
    places: Places,
    labels: Labels,
    marks_of: dict[Place, list[Mark]],
    problems: list[str],
    *,
    of_store: bool,
) -> None:
    """Put the marks of one file with those of its reader's other files of the same recording."""
    found = [] if of_store else _recordings_of(places, labels)
    if problem := _misplaced(places, labels, found):
        problems.append(f"{labels.path}: {problem}")
        return
    for one in labels.marks if of_store else ():
        assert one.eeg_id is not None  # else it was misplaced
        if one.eeg_id in places.pieces:
            place = RECORDING, places.pieces[one.eeg_id][0]
            marks_of.setdefault(place, []).append(_in_recording(one, places))
        else:
            marks_of.setdefault((EEG, one.eeg_id), []).append(one)
    for number in found:
        marks = [_in_recording(one, places) for one in labels.marks]
        marks_of.setdefault((RECORDING, number), []).extend(marks)


def _in_recording(mark: Mark, places: Places) -> Mark:
    """The same mark, counted from the start of its recording."""
    if mark.eeg_id is None:
        return mark
    begin = places.pieces[mark.eeg_id][1]
    return replace(mark, start_s=mark.start_s + begin, stop_s=mark.stop_s + begin, eeg_id=None)


def _misplaced(places: Places, labels: Labels, found: Sequence[int]) -> str | None:
    """Say that a mark lies outside of what its file is of; None if none does.

    Parameters
    ----------
    places : Places
    labels : Labels
    found : sequence of int
        Recordings that the file is of; none if it is of a store.
    """
    ids = {one.eeg_id for one in labels.marks}
    known = set(places.table["eeg_id"].tolist())
    if found:
        known = {eeg for eeg, (place, _) in places.pieces.items() if place in found}
    elif None in ids:
        return "expected an eeg_id in each row, since it is of a store."
    if strange := sorted(eeg for eeg in ids if eeg is not None and eeg not in known):
        return f"EEG {strange[0]} is not in {places.path}: expected EEGs of {labels.recording}."
    for place in found:
        seconds = places.recordings[place].seconds
        for one in labels.marks:
            if one.eeg_id is None and (
                one.start_s > seconds or one.stop_s > seconds + LONGEST_PAGE_S
            ):
                return (
                    f"a mark reaches from {one.start_s:.2f} to {one.stop_s:.2f} s, behind the end "
                    f"of {labels.recording} at {seconds:.2f} s. Did a spreadsheet change its "
                    "numbers?"
                )
    return None


def _rate_rows(
    places: Places, place: Place, marks: Sequence[Mark], codes: NDArray[np.int8]
) -> None:
    """Put a reader's marks of one place into his codes (2, N): of all marks, of blind ones."""
    kind, number = place
    rows_of = rows_of_recording(places) if kind == RECORDING else rows_of_eeg(places)
    rows = rows_of.get(number, np.empty(0, np.int64))
    start_s = (places.start_s if kind == RECORDING else places.eeg_start_s)[rows]
    for row, some in enumerate((marks, [one for one in marks if not one.seen_model])):
        codes[row, rows] = rate_windows(some, start_s, places.spec.judged_s, places.spec.class_keys)


def rate_windows(
    marks: Sequence[Mark],
    start_s: NDArray[np.float64],
    judged_s: float,
    classes: Sequence[str],
) -> NDArray[np.int8]:
    """Tell what one reader's marks say of windows.

    Parameters
    ----------
    marks : sequence of Mark
        In the order in which they were made, unless each that has a class says when that was.
    start_s : float64 (N,)
        Where the judged seconds of each window start, on the marks' axis.
    judged_s : float
        How long they are.
    classes : sequence of str
        Keys of the K classes.

    Returns
    -------
    int8 (N,)
        Position of the class; -1 where no class covers half, -2 where that is 'unsure'.
    """
    words = [*classes, UNSURE_WORD]
    marks = _as_made([one for one in marks if one.label])
    covered = np.zeros((len(words), len(start_s)))
    last = np.full((len(words), len(start_s)), -1)
    stop_s = start_s + judged_s
    for code, word in enumerate(words):
        spans = [(one.start_s, one.stop_s) for one in marks if one.label == word]
        if spans:
            covered[code] = _covered(_union(spans), start_s, stop_s)
    for number, one in enumerate(marks):
        over = (start_s < one.stop_s) & (stop_s > one.start_s)
        last[words.index(one.label), over] = number
    most = covered.max(axis=0, initial=0.0)
    ties = covered >= most - ROUNDING_S
    answers = np.where(ties, last, -2).argmax(axis=0)
    answers = np.where(answers == len(classes), UNSURE, answers)
    return np.where(most >= HALF * judged_s - ROUNDING_S, answers, NONE).astype(np.int8)


def _as_made(marks: Sequence[Mark]) -> Sequence[Mark]:
    """Sort marks by when they were made, if all say so: a spreadsheet may have sorted the rows."""
    times = [at for one in marks if (at := _made_at(one)) is not None]
    if len(times) < len(marks):
        return marks
    return [marks[number] for number in sorted(range(len(marks)), key=times.__getitem__)]


def _made_at(mark: Mark) -> datetime | None:
    """When a mark was made; None if it does not say so, or the day alone."""
    try:
        at = datetime.fromisoformat(mark.marked_at)
    except ValueError:
        return None
    if ":" not in mark.marked_at:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _union(spans: Iterable[tuple[float, float]]) -> NDArray[np.float64]:
    """(M, 2) the same time as spans that do not overlap, in order."""
    found: list[list[float]] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], stop)
        else:
            found.append([start, stop])
    return np.asarray(found)


def _covered(
    union: NDArray[np.float64], start_s: NDArray[np.float64], stop_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Seconds of each window that lie in the spans."""
    at = union.ravel()
    lengths = np.cumsum(np.diff(union, axis=1)[:, 0])
    integral = np.stack([np.append(0, lengths[:-1]), lengths], axis=1).ravel()
    found: NDArray[np.float64] = np.interp(stop_s, at, integral) - np.interp(start_s, at, integral)
    return found
