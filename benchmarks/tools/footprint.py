"""Memory of a process and of a whole process tree, by kind.

Proportional set size from smaps_rollup: *own* is anonymous and shared memory, the real cost; *with
files* adds mapped file pages, which the kernel takes back when it needs them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import IO, Any


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


def memory_kb(pid: int | str = "self") -> tuple[int, int]:
    """Memory of a process: its own, and with its share of mapped files."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return values["Pss_Anon"] + values["Pss_Shmem"], values["Pss"]


def mapped_large_mib() -> float:
    """MiB of files that this process has mapped by 2 MiB at a time, not page by page."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("FilePmdMapped:")) / 1024


def measured(command: list[str], output: IO[str] | None = None) -> dict[str, Any]:
    """Run a command and sample the memory of its process tree 20 times a second."""
    own_peak = all_peak = processes = 0
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=output or subprocess.DEVNULL)
    while process.poll() is None:
        tree = descendants(process.pid)
        own, everything = (sum(part) for part in zip(*map(memory_kb, tree), strict=True))
        own_peak, all_peak = max(own_peak, own), max(all_peak, everything)
        processes = max(processes, len(tree))
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return {
        "seconds": round(seconds, 2),
        "processes": processes,
        "peak own MiB": round(own_peak / 1024),
        "peak with files MiB": round(all_peak / 1024),
    }
