"""One epoch over a store, in a process of its own: how long, how soon, with how much memory.

Prints one line of JSON. With `--apart`, the EEG windows are such that none shares a sample with
another, so that every byte handed out was read once.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.tools.conditions import (
    BATCH,
    NotMeasuredError,
    memory_cap,
    read_seconds,
    size,
    timed,
)
from benchmarks.tools.footprint import memory_kb
from hmsstore import SIGNALS, Store
from hmsstore.reading.arrays import shard_name
from hmstrain.data.loader import MappedLoader, Request

EVERY = 50
"""Batches from one look at the memory to the next."""

Batches = Callable[[Store, NDArray[np.int64], tuple[str, ...]], Iterator[Any]]


def gathered(
    store: Store, batches: NDArray[np.int64], signals: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """One thread, into the same arrays again and again."""
    out = None
    for rows in batches:
        out = store.gather(rows, signals, out=out)
        yield out


def loaded(
    store: Store, batches: NDArray[np.int64], signals: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Training's loader."""
    loader = MappedLoader(store, signals, BATCH, torch.device("cpu"))
    yield from (batch for _, batch in loader.load(map(Request, batches)))
    loader.close()


THROUGH: dict[str, Batches] = {"gather": gathered, "loader": loaded}
FILES = "files"
"""The EEG files from start to end, by two threads: no loader."""
PAST_CACHE = "windows past the page cache"
"""The same windows, each by one read past the page cache, by two threads: no loader."""


def epoch(path: Path, through: str, *options: str, cap: int = 0) -> dict[str, float]:
    """Run this script on a store in a process of its own, with memory capped if asked.

    Raises
    ------
    NotMeasuredError
        Memory cannot be capped here, or the process did not end well under its cap.
    """
    words = [
        sys.executable,
        "-m",
        "benchmarks.speed.epoch",
        str(path),
        "--through",
        through,
        *options,
    ]
    try:
        with memory_cap(cap) if cap else nullcontext([]) as before:
            found: dict[str, float] = json.loads(timed([*before, *words])[1])
    except subprocess.CalledProcessError as error:
        if not cap:
            raise
        raise NotMeasuredError(f"ended with {error.returncode} in {cap >> 20} MiB") from None
    return found


def read_files(path: Path) -> dict[str, float]:
    """Read the files of /eeg, and do nothing with them."""
    files = sorted(file for file in (path / "eeg").rglob("*") if file.is_file())
    seconds = read_seconds(files)
    return {"seconds": seconds, "GB/s": size(path / "eeg") / seconds / 1e9}


def read_windows(path: Path) -> dict[str, float]:
    """Read the EEG windows that `gathered` does, past the page cache, and do nothing with them."""
    store = Store.open(path)
    signal, shard_rows = SIGNALS["eeg"], store.shard_rows("eeg")
    row_bytes = 2 * len(signal.features)
    files = [
        os.open(path / shard_name("eeg", number), os.O_RDONLY | os.O_DIRECT)
        for number in range(len(store.shards("eeg")))
    ]
    buffers = threading.local()

    def read(start: int) -> int:
        if not hasattr(buffers, "bytes"):
            buffers.bytes = mmap.mmap(-1, signal.window_rows * row_bytes + 2 * mmap.PAGESIZE)
        number, first = divmod(start, shard_rows)
        begin = first * row_bytes // mmap.PAGESIZE * mmap.PAGESIZE  # both ends at whole pages
        pages = -(-((first + signal.window_rows) * row_bytes - begin) // mmap.PAGESIZE)
        return os.preadv(files[number], [memoryview(buffers.bytes)[: pages * mmap.PAGESIZE]], begin)

    rows = np.random.default_rng(0).permutation(apart(store))
    starts = store.windows["eeg_start"][rows].tolist()
    begun = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        nbytes = sum(pool.map(read, starts))
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "GB/s": nbytes / seconds / 1e9}


def past_cache_refused(path: Path) -> str:
    """Why the file system of a store lets nothing be read past the page cache, if it does not."""
    try:
        file = os.open(path / shard_name("eeg", 0), os.O_RDONLY | os.O_DIRECT)
        try:
            os.preadv(file, [mmap.mmap(-1, mmap.PAGESIZE)], 0)
        finally:
            os.close(file)
    except OSError as error:
        return f"not measured: {error.strerror}"
    return ""


def apart(store: Store) -> NDArray[np.int64]:
    """Rows whose EEG windows share no sample, in order."""
    chosen, free_from = [], 0
    starts = store.windows["eeg_start"]
    for row in np.argsort(starts, kind="stable").tolist():
        if starts[row] >= free_from:
            chosen.append(row)
            free_from = int(starts[row]) + SIGNALS["eeg"].window_rows
    return np.array(chosen)


CEILINGS = {FILES: read_files, PAST_CACHE: read_windows}


def main() -> None:
    """Open, go through the epoch, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--through", choices=[*THROUGH, *CEILINGS], default="loader")
    parser.add_argument("--apart", action="store_true", help="EEG windows that share no sample")
    parser.add_argument("--batches", type=int, default=10**9, help="stop after so many")
    arguments = parser.parse_args()
    if ceiling := CEILINGS.get(arguments.through):
        print(json.dumps(ceiling(arguments.store)))
        return
    before_kb, _ = memory_kb()
    start = time.perf_counter()
    store = Store.open(arguments.store)
    signals = ("eeg",) if arguments.apart else tuple(SIGNALS)
    rows = apart(store) if arguments.apart else np.arange(len(store))
    rows = np.random.default_rng(0).permutation(rows)
    batches = rows[: len(rows) // BATCH * BATCH].reshape(-1, BATCH)[: arguments.batches]
    if not len(batches):
        sys.exit(f"{arguments.store} has too few windows for a batch")
    first_s = looking_s = nbytes = peak_kb = 0.0
    for number, batch in enumerate(THROUGH[arguments.through](store, batches, signals)):
        first_s = first_s or time.perf_counter() - start
        nbytes += sum(array.nbytes for array in batch.values())
        if number % EVERY == 0:
            before_s = time.perf_counter()
            peak_kb = max(peak_kb, memory_kb()[0])
            looking_s += time.perf_counter() - before_s
    seconds = time.perf_counter() - start - looking_s
    figures = {
        "windows": batches.size,
        "seconds": seconds,
        "first batch s": first_s,
        "GB/s": nbytes / seconds / 1e9,
        "own MiB": (max(peak_kb, memory_kb()[0]) - before_kb) / 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
