"""Told to stop, a build ends its workers, says how to resume, and resumes to the same bytes."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from support import forked
from support.helpers import SMALL, tree_bytes

from hmsprep.building.build import build
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsstore import Store

BUILD = """
import sys
from pathlib import Path
import typer
from hmsprep.building.build import build
from hmsprep.cli import console
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters

def told(stage, done, total):
    print(stage, done, flush=True)

if __name__ == "__main__":
    parameters = Parameters(eeg_shard_rows=80_000, spectrogram_shard_rows=2_400)
    dataset = load(Path(sys.argv[1]), parameters)
    try:
        with console.reporting(interrupted="Stopped."):
            build(dataset, Path(sys.argv[2]), workers=2, progress=told)
    except typer.Exit as left:
        sys.exit(left.exit_code)
"""
"""What `hmsprep build` does, with shards small enough that there are several."""


def members(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group = file.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(file.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("number", "whom", "code"),
    [
        (signal.SIGTERM, "parent", 143),
        (signal.SIGTERM, "group", 143),
        (signal.SIGUSR1, "parent", 138),
        (signal.SIGINT, "group", 130),
    ],
)
def test_a_build_told_to_stop_leaves_no_worker_and_resumes(
    data: Path, store: Store, tmp_path: Path, number: signal.Signals, whom: str, code: int
) -> None:
    path = tmp_path / "hms.zarr"
    script = tmp_path / "script.py"
    script.write_text(BUILD)
    process = forked.Popen(
        [sys.executable, script, data, path],
        stdout=forked.PIPE,
        stderr=forked.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ingest 0\n"
    assert process.stdout.readline().startswith("ingest ")
    if whom == "group":
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code, said
    assert said == "Stopped.\n"
    end = time.monotonic() + 20
    while members(process.pid):
        assert time.monotonic() < end, "a process outlived the build"
        time.sleep(0.01)
    building = tmp_path / "hms.zarr.building"
    assert list((building / "partial").iterdir()) == []
    kept = {file: file.stat().st_mtime_ns for file in (building / "ingest").iterdir()}
    assert kept
    build(load(data, Parameters(**SMALL)), path, workers=2)
    assert tree_bytes(path) == tree_bytes(store.path)
