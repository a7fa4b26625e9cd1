"""Samples -> whatever reads or writes, with rights taken away: refused or done, and nothing lost.

Two ways. A shim refuses the N-th look of a reader with the errors of lost rights and lost disks.
And a process of nobody's, whom permissions bind as they do not bind root, loses rights to a folder
or a file for good, before it begins or in the middle of its work.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import hmsprep
from soak.acts import read_features, read_run, read_store, save_value
from soak.faults import Attempt
from soak.forks import NOBODY, Forks, Task
from soak.holds import (
    Broken,
    check_builds_again,
    check_checkpoint,
    check_ended,
    check_old_or_new,
    check_published,
)
from soak.readers import OWN
from soak.samples import NAME, Samples
from soak.struck import REFUSALS, Strike, struck

RIGHTS = {True: (0, 0o111, 0o333, 0o444, 0o555), False: (0, 0o222, 0o444)}
"""What is left of the rights to a folder, and to a file."""


def revoked(samples: Samples, forks: Forks) -> dict[str, Attempt]:
    """Every kind by its name."""
    small, run = samples.small, samples.run.path
    store, table = small.stores["mean"], small.features["mean"]
    looks = {
        "store": Looked(store, lambda path: read_store(str(path))),
        "verify": Looked(store, hmsprep.verify, told=True),
        "run": Looked(run, lambda path: read_run(str(path))),
        "features": Looked(table, lambda path: read_features(str(path))),
    }
    found: dict[str, Attempt] = {
        f"{name}, unreadable": looked.attempt for name, looked in looks.items()
    }
    given = {"data": "data", "store": f"site/{NAME}", "fills": ["zero"], "force": True}
    builds = Lost(
        forks, "build_store", given, {"data": small.data, f"site/{NAME}": store},
        check=lambda at: _check_site(at / "site", samples), begins_with="site",
    )  # fmt: skip
    works = {
        "build": builds,
        "publish": Lost(
            forks, "publish_store", {"store": NAME, "out": "out"}, {NAME: store},
            check=lambda at: _check_copy(at, samples), system=True,
        ),
        "checkpoint": Lost(
            forks, "save_checkpoints", {"folder": "last", "values": [2.0]}, {},
            prepare=lambda at: save_value(at / "last", 1.0),
            check=lambda at: check_checkpoint(at / "last"),
        ),
        "reading a store": Lost(forks, "read_store", {"store": NAME}, {NAME: store}, looks=True),
        "reading a run": Lost(forks, "read_run", {"run": "run"}, {"run": run}, looks=True),
    }  # fmt: skip
    return found | {f"{name}, revoked": lost.attempt for name, lost in works.items()}


@dataclass
class Looked:
    """Something that is read, and refused at some look."""

    source: Path
    read: Callable[[Path], object]
    told: bool = False
    """Whether the reader lists what it could not read."""
    looks: int = 0
    expected: object = None

    def attempt(self, rng: np.random.Generator, at: Path) -> Path:
        """Read a copy, of which something cannot be read."""
        copy = Path(shutil.copytree(self.source, at / self.source.name))
        if not self.looks:
            with struck(Strike(copy, looks=True)) as count:
                self.expected = self.read(copy)
            self.looks = count.seen
        strike = Strike(
            copy,
            int(rng.integers(1, self.looks + 1)),
            reason=int(REFUSALS[rng.integers(len(REFUSALS))]),
            lasting=bool(rng.random() < 0.5),
            looks=True,
        )
        try:
            with struck(strike):
                found = self.read(copy)
        except OWN:
            return copy
        if self.told and strike.seen >= strike.at:
            if not found:
                raise Broken("nothing is said of what could not be read")
        elif found != self.expected:
            raise Broken("something else was read")
        return copy


@dataclass
class Lost:
    """What somebody does who loses the rights to a folder or a file."""

    forks: Forks
    act: str
    given: dict[str, Any]
    """Arguments; texts that name something in the folder become its path."""
    copies: dict[str, Path]
    """What is there before, by its place in the folder."""
    check: Callable[[Path], None] = lambda _: None
    """Called when the rights are given back."""
    prepare: Callable[[Path], None] = lambda _: None
    looks: bool = False
    """Whether rights are lost at a look; else at a change."""
    system: bool = False
    """Whether an error of the system that names a file will do: the command line prints it."""
    begins_with: str = ""
    """Only what is below is lost."""
    seen: int = 0
    value: Any = field(default=None)

    def attempt(self, rng: np.random.Generator, at: Path) -> Path:
        """Do it once, and take rights away."""
        for place, source in self.copies.items():
            (at / place).parent.mkdir(exist_ok=True)
            shutil.copytree(source, at / place)
        self.prepare(at)
        paths = sorted(path for path in (at / self.begins_with).rglob("*"))
        if not self.seen:
            self._count(at)
        top = at / self.begins_with
        path = top if rng.random() < 0.2 or not paths else paths[rng.integers(len(paths))]
        choice = RIGHTS[path.is_dir()]
        rights = int(choice[rng.integers(len(choice))])
        _give(at)
        if rng.random() < 0.4:
            path.chmod(rights)
            task = self._task(at)
        else:
            strike = self._strike(at) | {"at": int(rng.integers(1, self.seen + 1))}
            task = self._task(at, strike=strike, revoked=(str(path), rights))
        try:
            ended = self.forks.run(task)
        finally:
            _take_back(at)
        check_ended(ended, "well", "refused", *["system"] * self.system)
        if self.looks and ended[0].how == "well" and ended[0].value != self.value:
            raise Broken("something else was read")
        self.check(at)
        return at

    def _count(self, at: Path) -> None:
        """Do it on a copy, and count what it looks at or changes."""
        copy = Path(shutil.copytree(at, at / "counted"))
        _give(at)
        ended = self.forks.run(self._task(copy, strike=self._strike(copy)))
        check_ended(ended, "well")
        self.seen, self.value = ended[0].seen, ended[0].value
        shutil.rmtree(copy)

    def _strike(self, at: Path) -> dict[str, Any]:
        return {"below": str(at), "looks": self.looks}

    def _task(self, at: Path, **more: Any) -> Task:
        given = {
            name: str(at / value) if isinstance(value, str) else value
            for name, value in self.given.items()
        }
        return Task(self.act, given, nobody=True, **more)


def _give(at: Path) -> None:
    """Make everything nobody's, if that is who works."""
    if os.getuid() == 0:
        for path in [at, *at.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)


def _take_back(at: Path) -> None:
    """Get all rights to everything again."""
    at.chmod(0o700)
    for folder, folders, files in os.walk(at):
        for name in folders:
            (Path(folder) / name).chmod(0o700)
        for name in files:
            (Path(folder) / name).chmod(0o600)


def _check_site(site: Path, samples: Samples) -> None:
    check_old_or_new(site, samples.small)
    check_builds_again(site, samples.small)


def _check_copy(at: Path, samples: Samples) -> None:
    check_published(at / "out", [samples.small.trees["mean"]])
