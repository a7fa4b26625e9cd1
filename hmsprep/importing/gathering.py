"""Files and folders -> recordings that were opened, their labels, and what was left out and why."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hmsprep.errors import DataError, ParameterError, several
from hmsprep.importing.condition import examined
from hmsprep.importing.formats import find_recordings, open_recording
from hmsprep.importing.formats.bids_channels import describe_channels
from hmsprep.importing.labels import Labels, find_labels
from hmsprep.importing.labels.words import Words
from hmsprep.importing.recording import Options, Recording
from hmsprep.planning import checks
from hmsprep.words import plural, size
from hmsstore.recordings import LeftOut
from hmsstore.schema import EEG
from hmsstore.sums import of_recording

AT_ONCE = 1 << 24
"""Bytes that are unpacked at once."""
ALWAYS, LARGEST_RATIO = 1 << 26, 100
"""Bytes that a packed file may unpack to however small it is, and times its own that it may beyond;
EEG is packed to a half or a fifth, and nothing to less than a thousandth."""
LEAST_FREE = 1 << 29
"""Bytes that must stay free where files are unpacked."""
END_BYTES = 1 << 16
"""At either end of a file; only files of one length that agree in them are compared as a whole."""


@dataclass
class Gathered:
    """Recordings to import."""

    recordings: list[Recording] = field(default_factory=list)
    labels: list[Labels | None] = field(default_factory=list)
    """Of each recording; of all or of none."""
    left_out: list[LeftOut] = field(default_factory=list)
    """Files that cannot be imported, and why."""
    notes: list[str] = field(default_factory=list)
    """What the user should know of the labels, a sentence each."""

    def leave(self, name: str, error: object) -> None:
        """Leave a file out."""
        self.left_out.append(LeftOut(name, str(error)))

    def check(self) -> None:
        """Refuse to go on with nothing.

        Raises
        ------
        DataError
            Every file was left out: why.
        """
        reasons = [one.reason for one in self.left_out]
        if self.recordings or not reasons:
            return
        if len(reasons) == 1:
            raise DataError(reasons[0])
        raise DataError(several(f"{len(reasons)} files cannot be imported:", reasons, len(reasons)))


@contextmanager
def gathered(
    inputs: Sequence[Any], options: Options, words: Words, *, unlabelled: bool
) -> Iterator[Gathered]:
    """Open recordings and find their labels; one that cannot be read costs no other.

    Parameters
    ----------
    inputs : sequence of Path or mne.io.BaseRaw
        Files, folders that are searched with all that is in them, and recordings of MNE.
    options : Options
        How to read files where they leave it open.
    words : Words
        Which class a word stands for.
    unlabelled : bool
        Look for no labels.

    Yields
    ------
    Gathered
        What `.gz` files hold is unpacked into a temporary folder, which lasts as long as the block.

    Raises
    ------
    ParameterError
        No file is given, one is given twice, or something else.
    """
    checks.truth(unlabelled=unlabelled)
    if not inputs:
        raise ParameterError("There is nothing to import: name a recording or a folder of them.")
    found = Gathered()
    paths = [one for one in inputs if isinstance(one, Path)]
    raws = [one for one in inputs if not isinstance(one, Path)]
    for one in raws:
        if not hasattr(one, "get_data"):
            raise ParameterError(
                f"expected paths of recordings or recordings of MNE to import, got {one!r:.60}."
            )
    files, empty = find_recordings(paths)
    for error in empty:
        found.leave(str(error.path), error.reason)
    files = _once(files, paths, found)
    names = _names(files)
    seen: dict[str, list[tuple[Path, Path]]] = {}
    with tempfile.TemporaryDirectory(prefix="hms-import-") as unpacked:
        for number, path in enumerate(files):
            folder = Path(unpacked) / str(number)
            with _leaving_out(found, names[path]):
                _add(found, _open(path, options, folder), names[path])
                if (other := _copied(path, _plain(path, folder), seen)) is not None:
                    found.notes.append(
                        f"{names[path]} is a copy of {names[other]}, byte by byte: as recordings "
                        "of two patients they would be in training and test data."
                    )
        for number, raw in enumerate(raws, start=1):
            with _leaving_out(found, f"recording {number}"):
                one = examined(partial(open_recording, raw), options)
                taken = {other.name for other in found.recordings} | {"recording"}
                name = one.path.name
                _add(found, one, f"recording {number}" if name in taken else name)
        found.check()
        _label(found, words, unlabelled=unlabelled)
        found.check()
        yield found


@contextmanager
def _leaving_out(found: Gathered, name: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        found.leave(name, error)
    except OSError as error:
        found.leave(name, f"{error.filename or name} cannot be read: {error.strerror}.")


def _add(found: Gathered, recording: Recording, name: str) -> None:
    if recording.samples < EEG.window_rows:
        raise DataError(
            f"{recording.path} is {recording.duration_s:g} s long; expected at least one window "
            f"({EEG.window_s:g} s)."
        )
    notes = (*recording.notes, *describe_channels(recording))
    found.recordings.append(replace(recording, name=name, notes=notes))


def _open(path: Path, options: Options, folder: Path) -> Recording:
    """Open a file; one that ends in .gz from what it holds."""
    if path.suffix.lower() != ".gz":
        return examined(partial(open_recording, path), options)
    folder.mkdir()
    inner = _plain(path, folder)
    try:
        _unpack(path, inner)
    except (EOFError, gzip.BadGzipFile, gzip.zlib.error):  # type: ignore[attr-defined]
        raise DataError(f"{path} is not a whole gzip file. Copy it again.") from None
    try:
        return replace(examined(partial(open_recording, inner), options), path=path)
    except DataError as error:
        raise DataError(str(error).replace(str(inner), str(path))) from None


def _plain(path: Path, folder: Path) -> Path:
    """Where a file's bytes lie once it is open: one that ends in .gz is unpacked into a folder."""
    return folder / path.name[:-3] if path.suffix.lower() == ".gz" else path


