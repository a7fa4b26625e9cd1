"""Peak memory of a build's whole process tree, for a data set and one eight times as large.

Samples proportional set size (smaps_rollup) of the build and all its workers: what is theirs alone
(anonymous and shared memory) and with mapped file pages, which the kernel takes back at need.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from record import write_record

LIMIT_MIB = 1024


def descendants(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = defaultdict(list)
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children[parent].append(int(status.parent.name))
    found, queue = [], [root]
    while queue:
        found.append(queue.pop())
        queue += children[found[-1]]
    return found


def memory_kb(pid: int) -> tuple[int, int]:
    """Memory of a process: its own, and with its share of mapped files."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return values["Pss_Anon"] + values["Pss_Shmem"], values["Pss"]


def measured(command: list[str]) -> dict[str, Any]:
    """Run a command and sample the memory of its process tree 20 times a second."""
    own_peak = all_peak = processes = 0
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None:
        tree = descendants(process.pid)
        own, everything = (sum(part) for part in zip(*map(memory_kb, tree), strict=True))
        own_peak, all_peak = max(own_peak, own), max(all_peak, everything)
        processes = max(processes, len(tree))
        time.sleep(0.05)
    assert process.stderr is not None
    if process.returncode:
        sys.exit(process.stderr.read().decode())
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "processes": processes,
        "peak own MiB": round(own_peak / 1024),
        "peak with files MiB": round(all_peak / 1024),
    }


def main() -> None:
    """Make the data, build each and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=500, help="windows of the smaller set")
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    arguments = parser.parse_args()
    rows = []
    folder = Path(tempfile.mkdtemp(prefix="hms-memory-"))
    hmsprep = [sys.executable, "-m", "hmsprep"]
    try:
        for factor in arguments.factors:
            data, store = folder / "data", folder / "hms.zarr"
            windows = str(arguments.windows * factor)
            subprocess.run(
                [*hmsprep, "synth", data, "--windows", windows, "--fast", "--seed", "1"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            source = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
            for workers in arguments.workers:
                figures = measured([*hmsprep, "build", data, store, "--workers", str(workers)])
                size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
                rows.append(
                    {
                        "windows": int(windows),
                        "source MB": round(source / 1e6),
                        "store MB": round(size / 1e6),
                        "workers": workers,
                        **figures,
                    }
                )
                print(rows[-1], flush=True)
                shutil.rmtree(store)
            shutil.rmtree(data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = (
        "Peak memory of `hmsprep build`, all processes together (proportional set size, sampled "
        f"every 50 ms). The target is under {LIMIT_MIB} MiB, whatever the size."
    )
    print(write_record("build-memory", rows, note).read_text())


if __name__ == "__main__":
    main()
