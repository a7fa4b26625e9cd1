"""How long a build takes beside ceilings and beside what people do today, and how it grows.

Simulates data in the fast mode, after the competition's table of windows if it is given, at three
sizes. The largest is built, beside two ceilings and two other ways, in turn: reading and
decoding every file on all processors and doing nothing with it; writing as many bytes as the store
has; a pandas read per row; a .npy file per window. The other ways do a part of the windows, and
what they take is scaled up. Then every size is built with several numbers of processes, and the
memory of the whole process tree is sampled.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conditions import decode_seconds, module, size, timed, write_seconds
from footprint import measured
from other_builds import npy_way, report_way
from record import command_line, write_record

from hmsstore import Store

FACTORS = (1, 4, 16)
WORKERS = (1, 2, 4)
OURS = "hmsprep build"


def built(data: Path, store: Path, workers: int = 2) -> dict[str, Any]:
    """Build, with seconds and memory; the store of before is deleted first."""
    shutil.rmtree(store, ignore_errors=True)
    return measured(module("hmsprep", "build", data, store, "--workers", workers))


def scaled(way: Callable[[Path, Path, int], int], data: Path, folder: Path, asked: int) -> float:
    """Seconds that a way takes for one window; what it wrote is deleted."""
    out = folder / way.__name__
    out.mkdir()
    start = time.perf_counter()
    windows = way(data, out, asked)
    seconds = (time.perf_counter() - start) / windows
    shutil.rmtree(out)
    return seconds


def compare(data: Path, folder: Path, sample: int, rounds: int) -> list[dict[str, Any]]:
    """Build, ceilings and other ways in turn, on the same files."""
    path = folder / "hms.zarr"
    built(data, path)
    windows, nbytes = len(Store.open(path)), size(path)
    files = sorted(data.rglob("*.parquet"))
    ways: dict[str, Callable[[], float]] = {
        OURS: lambda: float(built(data, path)["seconds"]),
        "decode every file, keep nothing": lambda: decode_seconds(files),
        "write the store's bytes": lambda: write_seconds(folder, nbytes),
        "a .npy file per window": lambda: windows * scaled(npy_way, data, folder, 4 * sample),
        "pandas, a read per row": lambda: windows * scaled(report_way, data, folder, sample),
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
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rounds: int = arguments.rounds
    folder = Path(tempfile.mkdtemp(prefix="hms-build-"))
    try:
        data = {}
        for factor in FACTORS:
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
        f"`hmsprep build` with 2 worker processes, all else in turn with it, {rounds} rounds; "
        "'times the build' is the median of the rounds' ratios. Ceilings use all processors. The "
        f"other ways did {arguments.sample} rows (pandas) and about {4 * arguments.sample} windows "
        "(.npy) a round, scaled to all windows; neither normalises, checks, deduplicates or seals."
    )
    write_record("build", compared, note, arguments)
    note = (
        f"Builds of three sizes, best of {rounds}; memory is the most that all processes together "
        "had (proportional set size, sampled every 50 ms; 'own' is anonymous and shared memory). "
        "The target is under 1024 MiB."
    )
    write_record("build-growth", grown, note, arguments)


if __name__ == "__main__":
    main()
