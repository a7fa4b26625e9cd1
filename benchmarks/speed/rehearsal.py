"""The whole way at the competition's true size: simulate, plan, build, verify, read, train.

The data are simulated in the fast mode, after a table of windows (the competition's train.csv or
its metadata), at a fraction of its patients if the disk is small. Beside the build stand ceilings:
reading and decoding every file, writing as many bytes. Beside reading the store, cold and with
memory capped to a part of it, stand reading its EEG files from start to end, and the same windows
past the page cache.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speed.epoch import FILES, PAST_CACHE, THROUGH, epoch, past_cache_refused
from benchmarks.speed.loader import alone, measure
from benchmarks.tools.conditions import (
    NotMeasuredError,
    alike,
    decode_seconds,
    make_cold,
    module,
    not_cold,
    size,
    timed,
    write_seconds,
)
from benchmarks.tools.footprint import measured
from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import pace

CAP_MIB = 2048
"""Memory of a capped process with its page cache: a seventh of the whole store at full size."""
NOTE = (
    "A store of the competition's structure (patients, recordings, offsets and votes of its table "
    "of windows) from simulated signals, from the command line. Decoding and build, in turn, begin "
    "with cold files; memory is that of one more build. Cold and capped: EEG windows that share no "
    "sample, so that each byte is read once, through the training loader and by 'gather' alone, in "
    "turn with two threads that read the same files from start to end, and two that read the same "
    "windows in the same order past the page cache (O_DIRECT: what the disk gives for such reads, "
    "without any cost of memory), in processes of their own. Medians and ranges. Where files "
    "cannot be made cold, a row says so, and builds, decoding and the first epoch begin with warm "
    "ones. From 'open' to 'memory added' as in `loader.py`."
)
TRAINING = "--model naive_cnn --inputs spec+eeg --image-size 64 --set eeg_seconds=12"


def building(data: Path, store: Path, workers: int, rounds: int) -> dict[str, Any]:
    """Plan, build and verify, beside the ceilings; builds and decoding in turn.

    Memory is that of one more build, since looking at it takes time.
    """
    seconds, planned = timed(module("hmsprep", "plan", data, "--json"))
    plan = json.loads(planned)
    figures = {key: plan[key] for key in ("windows", "eegs", "spectrograms", "patients")}
    figures["source GB"] = round(size(data, "*.parquet") / 1e9, 2)
    figures["plan s"] = round(seconds, 1)
    build = module("hmsprep", "build", data, store, "--workers", workers)
    files = sorted(data.rglob("*.parquet"))

    def in_turn(cool: Callable[[], None] | None) -> dict[str, list[float]]:
        taken: dict[str, list[float]] = {"decode": [], "write": [], "build": []}
        for _ in range(rounds):
            if cool is not None:
                cool()
            taken["decode"].append(decode_seconds(files, workers))
            taken["write"].append(write_seconds(store.parent, plan["bytes"]))
            if cool is not None:
                cool()
            taken["build"].append(timed(build)[0])
            shutil.rmtree(store)
        return taken

    taken, warm = alike(data, in_turn)
    larger = map(max, taken["decode"], taken["write"])
    ratios = [built / ceiling for built, ceiling in zip(taken["build"], larger, strict=True)]
    if warm:
        figures["cold build and decoding"] = warm
    else:
        not_cold(data)  # whether it succeeds does not matter to memory
    memory = measured(build)
    figures["decode ceiling s"] = middle(taken["decode"], 1)
    figures["write ceiling s"] = middle(taken["write"], 1)
    figures["build seconds"] = middle(taken["build"], 1)
    figures["build / larger ceiling"] = middle(ratios)
    figures |= {f"build {key}": value for key, value in memory.items() if key != "seconds"}
    figures["store GB"] = round(size(store) / 1e9, 2)
    figures["verify s"] = round(timed(module("hmsprep", "verify", store))[0], 1)
    return figures


def reading(store: Path, rounds: int, cap_mib: int) -> dict[str, Any]:
    """An epoch over all windows; the store's EEG read cold and under a cap, each byte once."""
    figures: dict[str, Any] = {}
    if warm := not_cold(store):
        figures["cold epoch of gather"] = warm
    found = epoch(store, "gather")
    begun = "warm" if warm else "cold at first"
    figures[f"epoch of gather, {begun}, s"] = round(found["seconds"], 1)
    figures["epoch of gather GB/s"] = round(found["GB/s"], 2)
    ceilings = {FILES: "files from start to end", PAST_CACHE: PAST_CACHE}
    if refused := past_cache_refused(store):
        figures[ceilings.pop(PAST_CACHE)] = refused
    for condition, cap in (("cold", 0), (f"cold in {cap_mib} MiB", cap_mib << 20)):
        speeds: dict[str, list[float]] = {way: [] for way in (*ceilings, *THROUGH)}
        first_s: list[float] = []
        try:
            for _ in range(rounds):
                for through, taken in speeds.items():
                    make_cold(store)
                    options = ["--apart"] if through in THROUGH else []
                    found = epoch(store, through, *options, cap=cap)
                    taken.append(found["GB/s"])
                    if through == "loader":
                        first_s.append(found["first batch s"])
        except NotMeasuredError as reason:
            figures[condition] = str(reason)
            continue
        for ceiling, title in ceilings.items():
            figures[f"{condition}: {title} GB/s"] = middle(speeds[ceiling])
        for through in THROUGH:
            figures[f"{condition}: {through} GB/s"] = middle(speeds[through])
            for ceiling in ceilings:
                ratios = [a / b for a, b in zip(speeds[through], speeds[ceiling], strict=True)]
                figures[f"{condition}: {through} / {ceiling}"] = middle(ratios)
        figures[f"{condition}: first batch s"] = middle(first_s)
    return figures


