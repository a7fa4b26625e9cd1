"""BrainVision recordings (`.vhdr` beside `.vmrk` and `.eeg`) -> a recording, through MNE.

The header names of each channel what it was measured against, which MNE passes over::

    Ch1=Fp1,FCz,0.1,µV
"""

from __future__ import annotations

import re
from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import Told, mne_format

CHANNEL = re.compile(r"^\s*Ch(\d+)\s*=([^,\n]*),([^,\n]*),", re.MULTILINE)
FILE = re.compile(r"^\s*(DataFile|MarkerFile)\s*=\s*(.*?)\s*$", re.MULTILINE)


def look(path: Path) -> Told:
    """Read what channels were measured against, and whether the files that belong to it are there.

    Raises
    ------
    DataError
        The file of the signals is not there.
    """
    text = path.read_bytes().decode("utf-8", errors="replace")
    beside = {
        key: path.with_name(re.split(r"[\\/]", name)[-1].replace("$b", path.stem))
        for key, name in FILE.findall(text)
    }
    data, marks = beside.get("DataFile"), beside.get("MarkerFile")
    if data is not None and not data.is_file():
        raise DataError(
            f"{path} belongs together with {data.name}, which is not beside it. Copy both; if it "
            "was renamed, name it so again."
        )
    notes: tuple[str, ...] = ()
    if marks is not None and not marks.is_file() and not path.with_suffix(".vmrk").is_file():
        notes = (
            f"{path.name} belongs together with {marks.name}, which is not beside it: its notes "
            "are not read, and nobody knows whether it was paused.",
        )
    found = {
        int(number): (name, against.strip()) for number, name, against in CHANNEL.findall(text)
    }
    several = len({against for _, against in found.values()}) > 1
    seconds = {number - 1: against for number, (_, against) in found.items() if several and against}
    return Told(seconds, notes)


FORMAT = mne_format("BrainVision", (".vhdr",), "read_raw_brainvision", look=look)
