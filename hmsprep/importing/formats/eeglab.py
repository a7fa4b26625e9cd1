"""EEGLAB data sets (`.set`, with or without `.fdt`) -> a recording, through MNE.

The format names no unit; EEGLAB and MNE take microvolts for granted. MNE reads sets of version 7.3
of MATLAB's format by pymatreader alone, which the extra `mne` does not install.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import Ends, compare_size, mne_format
from hmsprep.importing.formats.votes_mat import is_hdf5

VALUE_BYTES = 4


def check_version(path: Path) -> None:
    """Refuse a set of version 7.3 where nothing is installed that reads it."""
    if is_hdf5(path) and find_spec("pymatreader") is None:
        raise DataError(
            f"{path} is of version 7.3 of MATLAB's format, expected one up to 7. Save it with "
            "pop_saveset(EEG, ..., 'version', '6')."
        )


def ends(_path: Path, raw: Any) -> Ends:
    """Compare the size of a file of signals alone with the header."""
    data = Path(raw.filenames[0])
    if data.suffix.lower() != ".fdt":
        return Ends()
    return compare_size(raw, data, VALUE_BYTES * raw.info["nchan"])


FORMAT = mne_format(
    "EEGLAB", (".set",), "read_raw_eeglab", check_version, ends=ends, unit_v=1e-6, volts=True
)
