"""A data set and a folder of label files -> a table of votes, agreement, what to look at again.

Top to bottom: what `hmsprep.votes` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError, ParameterError
from hmsprep.kaggle.table import CONSENSUS, IDS, OFFSETS, OPTIONAL_IDS, vote_columns
from hmsprep.labelling.agreement import (
    UNSURE,
    FleissAgreement,
    PairAgreement,
    compare_all,
    compare_pair,
)
from hmsprep.labelling.places import Places, find_places
from hmsprep.labelling.predictions import read_predictions, unknown_origin
from hmsprep.labelling.ratings import Ratings, leave_out_gaps, rate
from hmsprep.labelling.second_look import SecondLook, second_look
from hmsprep.planning import checks
from hmsprep.words import clock, plural
from hmsstore import Store
from hmsstore.atomic import whole_file
from hmsstore.plain.text import write_rows
from hmsstore.reading.observed import LEAST_JUDGED
from hmsstore.spec import HMS, Spec

MODEL = "model"
"""What stands for the model beside readers' initials, which are capitals."""


@dataclass(frozen=True, slots=True)
class ReaderSummary:
    """What one reader did."""

    reader: str
    marks: int
    windows: int
    """To which he gave a class."""
    unsure: int
    """On which he would not decide."""
    blind: int
    """To which he gave a class before he saw the model's answer."""
    by_class: dict[str, int]


@dataclass
class MergedVotes:
    """Votes of readers, and how far they agree."""

    out: Path
    """The table of windows with votes."""
    classes: tuple[str, ...]
    """Keys."""
    windows: int
    """Of the data set."""
    voted: int
    """With a vote."""
    votes: dict[str, int]
    """Class -> votes."""
    readers: list[ReaderSummary]
    pairs: list[PairAgreement]
    """Each pair of readers."""
    fleiss: FleissAgreement | None
    """All of them, if there are three or more."""
    model: list[PairAgreement]
    """The model with each reader, and with 'readers', the class of most of them; blind marks."""
    second_look: list[SecondLook]
    """Those that need it first."""
    left_out: list[str]
    """Label files that are of other recordings, a sentence each."""
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "out": str(self.out),
            "classes": list(self.classes),
            "windows": self.windows,
            "voted": self.voted,
            "votes": self.votes,
            "readers": {
                one.reader: {
                    "marks": one.marks,
                    "windows": one.windows,
                    "unsure": one.unsure,
                    "blind": one.blind,
                    "by_class": one.by_class,
                }
                for one in self.readers
            },
            "pairs": [one.to_json() for one in self.pairs],
            "fleiss": None if self.fleiss is None else self.fleiss.to_json(),
            "model": [one.to_json() for one in self.model],
            "second_look": [one.to_json() for one in self.second_look],
            "left_out": self.left_out,
            "warnings": self.warnings,
        }


