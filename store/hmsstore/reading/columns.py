"""The files of a table -> its columns as arrays in memory, read through files that stay open.

What is mapped ends the whole process when its file shrinks, and a name may stand for another file
by the time it is used. So columns are copied: all of them at opening, or, where the tables of a
store are large, each when it is first asked for.
"""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.errors import DamagedStoreError

COPIED_BYTES = 64 << 20
"""Tables of a store up to this size are copied at opening; those of HMS take 21 MB."""
PIECE_BYTES = 1 << 22


class ColumnFile:
    """The file of one column, open, and what is to be in it."""

    def __init__(self, store: Path, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        self.store, self.name = store, name
        self.dtype, self.shape = np.dtype(dtype), shape
        self.nbytes = self.dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        self._lock = Lock()
        self._file: FileIO | None = None
        if self.nbytes:  # an empty column has no file
            self._file = FileIO(store / name)
            weakref.finalize(self, self._file.close)

    def checksum(self) -> int:
        """CRC-32 of the column, read in pieces."""
        crc = 0
        for first in range(0, self.nbytes, PIECE_BYTES):
            crc = zlib.crc32(self._bytes(first, min(PIECE_BYTES, self.nbytes - first)), crc)
        return crc

    def read(self) -> NDArray[Any]:
        """Copy the column into memory; it cannot be written to."""
        content = self._bytes(0, self.nbytes) if self.nbytes else b""
        found = np.frombuffer(content, self.dtype).reshape(self.shape)
        found.flags.writeable = False
        return found

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _bytes(self, first: int, count: int) -> bytearray:
        assert self._file is not None
        content, done = bytearray(count), 0
        try:
            with self._lock:
                self._file.seek(first)
                while done < count and (got := self._file.readinto(memoryview(content)[done:])):
                    done += got
        except OSError as error:
            problem = f"{self.name} cannot be read: {error.strerror}"
            raise DamagedStoreError(self.store, [problem]) from error
        if done < count:
            problem = f"{self.name} has become shorter since the store was opened"
            raise DamagedStoreError(self.store, [problem])
        return content


class Columns(Mapping[str, NDArray[Any]]):
    """Columns of a table by name, each in memory from its first use on."""

    def __init__(self, files: Mapping[str, ColumnFile]) -> None:
        self._files = dict(files)
        self._read: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._read:
            self._read[name] = self._files[name].read()
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(file.nbytes for file in self._files.values())

    def checksums(self) -> dict[str, int]:
        """CRC-32 of each column, by the name of its file; empty columns have none."""
        return {
            file.name: zlib.crc32(_as_bytes(self._read[name]))
            if name in self._read
            else file.checksum()
            for name, file in self._files.items()
            if file.nbytes
        }

    def copy(self) -> None:
        """Read all columns now, and close their files."""
        for name, file in self._files.items():
            self[name]
            file.close()


def _as_bytes(array: NDArray[Any]) -> memoryview:
    return array.data.cast("B")
