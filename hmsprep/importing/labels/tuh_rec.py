"""Events of a second (`.rec`) of Temple University's corpus of events -> marked intervals.

Each line names a channel, start, stop and the number of a label (TUEV 2)::

    13,90.4,91.4,6
"""

from __future__ import annotations

from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.labels.layout import Layout, Said, Source, beside, interval
from hmsprep.importing.recording import read_text

NUMBERED = dict(enumerate("spsw gped pled eyem artf bckg".split(), start=1))
"""Number -> word (Harati et al. 2015)."""


def read(source: Source) -> Said | None:
    """Read the events of all channels.

    Raises
    ------
    DataError
        A line is none of these.
    """
    path = source.path
    marked = []
    for line in filter(None, map(str.strip, read_text(path).splitlines())):
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != 4 or not parts[3].isdigit() or int(parts[3]) not in NUMBERED:
            raise DataError(
                f"{path}: expected lines of channel, start, stop and a number from 1 to 6, got "
                f"{line!r}."
            )
        word = NUMBERED[int(parts[3])]
        marked.append(interval(path, parts[1], parts[2], word, ("start", "stop")))
    return Said(tuple(marked))


def find(recording: Path) -> Path | None:
    """Find the file; a recorder's EDF file may end in .rec, too."""
    path = beside(".rec")(recording)
    if path is None:
        return None
    with path.open("rb") as file:
        return None if file.read(8) == b"0".ljust(8) else path


LAYOUT = Layout("TUEV: .rec", find, read)
