"""The scripts of the guide to scaling run, with stand-ins for what only a cluster has.

The stand-ins start what SLURM would start, on this machine: `srun` runs a command once, `sbatch` a
script, once for each task of an array and all at a time.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from support.helpers import tree_bytes, write_pair
from support.runs import SMALL, train_small

import hmsprep
from hmsstore import Store
from hmstrain.runs.log import read_metrics

GUIDE = Path(__file__).parents[1] / "docs" / "scaling.md"
STAND_INS = {
    "hmsprep": 'exec "$PYTHON" -m hmsprep "$@"',
    "dask": 'exec "$PYTHON" -m dask "$@"',
    "torchrun": 'exec "$PYTHON" -m torch.distributed.run "$@"',
    "scontrol": "echo 127.0.0.1",
    "srun": 'exec "$@"',
    "sbatch": """
tasks=1
while [[ $1 == --* ]]; do
  if [[ $1 == --array=* ]]; then tasks=$(seq "${1#--array=1-}"); fi
  shift
done
export SLURM_JOB_ID=$$ SLURM_CPUS_PER_TASK=1 SLURM_NNODES=1 SLURM_GPUS_ON_NODE=2
jobs=()
for task in $tasks; do
  SLURM_ARRAY_TASK_ID=$task bash "$@" >&2 & jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || exit; done
echo $$
""",
}


@pytest.fixture
def cluster(tmp_path: Path) -> dict[str, str]:
    """Write the guide's scripts into the working folder; return the environment to run them in."""
    scripts = re.findall(r"`(\w+\.sh)`:\n\n```bash\n(.*?)```", GUIDE.read_text(), flags=re.S)
    assert {name for name, _ in scripts} == {
        "share.sh", "seal.sh", "submit.sh", "dask.sh", "train.sh",
    }  # fmt: skip
    for name, text in scripts:
        (tmp_path / name).write_text(text)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, text in STAND_INS.items():
        (bin_ / name).write_text(f"#!/bin/bash\n{text}\n")
        (bin_ / name).chmod(0o755)
    known = {key: value for key, value in os.environ.items() if not key.startswith("HMS_")}
    path = f"{bin_}{os.pathsep}{known['PATH']}"
    return known | {"PATH": path, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}


def start(folder: Path, words: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Run a line in the folder of the scripts, in a group of processes of its own."""
    return subprocess.Popen(
        ["bash", "-e", "-c", words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for it, and end what it left behind; return what it printed."""
    try:
        said = process.communicate(timeout=200)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)  # torchrun ends its processes, within 30 s
        pytest.fail(process.communicate(timeout=60)[0])
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said
    return said


def test_the_scripts_that_build_make_the_bytes_of_one_machine(
    tmp_path: Path, cluster: dict[str, str]
) -> None:
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in range(1, 4)]
    data = write_pair(tmp_path / "data", rows)
    with ThreadPoolExecutor(1) as pool:
        local = hmsprep.build(data, tmp_path / "local.zarr", executor=pool)
    shared = {"HMS_DATA": str(data), "HMS_STORE": str(tmp_path / "shared.zarr"), "SHARES": "2"}
    finish(start(tmp_path, "bash submit.sh", cluster | shared))
    assert tree_bytes(tmp_path / "shared.zarr") == tree_bytes(local.path)
    logs = [(tmp_path / f"share-{number}.log").read_text() for number in (1, 2)]
    assert all("Normalising: 100%" in log for log in logs)
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    dask = {"HMS_DATA": str(data), "HMS_STORE": str(tmp_path / "dask.zarr")}
    finish(start(tmp_path, "bash dask.sh", cluster | dask))
    assert tree_bytes(tmp_path / "dask.zarr") == tree_bytes(local.path)


def test_the_script_that_trains_resumes_when_a_process_dies(
    store: Store, tmp_path: Path, cluster: dict[str, str]
) -> None:
    """Layer norm and no dropout, so that nothing depends on how a batch is shared out."""
    settings = SMALL | {"model": "convnext_atto", "epochs": 1, "batch_size": 4}
    run = tmp_path / "run"
    words = " ".join(f"--set={key}={value}" for key, value in settings.items())
    where = {"HMS_STORE": str(store.path), "RUN": str(run), "PORT": "0"}
    training = start(tmp_path, f"sbatch train.sh {words}", cluster | where)
    end = time.monotonic() + 120
    while not (run / "last").exists():
        assert time.monotonic() < end
        assert training.poll() is None, training.communicate()[0]
        time.sleep(0.01)
    os.kill(second_process(run), signal.SIGKILL)
    assert not (run / "metrics.json").exists()
    said = finish(training)
    assert "resuming at step" in said, said
    train_small(store, tmp_path / "one", **settings)
    losses = [
        [line["kl"] for line in read_metrics(path / "metrics.jsonl", "train")]
        for path in (run, tmp_path / "one")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def second_process(run: Path) -> int:
    """Id of the process of a run whose rank is 1."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            mine = os.fsencode(run) in words and b"torch.distributed.run" not in words
            if mine and b"RANK=1" in (folder / "environ").read_bytes().split(b"\0"):
                return int(folder.name)
        except OSError:
            continue
    raise AssertionError("there is no second process")
