"""How fast windows are copied out of a store that lies in memory, whatever brought it there.

The kernel keeps a file in pieces as large as whatever brought it into memory made them, and copies
out of small ones are slower. So the same windows are gathered, beside copies out of arrays, of the
store as a build left it, after epochs that began with cold files, of a copy by `cp`, and after its
files were read from start to end; each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.speed.epoch import epoch
from benchmarks.speed.loader import copy, in_memory, in_turn, random_batches, ratio
from benchmarks.tools.conditions import NotMeasuredError, make_cold, module, size, timed
from benchmarks.tools.footprint import mapped_large_mib
from benchmarks.tools.record import command_line, write_record
from hmsstore import SIGNALS, Store

MIB = 1 << 20
NOTE = (
    "All of the store in memory, random windows of both signals, batches of 32, one thread; "
    "medians of the rounds' ratios with their range. 'gather / copy': beside `numpy.copyto` of "
    "the same windows out of arrays, in turn; 'small pages': out of arrays that are mapped by "
    "4 KiB, too, which is the most that files can give that are. 'mapped by 2 MiB': what of the "
    "shards the kernel maps so, the rest page by page."
)


def gathering(path: Path, batches: int) -> dict[str, Any]:
    """Gather windows beside copies of them; say how the files are mapped by then."""
    store = Store.open(path)
    before = mapped_large_mib()
    copies = {"copy": in_memory(store, huge=True), "small": in_memory(store, huge=False)}
    rows = random_batches(store, copies["copy"], batches)
    out = store.gather(rows[0])

    def gather() -> None:
        for batch in rows:
            store.gather(batch, out=out)

    seconds = in_turn(
        {"gather": gather}
        | {name: partial(copy, store, copied, rows, out) for name, copied in copies.items()}
    )
    shards = sum(shard.nbytes for name in SIGNALS for shard in store.shards(name))
    return {
        "gather / copy": ratio(seconds["copy"], seconds["gather"]),
        "gather / copy, small pages": ratio(seconds["small"], seconds["gather"]),
        "mapped by 2 MiB": f"{(mapped_large_mib() - before) * MIB / shards:.0%}",
        "still reading the disk": store.reading_disk,
    }


def measure(state: str, path: Path, batches: int) -> dict[str, Any]:
    """Gather from a store in this state, in a process of its own."""
    words = ["-m", "benchmarks.speed.states", "--of", path, "--batches", batches]
    _, found = timed([sys.executable, *map(str, words)])
    return {"state": state, **json.loads(found)}


def states(store: Path, batches: int) -> list[dict[str, Any]]:
    """Bring the store into memory in each way, and measure."""
    rows = [measure("as built", store, batches)]
    copied = store.with_name("copy.zarr")
    try:
        for through in ("gather", "loader"):
            make_cold(store)
            epoch(store, through)
            rows.append(measure(f"cold, then an epoch of {through}", store, batches))
        make_cold(store)
        for file in sorted(file for file in store.rglob("*") if file.is_file()):
            file.read_bytes()
        rows.append(measure("cold, then read from start to end", store, batches))
        subprocess.run(["/bin/cp", "-r", store, copied], check=True)
        rows.append(measure("copied by cp", copied, batches))
    except NotMeasuredError as reason:
        rows.append({"state": str(reason)})
    finally:
        shutil.rmtree(copied, ignore_errors=True)
    return rows


def main() -> None:
    """Build a store of simulated data, measure it in each state, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--windows", type=int, default=5000, help="to simulate")
    parser.add_argument("--batches", type=int, default=60, help="batches of a round")
    parser.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.of:
        print(json.dumps(gathering(arguments.of, arguments.batches)))
        return
    with tempfile.TemporaryDirectory(prefix="hms-states-") as folder:
        data, store = Path(folder) / "data", Path(folder) / "hms.zarr"
        timed(module("hmsprep", "synth", data, "--windows", arguments.windows, "--fast"))
        timed(module("hmsprep", "build", data, store))
        found = [
            {"windows": arguments.windows, "store MB": round(size(store) / 1e6), **row}
            for row in states(store, arguments.batches)
        ]
    write_record("states", found, NOTE, arguments)


if __name__ == "__main__":
    main()
