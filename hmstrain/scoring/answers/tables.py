"""CSV, parquet -> columns, told apart by their contents, whatever the file is called."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmstrain.errors import DataError

PARQUET, ZIP = b"PAR1", b"PK\x03\x04"
"""First bytes of parquet and of NumPy's `.npz`."""
DELIMITERS = ",;\t"


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
        """A column of ids (N,): int64 if all are whole numbers, else text."""
        cells = self.columns[name]
        try:
            values = np.asarray(cells)
            if values.dtype.kind in "iu":
                return values.astype(np.int64)
            if values.dtype.kind == "U":
                return values.astype(np.int64)
            if values.dtype.kind == "f" and (values == np.floor(values)).all():
                return values.astype(np.int64)
        except (ValueError, OverflowError):
            pass
        return np.asarray(["" if cell is None else str(cell).strip() for cell in cells])


def read_table(path: Path, keep: Callable[[str], bool]) -> Table:
    """Read the columns of a CSV or parquet file whose names are to be kept.

    Raises
    ------
    DataError
        It cannot be read, or is damaged.
    """
    start = first_bytes(path)
    if start == PARQUET:
        return _read_parquet(path, keep)
    if b"\0" in start or start == ZIP:
        raise DataError(f"{path}: expected CSV or parquet, got binary data of another kind.")
    return _read_csv(path, keep)


def first_bytes(path: Path) -> bytes:
    """The four bytes that a file begins with; DataError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(4)
    except IsADirectoryError:
        raise DataError(
            f"{path} is a folder, but not a store, a finished run, a blend or predictions."
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None


def _read_csv(path: Path, keep: Callable[[str], bool]) -> Table:
    """Lines may end in any way; bytes that are not UTF-8 matter only where a number should be."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline()
        delimiter = max(DELIMITERS, key=first.count)
        header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
        if not any(header):
            raise DataError(f"{path} is empty: expected a line with the names of its columns.")
        _refuse_twice(path, header)
        places = [place for place, name in enumerate(header) if keep(name)]
        try:
            rows = list(_cells(path, csv.reader(file, delimiter=delimiter), len(header), places))
        except csv.Error as error:
            raise DataError(f"{path} is not CSV: {error}.") from None
    columns = list(zip(*rows, strict=True)) or [()] * len(places)
    named = {header[place]: column for place, column in zip(places, columns, strict=True)}
    return Table(path, tuple(header), named, first_line=2)


def _cells(
    path: Path, lines: Iterable[list[str]], width: int, places: Sequence[int]
) -> Iterable[tuple[str, ...]]:
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        if len(line) != width:
            raise DataError(
                f"{path}, row {number}: expected {width} cells as in its first line, got "
                f"{len(line)}."
            )
        yield tuple(line[place] for place in places)


def _read_parquet(path: Path, keep: Callable[[str], bool]) -> Table:
    try:
        import pyarrow as pa
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
            table = file.read(columns=[name for name in header if keep(name)])
            columns = {name: table[name].to_numpy() for name in table.column_names}
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is damaged, or not parquet ({reason}).") from None
    return Table(path, tuple(header), columns)


def _refuse_twice(path: Path, header: Sequence[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path} has several columns named {', '.join(map(repr, twice))}.")
