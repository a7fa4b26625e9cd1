"""Worker processes compute alike on every machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import hmsprep
from hmsprep.errors import WorkerError
from hmsprep.processes import executor, own_processes
from hmsprep.simulator import make


def threads_of_numpy(_: object) -> int:
    """Ask within a worker how many threads a product of matrices takes there."""
    assert np.eye(2).any()
    return max((one["num_threads"] for one in threadpool_info()), default=1)


def test_a_worker_multiplies_on_one_thread_whatever_the_machine_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On several, sums are rounded otherwise: the same seed gave other files."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with own_processes(1) as pool:
        assert pool.submit(threads_of_numpy, None).result() == 1
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def be_killed(_: object) -> None:
    """Die as a worker that the kernel kills for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_a_sentence_in_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "record", be_killed)
    with pytest.raises(
        WorkerError, match=r"^A worker process was killed, perhaps .*--workers 1\.$"
    ):
        hmsprep.synth(tmp_path / "out", windows=4, fast=True, workers=1)
    assert not any(tmp_path.iterdir())
    given = ProcessPoolExecutor(1, get_context("spawn"))
    with (
        pytest.raises(WorkerError, match="A worker process was killed"),
        executor(1, given) as pool,
    ):
        pool.submit(be_killed, None).result()


LINES = {
    "synth": 'hmsprep.synth("out", windows=4, fast=True, workers=1)',
    "build": 'hmsprep.build("data", "out", workers=1)',
}


@pytest.mark.parametrize("call", LINES)
def test_a_script_without_a_guard_is_told_to_have_one(
    data: Path, tmp_path: Path, call: str
) -> None:
    (tmp_path / "data").symlink_to(data)
    lines = ["import hmsprep, hmsprep.processes", "hmsprep.processes.SMALL_BYTES = 0", LINES[call]]
    (tmp_path / "script.py").write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "killed" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert re.match(r"hmsprep\.errors\.\w+: No worker process could start\. In a script, put", last)
    assert 'under `if __name__ == "__main__":`' in last
    assert not (tmp_path / "out").exists()
