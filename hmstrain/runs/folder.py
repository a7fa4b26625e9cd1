"""The folder of one run: what is written into it, and reading it again.

::

    config.json      configuration, store and versions, written first
    metrics.jsonl    one line per logged step, validation and test, as it goes
    best/, last/     checkpoints
    source/          source of a network of one's own
    metrics.json     the outcome, written when the run is finished
    predictions.npz  probabilities of every test window
    curves.png, confusion.png

A run of all folds or of several seeds holds a folder like this for each of its networks instead of
checkpoints: fold0, seed0 or fold0-seed0.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hmsstore import Store
from hmsstore.atomic import is_address, is_empty, remove_leftovers
from hmsstore.json_shapes import ShapeError, entry, read_json, whole
from hmsstore.sums import FILES, newer, sums_of
from hmstrain.config import MACHINE_ONLY, PATHS, Config, config_of_run
from hmstrain.errors import DivergedError, RunError
from hmstrain.runs.checkpoint import find_checkpoint, is_file, read_description
from hmstrain.runs.json_file import check_seal, write_sealed
from hmstrain.runs.log import EVENTS, LOG, read_metrics
from hmstrain.runs.outcome import FILE, VERSION, Outcome, StoreId
from hmstrain.runs.predictions import OUT_OF_FOLD, TESTED
from hmstrain.runs.source import SOURCE
from hmstrain.words import resuming

CONFIG, OUTCOME = "config.json", FILE
KEYS = {"config", "store", "versions", "processes"}
"""What a `config.json` must hold to be one of a run."""
PACKAGES = ("hms-eeg", "numpy", "timm", "torch")
REMOVED_AT_MOST = 100
"""How often a folder is made again that another process removes."""
PARTS = ("fold[0-9]*", "seed[0-9]*")
"""Names of the folders of single networks in a run of several."""


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
        """Checkpoint to resume from."""
        return self.path / "last"

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return is_file(self.path / OUTCOME)

    @property
    def how_to_resume(self) -> str:
        """What to do about a run that is not finished."""
        return f"resume it with {resuming(self.path, pretraining=self.config().pretraining)}"

    def networks(self) -> list[RunFolder]:
        """Folders of its networks: itself, or one for each fold and seed.

        Raises
        ------
        RunError
            It is not a run, or none of its networks has begun.
        """
        if not self.config().several:
            return [self]
        found = [RunFolder(path) for name in PARTS for path in sorted(self.path.glob(name))]
        if not found:
            raise RunError(f"{self.path} holds no network that has begun: {self.how_to_resume}.")
        return found

    def network_for(self, fold: int) -> RunFolder:
        """The network that held a fold out, or the first if none did; of the first seed."""
        found = self.networks()
        return next((one for one in found if one.config().fold == str(fold)), found[0])

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder and keep other processes out of it meanwhile.

        If what follows fails before a first checkpoint, whatever was made here goes again.

        Raises
        ------
        RunError
            It cannot be made, or another process is training in it.
        """
        if is_address(self.path):
            raise RunError(
                f"{self.path} is an address: name a folder of this machine, and copy it later."
            )
        handle, made = self._locked()
        try:
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

    def _locked(self) -> tuple[int, list[Path]]:
        """Open and lock the folder; return it, and the folders that were made for that."""
        for _ in range(REMOVED_AT_MOST):
            made = [path for path in (self.path, *self.path.parents) if not path.exists()]
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue  # another process, whose run came to nothing, has removed it again
            except OSError as error:
                raise RunError(
                    f"{self.path} cannot be created or opened: {error.strerror}. Name another "
                    "--out."
                ) from None
            try:
                _lock(handle, self.path)
                # It may have been removed, and made anew, between our opening and locking it.
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(handle), self.path.stat()):
                        return handle, made
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
        raise RunError(f"{self.path} is removed as soon as it is made. Name another --out.")

    def begin(
        self, config: Config, store: Store, *, processes: int = 1, resume: bool = False
    ) -> None:
        """Write the configuration, or find that the run in the folder is the same one.

        Where the configuration appends epochs to the finished run in the folder, its outcome is
        removed: the run is unfinished again.

        Raises
        ------
        RunError
            Something else is in the folder, or it lies within the store.
        """
        if self.path.resolve().is_relative_to(store.path.resolve()):
            raise RunError(
                f"{self.path} lies within the store, which is sealed: name another --out."
            )
        if self.path.exists() and not is_empty(self.path):
            if not is_file(self.path / CONFIG):
                raise RunError(f"{self.path} is not empty and not a run. Name another --out.")
            if not resume:
                raise RunError(
                    f"{self.path} already holds a run. Add --resume to resume it, or name another "
                    "--out."
                )
            self._check_same(config, store, processes)
            remove_leftovers(self.path)
            self._extend(config)
            return
        self.path.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.path)
        write_sealed(
            self.path / CONFIG,
            {
                "config": config.to_json(),
                "store": StoreId.of(store).to_json(),
                "versions": versions(),
                "processes": processes,
            },
        )

    def can_resume(self) -> bool:
        """Whether there is a checkpoint to resume from; else the run begins anew.

        Earlier versions wrote the first `best` before the first `last`. A run that was stopped
        between the two has nothing to resume from, and loses nothing when it begins anew.

        Raises
        ------
        RunError
            There was one, and it is damaged: nothing is trained over what is left.
        """
        if find_checkpoint(self.last) is not None:
            return True
        if self.last.exists() or (self.best.exists() and not self._stopped_after_first_best()):
            raise RunError(
                f"{self.last} is damaged: it holds no model.json. What is left of the run stays "
                "as it is: name another --out."
            )
        return False

    def _stopped_after_first_best(self) -> bool:
        """Whether `best` is of the first validation, and nothing was logged since."""
        try:
            step = entry(read_description(self.best)["progress"], "step", whole)
        except ShapeError as error:
            raise RunError(f"{self.best} is damaged: progress: {error}.") from None
        log = self.path / LOG
        lines = read_metrics(log) if log.is_file() else []
        return bool(lines) and all(
            line["step"] == step if line["event"] == "valid" else line["step"] <= step
            for line in lines
        )

    def _discard(self, before: set[str], made: list[Path]) -> None:
        """Remove what a run that got nowhere added to its folder, and what was made for it."""
        if any(self.path.rglob("model.json")):
            return
        for path in self.path.iterdir():
            if path.name in before:
                continue
            if path.name in (CONFIG, LOG):
                path.unlink()
            elif path.name in (EVENTS, SOURCE) or any(map(path.match, PARTS)):
                shutil.rmtree(path)
        for folder in made:
            with suppress(OSError):  # something else is in there by now
                folder.rmdir()

    def _check_same(self, config: Config, store: Store, processes: int) -> None:
        before, trained_on = self.described(), self.store().identity
        if trained_on != store.identity:
            raise RunError(
                f"{self.path} was trained on another store ({trained_on[:12]}) than {store.path} "
                f"({store.identity[:12]}). Name that store, or another --out."
            )
        ours = config.to_json()
        theirs = config_of_run(before["config"]).to_json()
        different = [
            f"{key} was {theirs[key]}, now {value}"
            for key, value in ours.items()
            if key not in (*MACHINE_ONLY, "extended") and not _same(key, theirs[key], value)
        ]
        if before["processes"] != processes:
            different.append(f"processes were {before['processes']}, now {processes}")
        if different:
            raise RunError(
                f"{self.path} is a run of another configuration: {'; '.join(different)}. Give the "
                "same to resume it, or name another --out."
            )

    def _extend(self, config: Config) -> None:
        """Make a finished run an unfinished one of more epochs, if the configuration says so."""
        written = self.described()
        before, wanted = config_of_run(written["config"]).extended, config.extended
        if wanted != before:
            if wanted[: len(before)] != before:
                raise RunError(
                    f"{self.path} was extended by {list(before)} epochs, not by {list(wanted)}. "
                    "Name another --out."
                )
            if not self.finished:
                raise RunError(
                    f"{self.path} is not finished, so it cannot be extended yet: finish it with "
                    "--resume, without --epochs."
                )
            written["config"] = config.to_json()
            write_sealed(self.path / CONFIG, written)
        if self.finished and self.outcome().extended != wanted:
            (self.path / OUTCOME).unlink()  # of before it was extended
            (self.path / "calibration.json").unlink(missing_ok=True)  # of its answers then

    def described(self) -> dict[str, Any]:
        """Read `config.json`: config, store, versions and processes.

        Raises
        ------
        RunError
            It is not there, or damaged, or of a later version.
        """
        value = self._read(CONFIG)
        store = value.get("store") if isinstance(value, dict) else None
        known = isinstance(store, dict) and {"path", "identity"} <= store.keys()
        if not known or not value.keys() >= KEYS:
            raise RunError(f"{self.path / CONFIG} is damaged, or not of a run.")
        return value

    def store(self) -> StoreId:
        """Read which store the run is trained on; raises RunError as `described` does."""
        try:
            return StoreId.from_json(self.described()["store"])
        except ShapeError as error:
            raise RunError(f"{self.path / CONFIG} is damaged: store: {error}.") from None

    def outcome(self) -> Outcome:
        """Read `metrics.json`.

        Raises
        ------
        RunError
            It is not there, since the run is not finished; or damaged, or of a later version.
        """
        value = self._read(OUTCOME)
        if problem := newer(self.path / OUTCOME, value, VERSION, "outcome_version"):
            raise RunError(problem)
        try:
            return Outcome.from_json(value)
        except ShapeError as error:
            raise RunError(f"{self.path / OUTCOME} is damaged, or not of a run: {error}.") from None

    def write_outcome(self, outcome: Outcome) -> None:
        """Write `metrics.json`, with sums of the predictions: the run is finished."""
        there = [path for name in (TESTED, OUT_OF_FOLD) if (path := self.path / name).is_file()]
        write_sealed(self.path / OUTCOME, {**outcome.to_json(), FILES: sums_of(there)})

    def _read(self, name: str) -> Any:
        try:
            value: Any = read_json(self.path / name)
        except FileNotFoundError:
            raise RunError(
                f"{self.path} holds no {name}: it is not a run, or not finished."
            ) from None
        except ShapeError as error:
            raise RunError(f"{self.path / name} cannot be read: {error}.") from None
        check_seal(self.path / name, value)
        return value

    def config(self) -> Config:
        """Configuration of the run."""
        return config_of_run(self.described()["config"])


def _same(key: str, before: Any, now: Any) -> bool:
    """Whether two values of a setting mean the same; paths may be spelt in several ways."""
    if key in PATHS and before and now:
        return Path(before).resolve() == Path(now).resolve()
    return bool(before == now)


def refuse_unanswering(path: Path, config: Config) -> None:
    """Raise RunError for a run whose network gives no probabilities."""
    if not config.answers:
        use = "--weights" if config.pretraining else "--set generator="
        raise RunError(
            f"{path} gives no probabilities: it is there for other runs, which take it by {use}."
        )


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


def versions() -> dict[str, str]:
    """Versions of the packages that decide a run's outcome."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
