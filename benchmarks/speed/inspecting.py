"""How long looking through a data set takes beside decoding every file of it, and its memory.

`hmsprep inspect` from the command line, with one process for each processor as decoding has, in
turn with that, each first in every other round. Both begin with cold files where the machine lets
files be made cold; elsewhere a round that is not measured reads them first.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.tools.conditions import alike, decode_seconds, module, size, timed
from benchmarks.tools.footprint import measured
from benchmarks.tools.record import command_line, write_record

NOTE = (
    "`hmsprep inspect DATA --json` and decoding every file with as many processes, in turn, each "
    "first in every other round; medians and ranges. Files are cold before each of them; where "
    "they cannot be made so, 'cold' says why, and a round that is not measured reads them first. "
    "Starting Python and its processes counts for the first, not for the second."
)


def compare(data: Path, rounds: int) -> dict[str, Any]:
    """Both in turn."""
    files, processes = sorted(data.rglob("*.parquet")), os.cpu_count() or 1
    memory: list[int] = []

    def look() -> float:
        found = measured(module("hmsprep", "inspect", data, "--json", "--workers", processes))
        memory.append(found["peak own MiB"])
        return float(found["seconds"])

    ways = {"inspect": look, "decode": lambda: decode_seconds(files, processes)}

    def in_turn(cool: Callable[[], None] | None) -> list[list[float]]:
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + (cool is None)):
            for name in list(ways)[:: -1 if number % 2 else 1]:
                if cool is not None:
                    cool()
                seconds[name].append(ways[name]())
        return [taken[-rounds:] for taken in seconds.values()]

    (looks, decodes), warm = alike(data, in_turn)
    ratios = sorted(look / decode for look, decode in zip(looks, decodes, strict=True))
    return {
        "files": len(files),
        "GB": round(size(data, "*.parquet") / 1e9, 2),
        "cold": warm or "yes",
        "inspect s": round(statistics.median(looks), 1),
        "decode s": round(statistics.median(decodes), 1),
        "inspect / decode": f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})",
        "peak own MiB": max(memory),
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
