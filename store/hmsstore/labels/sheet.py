"""Rows of texts <-> a CSV file, also as spreadsheets save it.

::

    # hms-eeg: labels 1
    # recording: night.edf
    start_s,stop_s,class,text
    12.50,24.00,seizure,left temporal
    # end

Lines that begin with # say what the file is of; the last says that it is whole, so that a file
that was cut short is not taken for one with fewer rows. A spreadsheet may have put semicolons or
tabs between the cells, commas into the numbers, a byte-order mark before the text, empty cells
behind each line and other ends of lines: all of that is read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from hmsstore.errors import LabelsError
from hmsstore.plain.text import uncell, write_rows

PROGRAM = "hms-eeg"
END = "end"
DELIMITERS = (",", ";", "\t")
CLOCK = re.compile(r"(\d+):([0-5]?\d):([0-5]?\d(?:\.\d+)?)")
DECIMAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}")
"""12.345 and 12,345: which of the two is twelve thousand depends on the spreadsheet."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands in such a file."""

    head: Mapping[str, str]
    """Of lines '# key: value'."""
    rows: tuple[Mapping[str, str], ...]
    """Column -> cell, of each row."""
    lines: tuple[int, ...]
    """Line of the file in which each row ends, from 1 on."""
    commas: bool
    """Whether numbers may have decimal commas."""

    def each(self, path: Path, read: Callable[[Mapping[str, str], bool], object]) -> None:
        """Give each row, and whether it has decimal commas, to `read`.

        Raises
        ------
        LabelsError
            `read` raised ValueError of a row; the message names its line.
        """
        for line, row in zip(self.lines, self.rows, strict=True):
            try:
                read(row, self.commas)
            except ValueError as error:
                raise LabelsError(f"{path}, line {line}: {error}.") from None


def write_sheet(
    kind: str,
    head: Mapping[str, str],
    columns: Sequence[str],
    rows: Iterable[Mapping[str, str]],
) -> bytes:
    """Write rows as a CSV file in UTF-8 with a byte-order mark, by which spreadsheets know it.

    Parameters
    ----------
    kind : str
        What the rows are and the version of the format, such as 'labels 1'.
    head : mapping
        What the file is of.
    columns : sequence of str
        Names of the columns.
    rows : iterable of mapping
        Column -> cell, of each row; columns that are not named are empty.
    """
    file = io.StringIO()
    for key, value in {PROGRAM: kind, **head}.items():
        write_rows(file, (f"# {key}: {_one_line(value)}",), ())
    write_rows(file, columns, ([_one_line(row.get(name, "")) for name in columns] for row in rows))
    write_rows(file, (f"# {END}",), ())
    return file.getvalue().encode("utf-8-sig")


def read_sheet(
    path: Path,
    content: bytes,
    kind: str,
    required: Sequence[str],
    columns: Sequence[str],
) -> Sheet:
    """Read what `write_sheet` wrote, whatever spreadsheet saved it since.

    Parameters
    ----------
    path : Path
        For messages.
    content : bytes
        Of the file.
    kind : str
        As it was written.
    required : sequence of str
        Columns that must be there, in any order.
    columns : sequence of str
        All columns that may be there.

    Raises
    ------
    LabelsError
        It is of another kind, was cut short, or has other columns.
    """
    text = _decoded(path, content)
    delimiter = _delimiter(text, required)
    commas = delimiter is not None and delimiter != ","
    head: dict[str, str] = {}
    found: list[tuple[int, list[str]]] = []
    whole = False
    separator = delimiter or ","
    for line, cells in _cells(path, text, separator):
        if whole:
            raise LabelsError(
                f"{path}, line {line}: expected nothing after the line '# {END}'. Move that line "
                "to the end of the file."
            )
        if cells[0].startswith("#"):
            key, _, value = separator.join(cells).rstrip(separator)[1:].partition(":")
            whole = key.strip() == END
            head.setdefault(key.strip(), value.strip())
        else:
            found.append((line, cells))
    _check_kind(path, head.pop(PROGRAM, None), kind)
    if not found or not whole:
        many = f"{max(0, len(found) - 1)} row{'s' * (len(found) != 2)}"
        raise LabelsError(
            f"{path} ends after {many} without its last line '# {END}': it was cut short, or "
            "the line was taken away. Restore it from a copy; if all rows are there, add the line."
        )
    head.pop(END)
    names = [cell.lower() for cell in found[0][1]]
    while not names[-1]:
        names.pop()
    _check_columns(path, names, required, columns)
    rows = tuple(_row(path, line, names, cells, required) for line, cells in found[1:])
    return Sheet(head, rows, tuple(line for line, _ in found[1:]), commas)


