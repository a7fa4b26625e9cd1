"""Recordings and tables -> parquet and CSV files just as the competition's are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hmsprep.kaggle.recording import TIME
from hmsprep.kaggle.table import CONSENSUS, OFFSETS, VOTES, Columns
from hmsstore.plain.text import cell
from hmsstore.schema import CHANNELS, CLASS_TITLES, CLASSES, FEATURES

GRID = 100
"""All values of the competition's files are multiples of 1/100."""


def on_grid(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Round to the competition's grid of 0.01."""
    return (np.rint(np.asarray(values, np.float64) * GRID) / GRID).astype(np.float32)


def write_eeg(path: Path, eeg_uv: NDArray[np.float32], *, dictionaries: bool = True) -> None:
    """Write EEG (20, samples) in microvolts.

    Parameters
    ----------
    dictionaries : bool
        Pack every channel by a dictionary of its values, as the competition's files are; else only
        those whose values repeat. What is read is the same.
    """
    columns = {name: _column(values) for name, values in zip(CHANNELS, eeg_uv, strict=True)}
    table = pa.table(columns)
    packed = None if dictionaries else [n for n in columns if _repeats(table.column(n))]
    _write(path, table, packed)


def write_spectrogram(path: Path, power: NDArray[np.float32], time_type: pa.DataType) -> None:
    """Write power (rows, 400) in uV^2/Hz with its column of times, 1, 3, 5 ... s."""
    kind = np.dtype(f"i{time_type.bit_width // 8}")
    times = np.arange(1, 2 * len(power), 2).astype(kind)
    columns = {TIME: pa.Array.from_buffers(time_type, len(times), [None, pa.py_buffer(times)])}
    columns |= {name: _column(values) for name, values in zip(FEATURES, power.T, strict=True)}
    _write(path, pa.table(columns))


LOOKED_AT = 10_000
"""Values of a column that tell whether they repeat."""


def _column(values: NDArray[np.float32]) -> pa.Array:
    """Nothing where the value is NaN, as pandas writes it.

    Made of buffers: to convert an array or a list, pyarrow imports pandas if that is installed.
    """
    values = np.ascontiguousarray(values, np.float32)
    missing = np.isnan(values)
    known = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    return pa.Array.from_buffers(pa.float32(), len(values), [known, pa.py_buffer(values)])


def _write(path: Path, table: pa.Table, packed: list[str] | None = None) -> None:
    """One row group, snappy, dictionaries of these or all columns; no indented metadata."""
    with _naming(path):
        pq.write_table(
            table,
            path,
            compression="snappy",
            row_group_size=max(1, table.num_rows),
            use_dictionary=True if packed is None else packed,
        )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have an error of the disk name the file, which neither pyarrow nor a full disk does."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None


def _repeats(column: pa.ChunkedArray) -> bool:
    """Whether values come again and again, as those of a recorder's own samples do.

    Of resampled signals hardly any comes twice: their dictionary would hold all, be given up when
    it is full, and take six times as long as writing.
    """
    some = column.slice(0, LOOKED_AT)
    return len(some) < LOOKED_AT or len(some.unique()) < LOOKED_AT // 2


def write_train_table(path: Path, table: Columns) -> None:
    """Write train.csv."""
    columns: dict[str, Any] = {
        "eeg_id": table["eeg_id"],
        "eeg_sub_id": table["eeg_sub_id"],
        "eeg_label_offset_seconds": table[OFFSETS["eeg_label_offset_seconds"]],
        "spectrogram_id": table["spectrogram_id"],
        "spectrogram_sub_id": table["spectrogram_sub_id"],
        "spectrogram_label_offset_seconds": table[OFFSETS["spectrogram_label_offset_seconds"]],
        "label_id": table["label_id"],
        "patient_id": table["patient_id"],
        CONSENSUS: [CLASS_TITLES[code] for code in table[CONSENSUS].tolist()],
    }
    columns |= {name: table["votes"][:, number] for number, name in enumerate(VOTES)}
    write_csv(path, columns)


def write_truth(path: Path, table: Columns, truth: NDArray[np.float64]) -> None:
    """Write the distribution that each window's votes were drawn from."""
    columns: dict[str, Any] = {name: table[name] for name in ("label_id", "eeg_id", "eeg_sub_id")}
    columns |= {name: truth[:, number].round(6) for number, name in enumerate(CLASSES)}
    write_csv(path, columns)


def write_csv(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns of equal length as CSV with a header; a spreadsheet runs none of its texts."""
    import polars as pl

    kept = {
        name: [cell(one) for one in values] if isinstance(next(iter(values), None), str) else values
        for name, values in columns.items()
    }
    text = pl.DataFrame(kept).write_csv()  # polars' own error of a full disk has no number
    with _naming(path):
        path.write_text(text, encoding="utf-8", newline="")
