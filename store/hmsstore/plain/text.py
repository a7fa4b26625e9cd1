"""Text from files -> text that a terminal shows, and a spreadsheet keeps, as text.

Labels, names, annotations, titles and paths come from files of strangers. A control character
among them could colour, overwrite or retype what stands on a terminal, and a mark of the writing
direction could turn a name around; a cell that begins with = would be run by a spreadsheet.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tabs and ends of lines, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, overrides and isolates of direction
    "\u2028\u2029\ud800-\udfff]"  # ends of lines and paragraphs; bytes that are not of any text
)
"""Characters that do something to a terminal, or cannot be written to one."""
MOVED = re.compile(r"(?:[\r\n]|\x1b\[A)*")
"""What a bar of progress of another package begins with, to stay in its line."""
RUN = tuple("=+-@\t\uff1d\uff0b\uff0d\uff20")
"""Cells that begin so are run by spreadsheets, the wide forms of these characters too."""
NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?%?")
NUMBERS = re.compile(
    rf"-|{NUMBER.pattern}(?: to {NUMBER.pattern}| \[{NUMBER.pattern}, {NUMBER.pattern}\])?"
)
"""Nothing, a number, a range or a number with its interval: no formula, however it begins."""


def plain(text: str) -> str:
    r"""Write every character that would act on a terminal as Python writes it: `\x1b`.

    >>> print(plain("Fp1\x1b[2J"))
    Fp1\x1b[2J
    """
    return ACTING.sub(lambda found: ascii(found[0])[1:-1], text)


def cell(value: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would run; numbers stay as they are.

    Texts are plain, since some programs take a carriage return for the end of a row.

    >>> cell("=1+1"), cell("-0.25"), cell("Fp1")
    ("'=1+1", '-0.25', 'Fp1')
    """
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(RUN) and not NUMBERS.fullmatch(text) else text


def uncell(text: str) -> str:
    """Take away the apostrophe that `cell` put before a text."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(RUN) else text


def write_rows(
    file: IO[str],
    header: Sequence[str],
    rows: Iterable[Iterable[object]],
    *,
    delimiter: str = ",",
) -> None:
    """Write a table as CSV; a spreadsheet runs none of its cells.

    Parameters
    ----------
    file : text file
        Opened with `newline=""`.
    header : sequence of str
        Names of the columns.
    rows : iterable of iterable
        Cells of each row.
    """
    lines = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    lines.writerow(map(cell, header))
    lines.writerows(map(cell, row) for row in rows)


def discard(stream: IO[str]) -> None:
    """Let a stream whose reader has gone away write nowhere, so that work on other things goes on.

    What it still holds in memory is written nowhere, too.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class PlainStream:
    """A stream that writes text as `plain` does, and goes on when its reader has gone away.

    Parameters
    ----------
    stream : text stream
    bars : bool
        Whether other packages draw bars of progress on it, whose writes begin by going back to the
        begin of the line.
    """

    def __init__(self, stream: IO[str], *, bars: bool) -> None:
        self.rich_proxied_file = stream  # rich writes its own colours, and looks for this name
        self._bars = bars

    def __getattr__(self, name: str) -> Any:
        """Be in all else the stream that it is of."""
        return getattr(self.rich_proxied_file, name)

    def write(self, text: str) -> int:
        """Write a text."""
        found = MOVED.match(text) if self._bars else None
        kept = found[0] if found else ""
        try:
            self.rich_proxied_file.write(kept + plain(text[len(kept) :]))
        except BrokenPipeError:
            discard(self.rich_proxied_file)
        return len(text)

    def flush(self) -> None:
        """Write what is held in memory, or nowhere if nobody reads it."""
        try:
            self.rich_proxied_file.flush()
        except BrokenPipeError:
            discard(self.rich_proxied_file)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)


def write_plainly() -> None:
    """Let stdout and stderr of this process show text from files as text, from now on.

    Tracebacks, warnings of other packages and messages of the parser of options are written there.
    """
    if not isinstance(sys.stdout, PlainStream) and sys.stdout is not None:  # None: it is closed
        sys.stdout = PlainStream(sys.stdout, bars=False)
    if not isinstance(sys.stderr, PlainStream) and sys.stderr is not None:
        sys.stderr = PlainStream(sys.stderr, bars=True)


def json_line(value: Any) -> str:
    """A value as JSON on one line that acts on no terminal; NaN, which JSON lacks, as null."""
    text = json.dumps(_without_nan(value), allow_nan=False)
    return text.replace("\x7f", "\\u007f")  # all else is ASCII that acts on nothing


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return value
