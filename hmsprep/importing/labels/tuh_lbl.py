"""Labels by channel (`.lbl`, `.lbl_bi`) of Temple University's older corpora -> marked intervals.

Each label names its level, start, stop, channel, and the probability of each symbol (TUSZ 1.5)::

    version = lbl_v1.0.0
    symbols[0] = {0: '(null)', 1: 'spsw', 2: 'gped', 6: 'bckg'}
    label = {0, 0, 0.0000, 36.8868, 0, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]}
"""

from __future__ import annotations

import re

from hmsprep.errors import DataError
from hmsprep.importing.labels.layout import (
    Layout,
    Marked,
    Said,
    Source,
    beside,
    interval,
)
from hmsprep.importing.recording import read_text

SYMBOLS = re.compile(r"symbols\[(\d+)\]\s*=\s*\{(.*)\}")
SYMBOL = re.compile(r"(\d+)\s*:\s*'([^']*)'")
LABEL = re.compile(
    r"label\s*=\s*\{\s*(\d+)\s*,\s*\d+\s*,\s*([^,\s]+)\s*,\s*([^,\s]+)\s*,[^,]*,\s*\[(.*)\]\s*\}"
)


def read(source: Source) -> Said | None:
    """Read the labels of all channels and levels.

    Raises
    ------
    DataError
        A label is not written so, or names a symbol that is not there.
    """
    path = source.path
    symbols: dict[str, dict[int, str]] = {}
    marked: list[Marked] = []
    for line in map(str.strip, read_text(path).splitlines()):
        if found := SYMBOLS.fullmatch(line):
            symbols[found[1]] = {int(place): word for place, word in SYMBOL.findall(found[2])}
        elif line.startswith("label"):
            label = LABEL.fullmatch(line)
            try:
                if label is None:
                    raise ValueError
                chances = [float(chance) for chance in label[4].split(",")]
                word = symbols[label[1]][chances.index(max(chances))]
            except (ValueError, KeyError):
                raise DataError(
                    f"{path}: expected 'label = {{level, sublevel, start, stop, channel, [a "
                    f"probability for each symbol]}}' after its symbols, got {line!r}."
                ) from None
            marked.append(interval(path, label[2], label[3], word, ("start", "stop")))
    return Said(tuple(marked))


LAYOUT = Layout("TUSZ 1.5: .lbl_bi, .lbl", beside(".lbl_bi", ".lbl", ".lbl_agg"), read)
