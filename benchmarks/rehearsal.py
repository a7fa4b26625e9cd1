"""The whole way at the competition's true size: simulate, plan, build, verify, read, train.

The data are simulated in the fast mode, after a table of windows (the competition's train.csv or
its metadata), at a fraction of its patients if the disk is small. Beside the build stand ceilings:
reading and decoding every file, writing as many bytes. Beside reading the store stands reading its
EEG files from start to end: cold, and with memory capped to a part of it.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from conditions import (
    NotMeasuredError,
    decode_seconds,
    make_cold,
    memory_cap,
    module,
    read_seconds,
    size,
    timed,
    write_seconds,
)
from epoch import epoch_command
from footprint import measured
from loader import alone, measure
from record import command_line, write_record

from hmstrain.run_folder import read_metrics

CAP_MIB = 2048
"""Memory of a capped process with its page cache: a seventh of the whole store."""
TRAINING = "--model naive_cnn --inputs spec+eeg --image-size 96 --set eeg_seconds=12"


def building(data: Path, store: Path, workers: int) -> dict[str, Any]:
    """Plan, build and verify, beside the ceilings."""
    seconds, planned = timed(module("hmsprep", "plan", data, "--json"))
    plan = json.loads(planned)
    figures = {key: plan[key] for key in ("windows", "eegs", "spectrograms", "patients")}
    figures["source GB"] = round(size(data, "*.parquet") / 1e9, 2)
    figures["plan s"] = round(seconds, 1)
    decode = decode_seconds(sorted(data.rglob("*.parquet")))
    write = write_seconds(store.parent, plan["bytes"])
    built = measured(module("hmsprep", "build", data, store, "--workers", workers))
    figures |= {"decode ceiling s": round(decode, 1), "write ceiling s": round(write, 1)}
    figures |= {f"build {key}": value for key, value in built.items()}
    figures["build / larger ceiling"] = round(built["seconds"] / max(decode, write), 2)
    figures["store GB"] = round(size(store) / 1e9, 2)
    figures["verify s"] = round(timed(module("hmsprep", "verify", store))[0], 1)
    return figures


def reading(store: Path) -> dict[str, Any]:
    """An epoch over all windows; the store's EEG read cold and under a cap, each byte once."""
    figures: dict[str, Any] = {}
    found = json.loads(timed(epoch_command(store, "gather"))[1])
    figures["epoch of gather s"] = round(found["seconds"], 1)
    figures["epoch of gather GB/s"] = round(found["GB/s"], 2)
    files = sorted(path for path in (store / "eeg").rglob("*") if path.is_file())
    for condition, cap in (("cold", 0), (f"in {CAP_MIB} MiB", CAP_MIB << 20)):
        make_cold(store)
        sequential = size(store / "eeg") / read_seconds(files) / 1e9
        figures[f"{condition}: files from start to end GB/s"] = round(sequential, 2)
        for through in ("loader", "gather"):
            make_cold(store)
            try:
                found = _apart(store, through, cap)
            except NotMeasuredError as reason:
                figures[f"{condition}: {through} / that"] = str(reason)
                continue
            figures[f"{condition}: {through} GB/s"] = round(found["GB/s"], 2)
            figures[f"{condition}: {through} / that"] = round(found["GB/s"] / sequential, 2)
            figures[f"{condition}: {through}, first batch s"] = round(found["first batch s"], 2)
    return figures


def _apart(store: Path, through: str, cap: int) -> dict[str, Any]:
    words = epoch_command(store, through, "--apart")
    with memory_cap(cap) if cap else nullcontext([]) as before:
        found: dict[str, Any] = json.loads(timed([*before, *words])[1])
    return found


def training(store: Path, folder: Path, steps: int) -> dict[str, Any]:
    """A few hundred steps of `hmstrain run`, its memory and its waiting."""
    out = folder / "run"
    run = measured(
        module("hmstrain", "run", store, *TRAINING.split(), "--steps", steps, "--out", out)
    )
    lines = [line for line in read_metrics(out / "metrics.jsonl") if line["event"] == "train"]
    return {
        "training": f"{steps} steps, {TRAINING}",
        "training windows/s": round(sum(x["windows_per_s"] for x in lines) / len(lines), 1),
        "training waiting": f"{sum(x['waiting'] for x in lines) / len(lines):.2%}",
        "training and tests s": run["seconds"],
        "training peak own MiB": run["peak own MiB"],
    }


def main() -> None:
    """Make the data unless they are there, measure, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--like", type=Path, required=True, help="table of windows")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of its patients")
    parser.add_argument("--data", type=Path, help="data simulated before; kept")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hms-full-", dir=os.environ.get("TMPDIR")))
    data, store = arguments.data or folder / "data", folder / "hms.zarr"
    figures: dict[str, Any] = {"fraction": arguments.fraction, "workers": arguments.workers}
    try:
        if not data.exists():
            like = ["--like", arguments.like, "--fraction", arguments.fraction]
            seconds, _ = timed(module("hmsprep", "synth", data, *like, "--fast", "--seed", 1))
            figures["synth s"] = round(seconds, 1)
        figures |= building(data, store, arguments.workers)
        if not arguments.data:
            shutil.rmtree(data)
        figures |= reading(store)
        figures |= measure(store) | alone(store)
        figures |= training(store, folder, arguments.steps)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = (
        "A store of the competition's structure (patients, recordings, offsets and votes of its "
        "table of windows) from simulated signals, from the command line. Cold and capped: EEG "
        "windows that share no sample, so that each byte is read once, beside reading the same "
        "files from start to end; 'gather' by itself and through the training loader. The last "
        "rows but those of training are as in `loader.py`."
    )
    rows = [{"what": key, "value": value} for key, value in figures.items()]
    write_record("rehearsal", rows, note, arguments)


if __name__ == "__main__":
    main()
