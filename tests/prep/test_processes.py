"""Worker processes compute alike on every machine."""

from __future__ import annotations

import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from hmsprep.processes import own_processes


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
