"""A recorder's file -> the time of day at which it starts, if it is EDF or BDF.

Nothing of it is kept: an import leaves date and time of day out, since they tell who was recorded.
"""

from __future__ import annotations

import gzip
import re
from datetime import time
from pathlib import Path

EDF, BDF = b"0       ", b"\xffBIOSEMI"
"""First eight bytes of a file."""
TIME_AT, TIME_BYTES = 176, 8
"""Where the header has its start, 'hh.mm.ss' (Kemp et al. 1992, Electroencephalogr Clin
Neurophysiol 82, 391-393)."""


def clock_start(path: Path) -> time | None:
    """Read when a recording starts.

    Parameters
    ----------
    path : Path
        EDF or BDF, also packed by gzip.

    Returns
    -------
    time or None
        To the second. None of other files, and where the header says midnight sharp, which is what
        programs write that take the time out.
    """
    opening = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opening(path, "rb") as file:
            head = file.read(TIME_AT + TIME_BYTES)
    except (OSError, EOFError):
        return None
    if head[: len(EDF)] not in (EDF, BDF):
        return None
    found = re.fullmatch(rb"(\d\d)[.:](\d\d)[.:](\d\d)", head[TIME_AT:])
    try:
        start = time.fromisoformat(b":".join(found.groups()).decode()) if found else time(0)
    except ValueError:  # 25:61:00
        return None
    return start if start != time(0) else None
