"""Rows of values -> shard files: raw scratch shards while reading, Zarr v3 shards at the end.

A finished shard holds whole inner chunks in order from byte 0, then the index of all inner chunks
that a full shard has, then the CRC-32C of the index: the sharding codec with `index_location: end`
and no compression. So the file is the array, and any Zarr reader can still fetch one window.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.checksums import crc32
from hmsprep.building.large_files import LargeFile
from hmsstore.schema import DTYPE

ABSENT = np.uint64(2**64 - 1)
"""Offset and length of an inner chunk that is not in the file."""


class ChecksummedFile:
    """A file that is written from start to end and knows its size and CRC-32.

    Parameters
    ----------
    path : Path
        The file.
    over : bool
        Write over the file that is there, which the page cache holds in large pieces already; else
        a new one, in large pieces.
    """

    def __init__(self, path: Path, *, over: bool = False) -> None:
        self.path = path
        self.size = 0
        self.crc = 0
        self._file: BinaryIO | LargeFile = path.open("r+b") if over else LargeFile(path)

    def write(self, values: NDArray[Any]) -> None:
        """Append the bytes of a C-ordered array."""
        raw = np.ascontiguousarray(values).data.cast("B")
        self._file.write(raw)
        self.crc = crc32(raw, self.crc)
        self.size += raw.nbytes

    def close(self) -> tuple[int, int]:
        """Close; return size and CRC-32."""
        self._file.close()
        return self.size, self.crc

    def __enter__(self) -> ChecksummedFile:
        return self

    def __exit__(self, *failure: object) -> None:
        """Close; take back a file that is not whole."""
        self._file.close()
        if failure[0] is not None:
            self.path.unlink(missing_ok=True)


def shard_index(chunk: tuple[int, int], rows: int, shard_rows: int) -> bytes:
    """Index of a shard with this many rows: offset and length of each inner chunk, checksummed.

    Takes the shape of an inner chunk, rows and features.
    """
    from numcodecs.checksum32 import CRC32C

    chunk_bytes = chunk[0] * chunk[1] * DTYPE.itemsize
    present = ceil(rows / chunk[0])
    index = np.full((shard_rows // chunk[0], 2), ABSENT, "<u8")
    index[:present, 0] = np.arange(present) * chunk_bytes
    index[:present, 1] = chunk_bytes
    return bytes(CRC32C(location="end").encode(index))


def filling(chunk: tuple[int, int], rows: int) -> Iterator[NDArray[np.float16]]:
    """NaN rows to stand where no recording is, an inner chunk at a time."""
    empty = np.full(chunk, np.nan, DTYPE)
    for first in range(0, rows, chunk[0]):
        yield empty[: rows - first]
