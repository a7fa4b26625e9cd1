"""Nihon Kohden recordings (`.eeg` beside `.pnt`, `.LOG` and `.21E`) -> a recording, through MNE.

MNE finds the last two by endings in capitals alone, so that it is given links, and passes over
notes that it cannot decode. Channels with a capital Z in their names ('FZ') it calls 'misc', but
gives them in volts as all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import Told, mne_format, read_renamed

ENCODINGS = ("utf-8", "cp1252", "latin-1")
"""Of notes, the one that is preferred first; the last one decodes all."""

BESIDE = (".PNT", ".LOG", ".21E")
"""Endings of the files that belong to a recording."""

LATER = "EEG-1200A V01.00"
"""Where the channels are listed elsewhere than in earlier ones."""


def check_own(path: Path) -> None:
    """Refuse the data file of BrainVision, which has the same ending."""
    header = _beside(path).get(".VHDR")
    if header is not None:
        raise DataError(f"{path} is a part of {header.name}: name that.")


def look(path: Path) -> Told:
    """Say which of the files that belong to it are not there."""
    beside = _beside(path)
    said = []
    if ".LOG" not in beside:
        said.append(f"{path.stem}.LOG is not beside {path.name}: its notes are not read.")
    if ".21E" not in beside:
        said.append(
            f"{path.stem}.21E is not beside {path.name}: its channels are named as Nihon Kohden "
            "numbers them, which may not be how they were connected."
        )
    return Told(notes=tuple(said))


def read(path: Path) -> Any:
    """Open a recording by MNE, in the first encoding in which no note is lost.

    Raises
    ------
    DataError
        It is of EEG-1200A, whose list of channels MNE looks for in the wrong place and finds one.
    """
    beside = _beside(path)
    files = {"recording.eeg": path}
    files |= {f"recording{end}": beside[end] for end in BESIDE if end in beside}
    raws = [read_renamed("read_raw_nihon", {"encoding": one}, files) for one in ENCODINGS]
    if raws[0].info["nchan"] == 1 and _version(path) == LATER:
        raise DataError(f"{path} is of {LATER}, which MNE does not read. Export it as EDF.")
    return max(raws, key=lambda raw: len(raw.annotations))


def _version(path: Path) -> str:
    """What a file says it is of, in its first 16 bytes."""
    with path.open("rb") as file:
        return file.read(16).decode("latin-1")


def _beside(path: Path) -> dict[str, Path]:
    """Ending in capitals -> file of the same name, with that ending in any case."""
    found = sorted(path.parent.iterdir(), reverse=True)  # capitals last, to be preferred
    return {one.suffix.upper(): one for one in found if one.stem == path.stem and one.is_file()}


FORMAT = mne_format("Nihon Kohden", (".eeg",), read, check_own, look=look, volts=True)