def seconds(text: str, commas: bool) -> float:
    """Read seconds: '12.5', '0:00:12.5', and '12,5' where a spreadsheet writes commas.

    Raises
    ------
    ValueError
        The text is another one, or may be thousands: '12,345' where a spreadsheet writes commas.
    """
    if commas and THOUSANDS.fullmatch(text):
        raise ValueError(
            f"expected seconds such as 12,34 or 12345, got {text!r}, which may be thousands: write "
            "at most two decimals"
        )
    number = text.replace(",", ".") if commas and text.count(",") == 1 else text
    if clock := CLOCK.fullmatch(number):
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    mixed = "." in text and "," in text
    if mixed or not DECIMAL.fullmatch(number) or not isfinite(float(number)):
        raise ValueError(f"expected seconds such as 12.5, or h:mm:ss, got {text!r}")
    return float(number)


def _decoded(path: Path, content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise LabelsError(
            f"{path} is not a text in UTF-8: if a spreadsheet saved it, save it again as 'CSV "
            "UTF-8'."
        ) from None


def _delimiter(text: str, required: Sequence[str]) -> str | None:
    """What stands between the cells of the line that names the columns; None without such a one."""
    for line in text.splitlines():
        for delimiter in DELIMITERS:
            cells = {cell.strip().strip('"').lower() for cell in line.split(delimiter)}
            if cells.issuperset(required):
                return delimiter
    return next((one for one in DELIMITERS if f"{required[0]}{one}" in text.lower()), None)


def _cells(path: Path, text: str, delimiter: str) -> Iterable[tuple[int, list[str]]]:
    """Number and cells of each line that holds something."""
    lines = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    try:
        for cells in lines:
            found = [uncell(cell.strip()) for cell in cells]
            if any(found) and not (lines.line_num == 1 and found[0].startswith("sep=")):
                yield lines.line_num, found
    except csv.Error as error:
        raise LabelsError(f"{path}, line {lines.line_num}: {error}.") from None


def _row(
    path: Path, line: int, names: Sequence[str], cells: Sequence[str], required: Sequence[str]
) -> dict[str, str]:
    """Cells by column; spreadsheets leave out empty ones at the end."""
    lacking = set(names[len(cells) :])
    if any(cells[len(names) :]) or lacking.intersection(required):
        raise LabelsError(
            f"{path}, line {line}: expected {len(names)} cells, got {len(cells)}. Put a text with "
            "commas between quotation marks."
        )
    return dict.fromkeys(lacking, "") | dict(zip(names, cells, strict=False))


def _check_columns(
    path: Path, names: Sequence[str], required: Sequence[str], columns: Sequence[str]
) -> None:
    missing = [name for name in required if name not in names]
    unknown = [name for name in names if name not in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    for found, what in (
        (missing, "lacks the column"),
        (unknown, "has the unknown column"),
        (twice, "has twice the column"),
    ):
        if found:
            many = "s" * (len(found) > 1)
            raise LabelsError(
                f"{path} {what}{many} {', '.join(map(repr, found))}: expected {', '.join(columns)}."
            )


def _check_kind(path: Path, found: str | None, kind: str) -> None:
    if found == kind:
        return
    name, _, version = kind.partition(" ")
    other, _, number = (found or "").partition(" ")
    if other == name and number.isdecimal() and int(number) > int(version):
        raise LabelsError(
            f"{path} is of version {number} of its format; this package reads version {version}. "
            "Upgrade hms-eeg."
        )
    got = "none" if found is None else repr(found)
    raise LabelsError(
        f"{path} does not hold {name}: expected a line '# {PROGRAM}: {kind}' in it, got {got}."
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
