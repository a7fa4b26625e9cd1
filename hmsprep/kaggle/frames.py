"""Bytes of a parquet or CSV file -> a data frame, or one sentence on why there is none.

Polars stops on bad bytes by errors of several kinds, among them a panic of its own that neither
`except Exception` catches nor a worker process can hand over.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import polars as pl

from hmsprep.errors import DataError

LARGEST_VALUES = 1 << 28
"""Values of a table: 18 hours of HMS's EEG, 7 days of its spectrogram, 1 GiB as float32."""
VALUES_PER_BYTE = 64
"""A larger file may hold more: real recordings have about one value per byte, never this many."""
LARGEST_CSV = 1 << 30
"""Bytes of a table as text: a hundred of train.csv."""
DELIMITERS = (",", ";", "\t")
AGAIN = "Download it again."


def read_parquet(content: bytes, name: str) -> pl.DataFrame:
    """Read a whole parquet file.

    Parameters
    ----------
    content : bytes
        The file.
    name : str
        Its name, for messages.

    Raises
    ------
    DataError
        It cannot be decoded, or has more values than a file of its size has.
    """
    most = max(LARGEST_VALUES, VALUES_PER_BYTE * len(content))
    rows = most // max(1, column_count(content))

    def read() -> pl.DataFrame:
        return pl.read_parquet(BytesIO(content), use_statistics=False, n_rows=rows + 1)

    frame = _decoded(read, name)
    if frame.height > rows:
        raise DataError(
            f"{name} has over {rows:,} rows of {frame.width:,} columns in {len(content):,} bytes, "
            f"which is more than a recording or table of windows has. {AGAIN}"
        )
    return frame


def read_csv(content: bytes, name: str) -> pl.DataFrame:
    """Read a CSV file, every column as text; raises as `read_parquet`.

    A spreadsheet may have put semicolons or tabs between the cells, with commas into the numbers,
    empty lines at the end and other ends of lines.
    """
    if len(content) > LARGEST_CSV:
        raise DataError(
            f"{name} has {len(content):,} bytes, expected {LARGEST_CSV:,} at most of a table of "
            "windows. Is it the competition's train.csv?"
        )
    if b"\0" in content[:4]:
        raise DataError(
            f"{name} is not a text in UTF-8: if a spreadsheet saved it, save it again as 'CSV "
            "UTF-8'."
        )
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    head = content.partition(b"\n")[0].decode(errors="replace")
    delimiter = next((one for one in DELIMITERS if one in head), DELIMITERS[0])

    def read() -> pl.DataFrame:
        frame = pl.read_csv(BytesIO(content), infer_schema=False, separator=delimiter)
        if delimiter != ",":
            frame = frame.with_columns(pl.all().str.replace(r"^(-?\d+),(\d+)$", "$1.$2"))
        held = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
        return frame.head(held[-1] + 1 if len(held) else 0)

    return _decoded(read, name, "read as a table")


def column_count(content: bytes) -> int:
    """Count the columns of a parquet file by the first bytes of its footer alone.

    The footer is a Thrift structure in compact form (parquet-format, `FileMetaData`): the field
    `version`, then the list `schema`, of which one entry stands for the whole. Asking a library
    takes a quarter of the time of decoding a spectrogram.

    Returns
    -------
    int
        1 where the footer is another; then it is not decoded either.
    """
    length = int.from_bytes(content[-8:-4], "little")
    footer = content[len(content) - 8 - length :][:16] if length + 8 <= len(content) else b""
    place = 1  # behind the head of the field `version`, a number of some bytes
    while place < len(footer) and footer[place] & 0x80:
        place += 1
    place += 1
    if footer[place : place + 1] != b"\x19":  # the next field, a list
        return 1
    size = footer[place + 1] >> 4 if place + 1 < len(footer) else 0
    if size == 15:  # a list of more entries states their number in bytes of seven bits
        size, shift = 0, 0
        for byte in footer[place + 2 :]:
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
    return max(1, size - 1)


def _decoded(read: Callable[[], pl.DataFrame], name: str, what: str = "decoded") -> pl.DataFrame:
    try:
        return read()
    except MemoryError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
    # Raised here, so that the panic is not its context: Dask hands contexts over, too.
    raise DataError(f"{name} cannot be {what} ({reason}). {AGAIN}")
