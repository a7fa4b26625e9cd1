"""Parts of mapped files -> what of them is in memory; and the large pieces around them, fetched.

The kernel fetches 2 MiB at a time where a mapping asks for huge pages (MADV_HUGEPAGE) and is told
to be filled (MADV_POPULATE_READ, Linux 5.14), and keeps them as one piece where the file system
can (ext4 since Linux 6.16, XFS since 5.18). Python's own `mmap.madvise` would hold the interpreter
while the disk is waited for, so libc's is called.

What is in memory is asked by mincore(2). Unlike a read that may not wait (RWF_NOWAIT), which makes
the kernel fetch what is missing page by page, that changes nothing. It is answered truly to owners
of a file alone.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from mmap import PAGESIZE
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 2 << 20
"""Bytes that x86 and ARM processors map at once, beside single pages."""
MADV_HUGEPAGE, MADV_POPULATE_READ = 14, 22
"""Of Linux' mman-common.h, for all processors that Python's wheels are made for."""


class Pieces:
    """Looks at files that this process has mapped, and fetches pieces of them.

    Attributes
    ----------
    able : bool
        Whether this system fetches pieces, as far as it was tried.
    """

    def __init__(self) -> None:
        self.able = sys.platform == "linux"
        self._asked: set[int] = set()

    @cached_property
    def _madvise(self) -> Any:
        found = ctypes.CDLL(None, use_errno=True).madvise
        found.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        return found

    @cached_property
    def _mincore(self) -> Any:
        found = ctypes.CDLL(None, use_errno=True).mincore
        found.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
        return found

    def in_memory(self, mapped: NDArray[Any], first: int, nbytes: int, file: int) -> int | None:
        """Count bytes of a part that are in memory before the first that is not.

        Parameters
        ----------
        mapped : array
            A file from its first byte on, mapped.
        first, nbytes : int
            The part.
        file : int
            Descriptor of the file.

        Returns
        -------
        int or None
            None: nobody tells, or not this user.
        """
        if sys.platform != "linux" or os.geteuid() not in (0, os.fstat(file).st_uid):
            return None
        begin = first // PAGESIZE * PAGESIZE
        pages = np.empty(-(-(first + nbytes - begin) // PAGESIZE), np.uint8)
        length = first + nbytes - begin
        if self._mincore(mapped.ctypes.data + begin, length, pages.ctypes.data):
            return None
        missing = (pages & 1) == 0
        if not missing.any():
            return nbytes
        return max(0, begin + int(missing.argmax()) * PAGESIZE - first)

    def around(
        self, parts: Iterable[tuple[NDArray[Any], int, int]]
    ) -> Iterator[Callable[[], None]]:
        """Say what to call, once for each piece: mapped file, first byte, bytes of each part."""
        seen = set()
        for mapped, first, nbytes in parts:
            address, size = mapped.ctypes.data, mapped.nbytes
            for begin in range(first // PIECE * PIECE, min(first + nbytes, size), PIECE):
                if (address, begin) not in seen:
                    seen.add((address, begin))
                    yield partial(self._fetch, address, size, begin)

    def _fetch(self, address: int, size: int, begin: int) -> None:
        """Fetch a piece; whoever reads it afterwards says what went wrong, if something did."""
        if address not in self._asked:
            self._asked.add(address)
            self._madvise(address, size, MADV_HUGEPAGE)  # refused by a kernel without any
        nbytes = min(PIECE, size - begin)
        if self._madvise(address + begin, nbytes, MADV_POPULATE_READ):
            self.able = self.able and ctypes.get_errno() != errno.EINVAL
