"""Tables of intervals (`.csv_bi`, `.csv`) of Temple University's corpora -> marked intervals.

`.csv_bi` has a line for each interval of all channels, `.csv` one for each of a channel, both with
the columns start_time, stop_time and label (TUSZ 2, TUAR 3)::

    # version = csv_v1.0.0
    channel,start_time,stop_time,label,confidence
    TERM,0.0000,36.8868,bckg,1.0000
"""

from __future__ import annotations

import re

from hmsprep.errors import DataError
from hmsprep.importing.labels.layout import Layout, Said, Source, beside, interval
from hmsprep.importing.recording import read_rows, read_text, stem_of
from hmsprep.words import plural

NAMED = re.compile(r"#\s*bname\s*=\s*([^\s,;\"]+)")
"""The line that names the recording."""
COLUMNS = ("start_time", "stop_time", "label")


def read(source: Source) -> Said | None:
    """Read a table; a `.csv` without any of the columns is a table of something else.

    Raises
    ------
    DataError
        It lacks some of the columns, or times are no times.
    """
    path = source.path
    lines = [line for line in map(str.strip, read_text(path).splitlines()) if line.strip(",;")]
    of = next((match[1] for line in lines if (match := NAMED.search(line))), None)
    lines = [line for line in lines if not line.strip('"').startswith("#")]
    semicolons = bool(lines) and ";" in lines[0] and "," not in lines[0]  # saved by a spreadsheet
    delimiter = ";" if semicolons else ","
    columns, _ = read_rows(path, lines[:1], delimiter)
    names = {name.strip().lower(): name for name in columns}
    absent = sorted(set(COLUMNS) - set(names))
    if len(absent) == len(COLUMNS) and path.suffix == ".csv":
        return None
    if absent:
        raise DataError(
            f"{path} lacks {plural(len(absent), 'column')}: {', '.join(absent)}. It has "
            f"{', '.join(names) or 'none'}. Is it a table of intervals? To import the recording "
            "without labels, use --unlabelled."
        )
    marked = []
    for row in read_rows(path, lines, delimiter)[1]:
        start, stop, word = ((row[names[column]] or "").strip() for column in COLUMNS)
        if semicolons:
            start, stop = start.replace(",", "."), stop.replace(",", ".")
        marked.append(interval(path, start, stop, word, COLUMNS))
    stem = stem_of(source.recording.path)
    if of is None or of.lower() == stem.lower():
        return Said(tuple(marked))
    note = f"{path.name} is of {of} by its own words: see whether these are the labels of {stem}."
    return Said(tuple(marked), notes=(note,))


LAYOUT = Layout("TUSZ 2, TUAR: .csv_bi, .csv", beside(".csv_bi", ".csv", ".csv_agg"), read)
