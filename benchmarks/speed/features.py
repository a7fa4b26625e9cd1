"""How long measuring hand features takes and how much memory, and fitting models to them.

`hmsprep features` from the command line with one process and with one for each processor, on a
simulated store whose files are in the page cache; then `hmstrain run --model features` of both
kinds. Times hold for the processors that were left: *processor s* counts what all processes used.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.tools.conditions import module
from benchmarks.tools.footprint import measured
from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import simulated_store

NOTE = (
    "Windows of 50 s, 2,038 features each, of `hmsprep synth`. Measuring and fitting each in a "
    "process of its own, start included; processor s: user and system time of all its processes. "
    "The competition: windows of the whole set (106,800) at the same rate. Scores: of the test "
    "split, one window of each EEG and votes; the constant prediction's in the last column."
)
COMPETITION = 106_800


def row(what: str, windows: int, command: list[str]) -> dict[str, Any]:
    """Run a command; what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = measured(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "what": what,
        "windows": windows,
        "seconds": round(found["seconds"], 1),
        "processor s": round(used, 1),
        "windows/s": round(windows / found["seconds"], 1),
        "windows/processor s": round(windows / max(used, 1e-9), 1),
        "peak own MiB": found["peak own MiB"],
        "competition, processor min": round(used / windows * COMPETITION / 60, 1),
        "kl_votes": "",
        "constant": "",
    }


def main() -> None:
    """Measure, fit, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--windows", type=int, default=2000, help="to simulate")
    parser.add_argument("--work", type=Path, help="folder to keep store, table and runs in")
    parser.add_argument("--iterations", type=int, default=200, help="of the trees")
    arguments = parser.parse_args()
    folder = arguments.work or Path(tempfile.mkdtemp(prefix="hms-features-"))
    try:
        folder.mkdir(exist_ok=True)
        store = simulated_store(folder, arguments.windows)
        rows = []
        for workers in sorted({1, os.cpu_count() or 1}):
            words = ("features", store.path, "--workers", workers, "--force", "--quiet")
            rows.append(row(f"measure, {workers} at once", len(store), module("hmsprep", *words)))
        train = len(store.select("train", fold=0))
        for kind in ("boosted", "linear"):
            out = folder / kind
            shutil.rmtree(out, ignore_errors=True)
            words = ("run", store.path, "--model", "features", "--set", f"model.kind={kind}")
            more = ("--set", f"model.iterations={arguments.iterations}") * (kind == "boosted")
            command = module("hmstrain", *words, *more, "--out", out, "--quiet")
            fitted = row(f"fit, {kind}", train, command)
            outcome = json.loads((out / "metrics.json").read_text())
            scores = (outcome["test"]["kl_votes"], outcome["constant"]["kl_votes"])
            fitted |= {
                name: "" if value is None else round(value, 3)
                for name, value in zip(("kl_votes", "constant"), scores, strict=True)
            }
            fitted["competition, processor min"] = ""
            rows.append(fitted)
        write_record("features", rows, NOTE, arguments)
    finally:
        if not arguments.work:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
