"""The EEG windows of one store through every loader that one might pick instead, in one run.

Each peer gets the windows in the form that it wants, written by its own means, and hands out one
epoch in batches of 32, in random order where it can, at the settings that its documentation
recommends. Rates are of epochs in turn, all from the page cache; the median counts. A sum over the
batches proves that all handed out the same windows. Those that are not installed say so.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from peer_loaders import BATCH, PEERS, Case, Epoch
from record import write_record
from simulated import command

from hmsstore import Store

ROUNDS = 5
PER_S = 200
"""Every how many samples the sum takes one: one per second."""


def total(epoch: Epoch) -> tuple[float, int]:
    """Seconds of an epoch, and the sum over every 200th sample of its windows as integers."""
    added = 0
    start = time.perf_counter()
    for batch in epoch():
        array = np.asarray(batch)
        seen = array[:, ::PER_S].astype(np.float16)  # one peer hands out float32
        added += int(seen.view(np.uint16).sum(dtype=np.int64))
    return time.perf_counter() - start, added


def main() -> None:
    """Write what each peer wants, let them take turns, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data; emptied first")
    parser.add_argument("--windows", type=int, default=2048)
    arguments = parser.parse_args()
    work: Path = arguments.work
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    size = arguments.windows // BATCH * BATCH
    command("hmsprep", "synth", work / "data", "--windows", size, "--fast", "--seed", 1)
    command("hmsprep", "build", work / "data", work / "hms.zarr")
    store = Store.open(work / "hms.zarr")
    order = np.random.default_rng(0).permutation(len(store) // BATCH * BATCH)
    epochs: dict[str, Epoch] = {}
    missing: dict[str, str] = {}
    for name, peer in PEERS.items():
        folder = work / name.replace(" ", "-").replace("'", "").replace(",", "").replace("/", "-")
        folder.mkdir()
        try:
            epochs[name] = peer(Case(store, folder, order))
            total(epochs[name])  # warm
        except ImportError as error:
            missing[name] = f"not measured: {error.name} is not installed"
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(ROUNDS):
        sums = {}
        for name, epoch in epochs.items():
            taken, sums[name] = total(epoch)
            seconds[name].append(taken)
        if len(set(sums.values())) > 1:
            raise SystemExit(f"Peers handed out other windows: {sums}")
    rows = [_row(name, seconds, len(order)) for name in epochs]
    columns = list(rows[0])[1:]
    rows += [{"what": name} | dict.fromkeys(columns, why) for name, why in missing.items()]
    note = (
        f"{len(order):,} windows of EEG (10,000 x 20, half precision), batches of {BATCH}, all in "
        f"the page cache, {ROUNDS} epochs of each in turn. 'times' is how much faster than that "
        "Store.gather is: median of the rounds' ratios, and their range. xbatcher goes in order, "
        "webdataset shuffles within a buffer, all others are in random order. Every epoch of every "
        "peer handed out the same windows, by a sum over them."
    )
    print(write_record("peers", rows, note).read_text())


def _row(name: str, seconds: dict[str, list[float]], windows: int) -> dict[str, Any]:
    ratios = sorted(
        theirs / ours for ours, theirs in zip(seconds["Store.gather"], seconds[name], strict=True)
    )
    return {
        "what": name,
        "windows/s": f"{windows / statistics.median(seconds[name]):,.0f}",
        "times": f"{statistics.median(ratios):.1f}",
        "from": f"{ratios[0]:.1f}",
        "to": f"{ratios[-1]:.1f}",
    }


if __name__ == "__main__":
    main()
