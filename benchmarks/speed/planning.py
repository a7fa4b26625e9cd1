"""How planning a store grows with its table of windows: time, memory, and what would be built.

The table is repeated under new numbers of recordings and patients, as an archive of several such
data sets would have them. Nothing but the table is read.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import polars as pl

from benchmarks.tools.conditions import module
from benchmarks.tools.footprint import measured
from benchmarks.tools.record import command_line, write_record

IDS = ("eeg_id", "spectrogram_id", "patient_id", "label_id")
NOTE = (
    "`hmsprep plan TABLE --json` of a table that is repeated so many times with other recordings "
    "and patients; start included. Processor s: user and system time. Store and files: what the "
    "plan says."
)


def repeated(table: pl.DataFrame, times: int) -> pl.DataFrame:
    """A table of so many times the windows, none of whose recordings and patients are shared."""
    span = {name: 1 + max(table[name].to_list()) for name in IDS if name in table.columns}
    return pl.concat(
        table.with_columns(pl.col(name).cast(pl.Int64) + copy * span[name] for name in span)
        for copy in range(times)
    )


def grown(table: pl.DataFrame, times: int, folder: Path) -> dict[str, Any]:
    """Plan from the repeated table."""
    path = folder / "table.parquet"
    repeated(table, times).write_parquet(path)
    before = getrusage(RUSAGE_CHILDREN)
    with (folder / "plan.json").open("w+") as output:
        taken = measured(module("hmsprep", "plan", path, "--json", "--quiet"), output)
        output.seek(0)
        plan = json.load(output)
    after = getrusage(RUSAGE_CHILDREN)
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "size": f"{times}x",
        "windows": plan["windows"],
        "store GB": round(plan["bytes"] / 1e9, 2),
        "files": sum(signal["shards"] for signal in plan["signals"].values()),
        "processor s": round(processor_s, 1),
        "peak own MiB": taken["peak own MiB"],
    }


def main() -> None:
    """Plan from a table of windows and its repetitions; write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--like", type=Path, required=True, help="table of windows (CSV, parquet)")
    parser.add_argument("--factors", type=int, nargs="+", default=(1, 4, 16))
    arguments = parser.parse_args()
    read = pl.read_csv if arguments.like.suffix == ".csv" else pl.read_parquet
    folder = Path(tempfile.mkdtemp(prefix="hms-planning-"))
    try:
        rows = []
        for times in arguments.factors:
            rows.append(grown(read(arguments.like), times, folder))
            print(rows[-1], flush=True)
        write_record("planning", rows, NOTE, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
