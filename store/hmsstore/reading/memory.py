"""How much memory there is for files, of the machine or of the container that this runs in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
UNLIMITED = 2**63
"""Where nothing says how much there is."""


def available_memory() -> int:
    """Bytes that can be had without swapping; those that hold files count as free.

    The kernel's MemAvailable, or what the memory cgroups of this process leave if that is less.
    """
    found = [
        int(line.split()[1]) * 1024
        for line in _lines(PROC / "meminfo")
        if line.startswith("MemAvailable:")
    ]
    found += [max(0, limit - used) for limit, used in _limits()]
    return min(found, default=UNLIMITED)


def _limits() -> Iterator[tuple[int, int]]:
    """Limit of each memory cgroup above this process, and how much of it is not files."""
    for line in _lines(PROC / "self/cgroup"):
        _, controllers, own = line.split(":", 2)
        if controllers == "":  # version 2
            root, limit, used = CGROUPS, "memory.max", "anon"
        elif "memory" in controllers.split(","):
            root, limit, used = CGROUPS / "memory", "memory.limit_in_bytes", "total_rss"
        else:
            continue
        # Within a container the groups above its own are not there, and its own may be the root.
        path = PurePosixPath(own.lstrip("/"))
        for group in (root / path, *(root / above for above in path.parents)):
            for text in _lines(group / limit):
                if text.isdecimal():  # "max" is none
                    yield int(text), _counted(group / "memory.stat", used)


def _counted(file: Path, name: str) -> int:
    return sum(int(line.split()[1]) for line in _lines(file) if line.split()[0] == name)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