def votes(
    data: str | Path,
    labels: str | Path,
    out: str | Path = "votes.csv",
    *,
    store: Store | str | Path | None = None,
    predictions: str | Path | None = None,
    second_look_csv: str | Path | None = None,
    force: bool = False,
    spec: Spec = HMS,
) -> MergedVotes:
    """Merge the marks of all readers into a table of windows that `build` takes.

    A mark is a vote for the windows of whose judged seconds it covers half or more; a reader has
    one vote for a window, of the class that covers most. Windows without a vote are left out, and
    so are those of whose judged seconds more than a fifth was not recorded, with a warning.

    Parameters
    ----------
    data : str or Path
        Folder that `hmsprep import` made, or another data set in Kaggle's layout.
    labels : str or Path
        Folder of label files, one a reader and recording.
    out : str or Path
        Table to write, for `hmsprep.build(data, store, table=out)`.
    store : Store, str or Path, optional
        A store of the same data set, if windows were marked in it. A window of each marked EEG is
        compared with the data set's.
    predictions : str or Path, optional
        predictions.csv of `hmstrain predict` for the same data set: the model is compared with
        marks that were made before its answer was seen.
    second_look_csv : str or Path, optional
        Table to write of the stretches that are worth a second look.
    force : bool
        Replace tables that are there.
    spec : Spec
        The classes.

    Returns
    -------
    MergedVotes

    Raises
    ------
    PrepError
        Label files cannot be read or contradict each other, none is of this data set, the store is
        of another, nobody voted, or a table is there already. Nothing is written then.

    Examples
    --------
    >>> merged = hmsprep.votes("night", "labels", "votes.csv")
    >>> store = hmsprep.build("night", "night.zarr", table="votes.csv")
    """
    checks.truth(force=force)
    out = Path(out)
    also = None if second_look_csv is None else Path(second_look_csv)
    _check_places(out, also, Path(data), Path(labels), force=force)
    places = find_places(Path(data), spec)
    opened = Store.open(store) if isinstance(store, str | Path) else store
    ratings = rate(places, Path(labels), opened)
    leave_out_gaps(ratings, places)
    counts = ratings.votes(len(spec.classes))
    rows = np.flatnonzero(counts.any(axis=1))
    if not len(rows):
        raise DataError(
            f"{labels} gives no window of {data} a class: no mark of a class covers half of the "
            f"{spec.judged_s:g} judged seconds of one"
            f"{' that was recorded' * (ratings.in_gaps > 0)}."
        )
    probabilities = None
    if predictions is not None:
        probabilities = read_predictions(Path(predictions), places)
    found = MergedVotes(
        out=out,
        classes=spec.class_keys,
        windows=len(places),
        voted=len(rows),
        votes=dict(zip(spec.class_keys, counts.sum(axis=0).tolist(), strict=True)),
        readers=_summaries(ratings, spec),
        pairs=_pairs(ratings, spec),
        fleiss=compare_all(ratings.codes, len(spec.classes)) if len(ratings.readers) > 2 else None,
        model=_model(ratings, probabilities, spec),
        second_look=second_look(places, ratings, probabilities),
        left_out=ratings.left_out,
    )
    found.warnings = _warnings(found, ratings, probabilities)
    if predictions is not None:
        found.warnings += unknown_origin(Path(predictions), places)
    _write_table(out, places, counts, rows)
    if also is not None:
        _write_second_look(also, found, ratings.readers)
    return found


def _check_places(out: Path, also: Path | None, data: Path, labels: Path, *, force: bool) -> None:
    """Refuse to write where something else is, or would be lost."""
    if also is not None and also.resolve() == out.resolve():
        raise ParameterError(
            f"--out and --second-look are both {out}: name another file for the second look."
        )
    for path in (out, also):
        if path is None:
            continue
        folder = path.resolve().parent
        if folder == labels.resolve():
            raise ParameterError(
                f"{path} would lie among the label files: name a file in another folder."
            )
        if path.exists() and (not force or folder == data.resolve()):
            how = "" if folder == data.resolve() else ", or use --force"
            raise ParameterError(f"{path} exists already. Name another file{how}.")
        if not folder.is_dir():
            raise ParameterError(f"{path} cannot be written: there is no folder {path.parent}.")


def _summaries(ratings: Ratings, spec: Spec) -> list[ReaderSummary]:
    keys = spec.class_keys
    return [
        ReaderSummary(
            reader,
            ratings.marks[reader],
            int((codes >= 0).sum()),
            int((codes == UNSURE).sum()),
            int((blind >= 0).sum()),
            {key: int((codes == code).sum()) for code, key in enumerate(keys)},
        )
        for reader, codes, blind in zip(ratings.readers, ratings.codes, ratings.blind, strict=True)
    ]


def _pairs(ratings: Ratings, spec: Spec) -> list[PairAgreement]:
    numbers = range(len(ratings.readers))
    return [
        compare_pair(
            (ratings.readers[one], ratings.readers[other]),
            ratings.codes[one],
            ratings.codes[other],
            len(spec.classes),
        )
        for one, other in combinations(numbers, 2)
    ]


