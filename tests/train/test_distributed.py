"""How the memory of a process on CPUs behaves."""

import os
import platform
import subprocess
import sys

import pytest

from hmstrain.distributed import keep_freed_memory

COUNT = """
import resource, sys
import torch
from hmstrain.distributed import join_world
if sys.argv[1] == "train":
    with join_world("cpu"):
        pass
counts = []
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000)  # 64 MB
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(*counts)
"""


def faults(how: str) -> list[int]:
    """Page faults of each of six blocks made and freed."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", COUNT, how], env=clean, check=True, capture_output=True, text=True
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator alone is told")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    assert min(faults("train")) < 100
    assert min(faults("plain")) > 1000  # else there would be nothing to mend


def test_limits_of_the_environment_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    assert not keep_freed_memory()
