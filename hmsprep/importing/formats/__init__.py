"""A recorder's file -> a recording: one file per format, one line each in `FORMATS`.

::

    edf.py  EDF, EDF+ and BDF files -> microvolts at 200 Hz of any part, and annotations
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.formats import edf
from hmsprep.importing.recording import Format, Options, Recording

FORMATS: tuple[Format, ...] = (edf.FORMAT,)


def open_recording(path: Path, options: Options) -> Recording:
    """Open a recording of any format; no signal is read.

    Parameters
    ----------
    path : Path
        A file; its ending tells the format.
    options : Options
        How to read it where the file leaves that open.

    Raises
    ------
    DataError
        There is no such file, no format has this ending, or the format refuses the file.
    """
    for one in FORMATS:
        if path.suffix.lower() in one.suffixes and path.is_file():
            return one.open(path, options)
    found = "another kind of file" if path.exists() else "nothing"
    raise DataError(f"{path}: expected a file that ends in {_endings()}, got {found}.")


def find_recordings(paths: Iterable[Path]) -> list[Path]:
    """List recordings: files as they are given, and of each folder those in it, by name.

    Raises
    ------
    DataError
        A folder holds none.
    """
    known = {suffix for one in FORMATS for suffix in one.suffixes}
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(one for one in path.iterdir() if one.suffix.lower() in known)
        if not inside:
            raise DataError(f"{path}: expected files that end in {_endings()}, found no file.")
        found += inside
    return found


def _endings() -> str:
    return " or ".join(suffix for one in FORMATS for suffix in one.suffixes)
