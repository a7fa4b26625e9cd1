"""Windows that have to come from a disk -> batch arrays, by reads instead of page faults.

Copying out of a mapped file is the fastest way while the file is in memory. When it is not, faults
fetch a few pages at a time, and a kernel short of memory has trouble to take mapped pages back. So
these windows are read: the kernel is first told of many, then asked for each. Which way to take is
the kernel's to say: it counts what it had to fetch, and reads what it has without waiting if it is
asked to (RWF_NOWAIT).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.errors import DamagedStoreError
from hmsstore.reading.arrays import mapped_bytes

CAN_READ = hasattr(os, "preadv") and os.open in os.supports_dir_fd
"""Whether this system has what `StoreFiles` needs; Windows has not."""
TOLD_AT_ONCE = 64
"""Windows that the kernel is told of before the first is read: a batch of 32 with both signals."""


try:
    import resource
except ImportError:  # Windows, where nothing here is read
    _WHOSE = None
else:
    _WHOSE = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)


def disk_inputs() -> int:
    """How often a disk had to give this thread something so far, as getrusage(2) counts.

    Faults that had to wait for a file, and blocks that were read; elsewhere than on Linux those of
    all threads.
    """
    if _WHOSE is None:
        return 0
    used = resource.getrusage(_WHOSE)
    return used.ru_majflt + used.ru_inblock


@dataclass(frozen=True, slots=True)
class Wanted:
    """One window: where it lies, and the array that it goes to."""

    name: str
    """File, relative to the store."""
    first_byte: int
    mapped: NDArray[Any]
    """The same bytes, mapped."""
    shard: NDArray[Any]
    """All that is mapped of the file."""
    into: NDArray[Any]


def copy_mapped(store: Path, window: Wanted, into: NDArray[Any]) -> None:
    """Copy a window out of the mapping.

    Raises
    ------
    DamagedStoreError
        Its file became shorter, or is gone from the server that it was mapped from.
    """
    try:
        there = mapped_bytes(window.shard)
    except OSError as error:
        problem = f"{window.name} cannot be read: {error.strerror}"
        raise DamagedStoreError(store, [problem]) from error
    if there < window.first_byte + window.mapped.nbytes:
        problem = f"{window.name} has become shorter since the store was opened"
        raise DamagedStoreError(store, [problem])
    np.copyto(into, window.mapped)


class StoreFiles:
    """The files of one store; the very same even if another has since been put in its place."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.folder = os.open(store, os.O_RDONLY)
        weakref.finalize(self, os.close, self.folder)

    def read(self, wanted: Iterable[Wanted]) -> int:
        """Fill the arrays of all windows; return the bytes that had to be waited for.

        Where a file system cannot tell what is in memory, those are all bytes or none.

        Raises
        ------
        DamagedStoreError
            A file cannot be read, or has become shorter since the store was opened.
        """
        coming, waited, untold, before = iter(wanted), 0, 0, disk_inputs()
        while group := list(islice(coming, TOLD_AT_ONCE)):
            reads: list[_Read] = []
            try:
                reads.extend(_Read(self, window) for window in group)
                waited += sum(read.missing for read in reads if read.told)
                untold += sum(read.missing for read in reads if not read.told)
                for read in reads:
                    read.tell_kernel()
                for read in reads:
                    read.finish()
            finally:
                for read in reads:
                    read.close()
        return waited + (untold if disk_inputs() > before else 0)


class _Read:
    """One window on its way, as much of it as is in memory already there."""

    def __init__(self, files: StoreFiles, window: Wanted) -> None:
        self.files, self.window = files, window
        into = window.into
        self.array = into if into.flags.c_contiguous else np.empty(into.shape, into.dtype)
        self.bytes = self.array.data.cast("B")
        self.done = 0
        self.told = True
        try:
            self.file = os.open(window.name, os.O_RDONLY, dir_fd=files.folder)
        except OSError:  # deleted since, or too many files are open; yet it is still mapped
            self.file = -1
            copy_mapped(files.store, window, self.array)
            self.done = len(self.bytes)
            return
        self.told = hasattr(os, "RWF_NOWAIT")
        if self.told:
            try:
                self._take(os.RWF_NOWAIT)
            except BlockingIOError:
                pass  # nothing is there yet
            except OSError:
                self.told = False

    @property
    def missing(self) -> int:
        return len(self.bytes) - self.done

    def tell_kernel(self) -> None:
        if self.missing and hasattr(os, "posix_fadvise"):
            start = self.window.first_byte + self.done
            with suppress(OSError):  # it is advice alone
                os.posix_fadvise(self.file, start, self.missing, os.POSIX_FADV_WILLNEED)

    def finish(self) -> None:
        name = self.window.name
        while self.missing:
            try:
                count = self._take(0)
            except OSError as error:
                problem = f"{name} cannot be read: {error.strerror}"
                raise DamagedStoreError(self.files.store, [problem]) from error
            if not count:
                problem = f"{name} has become shorter since the store was opened"
                raise DamagedStoreError(self.files.store, [problem])
        if self.array is not self.window.into:
            np.copyto(self.window.into, self.array)

    def close(self) -> None:
        if self.file >= 0:
            os.close(self.file)

    def _take(self, flags: int) -> int:
        start = self.window.first_byte + self.done
        count = os.preadv(self.file, [self.bytes[self.done :]], start, flags)
        self.done += count
        return count
