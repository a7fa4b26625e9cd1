"""Large files, written so that the page cache holds them in large pieces.

Linux keeps what was written to a file in pieces (folios) that are at most as large as the write
that brought them, and no larger than their place in the file allows. A file whose bytes came in
2 MiB and more, from multiples of it, is mapped by 2 MiB at a time, and copies out of it are as fast
as out of memory; of one that came in small writes, each 4 KiB may be a piece of its own.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

PIECE_BYTES = 8 << 20
"""Written at a time: a few of the 2 MiB that x86 and ARM processors map at once."""


class LargeFile:
    """A file that is written from start to end, in whole pieces but for the last.

    Parameters
    ----------
    path : Path
        The file.
    mode : str
        'xb' for a new file, 'wb' to write over one.
    """

    def __init__(self, path: Path, mode: str = "xb") -> None:
        self.size = 0
        self._file: BinaryIO = path.open(mode, buffering=PIECE_BYTES)  # type: ignore[assignment]

    def write(self, raw: bytes | memoryview) -> int:
        """Append bytes; return how many."""
        view = memoryview(raw).cast("B")
        first = 0
        while first < len(view):
            # Python's buffer is written whole when it is full, and only then, if nothing that is
            # given to it crosses its end.
            last = first + PIECE_BYTES - self.size % PIECE_BYTES
            self.size += self._file.write(view[first:last])
            first = last
        return len(view)

    def close(self) -> None:
        """Write what is left, and close."""
        self._file.close()

    def __enter__(self) -> LargeFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
