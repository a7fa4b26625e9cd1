"""The EEG windows of one store through every loader that one might pick instead, in one run.

Each peer gets the windows in the form that it wants, written by its own means, and hands out one
epoch in batches of 32, in random order where it can, at the settings that its documentation
recommends. Three conditions: all in the page cache, epochs in turn, the median counts; cold,
nothing of the data in the page cache; and cold with memory capped, page cache included. The last
two run in a process of their own, from opening the files on. A sum over the batches shows that all
handed out the same windows.
"""

from __future__ import annotations

import importlib
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers import peer_loaders as loaders
from benchmarks.peers.peer_case import WINDOW_BYTES, Case, Epoch
from benchmarks.tools.conditions import BATCH, NotMeasuredError, make_cold, memory_cap, size
from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import command
from hmsstore import Store
from hmstrain.data.loader import free_bytes

ROUNDS = 5
CAP_MIB = 640
"""Memory of a capped process with its page cache; importing torch alone takes some 250 of it."""
PER_S = 200
"""Every how many samples the sum takes one: one per second."""
OURS = "Store.gather"
ORDER = "order.npy"
"""Rows in the order of every epoch."""
KILLED = 137, -9
"""How a process ends that the kernel stopped at its memory cap."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A loader, and the modules that it needs."""

    begin: Callable[[Case], Epoch]
    needs: tuple[str, ...] = ()


PEERS = {
    OURS: Peer(loaders.gather),
    "Store.gather into new arrays": Peer(loaders.gather_new),
    "hmstrain's loader, 2 threads": Peer(loaders.hmstrain),
    "array in memory, fancy index": Peer(loaders.in_memory),
    "LMDB": Peer(loaders.lmdb(True), ("lmdb",)),
    "LMDB, no read-ahead": Peer(loaders.lmdb(False), ("lmdb",)),
    "TensorDict MemoryMappedTensor": Peer(loaders.tensordict, ("tensordict",)),
    "torch DataLoader, memmap, no workers": Peer(loaders.torch_memmap(0)),
    "torch DataLoader, memmap, 2 workers": Peer(loaders.torch_memmap(2)),
    "one .npy file per window": Peer(loaders.npy_files),
    "Hugging Face datasets": Peer(loaders.hf_datasets, ("datasets",)),
    "tensorstore, the same store": Peer(loaders.tensorstore, ("tensorstore",)),
    "mosaicml-streaming, no workers": Peer(loaders.mosaicml(0), ("streaming",)),
    "mosaicml-streaming, 2 workers": Peer(loaders.mosaicml(2), ("streaming",)),
    "webdataset": Peer(loaders.webdataset, ("webdataset",)),
    "zarrs, the same store": Peer(loaders.zarrs, ("zarr", "zarrs")),
    "litdata, no workers": Peer(loaders.litdata(0), ("litdata",)),
    "litdata, 2 workers": Peer(loaders.litdata(2), ("litdata",)),
    "zarr-python, the same store": Peer(loaders.zarr_python, ("zarr",)),
    "xarray and xbatcher": Peer(loaders.xbatcher, ("xarray", "xbatcher", "zarr")),
}


def case(work: Path, name: str) -> Case:
    """What a peer finds in the working folder."""
    words = name.partition(" workers")[0].removesuffix(" 2").removesuffix(" no")
    folder = "".join(letter if letter.isalnum() else "-" for letter in words)
    return Case(work / "hms.zarr", work / folder, np.load(work / ORDER))


def total(epoch: Iterable[Any]) -> int:
    """Sum over every 200th sample of an epoch's windows, as integers."""
    added = 0
    for batch in epoch:
        seen = np.asarray(batch)[:, ::PER_S]
        added += int(seen.view(np.uint16).sum(dtype=np.int64))
    return added


def alone(work: Path, name: str) -> None:
    """One epoch of a peer from opening its files on; print seconds and sum."""
    for needed in PEERS[name].needs:
        importlib.import_module(needed)
    start = time.perf_counter()
    added = total(PEERS[name].begin(case(work, name))())
    print(json.dumps([time.perf_counter() - start, added]))


def cached(work: Path, names: Iterable[str]) -> tuple[dict[str, list[float]], int, dict[str, str]]:
    """Seconds of cached epochs in turn, the sum that all agree on, and what is not installed."""
    epochs, missing = begin(work, names)
    windows = len(np.load(work / ORDER))
    if size(work) + windows * WINDOW_BYTES > 0.9 * free_bytes(torch.device("cpu")):
        raise SystemExit("All that does not fit in memory at once: fewer --windows.")
    return *warm(epochs), missing


def warm(epochs: dict[str, Epoch]) -> tuple[dict[str, list[float]], int]:
    """Seconds of epochs in turn, and the sum that all agree on."""
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    sums: dict[str, int] = {}
    for number in range(ROUNDS + 1):
        for name, epoch in epochs.items():
            start = time.perf_counter()
            sums[name] = total(epoch())
            if number:
                seconds[name].append(time.perf_counter() - start)
        if len(set(sums.values())) > 1:
            raise SystemExit(f"Peers handed out other windows: {sums}")
    return seconds, sums[OURS]


