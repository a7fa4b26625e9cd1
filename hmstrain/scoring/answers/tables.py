"""CSV, parquet -> columns, told apart by their contents, whatever the file is called."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.plain.text import uncell
from hmstrain.errors import DataError

PARQUET, ZIP = b"PAR1", b"PK\x03\x04"
"""First bytes of parquet and of NumPy's `.npz`."""
DELIMITERS = ",;\t"
DECLARED = re.compile(f"sep=([{DELIMITERS}])\\n?", re.IGNORECASE)
"""Line above the header that tells a spreadsheet what stands between the cells."""
DECIMAL_COMMA = re.compile(r"^(-?\d+),(\d+(?:[eE][-+]?\d+)?)$")
"""A number with a comma, which nothing else is where cells are not apart by commas."""
WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
"""A whole number as one writes it, of what an int64 holds."""
FLOAT = re.compile(r"(-?(?:0|[1-9][0-9]{0,14}))\.0+")
EXACT = 2.0**53
"""From here on floats skip whole numbers."""
LARGEST_CSV = 1 << 30
"""Bytes: some ten million rows of probabilities, which take ten times the memory."""
LARGEST_VALUES, VALUES_PER_BYTE = 1 << 26, 64
"""Values of a parquet file, and per byte of a larger one: more than any holds."""
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zX", b"(\xb5/\xfd")
"""First bytes of gzip, bzip2, xz and zstd."""


@dataclass(frozen=True)
class Table:
    """Some columns of a file, and the names of all of them."""

    path: Path
    header: tuple[str, ...]
    columns: Mapping[str, Sequence[Any]]
    first_line: int = 1
    """Number of the first row, as a person counts: 2 below a header."""
    _numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as float64 (N,), empty cells as NaN; DataError names a cell that is not one."""
        if name not in self._numbers:
            self._numbers[name] = self._as_numbers(name)
        return self._numbers[name]

    def _as_numbers(self, name: str) -> NDArray[np.float64]:
        cells = self.columns[name]
        try:
            return np.asarray(cells, np.float64)
        except (ValueError, TypeError):
            pass
        found = np.full(len(cells), np.nan)
        for row, cell in enumerate(cells):
            text = "" if cell is None else str(cell).strip()
            if text:
                try:
                    found[row] = float(text)
                except ValueError:
                    raise DataError(
                        f"{self.path}, row {row + self.first_line}, column {name}: expected a "
                        f"number, got {text!r}."
                    ) from None
        return found

    def ids(self, name: str) -> NDArray[Any]:
        """A column of ids (N,): int64 if all are whole numbers as one writes them, else text.

        A number with zeros in front, or with anything else that is not a digit, stays a text;
        whole numbers that pandas wrote as floats are numbers; what is missing is ''.
        """
        cells = self.columns[name]
        values = np.asarray(cells)
        if values.dtype.kind == "i" or (values.dtype.kind == "u" and values.itemsize < 8):
            return values.astype(np.int64)
        texts = [_id_text(cell) for cell in cells]
        if all(WHOLE.fullmatch(text) for text in texts):
            return np.asarray(texts, np.int64)
        return np.asarray(texts)


def _id_text(cell: object) -> str:
    """An id as text: a whole float without its point, nothing of what is missing."""
    if cell is None:
        return ""
    if isinstance(cell, float | np.floating):
        value = float(cell)
        if value != value:
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)
    text = str(cell).strip()
    found = FLOAT.fullmatch(text)
    return found.group(1) if found else text


def read_table(path: Path, keep: Callable[[str], bool], usual: Iterable[str] = ()) -> Table:
    """Read the columns of a CSV or parquet file whose names are to be kept.

    Parameters
    ----------
    keep : callable
        Whether to keep a column of this name.
    usual : iterable of str
        Names that a column gets even if the file writes them with other capitals.

    Raises
    ------
    DataError
        It cannot be read, or is damaged.
    """
    start = first_bytes(path)
    if start == PARQUET:
        return _renamed(_read_parquet(path, keep), usual)
    if start.startswith(PACKED):
        raise DataError(f"{path} is compressed: unpack it first.")
    if b"\0" in start or start == ZIP:
        raise DataError(f"{path}: expected CSV or parquet, got binary data of another kind.")
    return _renamed(_read_csv(path, keep), usual)


def _renamed(table: Table, usual: Iterable[str]) -> Table:
    wanted = {name.casefold(): name for name in usual}
    there = set(table.columns)
    names = {
        name: wanted[name.casefold()]
        for name in table.columns
        if name.casefold() in wanted and wanted[name.casefold()] not in there
    }
    columns = {names.get(name, name): cells for name, cells in table.columns.items()}
    return replace(table, columns=columns)


def first_bytes(path: Path) -> bytes:
    """The four bytes that a file begins with; DataError if it cannot be read."""
    if path.is_dir():
        raise DataError(
            f"{path} is a folder, but not a store, a finished run, a blend or predictions."
        )
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is not a regular file: save what it gives into one.")
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None


def _read_csv(path: Path, keep: Callable[[str], bool]) -> Table:
    """Lines may end in any way; bytes that are not UTF-8 matter only in columns that are kept."""
    nbytes = path.stat().st_size
    if nbytes > LARGEST_CSV:
        raise DataError(
            f"{path} has {nbytes:,} bytes, expected {LARGEST_CSV:,} at most: save it as parquet."
        )
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        full = (line for line in file if line.strip())
        first = next(full, "")
        declared = DECLARED.fullmatch(first)
        if declared:
            first = next(full, "")
        delimiter = declared.group(1) if declared else max(DELIMITERS, key=first.count)
        header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
        if not any(header):
            raise DataError(f"{path} is empty: expected a line with the names of its columns.")
        _refuse_twice(path, header)
        places = [place for place, name in enumerate(header) if keep(name)]
        try:
            lines = csv.reader(file, delimiter=delimiter)
            commas = delimiter != ","
            rows = list(_cells(path, lines, len(header), places, commas=commas))
        except csv.Error as error:
            raise DataError(f"{path} is not CSV: {error}.") from None
    columns = list(zip(*rows, strict=True)) or [()] * len(places)
    named = {header[place]: column for place, column in zip(places, columns, strict=True)}
    for name, column in named.items():
        row = next((row for row, cell in enumerate(column) if not _is_text(cell)), None)
        if row is not None:
            raise DataError(
                f"{path}, row {row + 2}, column {name} is not UTF-8: save the file as UTF-8."
            )
    return Table(path, tuple(header), named, first_line=2)


def _is_text(cell: str) -> bool:
    return cell.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in cell)


def _cells(
    path: Path, lines: Iterable[list[str]], width: int, places: Sequence[int], *, commas: bool
) -> Iterable[tuple[str, ...]]:
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        if len(line) != width:
            raise DataError(
                f"{path}, row {number}: expected {width} cells as in its first line, got "
                f"{len(line)}."
            )
        cells = (uncell(line[place]) for place in places)
        yield tuple(DECIMAL_COMMA.sub(r"\1.\2", cell) if commas else cell for cell in cells)


def _read_parquet(path: Path, keep: Callable[[str], bool]) -> Table:
    try:
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise DataError(
            f"{path} is parquet, which needs pyarrow: run pip install 'hms-eeg[prep]', or save it "
            "as CSV."
        ) from None
    try:
        with pq.ParquetFile(path) as file:
            header = list(file.schema_arrow.names)
            _refuse_twice(path, header)
            kept = [name for name in header if keep(name)]
            rows, nbytes = file.metadata.num_rows, path.stat().st_size
            if rows * len(kept) > max(LARGEST_VALUES, VALUES_PER_BYTE * nbytes):
                raise ValueError(f"it claims {rows:,} rows in {nbytes:,} bytes")
            table = file.read(columns=kept)
            columns = {name: table[name].to_numpy() for name in table.column_names}
    except MemoryError:
        raise
    except Exception as error:  # bad bytes come as errors of many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is damaged, or not parquet ({reason}).") from None
    return Table(path, tuple(header), columns)


def _refuse_twice(path: Path, header: Sequence[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path} has several columns named {', '.join(map(repr, twice))}.")