def _model(
    ratings: Ratings, probabilities: NDArray[np.float64] | None, spec: Spec
) -> list[PairAgreement]:
    """Compare the model with each reader and with most of them, where they marked blind.

    Where readers' classes are tied, the model's counts as theirs if it is one of those.
    """
    if probabilities is None:
        return []
    classes = len(spec.classes)
    known = np.asarray(np.isfinite(probabilities).all(axis=1))
    answers = np.where(known, np.where(known[:, None], probabilities, 0).argmax(axis=1), -1)
    answers = answers.astype(np.int8)
    found = [
        compare_pair((reader, MODEL), codes, answers, classes)
        for reader, codes in zip(ratings.readers, ratings.blind, strict=True)
    ]
    counts = ratings.votes(classes, blind=True)
    most: NDArray[np.bool_] = np.equal(counts, counts.max(axis=1, keepdims=True))
    theirs = most.argmax(axis=1)
    agreed = known & most[np.arange(len(most)), answers]
    theirs = np.where(agreed, answers, theirs)
    theirs = np.where(counts.any(axis=1), theirs, -1).astype(np.int8)
    return [*found, compare_pair(("readers", MODEL), theirs, answers, classes)]


def _warnings(
    found: MergedVotes, ratings: Ratings, probabilities: NDArray[np.float64] | None
) -> list[str]:
    said = list(found.left_out)
    if ratings.in_gaps:
        said.append(
            f"{plural(ratings.in_gaps, 'marked window')} in gaps left out: more than "
            f"{1 - LEAST_JUDGED:.0%} of the judged seconds was not recorded."
        )
    if probabilities is None:
        return said
    voted, blind = ((codes >= 0).any(axis=0) for codes in (ratings.codes, ratings.blind))
    if seen := int((voted & ~blind).sum()):
        said.append(
            f"{plural(seen, 'window')} marked only after the model's answer was seen: not compared "
            "with the model."
        )
    if without := int((blind & ~np.isfinite(probabilities).all(axis=1)).sum()):
        said.append(f"{plural(without, 'window')} with a vote, without a probability of the model.")
    return said


def _write_table(
    path: Path, places: Places, counts: NDArray[np.int64], rows: NDArray[np.int64]
) -> None:
    """Write the windows with votes as train.csv has them."""
    table, spec = places.table, places.spec
    columns: dict[str, list[Any]] = {}
    for name, column in (
        ("eeg_id", IDS["eeg_id"]),
        ("eeg_sub_id", OPTIONAL_IDS["eeg_sub_id"]),
        ("eeg_label_offset_seconds", OFFSETS["eeg_label_offset_seconds"]),
        ("spectrogram_id", IDS["spectrogram_id"]),
        ("spectrogram_sub_id", OPTIONAL_IDS["spectrogram_sub_id"]),
        ("spectrogram_label_offset_seconds", OFFSETS["spectrogram_label_offset_seconds"]),
        ("label_id", OPTIONAL_IDS["label_id"]),
        ("patient_id", IDS["patient_id"]),
    ):
        values = table[column][rows].tolist()
        if column == "label_id" and -1 in values:
            values = rows.tolist()  # of an import without labels: windows keep their numbers
        columns[name] = ["" if value == -1 else value for value in values]
    columns[CONSENSUS] = [spec.class_titles[code] for code in counts[rows].argmax(axis=1).tolist()]
    for code, name in enumerate(vote_columns(spec)):
        columns[name] = counts[rows, code].tolist()
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        write_rows(file, list(columns), zip(*columns.values(), strict=True))


def _write_second_look(path: Path, found: MergedVotes, readers: Sequence[str]) -> None:
    """Write the stretches for people: times as h:mm:ss, and in seconds to go there."""
    header = (
        "recording", "from (h:mm:ss)", "to (h:mm:ss)", "start_s", "stop_s", "why", *readers,
        MODEL, "probability",
    )  # fmt: skip
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        write_rows(
            file,
            header,
            (
                (
                    one.recording, clock(one.start_s), clock(one.stop_s), f"{one.start_s:.2f}",
                    f"{one.stop_s:.2f}", "; ".join(one.reasons),
                    *(one.labels.get(reader, "") for reader in readers), one.model,
                    "" if one.probability is None else f"{one.probability:.2f}",
                )
                for one in found.second_look
            ),
        )  # fmt: skip
