"""A store, a folder in Kaggle's layout, or recordings -> a store to predict.

Files go through `hmsprep` itself, in a process of its own, with the cleaning that the runs were
trained with: so their windows are made by the very code that made the training windows.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hmsstore import Store
from hmsstore.manifest import MANIFEST_NAME
from hmsstore.plain.text import write_rows
from hmsstore.reading.zip_members import ZipError, ZipMembers
from hmsstore.recordings import (
    RECORDINGS_NAME,
    ImportedRecording,
    LeftOut,
    import_words,
    read_left_out,
    read_recordings,
    read_warnings,
)
from hmsstore.schema import REFERENCES
from hmstrain.errors import DataError
from hmstrain.prediction.beside import Note, read_notes
from hmstrain.prediction.hmsprep import (
    Running,
    check_installed,
    is_installed,
    run_hmsprep,
    start_hmsprep,
)
from hmstrain.runs.stopping import held_back

CHAINS_REFERENCE = REFERENCES[1]
STRIDE_S = 10.0
"""From window to window of a recording, unless something else is asked for."""
TABLES = ("train.csv", "test.csv")
"""Of windows: at least one is in a data set in Kaggle's layout."""
OF_RESULTS = re.compile(r"predictions|.*(\.episodes|_events)", re.IGNORECASE)
"""Names of recordings whose results would be called as others' tables: 'night.episodes'."""

OF_PATIENTS = "--patients FILE"
"""In warnings of an import that it is not sure whose recordings are whose: of use to a training."""


@dataclass(frozen=True, slots=True)
class ToPredict:
    """Windows to predict."""

    store: Store
    given: bool
    """Whether it is the user's own store, not one that was built for this."""
    recordings: tuple[ImportedRecording, ...] = ()
    """The recordings that they are of, if they are."""
    left_out: tuple[LeftOut, ...] = ()
    """Files beside them that are no recordings that can be predicted, and why."""
    warnings: tuple[str, ...] = ()
    """What an import said of the recordings, or a build of what it clipped."""
    notes: Mapping[str, tuple[Note, ...]] = field(default_factory=dict)
    """Recording -> what the recorder's file says of it."""


@contextmanager
def open_or_build(
    path: Path,
    cleaning: Mapping[str, Any],
    *,
    stride_s: float = STRIDE_S,
    importing: Mapping[str, Any] | None = None,
    asked: Sequence[str] = (),
    part: str | None = None,
    features: Collection[str] = (),
    needs_reference: str = "",
) -> Iterator[ToPredict]:
    """Open the store to predict, or build it; what is built is removed afterwards.

    Parameters
    ----------
    path : Path
        A store; a folder in Kaggle's layout or its zip; a recording, or a folder of such.
    cleaning : mapping
        How to clean the signals of files, as a run keeps it.
    stride_s : float
        Seconds from window to window of a recording.
    importing : mapping, optional
        How recordings are to be read: options of `hmsprep import`.
    asked : sequence of str
        Other options for recordings alone that the user gave, such as '--threshold'.
    part : str, optional
        Of a data set in Kaggle's layout: 'train' or 'test'; 'test' if it is there.
    features : collection of str
        Spans of which hand features of what is built are computed, too: runs are of those.
    needs_reference : str
        What of the runs needs electrodes that share a reference, such as 'the input microvolts':
        recordings without are left out. '': nothing does.

    Raises
    ------
    StoreError
        The store cannot be opened.
    DataError
        There is nothing of these kinds, or hmsprep refused it: its own sentence.
    RunError
        What building takes is not installed.
    """
    told = import_words(importing or {})
    is_store = (path / MANIFEST_NAME).is_file()
    words = [*told, *("--stride",) * (stride_s != STRIDE_S), *asked]
    if words and (is_store or _is_kaggle(path)):
        files = (path / RECORDINGS_NAME).is_file()
        raise DataError(
            f"{words[0]} is for recordings, and {path} is a "
            f"{'store' if is_store else 'data set'} already: leave it out"
            f"{', or predict the files that were imported' if files else ''}."
        )
    if is_store:
        store = Store.open(path)
        yield ToPredict(store, given=True, warnings=_clipped(store))
        return
    if not path.exists():
        raise DataError(
            f"Expected a store, a folder with test.csv or train.csv (or its zip), or recordings at "
            f"{path}, got nothing."
        )
    check_installed(f"{path} must be built into a store first")
    with _temporary_folder() as work:
        recordings: tuple[ImportedRecording, ...] = ()
        left_out: tuple[LeftOut, ...] = ()
        said: tuple[str, ...] = ()
        notes: Mapping[str, tuple[Note, ...]] = {}
        data = path
        if not _is_kaggle(path):
            part = "test"
            how = _import_words(stride_s, told)
            begun = BEGUN.get()
            try:
                if begun is not None and (begun.path, begun.how) == (path, how):
                    data = begun.data
                    begun.running.wait()
                else:
                    data = work / "data"
                    run_hmsprep("import", *how, "--", path, data, warnings=False)
            except DataError:
                if not data.is_dir():
                    raise
                left_out = read_left_out(data)
            recordings = read_recordings(data)
            said = tuple(one for one in read_warnings(data) if OF_PATIENTS not in one)
            notes = read_notes(data)
            if needs_reference:
                recordings, bipolar = _without_bipolar(data, recordings, needs_reference)
                left_out += bipolar
        elif part is None and _has_test(path):
            part = "test"
        cleaned = work / "cleaning.json"
        cleaned.write_text(json.dumps(dict(cleaning)))
        options = ["--cleaning", cleaned, "--split-by", "all"]
        options += ["--clipped"]  # which an import has refused, and of other data is said
        options += [] if part is None else ["--part", part]
        run_hmsprep("build", *options, "--json", "--", data, work / "hms.zarr")
        for span in features:
            run_hmsprep("features", work / "hms.zarr", "--span", span, "--json")
        store = Store.open(work / "hms.zarr")
        said = said or _clipped(store)
        yield ToPredict(store, False, recordings, left_out, said, notes)


