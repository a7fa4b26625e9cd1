"""EEGLAB data sets (`.set`, with or without `.fdt`) -> a recording, through MNE.

The format names no unit; EEGLAB and MNE take microvolts for granted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hmsprep.importing.formats.through_mne import Ends, compare_size, mne_format

VALUE_BYTES = 4


def ends(_path: Path, raw: Any) -> Ends:
    """Compare the size of a file of signals alone with the header."""
    data = Path(raw.filenames[0])
    if data.suffix.lower() != ".fdt":
        return Ends()
    return compare_size(raw, data, VALUE_BYTES * raw.info["nchan"])


FORMAT = mne_format("EEGLAB", (".set",), "read_raw_eeglab", ends=ends, unit_v=1e-6, volts=True)
