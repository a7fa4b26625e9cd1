"""Windows that have to come from a disk -> batch arrays, by reads instead of page faults.

Copying out of a mapped file is the fastest way while the file is in memory. When it is not, faults
fetch a few pages at a time, and a kernel short of memory has trouble to take mapped pages back. So
these windows are read, several at a time. Which way to take is the kernel's to say: it counts what
it had to fetch, and tells what is in memory.

What memory has room for is fetched in the large pieces around the windows, so that the page cache
keeps it in such: it comes faster, and copying it later is as fast as from memory. What memory has
no room for is read past the page cache (O_DIRECT), which would have to give up as much for it.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from mmap import PAGESIZE
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hmsstore.errors import DamagedStoreError
from hmsstore.reading.arrays import mapped_bytes, on_a_page
from hmsstore.reading.pieces import Pieces

CAN_READ = hasattr(os, "preadv") and os.open in os.supports_dir_fd
"""Whether this system has what `StoreFiles` needs; Windows has not."""
TOLD_AT_ONCE = 64
"""Windows that the kernel is told of before the first is read: a batch of 32 with both signals."""
AT_ONCE = 4
"""Reads that wait for the disk at the same time: more gave no more from any disk that was tried."""

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


def readable_bytes(shard: NDArray[Any]) -> int:
    """How much of a mapped file can be read now without ending this process (SIGBUS)."""
    try:
        return mapped_bytes(shard)
    except OSError:
        return 0


def refuse_short(store: Path, name: str, shard: NDArray[Any]) -> NoReturn:
    """Say why a mapped file cannot be read.

    Raises
    ------
    DamagedStoreError
        It became shorter, or is gone from the server that it was mapped from.
    """
    try:
        mapped_bytes(shard)
    except OSError as error:
        raise DamagedStoreError(store, [f"{name} cannot be read: {error.strerror}"]) from error
    raise DamagedStoreError(store, [f"{name} has become shorter since the store was opened"])


class StoreFiles:
    """The files of one store; the very same even if another has since been put in its place."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.folder = os.open(store, os.O_RDONLY)
        self.pieces = Pieces()
        self._spare: list[NDArray[np.uint8]] = []
        weakref.finalize(self, os.close, self.folder)

    def read(self, wanted: Iterable[Wanted], kept: frozenset[str] = frozenset()) -> int:
        """Fill the arrays of all windows; return the bytes that had to be waited for.

        Where a file system cannot tell what is in memory, those are all bytes or none.

        Parameters
        ----------
        wanted : iterable of Wanted
            Windows.
        kept : set of str
            Files that memory has room for.

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
                self._wait_for([read for read in reads if read.missing], kept)
                for read in reads:
                    read.finish()
            finally:
                for read in reads:
                    read.close()
        return waited + (untold if disk_inputs() > before else 0)

    def _wait_for(self, reads: list[_Read], kept: frozenset[str]) -> None:
        """Have the disk give what these miss, as far as they can be waited for together."""
        large = [read for read in reads if read.window.name in kept] if self.pieces.able else []
        past = [read for read in reads if read.can_pass and read.window.name not in kept]
        for read in reads:
            if read not in large and read not in past:
                read.tell_kernel()
        if large or past:
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="disk") as pool:
                fetched = [pool.submit(piece) for piece in self._pieces(large)]
                fetched += [pool.submit(read.past_cache) for read in past]
                for future in fetched:
                    future.result()

    @contextmanager
    def page_buffer(self, nbytes: int) -> Iterator[NDArray[np.uint8]]:
        """Lend memory that begins with a page; it is kept, since new memory has to be cleared."""
        try:
            buffer = self._spare.pop()
        except IndexError:
            buffer = on_a_page((nbytes,), np.uint8)
        if len(buffer) < nbytes:
            buffer = on_a_page((nbytes,), np.uint8)
        yield buffer[:nbytes]
        self._spare.append(buffer)

    def _pieces(self, reads: list[_Read]) -> Iterator[Any]:
        yield from self.pieces.around(
            (read.window.shard, read.window.first_byte + read.done, read.missing) for read in reads
        )


class _Read:
    """One window on its way, as much of it as is in memory already there."""

    def __init__(self, files: StoreFiles, window: Wanted) -> None:
        self.files, self.window = files, window
        into = window.into
        self.array = into if into.flags.c_contiguous else np.empty(into.shape, into.dtype)
        self.bytes = self.array.data.cast("B")
        self.done = 0
        self.told = self.can_pass = False
        try:
            self.file = os.open(window.name, os.O_RDONLY, dir_fd=files.folder)
        except OSError:  # deleted since, or too many files are open; yet it is still mapped
            self.file = -1
            if readable_bytes(window.shard) < window.first_byte + len(self.bytes):
                refuse_short(files.store, window.name, window.shard)
            np.copyto(self.array, window.mapped)
            self.done = len(self.bytes)
            return
        with suppress(OSError):  # `finish` says what is wrong
            self._take_what_is_there()

    def _take_what_is_there(self) -> None:
        window = self.window
        there = self.files.pieces.in_memory(
            window.shard, window.first_byte, len(self.bytes), self.file
        )
        if there is not None:
            self.told = self.can_pass = True
            while self.done < there and self._take(0, there):
                pass
        elif hasattr(os, "RWF_NOWAIT"):
            with suppress(BlockingIOError):  # nothing is there yet
                self._take(os.RWF_NOWAIT)
            self.told = True

    @property
    def missing(self) -> int:
        return len(self.bytes) - self.done

    def tell_kernel(self) -> None:
        if self.missing and hasattr(os, "posix_fadvise"):
            start = self.window.first_byte + self.done
            with suppress(OSError):  # it is advice alone
                os.posix_fadvise(self.file, start, self.missing, os.POSIX_FADV_WILLNEED)

    def past_cache(self) -> None:
        """Read what is missing without the page cache, by whole pages; or nothing of it."""
        start = self.window.first_byte + self.done
        begin = start // PAGESIZE * PAGESIZE
        end = -(-(start + self.missing) // PAGESIZE) * PAGESIZE
        try:
            file = os.open(self.window.name, os.O_RDONLY | os.O_DIRECT, dir_fd=self.files.folder)
        except (OSError, AttributeError):  # this file system, or this system, has no such way
            return
        try:
            with self.files.page_buffer(end - begin) as pages:
                read = os.preadv(file, [pages.data], begin)
                count = max(0, min(begin + read - start, self.missing))
                into = np.frombuffer(self.bytes, np.uint8)[self.done : self.done + count]
                np.copyto(into, pages[start - begin :][:count])  # others may run meanwhile
            self.done += count
        except OSError:
            pass  # `finish` says what is wrong
        finally:
            os.close(file)

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

    def _take(self, flags: int, end: int | None = None) -> int:
        start = self.window.first_byte + self.done
        count = os.preadv(self.file, [self.bytes[self.done : end]], start, flags)
        self.done += count
        return count
