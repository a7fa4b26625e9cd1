"""FIF files of MNE (`.fif`) -> a recording.

A long recording is split into files ('night_raw.fif', 'night_raw-1.fif' ...; in a BIDS tree
'sub-1_split-01_eeg.fif' ...), which are read from the first one on.
"""

from __future__ import annotations

import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import Any

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import Ends, mne_format, read_raw

TAG = Struct(">4i")
BLOCK_START, BLOCK_END = 104, 105
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
            if first.is_file() and os.path.realpath(path) in _parts(first):
                return first
    return None


@lru_cache(maxsize=4)
def _parts(first: Path) -> frozenset[str]:
    """Files that a split recording consists of; none if it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = read_raw("read_raw_fif", {}, first)
    except Exception:  # whoever opens the first one says what is wrong with it
        return frozenset()
    return frozenset(os.path.realpath(name) for name in raw.filenames if name is not None)


def ends(_path: Path, raw: Any) -> Ends:
    """Tell whether a file ends before its blocks do: MNE reads buffers as far as they are whole."""
    for name in raw.filenames:
        if name is not None and _is_open(Path(name)):
            return Ends(f"{Path(name).name} ends within its signals")
    return Ends()


def _is_open(path: Path) -> bool:
    """Whether a block of a file is without its end.

    A tag is its kind, its type, the bytes of its content, and where the next one is: 0 if it
    follows, negative if none does (the FIFF specification).
    """
    size, at, depth = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        while at + TAG.size <= size:
            file.seek(at)
            kind, _, length, following = TAG.unpack(file.read(TAG.size))
            depth += (kind == BLOCK_START) - (kind == BLOCK_END)
            after = following or at + TAG.size + length
            if after <= at:
                break
            at = after
    return depth > 0


FORMAT = mne_format(
    "FIF", (".fif",), "read_raw_fif", check_first, ends=ends, unit_v=1.0, is_one=is_one
)
