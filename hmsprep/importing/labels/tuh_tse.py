"""Lists of events (`.tse`, `.tse_bi`) of Temple University's older corpora -> marked intervals.

A line for each interval of all channels: start, stop, label and its probability (TUSZ 1.5)::

    version = tse_v1.0.0

    0.0000 36.8868 bckg 1.0000
"""

from __future__ import annotations

from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.labels.layout import Layout, Said, Source, beside, interval
from hmsprep.importing.recording import read_text


def read(source: Source) -> Said | None:
    """Read a list; where a line gives several labels the likeliest holds.

    Raises
    ------
    DataError
        A line is none of these.
    """
    path = source.path
    marked = []
    for line in map(str.strip, read_text(path).splitlines()):
        if not line or line.startswith("#") or line.replace(" ", "").startswith("version="):
            continue
        start, stop, *rest = (*line.split(), "", "")[: max(2, len(line.split()))]
        marked.append(interval(path, start, stop, _likeliest(path, line, rest), ("start", "stop")))
    return Said(tuple(marked))


def _likeliest(path: Path, line: str, rest: list[str]) -> str:
    try:
        chances = [float(chance) for chance in rest[1::2]] or [1.0]
        return rest[::2][chances.index(max(chances))]
    except (ValueError, IndexError):
        raise DataError(
            f"{path}: expected lines of start, stop, label and probability, got {line!r}."
        ) from None


LAYOUT = Layout("TUSZ 1.5: .tse_bi, .tse", beside(".tse_bi", ".tse", ".tse_agg"), read)
