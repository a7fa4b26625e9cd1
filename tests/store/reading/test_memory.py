"""Memory for files: the machine's, or less if a container has less."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmsstore.reading import memory

MIB = 1 << 20


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 1,000 MiB, described by files."""
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    write(tmp_path / "proc/meminfo", f"MemTotal: 9 kB\nMemAvailable: {1000 * 1024} kB\n")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_machine_without_limits_has_what_its_kernel_says(machine: Path) -> None:
    assert memory.available_memory() == 1000 * MIB
    write(machine / "proc/self/cgroup", "0::/\n")
    write(machine / "cgroup/memory.max", "max\n")
    assert memory.available_memory() == 1000 * MIB


def test_the_tightest_group_above_a_process_counts(machine: Path) -> None:
    write(machine / "proc/self/cgroup", "0::/above/own\n")
    write(machine / "cgroup/above/own/memory.max", f"{500 * MIB}\n")
    write(machine / "cgroup/above/own/memory.stat", f"anon {100 * MIB}\nfile {300 * MIB}\n")
    write(machine / "cgroup/above/memory.max", f"{350 * MIB}\n")
    write(machine / "cgroup/above/memory.stat", f"anon {50 * MIB}\n")
    assert memory.available_memory() == 300 * MIB


def test_within_a_container_its_own_group_is_the_root(machine: Path) -> None:
    write(machine / "proc/self/cgroup", "4:cpu,memory:/docker/5f3a\n0::/\n")
    write(machine / "cgroup/memory/memory.limit_in_bytes", f"{200 * MIB}\n")
    write(machine / "cgroup/memory/memory.stat", f"cache 7\ntotal_rss {300 * MIB}\n")
    assert memory.available_memory() == 0


def test_without_any_of_these_files_nothing_is_limited(tmp_path: Path, machine: Path) -> None:
    (machine / "proc/meminfo").unlink()
    assert memory.available_memory() == memory.UNLIMITED
