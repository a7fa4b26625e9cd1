"""Commands on a Dask cluster: the bytes of a local run, whoever dies, and one sentence if not."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.helpers import SMALL, tree_bytes

import hmsprep
from hmsprep.building.build import build
from hmsprep.cli import cluster
from hmsprep.cli.build import build as build_command
from hmsprep.cli.features import features as features_command
from hmsprep.cli.inspect import inspect as inspect_command
from hmsprep.cli.synth import synth as synth_command
from hmsprep.errors import ParameterError, PrepError
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsstore import Store

distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
dask = pytest.importorskip("dask")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of a scheduler with two workers, each a process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as running:
        yield running.scheduler_address


def test_a_build_whose_worker_is_killed_midway_has_the_bytes_of_a_local_one(
    data: Path, store: Store, address: str, tmp_path: Path
) -> None:
    dataset, path = load(data, Parameters(**SMALL)), tmp_path / "hms.zarr"
    with distributed.Client(address) as client:
        victim = min(client.run(os.getpid).values())
    killed = []

    def kill(stage: str, done: int, total: int) -> None:
        if done > total / 3 and not killed:
            os.kill(victim, signal.SIGKILL)
            killed.append(stage)

    with cluster.tasks_on(address, None, [data]) as (pool, workers):
        assert workers == 2
        build(dataset, path, executor=pool, workers=workers, progress=kill)
    assert killed == ["ingest"]
    assert tree_bytes(path) == tree_bytes(store.path)
    assert [one.name for one in tmp_path.iterdir()] == ["hms.zarr"]


def test_every_command_that_takes_it_makes_what_it_makes_locally(
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # the workers have another working folder
    with distributed.Client(address) as client:
        (tmp_path / "scheduler.json").write_text(json.dumps({"address": address}))
        synth_command(Path("far"), windows=4, fast=True, dask="scheduler.json", quiet=True)
        inspect_command(Path("far"), dask=address, json=True, quiet=True)
        told = capsys.readouterr().out
        build_command(Path("far"), Path("far.zarr"), dask=address, quiet=True)
        features_command(Path("far.zarr"), dask=address, quiet=True)
        ran = client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.task_prefixes))
    assert {"record", "look", "ingest", "normalise", "measure_part"} <= ran
    with ThreadPoolExecutor(1) as here:
        hmsprep.synth("near", windows=4, fast=True, executor=here)
        survey = hmsprep.inspect("near", executor=here)
        near = hmsprep.build("near", "near.zarr", executor=here)
        hmsprep.features(near, executor=here)
    assert tree_bytes(Path("far")) == tree_bytes(Path("near"))
    assert json.loads(told[told.index("{") :]) == survey.facts | {"warnings": survey.warnings}
    assert tree_bytes(Path("far.zarr")) == tree_bytes(near.path)
    assert tree_bytes(Path("far.zarr-features")) == tree_bytes(Path("near.zarr-features"))


def test_workers_with_other_versions_or_other_files_are_named(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ParameterError, match=r"tcp://.* does not see .*nowhere\. Workers need"):
        use(address, tmp_path / "nowhere")
    real = cluster.version
    with monkeypatch.context() as patched:  # here alone, not in the processes of the workers
        patched.setattr(cluster, "version", lambda name: "99" if name == "numpy" else real(name))
        with pytest.raises(ParameterError) as caught:
            use(address)
    assert str(caught.value).count(f" has numpy {real('numpy')}, expected numpy 99 as here") == 2
    elsewhere: Any = types.ModuleType("elsewhere")
    exec("def look_around(paths): return {}, []", elsewhere.__dict__)
    monkeypatch.setitem(sys.modules, "elsewhere", elsewhere)
    monkeypatch.setattr(cluster, "look_around", elsewhere.look_around)
    with pytest.raises(ParameterError, match=r"cannot run hms-eeg \(.*No module named"):
        use(address)


def use(dask: str, *paths: Path) -> None:
    with cluster.tasks_on(dask, None, paths):
        raise AssertionError


def test_what_is_no_scheduler_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ParameterError, match=f"no scheduler answers at {closed} \\("):
            use(closed)
    with pytest.raises(ParameterError, match=r"no scheduler answers at nonsense://x \("):
        use("nonsense://x")
    with pytest.raises(ParameterError, match=r"expected a scheduler's address, .* got nothing"):
        use("nothing")
    file = tmp_path / "scheduler.json"
    for text in ("{", "[]", "{}", '{"address": 3}'):
        file.write_text(text)
        with pytest.raises(ParameterError, match=r"--dask: .*scheduler\.json"):
            use(str(file))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ParameterError, match=r"Run: pip install 'hms-eeg\[dask\]'"):
        use("tcp://127.0.0.1:1")


RELEASED = threading.Event()


def wait_for_release() -> None:
    RELEASED.wait()


def test_a_scheduler_without_workers_and_one_that_is_lost_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "WORKERS_S", 0.5)
    # For so long a client looks for the scheduler that it has lost.
    monkeypatch.setitem(dask.config.get("distributed.comm.timeouts"), "connect", "1s")
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as running:
        with pytest.raises(ParameterError, match=r"has no workers\. Start some with `dask worker"):
            use(running.scheduler_address)
        running.scale(1)
        running.sync(running._correct_state)
        monkeypatch.setattr(cluster, "WORKERS_S", 20.0)
        with pytest.raises(PrepError, match=r"The Dask scheduler at .* is gone\. Run the same"):
            lose(running)


def lose(running: Any) -> None:
    """Close a scheduler that has a task of ours."""
    with cluster.tasks_on(running.scheduler_address, None) as (pool, _):
        assert pool is not None
        waiting = pool.submit(wait_for_release)
        running.sync(running.scheduler.close)
        RELEASED.set()
        waiting.result()
