"""Plan, build and verify a store of the competition's true size, beside two ceilings.

The data are simulated in the fast mode, after a table of windows (the competition's train.csv or
its metadata), at a fraction of its patients if the disk is small. The ceilings: reading and
decoding every parquet file with polars on all processors and doing nothing with it; writing as many
bytes as the store has to new files and forcing them to disk.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from loader import measure
from memory import measured
from record import write_record

HMSPREP = [sys.executable, "-m", "hmsprep"]


def decode_ceiling(data: Path) -> float:
    """Seconds to decode every recording once, one file per processor at a time."""
    import polars as pl

    files = [*(data / "train_eegs").iterdir(), *(data / "train_spectrograms").iterdir()]

    def decode(file: Path) -> int:
        return pl.read_parquet(file.read_bytes(), use_statistics=False).height

    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = sum(pool.map(decode, files, chunksize=16))
    assert rows
    return time.perf_counter() - start


def write_ceiling(folder: Path, nbytes: int) -> float:
    """Seconds to write so many bytes in files of 64 MB, each forced to disk."""
    block = os.urandom(1 << 20) * 64
    path = folder / "ceiling"
    start = time.perf_counter()
    for _ in range(max(1, nbytes // len(block))):
        with path.open("wb") as file:
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    path.unlink()
    return seconds


def timed(command: list[Any]) -> tuple[float, str]:
    """Seconds that a command took, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return round(time.perf_counter() - start, 1), done.stdout


def main() -> None:
    """Make the data unless they are there, measure, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--like", type=Path, required=True, help="table of windows")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of its patients")
    parser.add_argument("--data", type=Path, help="data simulated before; kept")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hms-full-", dir=os.environ.get("TMPDIR")))
    data, store = arguments.data or folder / "data", folder / "hms.zarr"
    figures: dict[str, Any] = {"fraction": arguments.fraction, "workers": arguments.workers}
    try:
        if not data.exists():
            like = ["--like", arguments.like, "--fraction", str(arguments.fraction)]
            figures["synth s"], _ = timed([*HMSPREP, "synth", data, *like, "--fast", "--seed", "1"])
        figures["source GB"] = round(
            sum(f.stat().st_size for f in data.rglob("*.parquet")) / 1e9, 2
        )
        figures["plan s"], planned = timed([*HMSPREP, "plan", data, "--json"])
        plan = json.loads(planned)
        figures |= {key: plan[key] for key in ("windows", "eegs", "spectrograms", "patients")}
        figures["decode ceiling s"] = round(decode_ceiling(data), 1)
        figures["write ceiling s"] = round(write_ceiling(folder, plan["bytes"]), 1)
        workers = ["--workers", str(arguments.workers)]
        built = measured([*HMSPREP, "build", str(data), str(store), *workers])
        figures |= {f"build {key}": value for key, value in built.items()}
        size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
        figures["store GB"] = round(size / 1e9, 2)
        slower = max(figures["decode ceiling s"], figures["write ceiling s"])
        figures["build / larger ceiling"] = round(built["seconds"] / slower, 2)
        figures["verify s"], _ = timed([*HMSPREP, "verify", store])
        figures |= measure(store)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = (
        "A store of the competition's structure (patients, recordings, offsets and votes of its "
        "table of windows) from simulated signals: plan, build and verify from the command line; "
        "then gather, as in `loader.py`."
    )
    rows = [{"what": key, "value": value} for key, value in figures.items()]
    print(write_record("full-build", rows, note).read_text())


if __name__ == "__main__":
    main()
