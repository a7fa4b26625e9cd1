"""How long a build takes beside ceilings and beside what people do today, and how it grows.

Simulates data in the fast mode, after the competition's table of windows if it is given, at some
sizes. The largest is built in turn with two ceilings and two other ways: reading and decoding every
file on all processors and doing nothing with it; writing as many bytes as the store has; a .npy
file per window; a pandas read per row, of some rows, scaled up to all. Then every size is built
with several numbers of processes, and the memory of the whole process tree is sampled.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers.other_builds import npy_way, report_way
from benchmarks.tools.conditions import decode_seconds, module, size, timed, write_seconds
from benchmarks.tools.footprint import measured
from benchmarks.tools.record import command_line, write_record
from hmsstore import Store

WORKERS = (1, 2, 4)
OURS = "hmsprep build"


def built(data: Path, store: Path, workers: int = 2) -> dict[str, Any]:
    """Build, with seconds and memory; the store of before is deleted first."""
    shutil.rmtree(store, ignore_errors=True)
    return measured(module("hmsprep", "build", data, store, "--workers", workers))


def build_seconds(data: Path, store: Path) -> float:
    """Seconds of a build with as many worker processes as there are processors."""
    shutil.rmtree(store, ignore_errors=True)
    return timed(module("hmsprep", "build", data, store, "--workers", os.cpu_count()))[0]


def seconds_per_window(way: Callable[..., int], data: Path, folder: Path, *options: int) -> float:
    """Seconds that another way takes for one window; what it wrote is deleted."""
    out = folder / way.__name__
    out.mkdir()
    start = time.perf_counter()
    windows = way(data, out, *options)
    seconds = (time.perf_counter() - start) / windows
    shutil.rmtree(out)
    return seconds


def compare(data: Path, folder: Path, sample: int, rounds: int) -> list[dict[str, Any]]:
    """Build, ceilings and other ways in turn, on the same files."""
    path = folder / "hms.zarr"
    build_seconds(data, path)
    windows, nbytes = len(Store.open(path)), size(path)
    files = sorted(data.rglob("*.parquet"))
    ways: dict[str, Callable[[], float]] = {
        OURS: lambda: build_seconds(data, path),
        "decode every file, keep nothing": lambda: decode_seconds(files, os.cpu_count() or 1),
        "write the store's bytes": lambda: write_seconds(folder, nbytes),
        "a .npy file per window": lambda: windows * seconds_per_window(npy_way, data, folder),
        "pandas, a read per row": lambda: (
            windows * seconds_per_window(report_way, data, folder, sample)
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(way())
    return [
        {
            "what": name,
            "windows": windows,
            "seconds, median": round(statistics.median(taken), 1),
            "from": round(min(taken), 1),
            "to": round(max(taken), 1),
            "times the build": round(
                statistics.median(
                    theirs / ours for ours, theirs in zip(seconds[OURS], taken, strict=True)
                ),
                2,
            ),
        }
        for name, taken in seconds.items()
    ]


def growth(data: dict[int, Path], folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Best of some builds of every size, with every number of worker processes."""
    rows = []
    path = folder / "hms.zarr"
    for factor, source in data.items():
        source_bytes = size(source)
        for workers in WORKERS if factor == max(data) else WORKERS[1:]:
            runs = [built(source, path, workers) for _ in range(rounds)]
            best = min(run["seconds"] for run in runs)
            row: dict[str, Any] = {
                "size": f"{factor}x",
                "windows": len(Store.open(path)),
                "source MB": round(source_bytes / 1e6),
                "store MB": round(size(path) / 1e6),
                "workers": workers,
                "seconds, best": best,
                "s per GB": round(best / source_bytes * 1e9, 2),
            }
            for key in ("processes", "peak own MiB", "peak with files MiB"):
                row[key] = max(run[key] for run in runs)
            rows.append(row)
            print(row, flush=True)
    return rows


def main() -> None:
    """Make the data, measure, write the records."""
    parser = command_line(__doc__)
    parser.add_argument("--like", type=Path, help="table of windows, for the true structure")
    parser.add_argument("--fraction", type=float, default=0.01, help="its patients in the smallest")
    parser.add_argument("--windows", type=int, default=250, help="in the smallest, without --like")
    parser.add_argument("--sample", type=int, default=200, help="rows read with pandas a round")
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 4, 16], help="sizes")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rounds: int = arguments.rounds
    folder = Path(tempfile.mkdtemp(prefix="hms-build-"))
    try:
        data = {}
        for factor in arguments.factors:
            data[factor] = folder / f"data{factor}"
            words = ["--windows", arguments.windows * factor]
            if arguments.like:
                words = ["--like", arguments.like, "--fraction", arguments.fraction * factor]
            timed(module("hmsprep", "synth", data[factor], *words, "--fast", "--seed", 1))
        compared = compare(data[max(data)], folder, arguments.sample, rounds)
        grown = growth(data, folder, rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = (
        f"`hmsprep build` and all else in turn, {rounds} rounds, files in the page cache as far as "
        "they fit; 'times the build' is the median of the rounds' ratios. All but pandas use all "
        f"processors. pandas did {arguments.sample} rows of the table a round, scaled to all of "
        "them. The last two neither normalise, check, deduplicate nor seal."
    )
    write_record("build", compared, note, arguments)
    note = (
        f"Builds of several sizes, best of {rounds}; memory is the most that all processes "
        "together had (proportional set size, sampled every 50 ms; 'own' is anonymous and shared). "
        "The target is under 1024 MiB."
    )
    write_record("build-growth", grown, note, arguments)


if __name__ == "__main__":
    main()