def cold(work: Path, name: str, expected: int, before: list[str]) -> float:
    """Seconds of an epoch in a process of its own, none of the data in the page cache.

    Raises
    ------
    NotMeasuredError
        The data cannot be made cold, or the process was killed at its memory cap.
    """
    make_cold(work)
    words = [sys.executable, "-m", "benchmarks.peers.peers", "--work", str(work), "--alone", name]
    done = subprocess.run([*before, *words], stdout=subprocess.PIPE, text=True)
    if before and done.returncode in KILLED:
        raise NotMeasuredError("too little memory")
    if done.returncode:
        raise SystemExit(f"{name} ended with {done.returncode}")
    seconds, added = json.loads(done.stdout.splitlines()[-1])
    if added != expected:
        raise SystemExit(f"{name} handed out other windows: {added}, not {expected}")
    return float(seconds)


def cold_rounds(
    work: Path, names: Iterable[str], expected: int, rounds: int, cap: int = 0
) -> dict[str, list[float] | str]:
    """Seconds of cold epochs in turn, or why there are none; memory capped if `cap` is not 0."""
    found: dict[str, Any] = {name: [] for name in names}
    for _ in range(rounds):
        for name, seconds in found.items():
            if isinstance(seconds, str):
                continue
            try:
                with memory_cap(cap) if cap else nullcontext([]) as before:
                    seconds.append(cold(work, name, expected, before))
            except NotMeasuredError as reason:
                found[name] = str(reason)
    return found


def cells(title: str, seconds: dict[str, Any], name: str, windows: int) -> dict[str, str]:
    """Rate of one peer in one condition, and how many times slower than gather it is."""
    own, ours = seconds[name], seconds[OURS]
    if isinstance(own, str):
        return {f"{title}, windows/s": own, f"{title}, times": ""}
    rate = f"{windows / statistics.median(own):,.0f}"
    if isinstance(ours, str):
        return {f"{title}, windows/s": rate, f"{title}, times": ""}
    ratios = sorted(theirs / our for our, theirs in zip(ours, own, strict=True))
    times = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}-{ratios[-1]:.1f})"
    return {f"{title}, windows/s": rate, f"{title}, times": times}


def write(work: Path, windows: int) -> None:
    """Make a store and the order of its rows, in an empty folder."""
    if work.exists() and any(work.iterdir()):
        raise SystemExit(f"{work} is not empty: name another --work.")
    work.mkdir(parents=True, exist_ok=True)
    command("hmsprep", "synth", work / "data", "--windows", windows, "--fast", "--seed", 1)
    command("hmsprep", "build", work / "data", work / "hms.zarr")
    shutil.rmtree(work / "data")
    count = len(Store.open(work / "hms.zarr")) // BATCH * BATCH
    np.save(work / ORDER, np.random.default_rng(0).permutation(count))


def begin(work: Path, names: Iterable[str]) -> tuple[dict[str, Epoch], dict[str, str]]:
    """Let peers write what they read, and begin; what is not installed says so."""
    epochs: dict[str, Epoch] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            epochs[name] = PEERS[name].begin(case(work, name))
        except ImportError as error:
            missing[name] = f"not measured: {error.name} is not installed"
    return epochs, missing


def main() -> None:
    """Write what each peer wants, let them take turns, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="empty folder for data; kept")
    parser.add_argument("--windows", type=int, default=3072)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="and ours")
    parser.add_argument("--cold-rounds", type=int, default=3)
    parser.add_argument("--alone", choices=PEERS, help="only go through one peer's epoch")
    arguments = parser.parse_args()
    work: Path = arguments.work
    if arguments.alone:
        alone(work, arguments.alone)
        return
    write(work, arguments.windows)
    windows = len(np.load(work / ORDER))
    chosen = dict.fromkeys((OURS, *arguments.peers))  # all are compared with ours
    conditions: dict[str, dict[str, Any]] = {}
    with ProcessPoolExecutor(1, get_context("spawn")) as own:  # what is mapped stays in the cache
        conditions["cached"], expected, missing = own.submit(cached, work, list(chosen)).result()
    names = list(conditions["cached"])
    rounds = arguments.cold_rounds
    conditions["cold"] = cold_rounds(work, names, expected, rounds)
    conditions["capped"] = cold_rounds(work, names, expected, rounds, CAP_MIB << 20)
    rows: list[dict[str, Any]] = []
    for name in names:
        row: dict[str, Any] = {"what": name}
        for title, seconds in conditions.items():
            row |= cells(title, seconds, name, windows)
        rows.append(row)
    columns = list(rows[0])[1:]
    rows += [{"what": name} | dict.fromkeys(columns, why) for name, why in missing.items()]
    write_record("peers", rows, noted(work, windows, rounds), arguments)


def noted(work: Path, windows: int, rounds: int) -> str:
    """What the table means."""
    store = Store.open(work / "hms.zarr")
    eeg_mb = sum(shard.nbytes for shard in store.shards("eeg")) / 1e6
    return (
        f"{windows:,} windows of EEG (10,000 x 20, half precision: "
        f"{windows * WINDOW_BYTES / 1e6:,.0f} MB), which the store keeps in {eeg_mb:,.0f} MB, "
        f"since windows overlap; batches of {BATCH}. 'times' is how much longer than {OURS} an "
        "epoch takes: median of the rounds' ratios, and their range. Cached: "
        f"{ROUNDS} epochs of each in turn. Cold: {rounds} epochs of each in turn, nothing of the "
        "data in this machine's page cache (what its host caches cannot be told), from opening the "
        f"files on. Capped: so too, process and page cache together in {CAP_MIB} MiB. xbatcher "
        "goes in order, webdataset shuffles within a buffer, litdata and mosaicml-streaming "
        "within blocks; all others are in random order. Every epoch of every peer handed out the "
        "same windows, by a sum over every 200th sample."
    )


if __name__ == "__main__":
    main()
