"""A simulated data set, its store and runs on it, each made once and found again afterwards."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from benchmarks.tools.conditions import module
from hmsstore import Store
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.runs.outcome import Outcome


def command(*words: object) -> None:
    """Run a command of this project as a user would, without what it prints on stdout."""
    subprocess.run(module(*words), check=True, stdout=subprocess.DEVNULL)


def simulated_store(work: Path, windows: int, *options: str, seed: int = 11) -> Store:
    """Store of work/data built with these options, both made unless they are there."""
    work.mkdir(parents=True, exist_ok=True)
    data, path = work / "data", work / f"hms{''.join(options)}.zarr"
    if not data.exists():
        command("hmsprep", "synth", data, "--windows", windows, "--seed", seed)
    command("hmsprep", "build", data, path, *options)
    return Store.open(path)


def pace(folder: Path) -> tuple[float, float]:
    """Windows per second of a run's training, and what share of its time it waited for data."""
    lines = read_metrics(folder / "metrics.jsonl", "train")
    steps = np.diff([0, *(line["step"] for line in lines)])
    rates = np.array([line["windows_per_s"] for line in lines])
    seconds = steps / rates  # in units of one batch
    waiting = np.average([line["waiting"] for line in lines], weights=seconds)
    return float(np.average(rates, weights=seconds)), float(waiting)


def train(store: Path, out: Path, options: str, seed: int = 0) -> Outcome:
    """Run `hmstrain run`, or resume it; return what the run came to."""
    command("hmstrain", "run", store, *options.split(), "--seed", seed, "--out", out, "--resume")
    return RunFolder(out).outcome()
