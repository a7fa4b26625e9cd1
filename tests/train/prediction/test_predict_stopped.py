"""Told to stop, a prediction leaves no process and none of a patient's signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.recorder import noise, write_edf
from support.runs import train_small

from hmsstore import Store


def living(temporary: Path) -> list[int]:
    """Processes that were started with this folder for temporary files."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"TMPDIR={temporary}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("stage", "number", "code"),
    [("data", signal.SIGINT, 130), ("hms.zarr.building", signal.SIGTERM, 143)],
)
def test_a_prediction_told_to_stop_leaves_no_process_and_no_signals(
    store: Store, tmp_path: Path, stage: str, number: signal.Signals, code: int
) -> None:
    """While hmsprep imports a recording, and while its workers build a store of that."""
    train_small(store, tmp_path / "run", epochs=1, steps=1)
    recording = write_edf(tmp_path / "night.edf", noise(1200))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = ["predict", tmp_path / "run", recording, "--out", tmp_path / "out", "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hmstrain", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
    )
    end = time.monotonic() + 100
    while not list(temporary.glob(f"hms-predict-*/{stage}*")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.005)
    assert len(living(temporary)) > 1
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code, said
    assert said.endswith("Stopped.\n")
    assert list(temporary.iterdir()) == []
    while living(temporary):
        assert time.monotonic() < end, "a process outlived the prediction"
        time.sleep(0.01)
    assert not (tmp_path / "out" / "predictions.json").exists()