def middle(values: list[float], digits: int = 2) -> str:
    """Median and range."""
    found = (statistics.median(values), min(values), max(values))
    middle, low, high = (f"{value:.{digits}f}" for value in found)
    return f"{middle} ({low}-{high})"


def training(store: Path, folder: Path, steps: int) -> dict[str, Any]:
    """A few hundred steps of `hmstrain run`, its memory and its waiting."""
    out = folder / "run"
    run = measured(
        module("hmstrain", "run", store, *TRAINING.split(), "--steps", steps, "--out", out)
    )
    rate, waiting = pace(out)
    return {
        "training": f"{steps} steps, {TRAINING}",
        "training windows/s": round(rate, 1),
        "training waiting": f"{waiting:.2%}",
        "training and tests s": run["seconds"],
        "training peak own MiB": run["peak own MiB"],
    }


def main() -> None:
    """Make the data unless they are there, measure, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--like", type=Path, required=True, help="table of windows")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of its patients")
    parser.add_argument("--data", type=Path, help="data simulated before; kept")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument(
        "--rounds", type=int, default=3, help="of builds, and of cold and capped reading"
    )
    parser.add_argument("--cap-mib", type=int, default=CAP_MIB, help="memory when it is capped")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hms-full-"))
    data, store = arguments.data or folder / "data", folder / "hms.zarr"
    figures: dict[str, Any] = {"fraction": arguments.fraction, "workers": arguments.workers}

    def record(found: dict[str, Any]) -> None:
        figures.update(found)
        rows = [{"what": key, "value": value} for key, value in figures.items()]
        write_record("rehearsal", rows, NOTE, arguments)

    try:
        if not data.exists():
            like = ["--like", arguments.like, "--fraction", arguments.fraction]
            seconds, _ = timed(module("hmsprep", "synth", data, *like, "--fast", "--seed", 1))
            figures["synth s"] = round(seconds, 1)
        record(building(data, store, arguments.workers, arguments.rounds))
        if not arguments.data:
            shutil.rmtree(data)
        record(reading(store, arguments.rounds, arguments.cap_mib))
        record(measure(store) | alone(store))
        record(training(store, folder, arguments.steps))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
