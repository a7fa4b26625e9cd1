"""How long looking through a data set takes beside decoding every file of it, and its memory.

`hmsprep inspect` from the command line, with one process for each processor as decoding has, in
turn with that; files in the page cache as far as they fit.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.tools.conditions import decode_seconds, module, size, timed
from benchmarks.tools.footprint import measured
from benchmarks.tools.record import command_line, write_record

NOTE = (
    "`hmsprep inspect DATA --json` and decoding every file with as many processes, in turn, files "
    "in the page cache as far as they fit; medians and ranges. Starting Python and its processes "
    "counts for the first, not for the second."
)


def compare(data: Path, rounds: int) -> dict[str, Any]:
    """Both in turn."""
    files = sorted(data.rglob("*.parquet"))
    looks, decodes, memory = [], [], 0
    for _ in range(rounds):
        decodes.append(decode_seconds(files, os.cpu_count() or 1))
        found = measured(module("hmsprep", "inspect", data, "--json"))
        looks.append(found["seconds"])
        memory = max(memory, found["peak own MiB"])
    ratios = sorted(look / decode for look, decode in zip(looks, decodes, strict=True))
    return {
        "files": len(files),
        "GB": round(size(data, "*.parquet") / 1e9, 2),
        "inspect s": round(statistics.median(looks), 1),
        "decode s": round(statistics.median(decodes), 1),
        "inspect / decode": f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})",
        "peak own MiB": memory,
    }


def main() -> None:
    """Look through data, or some that are simulated; write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--data", type=Path, help="a data set; simulated if not given")
    parser.add_argument("--windows", type=int, default=4000, help="to simulate")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hms-inspect-"))
    try:
        data = arguments.data or folder / "data"
        if not arguments.data:
            timed(module("hmsprep", "synth", data, "--windows", arguments.windows, "--fast"))
        write_record("inspecting", [compare(data, arguments.rounds)], NOTE, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
