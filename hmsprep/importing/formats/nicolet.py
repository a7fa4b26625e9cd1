"""Nicolet recordings (`.data` beside `.head`) -> a recording, through MNE."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hmsprep.importing.formats.through_mne import Ends, compare_size, mne_format

VALUE_BYTES = 2


def ends(path: Path, raw: Any) -> Ends:
    """Compare the size of the signals with the header."""
    text = path.with_suffix(".head").read_text("latin-1")
    count = re.search(r"num_channels\s*=\s*(\d+)", text)
    return Ends() if count is None else compare_size(raw, path, VALUE_BYTES * int(count[1]))


FORMAT = mne_format("Nicolet", (".data",), "read_raw_nicolet", ends=ends, ch_type="eeg")