def _copied(path: Path, plain: Path, seen: dict[str, list[tuple[Path, Path]]]) -> Path | None:
    """Find the recording that a file is a copy of, byte by byte, and add it to those seen.

    These are kept by length and ends of the files, each as `path, plain`.
    """
    with plain.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        ends = hashlib.sha256(file.read(END_BYTES))
        file.seek(max(0, length - END_BYTES))
        ends.update(file.read(END_BYTES))
    alike = seen.setdefault(f"{length} {ends.hexdigest()}", [])
    own = of_recording(plain) if alike else ""
    found = next((other for other, its in alike if of_recording(its) == own), None)
    if found is None:
        alike.append((path, plain))
    return found


def _unpack(path: Path, inner: Path) -> None:
    """Unpack a file, unless it holds no EEG or would fill the disk.

    Raises
    ------
    DataError
        It becomes too large.
    """
    packed_bytes, unpacked = path.stat().st_size, 0
    with gzip.open(path) as packed, inner.open("wb") as plain:
        while block := packed.read(AT_ONCE):
            unpacked += len(block)
            if unpacked > max(ALWAYS, packed_bytes * LARGEST_RATIO):
                raise DataError(
                    f"{path} unpacks to more than {LARGEST_RATIO} times its size: that is no EEG. "
                    "Unpack it yourself if it is."
                )
            if shutil.disk_usage(inner.parent).free < LEAST_FREE:
                raise DataError(
                    f"{path} cannot be unpacked: less than {size(LEAST_FREE)} would be left in "
                    f"{inner.parent.parent.parent}. Make room, or name another folder in TMPDIR."
                )
            plain.write(block)


def _once(files: Sequence[Path], given: Sequence[Path], found: Gathered) -> list[Path]:
    """Take each file once; leave out what is found in a folder and was there already.

    Raises
    ------
    ParameterError
        One is given twice.
    """
    named = Counter(os.path.realpath(path) for path in given)
    twice = next((path for path in given if named[os.path.realpath(path)] > 1), None)
    if twice is not None:
        raise ParameterError(f"{twice} is given twice; name each recording once.")
    kept: dict[str, Path] = {}
    for path in files:
        first = kept.setdefault(os.path.realpath(path), path)
        if first is not path:
            found.leave(str(path), f"{path} is the same file as {first}: imported once.")
    return list(kept.values())


def _names(files: Sequence[Path]) -> dict[Path, str]:
    """Name each file; files of one name are told apart by their folders, as the user names them.

    What links lead to bears names of its own, such as those of git-annex.
    """
    times = Counter(path.name for path in files)
    clashing = {
        path: Path(os.path.normpath(path.absolute())) for path in files if times[path.name] > 1
    }
    common = os.path.commonpath([path.parent for path in clashing.values()]) if clashing else ""
    names = {
        path: clashing[path].relative_to(common).as_posix() if path in clashing else path.name
        for path in files
    }
    # bytes that are no UTF-8, which tables cannot hold
    return {
        path: os.fsencode(name).decode("utf-8", "backslashreplace") for path, name in names.items()
    }


def _label(found: Gathered, words: Words, *, unlabelled: bool) -> None:
    """Find labels of all recordings, or of none; leave out those that lack them."""
    if unlabelled:
        found.labels = [None] * len(found.recordings)
        return
    labelled: list[tuple[Recording, Labels | None, tuple[str, ...]]] = []
    for recording in found.recordings:
        with _leaving_out(found, recording.name):
            labelled.append((recording, *find_labels(recording, words)))
    beside = any(labels is not None and not labels.inside for _, labels, _ in labelled)
    own = [labels is not None and labels.inside for _, labels, _ in labelled]
    if not beside and any(own) and not all(own):
        # Notes in a few files are no reason to leave the others out.
        found.notes.append(
            f"{plural(sum(own), 'recording')} of {len(own)} with labels among their own "
            "annotations, none beside the others: all are imported without labels. Import "
            f"{'them' if sum(own) > 1 else 'it'} alone to use them: "
            f"{', '.join(one.name for (one, _, _), has in zip(labelled, own, strict=True) if has)}."
        )
        labelled = [(one, None, ()) for one, _, _ in labelled]
    some = any(labels is not None for _, labels, _ in labelled)
    found.recordings, found.labels = [], []
    for recording, labels, notes in labelled:
        found.notes += notes
        if some and labels is None:
            found.leave(
                recording.name,
                f"{recording.path} has no labels beside it, but other files have. Import it by "
                "itself, or all without labels with --unlabelled.",
            )
            continue
        found.recordings.append(recording)
        found.labels.append(labels)
