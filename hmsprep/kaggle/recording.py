"""Bytes of one parquet file -> the recording in it, checked: float32 (features, rows), NaN missing.

Features come first here, so that each stands in one piece in memory while it is cleaned.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.kaggle.frames import read_parquet
from hmsstore.spec import Signal

TIME = "time"
"""First column of a spectrogram file: the centres of its rows, of HMS 1, 3, 5 ... seconds."""
MAGIC = b"PAR1"
"""First and last four bytes of every parquet file."""


def decode(content: bytes, signal: Signal, name: str) -> NDArray[np.float32]:
    """Decode a recording of EEG or spectrogram in the competition's layout.

    Parameters
    ----------
    content : bytes
        A whole parquet file.
    signal : Signal
        What it should hold.
    name : str
        Name of the file, for messages.

    Returns
    -------
    float32 (features, rows)
        Microvolts, or uV^2/Hz; NaN where the file holds nothing.

    Raises
    ------
    DataError
        Not parquet, other columns, another order of columns, another type, no rows.
    """
    if content[:4] != MAGIC or content[-4:] != MAGIC:
        raise DataError(
            f"{name} is not a whole parquet file: it starts with {content[:12]!r} and ends with "
            f"{content[-4:]!r}, expected {MAGIC!r} at both ends. Download it again."
        )
    frame = read_parquet(content, name)
    expected = [TIME, *signal.features] if signal.name == "spectrogram" else [*signal.features]
    _check_columns(frame, expected, name)
    if signal.name == "spectrogram":  # `drop` runs a query, which takes longer than decoding
        _check_time(frame.drop_in_place(TIME), signal, name)
    if frame.is_empty():
        raise DataError(f"{name} has no rows. Download it again.")
    return np.require(frame.to_numpy(order="fortran").T, np.float32, ["C", "W"])


def _check_columns(frame: pl.DataFrame, expected: list[str], name: str) -> None:
    if frame.columns != expected:
        missing = [column for column in expected if column not in frame.columns]
        extra = [column for column in frame.columns if column not in expected]
        if missing:
            what = f"lacks {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}"
        elif extra:
            what = f"also has {', '.join(extra[:5])}{' ...' if len(extra) > 5 else ''}"
        else:
            pairs = enumerate(zip(frame.columns, expected, strict=True))
            place, (found, wanted) = next(p for p in pairs if p[1][0] != p[1][1])
            what = f"has them in another order: column {place} is {found}, expected {wanted}"
        raise DataError(
            f"{name}: expected the {len(expected)} columns {expected[0]} ... {expected[-1]}; the "
            f"file {what}. Use the competition's own file."
        )
    dtypes = frame.dtypes
    if expected[0] == TIME:
        expected, dtypes = expected[1:], dtypes[1:]
    if set(map(type, dtypes)) != {pl.Float32}:  # comparing the types one by one takes longer
        wrong = [
            (column, dtype)
            for column, dtype in zip(expected, dtypes, strict=True)
            if type(dtype) is not pl.Float32
        ]
        column, dtype = wrong[0]
        raise DataError(
            f"{name}: column {column} is {dtype}, expected Float32 "
            f"({len(wrong)} such columns). Use the competition's own file."
        )


def _check_time(time: pl.Series, signal: Signal, name: str) -> None:
    steps = (np.arange(len(time)) + 0.5) / signal.row_rate_hz
    if not time.dtype.is_numeric() or not np.array_equal(time.to_numpy(), steps):
        first = ", ".join(f"{(place + 0.5) / signal.row_rate_hz:g}" for place in range(3))
        raise DataError(
            f"{name}: column time must be {first} ... seconds, found {time.head(3).to_list()} ... "
            f"{time.tail(1).to_list()}. Use the competition's own file."
        )
