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

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from pathlib import Path
from typing import Any

from hmsstore import Store
from hmsstore.atomic import remove_leftovers, whole_file
from hmstrain.config import Config, make_config
from hmstrain.errors import DivergedError, RunError
from hmstrain.runs.checkpoint import find_checkpoint

MACHINE_ONLY = ("device", "data", "loader_threads", "tensorboard")
"""Settings that change nothing about a run's outcome beyond rounding."""
CONFIG, LOG, OUTCOME, EVENTS = "config.json", "metrics.jsonl", "metrics.json", "tensorboard"
KEYS = {
    CONFIG: {"config", "store", "versions", "processes"},
    OUTCOME: {"store", "test", "versions", "leaks"},
}
"""What each file must hold to be one of a run."""
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
        return (self.path / OUTCOME).is_file()

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder and keep other processes out of it meanwhile.

        If what follows fails before a first checkpoint, whatever was made here goes again.

        Raises
        ------
        RunError
            It cannot be made, or another process is training in it.
        """
        made = [path for path in (self.path, *self.path.parents) if not path.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be made a run's folder: {error.strerror}. Name another --out."
            ) from None
        try:
            _lock(handle, self.path)
            before = {path.name for path in self.path.iterdir()}
            try:
                yield
            except DivergedError:
                raise
            except BaseException:
                self._discard(before, made)
                raise
        finally:
            os.close(handle)

    def begin(
        self, config: Config, store: Store, *, processes: int = 1, resume: bool = False
    ) -> None:
        """Write the configuration, or find that the run in the folder is the same one.

        Raises
        ------
        RunError
            Something else is in the folder, or it lies within the store.
        """
        if self.path.resolve().is_relative_to(store.path.resolve()):
            raise RunError(
                f"{self.path} lies within the store, which is sealed: name another --out."
            )
        if self.path.exists() and any(self.path.iterdir()):
            if not (self.path / CONFIG).is_file():
                raise RunError(f"{self.path} is not empty and not a run. Name another --out.")
            if not resume:
                raise RunError(
                    f"{self.path} holds a run already. Add --resume to go on with it, or name "
                    "another --out."
                )
            self._check_same(config, store, processes)
            remove_leftovers(self.path)
            return
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(
            self.path / CONFIG,
            {
                "config": config.to_json(),
                "store": {"path": str(store.path), "identity": store.identity},
                "versions": versions(),
                "processes": processes,
            },
        )

    def can_go_on(self) -> bool:
        """Whether there is a checkpoint to go on from.

        Raises
        ------
        RunError
            There was one, and it is damaged: nothing is trained over what is left.
        """
        if find_checkpoint(self.last) is not None:
            return True
        if self.last.exists() or self.best.exists():
            raise RunError(
                f"{self.last} is damaged: it holds no model.json. What is left of the run stays "
                "as it is: name another --out."
            )
        return False

    def _discard(self, before: set[str], made: list[Path]) -> None:
        """Remove what a run that got nowhere added to its folder, and what was made for it."""
        if any(self.path.rglob("model.json")):
            return
        for path in self.path.iterdir():
            if path.name in before:
                continue
            if path.name in (CONFIG, LOG):
                path.unlink()
            elif path.name == EVENTS or path.match("fold[0-9]*"):
                shutil.rmtree(path)
        for folder in made:
            with suppress(OSError):  # something else is in there by now
                folder.rmdir()

    def _check_same(self, config: Config, store: Store, processes: int) -> None:
        before = self.read(CONFIG)
        if before["store"]["identity"] != store.identity:
            raise RunError(
                f"{self.path} was trained on another store ({before['store']['identity'][:12]}) "
                f"than {store.path} ({store.identity[:12]}). Name that store, or another --out."
            )
        ours = config.to_json()
        theirs = make_config(given=before["config"]).to_json()
        different = [
            f"{key} was {theirs[key]}, now {value}"
            for key, value in ours.items()
            if key not in MACHINE_ONLY and theirs[key] != value
        ]
        if before["processes"] != processes:
            different.append(f"processes were {before['processes']}, now {processes}")
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
        store = value.get("store") if isinstance(value, dict) else None
        described = isinstance(store, dict) and {"path", "identity"} <= store.keys()
        if not described or not KEYS[name] <= value.keys():
            raise RunError(f"{self.path / name} is damaged, or not of a run.")
        return value

    def config(self) -> Config:
        """Configuration of the run."""
        self.read(CONFIG)
        return make_config(self.path / CONFIG)


class MetricsLog:
    """`metrics.jsonl`: one JSON object a line, flushed as it goes."""

    def __init__(self, path: Path, *, until_step: int, tensorboard: bool) -> None:
        before = read_metrics(path) if path.exists() else []
        kept = takewhile(lambda line: line["step"] <= until_step, before)
        with whole_file(path) as partial:
            partial.write_text("".join(f"{json.dumps(line)}\n" for line in kept))
        self._file = path.open("a")
        self._events = _tensorboard(path.parent / EVENTS) if tensorboard else None

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


def _lock(handle: int, path: Path) -> None:
    """Lock an open folder until it is closed, where its file system can."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(
            f"Another process is training in {path}: wait for it, or name another --out."
        ) from None
    except OSError:
        return  # some network file systems lock nothing


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise RunError("TensorBoard is missing: pip install '.[tensorboard]'.") from None
    return SummaryWriter(str(folder))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All lines of a `metrics.jsonl`, up to one that was cut short by whatever ended the run."""
    found = []
    for text in path.read_text(errors="replace").splitlines():
        try:
            line = json.loads(text)
            line["event"], line["step"]
        except (ValueError, KeyError, TypeError):
            break
        found.append(line)
    return found


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(value, indent=1) + "\n")


def versions() -> dict[str, str]:
    """Versions of the packages that decide a run's outcome."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
