"""Curry recordings (`.cdt`, or `.dap` beside `.dat`) -> a recording, through MNE."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import Ends, compare_size, mne_format

VALUE_BYTES = 4
HEADERS = (".cdt.dpa", ".cdt.dpo", ".dap")


def check_units(path: Path) -> None:
    """Refuse units that MNE takes for volts in silence, as it does all but microvolts."""
    header = next((one for one in map(path.with_suffix, HEADERS) if one.is_file()), None)
    if header is None:
        raise DataError(
            f"{path} needs {path.stem}{HEADERS[1]}, which is not in the same folder. Copy both."
        )
    units = re.findall(r"DataUnit\s*=\s*(\S+)", header.read_text("latin-1"))
    other = sorted({unit for unit in units if unit not in ("uV", "V", "fT")})
    if other:
        raise DataError(
            f"{path} is in {', '.join(map(repr, other))}, expected 'uV' or 'V'. Export it as EDF."
        )


def ends(path: Path, raw: Any) -> Ends:
    """Tell whether there are more bytes than the header says; of fewer MNE makes an error."""
    header = next((one for one in map(path.with_suffix, HEADERS) if one.is_file()), None)
    data = path.with_suffix(".dat") if path.suffix.lower() == ".dap" else path
    text = "" if header is None else header.read_text("latin-1")
    count = re.search(r"NumChannels\s*=\s*(\d+)", text)
    if count is None or not re.search(r"DataFormat\s*=\s*BINARY", text) or not data.is_file():
        return Ends()
    return compare_size(raw, data, VALUE_BYTES * int(count[1]))


FORMAT = mne_format("Curry", (".cdt", ".dap"), "read_raw_curry", check_units, ends=ends)
