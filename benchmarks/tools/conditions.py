"""What a benchmark runs under (files cold, memory capped), and the machine's own ceilings."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

from hmsprep.processes import own_processes

BATCH = 32
"""Windows of a batch, everywhere."""
BLOCK = 1 << 26
"""Bytes of the files that ceilings write: about what a shard has."""
CGROUPS = Path("/sys/fs/cgroup")
NUMBERS = count()
T = TypeVar("T")


class NotMeasuredError(Exception):
    """Something that this machine does not let be measured; says why."""


def make_cold(folder: Path) -> None:
    """Have the kernel forget what it holds of the files below a folder.

    Raises
    ------
    NotMeasuredError
        It holds them still: a process maps them, or they lie in memory only.
    """
    os.sync()  # only what is on the disk is forgotten
    cached = 0
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            cached += cached_bytes(path)
    if cached > size(folder) / 50:
        raise NotMeasuredError(
            f"not measured: {cached / 1e6:,.0f} MB of {folder.name} stay in the page cache"
        )


def not_cold(folder: Path) -> str:
    """Make files cold as far as may be; the reason where they are not, else nothing."""
    try:
        make_cold(folder)
    except NotMeasuredError as reason:
        return str(reason)
    return ""


def alike(folder: Path, rounds: Callable[[Callable[[], None] | None], T]) -> tuple[T, str]:
    """Run rounds that all begin with cold files or, where these cannot be made so, all do not.

    Parameters
    ----------
    rounds : callable
        Takes what makes the files cold, to be called before each thing that is measured; or None,
        from the first round on, once that has failed.

    Returns
    -------
    tuple
        What the rounds gave; the reason where they began with warm files, else nothing.
    """
    try:
        return rounds(lambda: make_cold(folder)), ""
    except NotMeasuredError as reason:
        said = str(reason)
    return rounds(None), said


def cached_bytes(path: Path) -> int:
    """How much of a file is in the page cache, by mincore(2)."""
    nbytes = path.stat().st_size
    if not nbytes:
        return 0
    pages = -(-nbytes // mmap.PAGESIZE)
    held = (ctypes.c_ubyte * pages)()
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), nbytes, mmap.MAP_PRIVATE)  # writable, for its address
        view = (ctypes.c_char * nbytes).from_buffer(mapped)
        address = ctypes.c_void_p(ctypes.addressof(view))
        if ctypes.CDLL(None, use_errno=True).mincore(address, ctypes.c_size_t(nbytes), held):
            raise OSError(ctypes.get_errno(), "mincore")
        del view
        mapped.close()
    return sum(page & 1 for page in held) * mmap.PAGESIZE


@contextmanager
def memory_cap(nbytes: int) -> Iterator[list[str]]:
    """Words to put before a command, so that it and its page cache get no more memory than this.

    Raises
    ------
    NotMeasuredError
        No memory cgroup can be made here.
    """
    second = (CGROUPS / "cgroup.controllers").exists()
    base = CGROUPS if second else CGROUPS / "memory"
    group = base / f"hms-benchmark-{os.getpid()}-{next(NUMBERS)}"
    memory, swap = (
        ("memory.max", "memory.swap.max")
        if second
        else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    )
    try:
        group.mkdir()
        (group / memory).write_text(str(nbytes))
        if (group / swap).exists():
            (group / swap).write_text("0" if second else str(nbytes))
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "capped"]
    except OSError as error:
        raise NotMeasuredError(f"not measured: no memory cgroup ({error})") from None
    finally:
        for _ in range(50):  # the kernel may need a moment after the last process
            try:
                group.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.1)


def decode_seconds(files: Iterable[Path], processes: int) -> float:
    """Seconds to read and decode parquet files with polars, in so many processes."""
    with own_processes(processes) as pool:
        list(pool.map(_rows, [()] * 4 * processes))  # start them, import polars
        chunks = [tuple(files)[first::64] for first in range(64)]
        start = time.perf_counter()
        rows = sum(pool.map(_rows, chunks))
        seconds = time.perf_counter() - start
    assert rows
    return seconds


def _rows(files: tuple[Path, ...]) -> int:
    from io import BytesIO

    import polars as pl

    return sum(
        pl.read_parquet(BytesIO(file.read_bytes()), use_statistics=False).height for file in files
    )


def write_seconds(folder: Path, nbytes: int) -> float:
    """Seconds to write so many bytes to files of 64 MiB and force them to the disk."""
    block = os.urandom(1 << 20) * (BLOCK >> 20)
    paths = [folder / f"ceiling{first}" for first in range(0, nbytes, BLOCK)]
    start = time.perf_counter()
    for number, path in enumerate(paths):
        path.write_bytes(block[: nbytes - number * BLOCK])
    os.sync()
    seconds = time.perf_counter() - start
    for path in paths:
        path.unlink()
    return seconds


def read_seconds(files: Iterable[Path], threads: int = 2) -> float:
    """Seconds to read files from start to end, each thread one at a time, 1 MiB at once."""

    def read(path: Path) -> None:
        buffer = bytearray(1 << 20)
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, files))
    return time.perf_counter() - start


def size(folder: Path, pattern: str = "*") -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob(pattern) if file.is_file())


def timed(command: Iterable[object]) -> tuple[float, str]:
    """Seconds that a command took, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - start, done.stdout


def module(*words: object) -> list[str]:
    """The command line of one of this project's programs, by this Python."""
    return [sys.executable, "-m", *map(str, words)]
