"""Nihon Kohden recordings (`.eeg` beside `.pnt`, `.LOG` and `.21E`) -> a recording, through MNE.

MNE finds the last two by endings in capitals alone, and passes over notes that it cannot decode.
Channels with a capital Z in their names ('FZ') it calls 'misc', but gives them in volts as all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import Told, mne_format, read_raw

ENCODINGS = ("utf-8", "cp1252", "latin-1")
"""Of notes, the one that is preferred first; the last one decodes all."""


def check_own(path: Path) -> None:
    """Refuse the data file of BrainVision, which has the same ending."""
    if path.with_suffix(".vhdr").is_file():
        raise DataError(f"{path} is a part of {path.with_suffix('.vhdr').name}: name that.")


def look(path: Path) -> Told:
    """Say which of the files that belong to it are not there."""
    notes, names = path.with_suffix(".LOG"), path.with_suffix(".21E")
    said = []
    if not notes.is_file():
        said.append(f"{notes.name} is not beside {path.name}: its notes are not read.")
    if not names.is_file():
        said.append(
            f"{names.name} is not beside {path.name}: its channels are named as Nihon Kohden "
            "numbers them, which may not be how they were connected."
        )
    return Told(notes=tuple(said))


def read(path: Path) -> Any:
    """Open a recording by MNE, in the first encoding in which no note is lost."""
    raws = [read_raw("read_raw_nihon", {"encoding": one}, path) for one in ENCODINGS]
    return max(raws, key=lambda raw: len(raw.annotations))


FORMAT = mne_format("Nihon Kohden", (".eeg",), read, check_own, look=look, volts=True)
