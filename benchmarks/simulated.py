"""A simulated data set, its store and runs on it, each made once and found again afterwards."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from conditions import module

from hmsstore import Store


def command(*words: object) -> None:
    """Run a command of this project as a user would, without what it prints on stdout."""
    subprocess.run(module(*words), check=True, stdout=subprocess.DEVNULL)


def simulated_store(work: Path, windows: int, *options: str) -> Store:
    """Store of work/data built with these options, both made unless they are there."""
    work.mkdir(parents=True, exist_ok=True)
    data, path = work / "data", work / f"hms{''.join(options)}.zarr"
    if not data.exists():
        command("hmsprep", "synth", data, "--windows", windows, "--seed", 11)
    command("hmsprep", "build", data, path, *options)
    return Store.open(path)


def train(store: Path, out: Path, options: str, seed: int = 0) -> dict[str, Any]:
    """`hmstrain run`, or go on with it, or find it finished; return metrics.json."""
    command("hmstrain", "run", store, *options.split(), "--seed", seed, "--out", out, "--resume")
    outcome: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return outcome
