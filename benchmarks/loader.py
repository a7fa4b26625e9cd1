"""How fast a store opens and hands out batches, beside plain copies of as many bytes.

The ceiling is `numpy.copyto` between arrays already in memory, window by window, in the same run
and alternating with what is measured. Training's loader runs with a step that does nothing, beside
gathering by itself into as many arrays as its ring has. Rows come in random order; the batch arrays
are used again and again.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import write_record

from hmsstore import SIGNALS, Store
from hmstrain.loader import MappedLoader, Request

BATCH = 32
ROUNDS = 7


def measure(path: Path, batches: int = 60) -> dict[str, Any]:
    """Open a store and gather random batches of it; the store is in the page cache afterwards."""
    opening = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        store = Store.open(path)
        opening.append(time.perf_counter() - start)
    rng = np.random.default_rng(0)
    rows = rng.permutation(np.resize(np.arange(len(store)), batches * BATCH)).reshape(-1, BATCH)
    out = store.gather(rows[0])
    nbytes = sum(array.nbytes for array in out.values()) * len(rows)
    pool = {name: np.concatenate([array] * 8) for name, array in out.items()}
    places = rng.integers(0, 8 * BATCH, rows.shape)

    def gather() -> None:
        for batch in rows:
            store.gather(batch, out=out)

    def copy() -> None:
        for batch in places:
            for name in SIGNALS:
                for window, place in zip(out[name], batch, strict=True):
                    np.copyto(window, pool[name][place])

    training = MappedLoader(store, tuple(SIGNALS), BATCH, torch.device("cpu"))

    def load() -> None:
        for _ in training.load(Request(batch) for batch in rows):
            pass

    ring = [store.gather(rows[0]) for _ in training.ring]

    def gather_ring() -> None:
        for number, batch in enumerate(rows):
            store.gather(batch, out=ring[number % len(ring)])

    gather()
    seconds: dict[str, list[float]] = {"gather": [], "copy": [], "load": [], "ring": []}
    for _ in range(ROUNDS):
        for name, work in (
            ("gather", gather),
            ("copy", copy),
            ("load", load),
            ("ring", gather_ring),
        ):
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    ratio = statistics.median(
        c / g for g, c in zip(seconds["gather"], seconds["copy"], strict=True)
    )
    loading = statistics.median(
        r / t for r, t in zip(seconds["ring"], seconds["load"], strict=True)
    )
    best = {name: nbytes / min(taken) / 1e9 for name, taken in seconds.items()}
    return {
        "open ms": round(1e3 * statistics.median(opening), 1),
        "gather windows/s": round(rows.size / min(seconds["gather"])),
        "gather GB/s": round(best["gather"], 2),
        "copy GB/s": round(best["copy"], 2),
        "gather / copy speed": round(ratio, 2),
        "gather into ring windows/s": round(rows.size / min(seconds["ring"])),
        "loader windows/s": round(rows.size / min(seconds["load"])),
        "loader / gather into ring": round(loading, 2),
    }


def main() -> None:
    """Measure a store, or one of simulated data; write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="a store; made of simulated data if not given")
    parser.add_argument("--windows", type=int, default=1000, help="windows to simulate")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hms-loader-"))
    try:
        path = arguments.store
        if path is None:
            path = folder / "hms.zarr"
            hmsprep = [sys.executable, "-m", "hmsprep"]
            synth = ["synth", folder / "data", "--windows", str(arguments.windows), "--fast"]
            for command in (synth, ["build", folder / "data", path]):
                subprocess.run([*hmsprep, *command], check=True, stdout=subprocess.DEVNULL)
        store = Store.open(path)
        row = {
            "windows": len(store),
            "store MB": round(sum(size for size, _ in store.manifest.files.values()) / 1e6),
            **measure(path),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = (
        "The training loader runs with two threads and a step that does nothing, beside gathering "
        "by one thread into as many arrays as the loader's ring has, one after the other. "
        "Windows gathered from a store in the page cache, one thread, random order, batches of "
        f"{BATCH} with both signals; beside copies of as many bytes between arrays in memory."
    )
    print(write_record("loader", [row], note).read_text())


if __name__ == "__main__":
    main()
