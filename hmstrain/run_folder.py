"""The folder of one run: what is written into it, and reading it again.

::

    config.json      configuration, store and versions, written first
    metrics.jsonl    one line per logged step, validation and test, as it goes
    best/, last/     checkpoints
    metrics.json     the outcome, written when the run is finished
    predictions.npz  probabilities of every test window
    curves.png, confusion.png
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmstrain.config import Config, make_config
from hmstrain.errors import RunError

MACHINE_ONLY = ("device", "data", "loader_threads", "tensorboard")
"""Settings that change nothing about a run's outcome beyond rounding."""
PACKAGES = ("hms-eeg", "numpy", "timm", "torch")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder."""

    path: Path

    @property
    def best(self) -> Path:
        """Checkpoint of the best validation."""
        return self.path / "best"

    @property
    def last(self) -> Path:
        """Checkpoint to go on from."""
        return self.path / "last"

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return (self.path / "metrics.json").is_file()

    def begin(self, config: Config, store: Store, *, resume: bool) -> None:
        """Make the folder, or find that the run in it is the same one.

        Raises
        ------
        RunError
            Something else is in the folder.
        """
        file = self.path / "config.json"
        if self.path.exists() and any(self.path.iterdir()):
            if not file.is_file():
                raise RunError(f"{self.path} holds something that is no run. Name another --out.")
            if not resume:
                raise RunError(
                    f"{self.path} holds a run already. Add --resume to go on with it, or name "
                    "another --out."
                )
            self._check_same(config, store)
            return
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(
            file,
            {
                "config": config.to_json(),
                "store": {"path": str(store.path), "identity": store.identity},
                "versions": versions(),
            },
        )

    def discard_if_empty(self) -> None:
        """Remove what was begun if no checkpoint was ever written."""
        begun = (self.path / "config.json").is_file()
        if begun and not any(self.path.rglob("model.json")):
            shutil.rmtree(self.path, ignore_errors=True)

    def _check_same(self, config: Config, store: Store) -> None:
        before = self.read("config.json")
        if before["store"]["identity"] != store.identity:
            raise RunError(
                f"{self.path} was trained on another store ({before['store']['identity'][:12]}) "
                f"than {store.path} ({store.identity[:12]}). Name that store, or another --out."
            )
        ours = config.to_json()
        different = [
            f"{key} was {before['config'].get(key)}, now {value}"
            for key, value in ours.items()
            if key not in MACHINE_ONLY and before["config"].get(key) != value
        ]
        if different:
            raise RunError(
                f"{self.path} is a run of another configuration: {'; '.join(different)}. Give the "
                "same to go on with it, or name another --out."
            )

    def read(self, name: str) -> dict[str, Any]:
        """Read one of the folder's JSON files.

        Raises
        ------
        RunError
            It is not there.
        """
        try:
            value: dict[str, Any] = json.loads((self.path / name).read_text())
        except FileNotFoundError:
            raise RunError(f"{self.path} holds no {name}: it is no run, or not finished.") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / name} cannot be read: {error}") from None
        return value

    def config(self) -> Config:
        """Configuration of the run."""
        self.read("config.json")
        return make_config(self.path / "config.json")


class MetricsLog:
    """`metrics.jsonl`: one JSON object a line, flushed as it goes."""

    def __init__(self, path: Path, *, until_step: int, tensorboard: bool) -> None:
        kept = []
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    break
                if entry["step"] > until_step:
                    break
                kept.append(line)
        path.write_text("".join(f"{line}\n" for line in kept))
        self._file = path.open("a")
        self._events = _tensorboard(path.parent / "tensorboard") if tensorboard else None

    def add(self, event: str, step: int, values: Mapping[str, Any]) -> None:
        """Append a line."""
        self._file.write(json.dumps({"event": event, "step": step, **values}) + "\n")
        self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                if isinstance(value, int | float):
                    self._events.add_scalar(f"{event}/{name}", value, step)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._events is not None:
            self._events.close()


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise RunError("TensorBoard is not installed: pip install tensorboard.") from None
    return SummaryWriter(str(folder))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All lines of a `metrics.jsonl`."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w") as file:
        file.write(json.dumps(value, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_predictions(
    path: Path, store: Store, rows: NDArray[np.int64], prediction: NDArray[np.float64]
) -> None:
    """Write probabilities with what identifies each window, and the store's identity."""
    table = store.windows
    partial = path.with_name(f".{path.name}")
    columns: dict[str, Any] = {
        name: table[name][rows]
        for name in ("label_id", "eeg_id", "eeg_sub_id", "patient_id", "votes", "target")
    }
    identity = np.asarray(store.identity)
    np.savez(partial, row=rows, prediction=prediction, identity=identity, **columns)
    partial.replace(path)


def versions() -> dict[str, str]:
    """Versions of the packages that decide a run's outcome."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
