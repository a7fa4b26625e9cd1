"""A simulated data set, its store and runs on it, each made once and found again afterwards."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tools.conditions import module
from hmsstore import Store, __version__
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.runs.outcome import Outcome

NOTED = "simulated.json"
"""Beside the data of a working folder: how they were simulated."""
SIMULATES = ("hmsprep.simulator", "hmsprep.seeds", "hmsprep.spectrograms.multitaper")
"""Modules whose source decides simulated values; the version stays the same between releases."""
DIGITS = 12
"""Of the checksum that is noted."""


def command(*words: object) -> None:
    """Run a command of this project as a user would, without what it prints on stdout."""
    subprocess.run(module(*words), check=True, stdout=subprocess.DEVNULL)


def simulated_store(work: Path, windows: int, *options: str, seed: int = 11) -> Store:
    """Store of work/data built with these options, both made unless they are there."""
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"hms{''.join(options)}.zarr"
    command("hmsprep", "build", simulated_data(work, windows, seed), path, *options)
    return Store.open(path)


def simulated_data(work: Path, windows: int, seed: int) -> Path:
    """Simulate work/data unless they are there.

    Raises
    ------
    SystemExit
        Those that are there were simulated in another way, or nobody knows how.
    """
    data, noted = work / "data", work / NOTED
    asked = way_of(windows, seed)
    if not data.exists():
        noted.write_text(json.dumps(asked) + "\n")  # first: data appear whole or not at all
        command("hmsprep", "synth", data, "--windows", windows, "--seed", seed)
        return data
    if not noted.exists():
        raise SystemExit(
            f"There is no {noted} to say how {data} was simulated: name another --work."
        )
    found = json.loads(noted.read_text())
    if found != asked:
        raise SystemExit(
            f"{data} was simulated with {_words(found)}; expected {_words(asked)}: name another "
            "--work."
        )
    return data


def way_of(windows: int, seed: int) -> dict[str, Any]:
    """How data are simulated now: their size and seed, and by which simulator."""
    simulator = source_checksum(SIMULATES)[:DIGITS]
    return {"windows": windows, "seed": seed, "hms-eeg": __version__, "simulator": simulator}


def source_checksum(modules: Iterable[str]) -> str:
    """SHA-256 of the source of modules; of a package, of all modules in it."""
    found = hashlib.sha256()
    for name in modules:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        own = Path(spec.origin)
        for path in sorted(own.parent.glob("*.py")) if own.name == "__init__.py" else [own]:
            content = path.read_bytes()
            found.update(f"{name} {path.name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def _words(way: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in way.items())


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
