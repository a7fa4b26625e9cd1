"""A recorder's file -> a recording: one file per format, one line each in `FORMATS`.

::

    edf_header.py       the header of an EDF or BDF file, and the bytes of its samples
    edf_annotations.py  its annotations, read leniently from their bytes
    edf_time.py         onsets of its records -> stretches without a gap
    edf_units.py        ranges and units of its signals -> microvolts
    edf_notes.py        what a user should know of the file and of how it was read
    bids_channels.py    what a table beside a recording in a BIDS tree says of its signals
    edf.py              EDF, EDF+ and BDF files
    votes_mat.py        IIIC segments with votes in MATLAB files
    mne_recording.py    a recording that MNE has opened
    through_mne.py      a format that MNE reads: those below
    brainvision.py      BrainVision
    eeglab.py           EEGLAB
    fif.py              FIF
    persyst.py          Persyst
    nihon_kohden.py     Nihon Kohden
    nicolet.py          Nicolet
    cnt.py              Neuroscan
    curry.py            Curry
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hmsprep.errors import DataError
from hmsprep.importing.formats import (
    brainvision,
    cnt,
    curry,
    edf,
    eeglab,
    fif,
    nicolet,
    nihon_kohden,
    persyst,
    votes_mat,
)
from hmsprep.importing.formats.edf_header import is_edf
from hmsprep.importing.formats.mne_recording import raw_recording
from hmsprep.importing.recording import Format, Options, Recording

FORMATS: tuple[Format, ...] = (
    edf.FORMAT,
    votes_mat.FORMAT,
    brainvision.FORMAT,
    eeglab.FORMAT,
    fif.FORMAT,
    persyst.FORMAT,
    nihon_kohden.FORMAT,
    nicolet.FORMAT,
    cnt.FORMAT,
    curry.FORMAT,
)


SKIPPED = ("derivatives", "sourcedata", "code")
"""Folders of a BIDS tree that hold the same recordings again, or none."""
UNREADABLE = {".e": "Nicolet", ".erd": "Natus", ".trc": "Micromed", ".sig": "Stellate"}
"""Endings of recorders' files that nothing here reads."""


class Empty(NamedTuple):
    """A folder without recordings, or a path that cannot be searched or read."""

    path: Path
    reason: str


def open_recording(path: Any, options: Options) -> Recording:
    """Open a recording of any format; no signal is read.

    Parameters
    ----------
    path : Path or mne.io.BaseRaw
        A file, whose ending tells the format; or a recording of MNE.
    options : Options
        How to read it where the file leaves that open.

    Raises
    ------
    DataError
        There is no such file, no format has this ending, or the format refuses the file.
    """
    if not isinstance(path, Path):
        return raw_recording(path, _path_of(path), options)
    ending = path.suffix.lower()
    for one in FORMATS:
        if ending in one.suffixes and path.is_file():
            return one.open(path, options)
    if ending in UNREADABLE and path.is_file():
        raise DataError(
            f"{path} is a {UNREADABLE[ending]} recording ({ending}), which cannot be read here. "
            "Export it as EDF."
        )
    if path.is_file() and is_edf(path):
        return edf.FORMAT.open(path, options)
    if Path(os.path.realpath(path)).is_symlink():
        raise DataError(f"{path} is a link to itself: name the file itself.")
    if path.is_symlink() and not path.exists():
        raise DataError(f"{path} is a link to a file that is not there. Fetch or copy that first.")
    found = "another kind of file" if path.exists() else "nothing"
    raise DataError(f"{path}: expected a file that ends in {_endings()}, got {found}.")


def find_recordings(paths: Iterable[Path]) -> tuple[list[Path], list[Empty]]:
    """List recordings: files as they are given, and of each folder all those below it, by name.

    Returns
    -------
    list of Path
        Recordings, also packed ones (`.edf.gz`).
    list of Empty
        Folders that hold none, and paths that cannot be searched or read.
    """
    found: list[Path] = []
    empty = []
    for path in paths:
        closed: list[Empty] = []
        try:
            inside = list(_below(path, closed, set())) if path.is_dir() else [path]
        except OSError as error:  # in a folder that may not be entered
            inside = []
            closed.append(_unreadable(path, error))
        if not inside and not closed:
            reason = f"{path}: expected files that end in {_endings()}, found no file."
            empty.append(Empty(path, reason))
        found += inside
        empty += closed
    return found, empty


def _below(folder: Path, closed: list[Empty], seen: set[Path]) -> Iterator[Path]:
    """Recordings in a folder and in those below, hidden ones and copies in a BIDS tree left out."""
    if folder.resolve() in seen:  # by a link that leads back
        return
    seen.add(folder.resolve())
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        closed.append(Empty(folder, f"{folder} cannot be searched: {error.strerror}."))
        return
    endings = (suffix for one in FORMATS for suffix in one.suffixes)
    known = tuple(end for suffix in endings for end in (suffix, suffix + ".gz"))
    headers = (path for path in inside if path.suffix.lower() == brainvision.HEADER)
    parts = {part for path in headers for part in brainvision.signals(path)}
    is_bids = any(path.name == "dataset_description.json" for path in inside)
    for path in inside:
        if path.name.startswith(".") or (is_bids and path.name in SKIPPED):
            continue
        ending = path.suffix.lower()
        try:
            is_folder = path.is_dir()
            is_one = path.name.lower().endswith(known) or ending in UNREADABLE
            if is_one and not is_folder:
                checks = (one.is_one for one in FORMATS if ending in one.suffixes)
                is_one = path not in parts and all(check is None or check(path) for check in checks)
        except OSError as error:  # as of a link into a folder that may not be entered
            closed.append(_unreadable(path, error))
            continue
        if is_folder:
            yield from _below(path, closed, seen)
        elif is_one:
            yield path


def _unreadable(path: Path, error: OSError) -> Empty:
    return Empty(path, f"{path} cannot be read: {error.strerror}.")


def _endings() -> str:
    *most, last = (suffix for one in FORMATS for suffix in one.suffixes)
    return f"{', '.join(most)} or {last}"


def _path_of(raw: Any) -> Path:
    """Name the file of a recording that MNE has opened."""
    names = [one for one in getattr(raw, "filenames", ()) if one is not None]
    return Path(names[0]) if names else Path("recording")