@dataclass(frozen=True, slots=True)
class Begun:
    """An import that runs already."""

    path: Path
    how: tuple[str, ...]
    data: Path
    """Folder that it makes."""
    running: Running


BEGUN: ContextVar[Begun | None] = ContextVar("BEGUN", default=None)
"""The import that `open_or_build` finds under way, if it is of the same recordings."""


@contextmanager
def importing_ahead(
    path: Path, stride_s: float = STRIDE_S, importing: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Import recordings while this process does something else, such as loading PyTorch.

    For an `open_or_build` within the context, which gets what is imported, or the error. Nothing is
    begun where there is nothing to import, or it would be refused.
    """
    is_data = (path / MANIFEST_NAME).is_file() or _is_kaggle(path)
    if not path.exists() or is_data or not is_installed():
        yield
        return
    how = _import_words(stride_s, import_words(importing or {}))
    with _temporary_folder() as work:
        data = work / "data"
        with start_hmsprep("import", *how, "--", path, data, warnings=False) as running:
            token = BEGUN.set(Begun(path, how, data, running))
            try:
                yield
            finally:
                BEGUN.reset(token)


def _import_words(stride_s: float, told: Sequence[str]) -> tuple[str, ...]:
    """Options of `hmsprep import` with which recordings are predicted."""
    return ("--stride", repr(stride_s), *told, "--unlabelled", "--json")


def _clipped(store: Store) -> tuple[str, ...]:
    """What a build said of values beyond the clip."""
    return tuple(one for one in store.info["warnings"] if "beyond the clip" in one)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Give a folder for a patient's signals; it is removed even if a second signal comes."""
    name = tempfile.mkdtemp(prefix="hms-predict-")
    try:
        yield Path(name)
    finally:
        with held_back():
            shutil.rmtree(name)


def _without_bipolar(
    data: Path, recordings: Sequence[ImportedRecording], needs_reference: str
) -> tuple[tuple[ImportedRecording, ...], tuple[LeftOut, ...]]:
    """Take bipolar recordings out of an imported data set; give the others, and why they are out.

    Raises
    ------
    DataError
        All of them are bipolar.
    """
    left_out = tuple(
        LeftOut(
            one.file,
            f"{one.file} is bipolar: its electrodes share no reference, and {needs_reference} "
            "needs one. Predict it with a run of pairs or spectrograms, such as of the inputs raw, "
            "mel16 or spec.",
        )
        for one in recordings
        if one.reference == CHAINS_REFERENCE
    )
    if left_out and len(left_out) == len(recordings):
        raise DataError("\n".join(one.reason for one in left_out))
    kept = tuple(one for one in recordings if one.reference != CHAINS_REFERENCE)
    wanted = {str(piece.eeg_id) for one in kept for piece in one.pieces}
    table = data / "test.csv"
    with table.open(newline="") as file:
        reader = csv.DictReader(file)
        names = reader.fieldnames or ()
        rows = [row.values() for row in reader if row["eeg_id"] in wanted]
    with table.open("w", newline="") as file:
        write_rows(file, names, rows)
    return kept, left_out


def result_names(recordings: Sequence[ImportedRecording]) -> list[str]:
    """What each recording's results are called: as its file without the ending.

    Folders that tell recordings apart stay; an ending stays where names would clash without it, or
    with the tables of another recording.
    """
    names = [re.sub(r"(\.[^./]+)?(\.gz)?$", "", one.file, flags=re.I) for one in recordings]
    while True:
        clashing = [names.count(name) > 1 or OF_RESULTS.fullmatch(name) is not None
                    for name in names]  # fmt: skip
        chosen = [
            one.file if clashes else name
            for name, one, clashes in zip(names, recordings, clashing, strict=True)
        ]
        if chosen == names:
            return names
        names = chosen


def _is_kaggle(path: Path) -> bool:
    if path.is_file():
        return path.suffix == ".zip"
    return any((path / table).is_file() for table in TABLES)


def _has_test(path: Path) -> bool:
    """Whether a data set in Kaggle's layout has windows to predict, which are what is asked for."""
    if path.is_dir():
        return (path / "test.csv").is_file()
    try:
        with ZipMembers(path) as archive:
            names = archive.names()
    except ZipError:
        return False  # hmsprep says what is wrong with it
    tables = [name for name in names if Path(name).name in TABLES]
    tops = [name.removesuffix(Path(name).name) for name in tables]
    return min(tops, key=len, default="") + "test.csv" in tables
