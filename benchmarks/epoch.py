"""One epoch over a store, in a process of its own: how long, how soon, with how much memory.

Prints one line of JSON. With `--apart`, the EEG windows are such that none shares a sample with
another, so that every byte handed out was read once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from footprint import memory_kb
from numpy.typing import NDArray

from hmsstore import SIGNALS, Store
from hmstrain.loader import MappedLoader, Request

BATCH = 32
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
    yield from loader.load(map(Request, batches))
    loader.close()


THROUGH: dict[str, Batches] = {"gather": gathered, "loader": loaded}


def epoch_command(path: Path, through: str, *options: object) -> list[str]:
    """Command line that runs this script on a store."""
    return [sys.executable, __file__, *map(str, (path, "--through", through, *options))]


def apart(store: Store) -> NDArray[np.int64]:
    """Rows whose EEG windows share no sample, in order."""
    chosen, free_from = [], 0
    starts = store.windows["eeg_start"]
    for row in np.argsort(starts, kind="stable").tolist():
        if starts[row] >= free_from:
            chosen.append(row)
            free_from = int(starts[row]) + SIGNALS["eeg"].window_rows
    return np.array(chosen)


def main() -> None:
    """Open, go through the epoch, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--through", choices=THROUGH, default="loader")
    parser.add_argument("--apart", action="store_true", help="EEG windows that share no sample")
    parser.add_argument("--batches", type=int, default=10**9, help="stop after so many")
    arguments = parser.parse_args()
    before_kb, _ = memory_kb()
    start = time.perf_counter()
    store = Store.open(arguments.store)
    signals = ("eeg",) if arguments.apart else tuple(SIGNALS)
    rows = apart(store) if arguments.apart else np.arange(len(store))
    rows = np.random.default_rng(0).permutation(rows)
    batches = rows[: len(rows) // BATCH * BATCH].reshape(-1, BATCH)[: arguments.batches]
    first_s = nbytes = peak_kb = 0.0
    for number, batch in enumerate(THROUGH[arguments.through](store, batches, signals)):
        first_s = first_s or time.perf_counter() - start
        nbytes += sum(array.nbytes for array in batch.values())
        if number % EVERY == 0:
            peak_kb = max(peak_kb, memory_kb()[0])
    seconds = time.perf_counter() - start
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
