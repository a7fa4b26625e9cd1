"""The EEG windows of one store through every loader that one might pick instead, in one run.

Each peer gets the windows in the form that it wants, written by its own means, and hands out one
epoch in batches of 32, in random order where it can, at the settings that its documentation
recommends. Three conditions: all in the page cache, epochs in turn, the median counts; cold,
nothing of the data in the page cache; and cold with memory capped, page cache included. The last
two run in a process of their own, from opening the files on. A sum over the batches proves that all
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import peer_loaders as loaders
from conditions import NotMeasuredError, make_cold, memory_cap
from peer_case import BATCH, Case, Epoch
from record import command_line, write_record
from simulated import command

from hmsstore import Store

ROUNDS = 5
COLD_ROUNDS = 3
CAP_MIB = 640
"""Memory of a capped process with its page cache; importing torch alone takes some 250 of it."""
PER_S = 200
"""Every how many samples the sum takes one: one per second."""
OURS = "Store.gather"


@dataclass(frozen=True, slots=True)
class Peer:
    """A loader, and the modules that it needs."""

    begin: Callable[[Case], Epoch]
    needs: tuple[str, ...] = ()


PEERS = {
    OURS: Peer(loaders.gather),
    "hmstrain's loader, 2 threads": Peer(loaders.hmstrain),
    "array in memory, fancy index": Peer(loaders.in_memory),
    "LMDB": Peer(loaders.lmdb, ("lmdb",)),
    "TensorDict MemoryMappedTensor": Peer(loaders.tensordict, ("tensordict",)),
    "torch DataLoader, memmap, no workers": Peer(loaders.torch_memmap(0)),
    "torch DataLoader, memmap, 2 workers": Peer(loaders.torch_memmap(2)),
    "one .npy file per window": Peer(loaders.npy_files),
    "Hugging Face datasets": Peer(loaders.hf_datasets, ("datasets",)),
    "tensorstore, the same store": Peer(loaders.tensorstore, ("tensorstore",)),
    "mosaicml-streaming": Peer(loaders.mosaicml, ("streaming",)),
    "webdataset": Peer(loaders.webdataset, ("webdataset",)),
    "zarrs, the same store": Peer(loaders.zarrs, ("zarr", "zarrs")),
    "litdata": Peer(loaders.litdata, ("litdata",)),
    "zarr-python, the same store": Peer(loaders.zarr_python, ("zarr",)),
    "xarray and xbatcher": Peer(loaders.xbatcher, ("xarray", "xbatcher")),
}


def case(work: Path, name: str) -> Case:
    """The store of a working folder, its rows in an order that is always the same."""
    store = Store.open(work / "hms.zarr")
    order = np.random.default_rng(0).permutation(len(store) // BATCH * BATCH)
    folder = "".join(letter if letter.isalnum() else "-" for letter in name)
    return Case(store, work / folder, order)


def total(epoch: Iterable[Any]) -> int:
    """Sum over every 200th sample of an epoch's windows, as integers."""
    added = 0
    for batch in epoch:
        seen = np.asarray(batch)[:, ::PER_S].astype(np.float16)  # one peer hands out float32
        added += int(seen.view(np.uint16).sum(dtype=np.int64))
    return added


def alone(work: Path, name: str) -> None:
    """One epoch of a peer from opening its files on; print seconds and sum."""
    for needed in PEERS[name].needs:
        importlib.import_module(needed)
    start = time.perf_counter()
    added = total(PEERS[name].begin(case(work, name))())
    print(json.dumps([time.perf_counter() - start, added]))


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
        The process failed: it had too little memory.
    """
    make_cold(work)
    words = [sys.executable, __file__, "--work", str(work), "--alone", name]
    done = subprocess.run([*before, *words], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise NotMeasuredError(f"ends with {done.returncode}: too little memory")
    seconds, added = json.loads(done.stdout.splitlines()[-1])
    if added != expected:
        raise SystemExit(f"{name} handed out other windows: {added}, not {expected}")
    return float(seconds)


def cold_rounds(
    work: Path, names: Iterable[str], expected: int, cap: int
) -> dict[str, list[float] | str]:
    """Seconds of cold epochs in turn, or why there are none; memory capped if `cap` is not 0."""
    found: dict[str, Any] = {name: [] for name in names}
    for _ in range(COLD_ROUNDS):
        for name, seconds in found.items():
            if isinstance(seconds, str):
                continue
            try:
                if cap:
                    with memory_cap(cap) as before:
                        seconds.append(cold(work, name, expected, before))
                else:
                    seconds.append(cold(work, name, expected, []))
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


def main() -> None:
    """Write what each peer wants, let them take turns, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data; emptied first")
    parser.add_argument("--windows", type=int, default=4096)
    parser.add_argument("--alone", choices=PEERS, help="only go through one peer's epoch")
    parser.add_argument("--warm-only", action="store_true", help="leave out cold and capped")
    arguments = parser.parse_args()
    work: Path = arguments.work
    if arguments.alone:
        alone(work, arguments.alone)
        return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    size = arguments.windows // BATCH * BATCH
    command("hmsprep", "synth", work / "data", "--windows", size, "--fast", "--seed", 1)
    command("hmsprep", "build", work / "data", work / "hms.zarr")
    epochs: dict[str, Epoch] = {}
    missing: dict[str, str] = {}
    for name, peer in PEERS.items():
        try:
            epochs[name] = peer.begin(case(work, name))
        except ImportError as error:
            missing[name] = f"not measured: {error.name} is not installed"
    conditions: dict[str, dict[str, Any]] = {}
    conditions["cached"], expected = warm(epochs)
    epochs.clear()  # what is mapped cannot be dropped
    names = conditions["cached"]
    if not arguments.warm_only:
        conditions["cold"] = cold_rounds(work, names, expected, 0)
        conditions["capped"] = cold_rounds(work, names, expected, CAP_MIB << 20)
    windows = len(case(work, OURS).order)
    rows: list[dict[str, Any]] = []
    for name in names:
        row: dict[str, Any] = {"what": name}
        for title, seconds in conditions.items():
            row |= cells(title, seconds, name, windows)
        rows.append(row)
    columns = list(rows[0])[1:]
    rows += [{"what": name} | dict.fromkeys(columns, why) for name, why in missing.items()]
    store = Store.open(work / "hms.zarr")
    eeg_mb = sum(shard.nbytes for shard in store.shards("eeg")) / 1e6
    note = (
        f"{windows:,} windows of EEG (10,000 x 20, half precision: {windows * 0.4:,.0f} MB), which "
        f"the store keeps in {eeg_mb:,.0f} MB, since windows overlap; batches of {BATCH}. 'times' "
        f"is how much longer than {OURS} an epoch takes: median of the rounds' ratios, and their "
        f"range. Cached: {ROUNDS} epochs of each in turn. Cold: {COLD_ROUNDS} epochs of each in "
        "turn, nothing of the data in the page cache, from opening the files on. Capped: so too, "
        f"process and page cache together in {CAP_MIB} MiB. xbatcher goes in order, webdataset "
        "shuffles within a buffer, all others are in random order. Every epoch of every peer "
        "handed out the same windows, by a sum over them."
    )
    write_record("peers", rows, note, arguments)


if __name__ == "__main__":
    main()
