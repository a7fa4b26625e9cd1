"""How fast a store opens and hands out batches, beside plain copies of as many bytes; and memory.

The ceiling is `numpy.copyto` between arrays already in memory, window by window: the same random
windows out of a copy of the store, in the same run and alternating with what is measured. NumPy
keeps large arrays on huge pages, and few file systems map their files by such, so there is a second
ceiling on small ones. The training loader runs with a step that does nothing, beside gathering by
itself into as many arrays as its ring has. A process of its own then goes through an epoch: time to
the first batch after the imports, and memory added since them.
"""

from __future__ import annotations

import mmap
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.speed.epoch import epoch
from benchmarks.tools.conditions import BATCH, module, timed
from benchmarks.tools.record import command_line, write_record
from hmsstore import SIGNALS, Store
from hmsstore.reading.arrays import on_a_page
from hmstrain.data.loader import MappedLoader, Request

Copy = dict[str, list[NDArray[np.float16]]]
"""Shards by signal."""
Batch = dict[str, NDArray[Any]]

ROUNDS = 9
COPY_BYTES = 2e9
"""Largest store that is copied into memory to copy windows from; of larger ones, so much."""


def measure(path: Path, batches: int = 60) -> dict[str, Any]:
    """Open a store and gather random batches of it; those are in the page cache afterwards."""
    store = Store.open(path)
    copies = {"copy": in_memory(store, huge=True), "small": in_memory(store, huge=False)}
    rows = random_batches(store, copies["copy"], batches)
    training = MappedLoader(store, tuple(SIGNALS), BATCH, torch.device("cpu"))
    ring = [store.gather(rows[0]) for _ in training.ring]
    out = ring[0]

    def gather(arrays: list[Batch]) -> None:
        for number, batch in enumerate(rows):
            store.gather(batch, out=arrays[number % len(arrays)])

    def load() -> None:
        for _ in training.load(map(Request, rows)):
            pass

    seconds = in_turn(
        {"gather": partial(gather, [out]), "ring": partial(gather, ring), "load": load}
        | {name: partial(copy, store, copied, rows, out) for name, copied in copies.items()}
    )
    training.close()
    middle = {name: statistics.median(taken) for name, taken in seconds.items()}
    nbytes = sum(array.nbytes for array in out.values()) * len(rows)
    return {
        "open ms": round(1e3 * _opening_s(path), 1),
        "gather windows/s": round(rows.size / middle["gather"]),
        "gather GB/s": round(nbytes / middle["gather"] / 1e9, 2),
        "copy GB/s": round(nbytes / middle["copy"] / 1e9, 2),
        "gather / copy": ratio(seconds["copy"], seconds["gather"]),
        "gather / copy, small pages": ratio(seconds["small"], seconds["gather"]),
        "gather into ring windows/s": round(rows.size / middle["ring"]),
        "loader windows/s": round(rows.size / middle["load"]),
        "loader / gather": ratio(seconds["gather"], seconds["load"]),
        "loader / gather into ring": ratio(seconds["ring"], seconds["load"]),
    }


def copy(store: Store, copied: Copy, rows: NDArray[np.int64], out: Batch) -> None:
    """Copy the windows of batches out of shards in memory: the ceiling of `Store.gather`."""
    for batch in rows:
        for name, signal in SIGNALS.items():
            starts = store.windows[f"{name}_start"][batch].tolist()
            for window, start in zip(out[name], starts, strict=True):
                number, first = divmod(start, store.shard_rows(name))
                np.copyto(window, copied[name][number][first : first + signal.window_rows])


def _opening_s(path: Path) -> float:
    """Seconds to open a store, median of some times."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        Store.open(path)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def in_turn(works: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Seconds of each, in turn; the first round only warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def random_batches(store: Store, copied: Copy, batches: int) -> NDArray[np.int64]:
    """Random rows whose windows lie in the shards that were copied, (batches, 32)."""
    shards = {name: store.windows[f"{name}_start"] // store.shard_rows(name) for name in SIGNALS}
    inside = np.all([shards[name] < len(copied[name]) for name in SIGNALS], axis=0)
    order = np.random.default_rng(0).permutation(np.flatnonzero(inside))
    return np.resize(order, (batches, BATCH))


def in_memory(store: Store, *, huge: bool) -> Copy:
    """Copies of the first shards of every signal, on huge pages if the kernel gives any or not.

    They begin with a page, as mapped shards and the arrays of `Store.gather` do, without which
    copies are slower.
    """

    def copied(shard: NDArray[np.float16]) -> NDArray[np.float16]:
        if huge:
            array = on_a_page(shard.shape, shard.dtype)  # NumPy asks for huge pages
        else:
            memory = mmap.mmap(-1, shard.nbytes)
            with suppress(OSError):  # a kernel that knows no huge pages
                memory.madvise(mmap.MADV_NOHUGEPAGE)
            array = np.frombuffer(memory, shard.dtype).reshape(shard.shape)
        array[:] = shard
        return array

    share = COPY_BYTES / sum(shard.nbytes for name in SIGNALS for shard in store.shards(name))
    return {
        name: [copied(shard) for shard in shards[: max(1, int(share * len(shards)))]]
        for name, shards in ((name, store.shards(name)) for name in SIGNALS)
    }


def ratio(above: list[float], below: list[float]) -> str:
    """Median of the rounds' ratios, and their range."""
    ratios = sorted(a / b for a, b in zip(above, below, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"


def alone(path: Path) -> dict[str, Any]:
    """An epoch of training's loader in a process of its own."""
    found = epoch(path, "loader")
    return {
        "first batch s": round(found["first batch s"], 3),
        "memory added MiB": round(found["own MiB"]),
    }


def main() -> None:
    """Measure a store, or some of simulated data; write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--store", type=Path, help="a store; made of simulated data if not given")
    parser.add_argument(
        "--windows", type=int, nargs="+", default=[1000, 10_000], help="to simulate"
    )
    parser.add_argument("--batches", type=int, default=60, help="batches of a round")
    arguments = parser.parse_args()
    rows = []
    folder = Path(tempfile.mkdtemp(prefix="hms-loader-"))
    try:
        for windows in [0] if arguments.store else arguments.windows:
            path = arguments.store or folder / "hms.zarr"
            if not arguments.store:
                synth = ["synth", folder / "data", "--windows", windows, "--fast"]
                timed(module("hmsprep", *synth))
                timed(module("hmsprep", "build", folder / "data", path, "--force"))
                shutil.rmtree(folder / "data")
            store = Store.open(path)
            size = sum(nbytes for nbytes, _ in store.manifest.files.values())
            row = {"windows": len(store), "store MB": round(size / 1e6)}
            rows.append(row | measure(path, arguments.batches) | alone(path))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = (
        f"All from the page cache, random order, batches of {BATCH} with both signals, medians of "
        f"{ROUNDS} rounds with their range. 'gather' is one thread into the same arrays again and "
        "again, 'copy' the same windows out of arrays in memory. NumPy keeps these on huge pages "
        "where the kernel has any; a mapped file has small ones, as the second copy has. The "
        "training loader runs with two threads and a step that does nothing; 'gather into ring' is "
        "one thread into as many arrays as the loader's ring has. 'first batch' is from opening "
        "the store, 'memory added' what an epoch of the loader adds to a process that has imported "
        "all (anonymous and shared)."
    )
    write_record("loader", rows, note, arguments)


if __name__ == "__main__":
    main()
