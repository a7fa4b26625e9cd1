"""A recorder's file -> the time of day at which it starts, if it is EDF or BDF.

Nothing of it is kept: an import leaves date and time of day out, since they tell who was recorded.
"""

from __future__ import annotations

import gzip
import re
from datetime import time
from io import BufferedIOBase
from pathlib import Path

EDF, BDF = b"0       ", b"\xffBIOSEMI"
"""First eight bytes of a file."""
TIME, SIGNALS = slice(176, 184), slice(252, 256)
"""Where the header has its start, 'hh.mm.ss', and how many signals there are (Kemp et al. 1992,
Electroencephalogr Clin Neurophysiol 82, 391-393)."""
HEADER, LABEL, SAMPLES_AT, NUMBER = 256, 16, 216, 8
"""Bytes of the header, and as many more of each signal: of a label; before the samples in a record,
and of those."""
ANNOTATIONS = (b"EDF ANNOTATIONS", b"BDF ANNOTATIONS")
ONSET = re.compile(rb"([+-]?\d+)(?:[.,]\d*)?(?:\x15[\d.,]*)?\x14\x14")
"""What the annotations of a record begin with: its onset in seconds from the header's time (Kemp
and Olivan 2003, Clin Neurophysiol 114, 1755-1761)."""
ONSET_BYTES = 64
DAY_S = 24 * 3600


def clock_start(path: Path) -> time | None:
    """Read when a recording starts.

    Parameters
    ----------
    path : Path
        EDF or BDF, also packed by gzip.

    Returns
    -------
    time or None
        When the first record begins, to the second. None of other files, and where the header says
        midnight sharp, which is what programs write that take the time out.
    """
    opening = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opening(path, "rb") as file:
            head = file.read(HEADER)
            if head[: len(EDF)] not in (EDF, BDF):
                return None
            found = re.fullmatch(rb"(\d\d)[.:](\d\d)[.:](\d\d)", head[TIME])
            start = time.fromisoformat(b":".join(found.groups()).decode()) if found else time(0)
            if start == time(0):
                return None
            onset_s = _first_onset(file, head)
    except (OSError, EOFError, ValueError):  # or 25:61:00
        return None
    seconds = (start.hour * 3600 + start.minute * 60 + start.second + onset_s) % DAY_S
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60)


def _first_onset(file: BufferedIOBase, head: bytes) -> int:
    """Whole seconds from the header's time to the first record; 0 if that does not say."""
    try:
        count = max(0, int(head[SIGNALS]))
        about = file.read(HEADER * count)
        labels = [about[LABEL * n :][:LABEL].strip(b" \0").upper() for n in range(count)]
        place = next(n for n, label in enumerate(labels) if label in ANNOTATIONS)
        fields = (about[SAMPLES_AT * count + NUMBER * n :][:NUMBER] for n in range(place))
        before = sum(int(float(field)) for field in fields)
        file.seek(HEADER * (1 + count) + (3 if head.startswith(BDF) else 2) * before)
    except (StopIteration, ValueError, OverflowError):
        return 0
    found = ONSET.match(file.read(ONSET_BYTES))
    return int(found[1]) if found else 0
