"""Samples -> processes that want the same folder at the same time: one after the other, or refused.

Nothing is ever half old and half new, and nothing is lost; those who come too late are told so.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from support.helpers import tree_bytes

from hmsstore import FeatureTable, Store
from hmstrain.runs.folder import RunFolder
from soak.acts import read_features, read_run, save_value, windows_digest
from soak.faults import Attempt
from soak.forks import Ended, Forks, Task
from soak.holds import (
    Broken,
    check_builds_again,
    check_checkpoint,
    check_ended,
    check_old_or_new,
    check_published,
)
from soak.samples import NAME, Samples, Small

MOMENT_S = 0.1
"""About as long as the works here take: they begin so far apart, and pause so long."""
FILLS = ("zero", "mean")
LATE = ("is building", "is training in", "already holds a run")


def races(samples: Samples, forks: Forks) -> dict[str, Attempt]:
    """Every kind by its name."""
    small = samples.small
    return {
        "builds at once": _builds(small, forks),
        "build, killed": _killed(small, forks),
        "readers of a store that is replaced": _replaced(small, forks),
        "publish while it is replaced": _published(small, forks),
        "trainings at once": _trainings(samples, forks),
        "readers of a checkpoint that is saved": _saved(forks),
        "readers of features that are replaced": features_race(small, forks),
    }


def _builds(small: Small, forks: Forks) -> Attempt:
    """Two or three builds of one store, of the same plan or of others."""

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        forced = bool(rng.random() < 0.5)
        if forced:
            shutil.copytree(small.stores["mean"], at / NAME)
        tasks = [
            _build(rng, small, at, [FILLS[rng.integers(2)]], force=forced)
            for _ in range(rng.integers(2, 4))
        ]
        ended = forks.run(*tasks)
        check_ended(ended, "well", "refused")
        if not any(one.how == "well" for one in ended):
            raise Broken(f"none of them built it:\n{_texts(ended)}")
        if forced and (odd := [one.text for one in ended if _is_odd(one)]):
            raise Broken(f"one was refused for another reason than the other: {odd[0]}")
        _check_alone(at, small)
        return at

    return attempt


def _killed(small: Small, forks: Forks) -> Attempt:
    """A build is killed at some moment, beside another or alone; building again makes it whole."""

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        shutil.copytree(small.stores["mean"], at / NAME)
        kill_s = float(rng.uniform(0, 3 * MOMENT_S))
        tasks = [Task("build_store", _given(small, at, ["zero"], force=True), kill_s=kill_s)]
        if rng.random() < 0.5:
            tasks.append(_build(rng, small, at, ["mean"], force=True))
        ended = forks.run(*tasks)
        check_ended(ended, "well", "refused", "killed")
        check_old_or_new(at, small)
        check_builds_again(at, small)
        return at

    return attempt


def _replaced(small: Small, forks: Forks) -> Attempt:
    """A store is replaced again and again while it is opened, and while it is loaded from."""
    stores = [Store.open(path) for path in small.stores.values()]
    known = {(one.identity, windows_digest(one)) for one in stores}

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        shutil.copytree(small.stores["mean"], at / NAME)
        done = str(at / "done")
        readers = [
            Task(act, {"store": str(at / NAME), "done": done})
            for act in ("read_store", "load_windows")
        ]
        ended = forks.run(_build(rng, small, at, ["zero"], force=True, done=done), *readers)
        check_ended(ended, "well")
        _check_known(ended[1:], known)
        return at

    return attempt


def _published(small: Small, forks: Forks) -> Attempt:
    """A store is published while another takes its place."""

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        shutil.copytree(small.stores["mean"], at / NAME)
        given = {"store": str(at / NAME), "out": str(at / "out")}
        publish = Task(
            "publish_store", given, after_s=float(rng.uniform(0, MOMENT_S)),
            strike=_moment(rng, at, 40), pause_s=MOMENT_S / 2,
        )  # fmt: skip
        ended = forks.run(_build(rng, small, at, ["zero"], force=True), publish)
        check_ended(ended, "well", "refused")
        if ended[0].how != "well":
            raise Broken(f"the build gave way to a copy: {ended[0].text}")
        if (ended[1].how == "well") != (at / "out").exists():
            raise Broken(f"there is {'a' if (at / 'out').exists() else 'no'} copy: {ended[1].text}")
        check_published(at / "out", list(small.trees.values()))
        return at

    return attempt


def _trainings(samples: Samples, forks: Forks) -> Attempt:
    """Trainings want one folder; some of them end before there is anything to keep."""

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        store, run = str(samples.store.path), str(at / "runs" / "run")
        tasks = []
        for seed in range(rng.integers(2, 4)):
            stop_at = 1 if seed and rng.random() < 0.5 else None
            given = {"store": store, "run": run, "seed": int(seed), "stop_at": stop_at}
            tasks.append(
                Task(
                    "train", given, after_s=float(rng.uniform(0, 2 * MOMENT_S)),
                    strike=_moment(rng, at, 6), pause_s=MOMENT_S / 2,
                )
            )  # fmt: skip
        ended = forks.run(*tasks)
        check_ended(ended, "well", "refused")
        won = [seed for seed, one in enumerate(ended) if one.how == "well"]
        stopped = [one for one in ended if one.text.endswith("as it was meant to")]
        late = [one for one in ended if any(word in one.text for word in LATE)]
        if len(won) + len(stopped) + len(late) != len(ended) or len(won) > 1:
            raise Broken(f"of one folder {won} trained, and others said:\n{_texts(ended)}")
        if not won and not stopped:
            raise Broken(f"none of them trained:\n{_texts(ended)}")
        if won:
            read_run(run)
            seed = RunFolder(Path(run)).config().seed
            if seed != won[0]:
                raise Broken(f"the run is of seed {seed}, and {won[0]} trained it")
        elif Path(run).exists():
            raise Broken("a run that came to nothing is there")
        return at

    return attempt


def _saved(forks: Forks) -> Attempt:
    """A checkpoint is saved again and again while others load it."""

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        save_value(at / "last", 1.0)
        done = str(at / "done")
        given = {"folder": str(at / "last"), "values": [2.0, 1.0] * 5, "done": done}
        save = Task("save_checkpoints", given, strike=_moment(rng, at, 200), pause_s=MOMENT_S / 2)
        read = Task("read_checkpoint", {"folder": str(at / "last"), "done": done})
        ended = forks.run(save, read, read)
        check_ended(ended, "well")
        _check_known(ended[1:], {(1.0, 1.0), (2.0, 2.0)})
        check_checkpoint(at / "last")
        return at

    return attempt


def features_race(small: Small, forks: Forks, act: str = "replace_folder") -> Attempt:
    """A table of features is replaced again and again while others open it."""
    known = {tuple(found) for path in small.features.values() for found in read_features(str(path))}

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        table, done = str(at / "table"), str(at / "done")
        shutil.copytree(small.features["mean"], table)
        sources = [str(small.features[fill]) for fill in FILLS] * 25
        replace = Task(
            act, {"sources": sources, "folder": table, "done": done},
            strike=_moment(rng, at, 100), pause_s=MOMENT_S / 2,
        )  # fmt: skip
        read = Task("read_features", {"table": table, "done": done})
        ended = forks.run(replace, read, read)
        check_ended(ended, "well")
        _check_known(ended[1:], known)
        FeatureTable.open(table)
        return at

    return attempt


def _build(
    rng: np.random.Generator,
    small: Small,
    at: Path,
    fills: list[str],
    *,
    force: bool,
    done: str | None = None,
) -> Task:
    """A build that begins at some moment, and pauses at another."""
    return Task(
        "build_store",
        _given(small, at, fills, force=force) | {"done": done},
        after_s=float(rng.uniform(0, MOMENT_S)),
        strike=_moment(rng, at, 150 * len(fills)),
        pause_s=MOMENT_S / 2,
    )


def _given(small: Small, at: Path, fills: list[str], *, force: bool) -> dict[str, object]:
    return {"data": str(small.data), "store": str(at / NAME), "fills": fills, "force": force}


def _moment(rng: np.random.Generator, at: Path, changes: int) -> dict[str, object]:
    """One of about so many changes."""
    return {"below": str(at), "at": int(rng.integers(1, changes + 1))}


def _check_alone(at: Path, small: Small) -> None:
    trees = [{f"{NAME}/{name}": raw for name, raw in one.items()} for one in small.trees.values()]
    if tree_bytes(at) not in trees:
        raise Broken("what is there is not one of the stores alone")


def _check_known(ended: list[Ended], known: set[tuple[object, ...]]) -> None:
    for one in ended:
        if odd := {tuple(pair) for pair in one.value} - known:
            raise Broken(f"something half old and half new was read: {sorted(odd, key=str)[0]}")


def _is_odd(ended: Ended) -> bool:
    return ended.how == "refused" and not any(word in ended.text for word in LATE)


def _texts(ended: list[Ended]) -> str:
    return "\n".join(one.text for one in ended)
