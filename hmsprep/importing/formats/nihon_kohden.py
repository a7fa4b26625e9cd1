"""Nihon Kohden recordings (`.eeg` beside `.pnt` and `.log`) -> a recording, through MNE."""

from __future__ import annotations

from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import mne_format


def check_own(path: Path) -> None:
    """Refuse the data file of BrainVision, which has the same ending."""
    if path.with_suffix(".vhdr").is_file():
        raise DataError(f"{path} is a part of {path.with_suffix('.vhdr').name}: name that.")


FORMAT = mne_format("Nihon Kohden", (".eeg",), "read_raw_nihon", check_own)
