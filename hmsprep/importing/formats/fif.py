"""FIF files of MNE (`.fif`) -> a recording.

A long recording is split into files ('night_raw.fif', 'night_raw-1.fif' ...; in a BIDS tree
'sub-1_split-01_eeg.fif' ...), which are read from the first one on.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import mne_format, read_raw

LATER = (
    (re.compile(r"(.+)-\d+\.fif"), r"\1.fif"),
    (re.compile(r"(.+_split-)(?!0*1_)(\d+)(_.+\.fif)"), r"\g<1>01\3"),
)
"""Names of parts after the first, and that of the first."""


def is_one(path: Path) -> bool:
    """Whether a file is a recording, or its first part."""
    return _first_part(path) is None


def check_first(path: Path) -> None:
    """Refuse a part that is read together with the one before it."""
    first = _first_part(path)
    if first is not None:
        raise DataError(f"{path} is a part of {first.name}, and is read with it: name that.")


def _first_part(path: Path) -> Path | None:
    for pattern, name in LATER:
        if pattern.fullmatch(path.name):
            first = path.with_name(pattern.sub(name, path.name))
            if first.is_file() and path.resolve() in _parts(first):
                return first
    return None


@lru_cache(maxsize=4)
def _parts(first: Path) -> frozenset[Path]:
    """Files that a split recording consists of; none if it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = read_raw("read_raw_fif", {}, first)
    except Exception:  # whoever opens the first one says what is wrong with it
        return frozenset()
    return frozenset(Path(name).resolve() for name in raw.filenames if name is not None)


FORMAT = mne_format("FIF", (".fif",), "read_raw_fif", check_first, unit_v=1.0, is_one=is_one)
