"""What a benchmark runs under (files cold, memory capped), and the machine's own ceilings."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

BLOCK = 1 << 26
"""Bytes of the files that ceilings write: about what a shard has."""
CGROUPS = Path("/sys/fs/cgroup")


class NotMeasuredError(Exception):
    """Something that this machine does not let be measured; says why."""


def make_cold(folder: Path) -> None:
    """Have the kernel forget what it holds of the files below a folder, if no process maps them."""
    os.sync()  # only what is on the disk is forgotten
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def memory_cap(nbytes: int) -> Iterator[list[str]]:
    """Words to put before a command, so that it and its page cache get no more memory than this.

    Raises
    ------
    NotMeasuredError
        No memory cgroup can be made here.
    """
    second = (CGROUPS / "cgroup.controllers").exists()
    group = (CGROUPS if second else CGROUPS / "memory") / f"hms-benchmark-{os.getpid()}"
    limit = group / ("memory.max" if second else "memory.limit_in_bytes")
    try:
        group.mkdir()
        limit.write_text(str(nbytes))
    except OSError as error:
        raise NotMeasuredError(f"not measured: no memory cgroup ({error})") from None
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "capped"]
    finally:
        for _ in range(50):  # the kernel may need a moment after the last process
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.1)


def decode_seconds(files: Iterable[Path]) -> float:
    """Seconds to read and decode parquet files with polars, one file per processor at a time."""
    import polars as pl

    def decode(file: Path) -> int:
        return pl.read_parquet(file.read_bytes(), use_statistics=False).height

    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = sum(pool.map(decode, files, chunksize=16))
    assert rows
    return time.perf_counter() - start


def write_seconds(folder: Path, nbytes: int) -> float:
    """Seconds to write so many bytes in files of 64 MiB, each forced to disk."""
    block = os.urandom(1 << 20) * (BLOCK >> 20)
    path = folder / "ceiling"
    start = time.perf_counter()
    for first in range(0, nbytes, BLOCK):
        with path.open("wb") as file:
            file.write(block[: nbytes - first])
            file.flush()
            os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    path.unlink()
    return seconds


def read_seconds(files: Iterable[Path]) -> float:
    """Seconds to read files from start to end, one after the other, in pieces of 1 MiB."""
    buffer = bytearray(1 << 20)
    start = time.perf_counter()
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
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
