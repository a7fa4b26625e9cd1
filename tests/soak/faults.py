"""Samples -> whatever writes, with the disk failing at some change; flipped bits in what is there.

Each kind does one thing at random and raises `Broken` if what has to hold afterwards does not.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from support.helpers import SMALL, tree_bytes

import hmsprep
from hmsprep.building.build import build
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsstore import Store
from hmsstore.atomic import previous, remove_leftovers, whole_file, whole_folder
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.trained import load_trained
from soak.acts import publish_store, save_value
from soak.holds import (
    Broken,
    check_builds_again,
    check_checkpoint,
    check_old_or_new,
    check_published,
)
from soak.readers import CPU, OWN
from soak.samples import NAME, Inline, Samples, Small
from soak.struck import REASONS, Strike, killed, struck

Attempt = Callable[[np.random.Generator, Path], Path]


@dataclass
class Work:
    """Something that writes below a folder, and how many changes it makes."""

    before: Callable[[Path], None]
    """Puts what is there before into a folder."""
    do: Callable[[Path], object]
    check: Callable[[Path], None]
    """Raises Broken unless what is there is the old or the new, whole."""
    changes: int = 0

    def attempt(self, rng: np.random.Generator, work: Path, *, kill: bool) -> Path:
        """Strike it once."""
        if not self.changes:
            self.before(work)
            with struck(Strike(work)) as count:
                self.do(work)
            self.changes = count.seen
            for path in work.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.before(work)
        strike = Strike(
            work,
            int(rng.integers(1, self.changes + 1)),
            kill=kill,
            reason=int(REASONS[rng.integers(len(REASONS))]),
            lasting=bool(rng.random() < 0.5),
        )
        if kill:
            killed(lambda: self.do(work), strike)
        else:
            try:
                with struck(strike):
                    self.do(work)
            except (OSError, *OWN):
                pass
        self.check(work)
        return work


def faults(samples: Samples) -> dict[str, Attempt]:
    """Every kind of fault by its name."""
    works = {
        "files": _files(),
        "checkpoint": _checkpoint(),
        "publish": _publish(samples),
        "build": _build(samples.small),
    }
    found: dict[str, Attempt] = {}
    for name, work in works.items():
        # A fork has none of the threads that Polars has started: `races.py` kills builds.
        for how, kill in (("failing", False), ("killed", True))[: 1 if name == "build" else 2]:

            def attempt(
                rng: np.random.Generator, at: Path, work: Work = work, kill: bool = kill
            ) -> Path:
                return work.attempt(rng, at, kill=kill)

            found[f"{name}, {how}"] = attempt
    return found | {"flipped store": _flip_store(samples), "flipped run": _flip_run(samples)}


def _files() -> Work:
    def before(at: Path) -> None:
        (at / "file").write_text("old")
        (at / "folder").mkdir()
        (at / "folder" / "a").write_text("old")

    def do(at: Path) -> None:
        with whole_file(at / "file") as partial:
            partial.write_text("new")
        with whole_folder(at / "folder", replace=True) as partial:
            (partial / "a").write_text("new")
            (partial / "b").write_text("new")

    def check(at: Path) -> None:
        folder = at / "folder"
        there = tree_bytes(folder if folder.exists() else previous(folder))
        if (at / "file").read_text() not in ("old", "new"):
            raise Broken("the file is neither old nor new")
        if there not in ({"a": b"old"}, {"a": b"new", "b": b"new"}):
            raise Broken(f"the folder is neither old nor new: {there}")
        remove_leftovers(at)
        left = {path.name for path in at.iterdir()} - {"file", "folder", previous(folder).name}
        if left:
            raise Broken(f"left behind: {left}")

    return Work(before, do, check)


def _checkpoint() -> Work:
    return Work(
        lambda at: save_value(at / "last", 1.0),
        lambda at: save_value(at / "last", 2.0),
        lambda at: check_checkpoint(at / "last"),
    )


def _publish(samples: Samples) -> Work:
    store = samples.store.path
    expected = tree_bytes(store)

    def check(at: Path) -> None:
        if tree_bytes(store) != expected:
            raise Broken("publishing has changed the store")
        check_published(at / "out", [expected])

    return Work(lambda _: None, lambda at: publish_store(str(store), str(at / "out")), check)


def _build(small: Small) -> Work:
    """A store is built over another by force."""
    planned = load(small.data, Parameters(**SMALL, nan="zero"))

    def do(at: Path) -> None:
        build(planned, at / NAME, executor=Inline(), workers=1, force=True)

    def check(at: Path) -> None:
        check_old_or_new(at, small)
        check_builds_again(at, small)

    return Work(lambda at: shutil.copytree(small.stores["mean"], at / NAME) and None, do, check)


def _flip_store(samples: Samples) -> Attempt:
    store = samples.store.path
    names = sorted(tree_bytes(store))

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        copy = at / "hms.zarr"
        shutil.copytree(store, copy)
        name = _flip(copy, names, rng)
        if not hmsprep.verify(copy):
            raise Broken(f"verify says nothing of a flipped bit in {name}")
        try:
            opened = Store.open(copy)
        except OWN:
            return copy
        root = "/" not in name  # the description there repeats those of all arrays
        if root or ("/c/" in name and name.startswith(("windows", "recordings", "gaps"))):
            raise Broken(f"a store opens with a flipped bit in {name}")
        opened.gather(range(len(opened)))
        return copy

    return attempt


def _flip_run(samples: Samples) -> Attempt:
    run = samples.run.path
    loaded = ("config.json", "metrics.json", "best/model.json", "best/model.safetensors")

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        copy = at / "run"
        shutil.copytree(run, copy)
        name = _flip(copy, loaded, rng)
        folder = RunFolder(copy)
        try:
            folder.described()
            folder.outcome()
            load_trained(folder, CPU)
        except OWN:
            return copy
        before, now = ((one / name).read_bytes() for one in (run, copy))
        # Another space, or a last digit that no float tells from the first, changes no value.
        if not name.endswith(".json") or json.loads(before) != json.loads(now):
            raise Broken(f"a run loads with a flipped bit in {name}")
        return copy

    return attempt


def _flip(folder: Path, names: Any, rng: np.random.Generator) -> str:
    filled = [name for name in names if (folder / name).stat().st_size]
    name = str(filled[rng.integers(len(filled))])
    content = bytearray((folder / name).read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    (folder / name).write_bytes(content)
    return name
