"""A run's folder: whose it is, what goes when nothing came of it, and what damage says."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.runs import Stopped, train_small, unsealed

from hmsstore import Store
from hmstrain.errors import DataError, RunError
from hmstrain.runs import checkpoint, folder
from hmstrain.runs.folder import RunFolder
from hmstrain.scoring.score_run import score_run

STOPPED_AT = 6


@pytest.fixture(scope="module")
def stopped(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(Stopped):
        train_small(store, path, stop_at=STOPPED_AT)
    return path


def test_a_run_that_got_nowhere_removes_only_what_it_made(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        train_small(store, tmp_path / "a" / "b" / "run", fold="9")
    assert list(tmp_path.iterdir()) == []
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError):
        train_small(store, empty, fold="9")
    assert list(empty.iterdir()) == []
    with pytest.raises(Stopped):
        train_small(store, tmp_path / "run", stop_at=1)
    assert not (tmp_path / "run").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("metrics.jsonl", "thesis.txt"):
        (mine / name).write_text("mine")
    with pytest.raises(RunError, match="is not empty and not a run"):
        train_small(store, mine)
    (mine / "config.json").write_text("{}")
    with pytest.raises(RunError, match=r"config\.json is damaged, or not of a run"):
        train_small(store, mine, resume=True)
    assert (mine / "thesis.txt").read_text() == (mine / "metrics.jsonl").read_text() == "mine"
    assert (mine / "config.json").read_text() == "{}"


def test_a_folder_in_which_a_run_trains_is_refused_to_others(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "run"
    with (
        RunFolder(path).claimed(),
        pytest.raises(RunError, match="Another process is training in"),
    ):
        train_small(store, path)


def test_a_folder_that_is_removed_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its maker's run came to nothing at that moment: a lock of what is gone keeps nobody out."""
    path, real = tmp_path / "runs" / "run", folder._lock

    def removed_first(handle: int, locked: Path) -> None:
        monkeypatch.undo()
        path.rmdir()
        real(handle, locked)

    monkeypatch.setattr(folder, "_lock", removed_first)
    with (
        RunFolder(path).claimed(),
        pytest.raises(RunError, match="Another process is training in"),
        RunFolder(path).claimed(),
    ):
        pass
    monkeypatch.setattr(folder, "_lock", lambda *_: path.rmdir())
    with (
        pytest.raises(RunError, match="is removed as soon"),
        RunFolder(path).claimed(),
    ):
        pass


@pytest.mark.parametrize("reading", ["network", "arrays", "description"])
def test_a_checkpoint_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    def save(value: float) -> None:
        network = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(network.weight, value)
        store = {"identity": str(value)}
        described = {
            "config": {},
            "store": store,
            "normalisation": {},
            "progress": {},
            "patients": [],
        }
        checkpoint.save_checkpoint(tmp_path / "last", network, described, training={"step": value})

    save(1.0)
    called = "read_json" if reading == "description" else "load_file"
    network, real = torch.nn.Linear(1, 1), getattr(checkpoint, called)

    def replaced_first(file: Path) -> Any:
        found = real(file)
        monkeypatch.undo()
        save(2.0)
        if reading == "description":
            raise FileNotFoundError(str(file))  # as between the two renames
        return found

    monkeypatch.setattr(checkpoint, called, replaced_first)
    if reading == "network":
        assert checkpoint.load_checkpoint(tmp_path / "last", network) == {"step": 2.0}
        assert network.weight.item() == 2.0
    elif reading == "arrays":
        assert checkpoint.load_arrays(tmp_path / "last")["weight"].item() == 2.0
    else:
        assert checkpoint.read_description(tmp_path / "last")["store"] == {"identity": "2.0"}


def test_a_run_within_the_store_or_below_a_file_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="lies within the store"):
        train_small(store, store.path / "run")
    assert not (store.path / "run").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot be created or opened: .* Name another --out"):
        train_small(store, tmp_path / "file" / "run")


def test_no_room_for_a_checkpoint_keeps_the_earlier_ones(
    store: Store, stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    shutil.copytree(stopped, path)
    before = (path / "last" / "model.json").read_text()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(RunError, match=r"MB free: .*No space left.*resume with --resume"):
        train_small(store, path, resume=True)
    assert (path / "last" / "model.json").read_text() == before
    assert not list(path.glob("*.partial"))
    monkeypatch.undo()
    train_small(store, path, resume=True)


def test_everything_in_a_run_can_be_read_by_those_whom_the_umask_lets_read(
    stopped: Path,
) -> None:
    mask = os.umask(0o022)
    os.umask(mask)
    files = [path for path in stopped.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"model.safetensors", "training.pt", "metrics.jsonl"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o666 & ~mask}


def test_resuming_removes_what_a_killed_run_left_unfinished(
    store: Store, stopped: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    shutil.copytree(stopped, path)
    left = path / ".last.0123abcd.partial"
    left.mkdir()
    (left / "model.safetensors").write_bytes(bytes(1000))
    train_small(store, path, resume=True)
    assert not left.exists()


def _lacking(file: Path) -> None:
    described = unsealed(file)
    del described["normalisation"]
    file.write_text(json.dumps(described))


DAMAGE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no description": ("last/model.json", Path.unlink, r"last is damaged: it holds no model\.json"),
    "broken description": ("last/model.json", lambda f: f.write_text("{"), "is damaged: not JSON"),
    "a list": ("last/model.json", lambda f: f.write_text("[]"), "is damaged"),
    "lacking": ("last/model.json", _lacking, "is damaged: it lacks normalisation"),
    "cut weights": (
        "last/model.safetensors",
        lambda f: f.write_bytes(f.read_bytes()[:-9]),
        "is damaged",
    ),
    "no optimiser": ("last/training.pt", Path.unlink, r"training\.pt is damaged"),
    "empty optimiser": ("last/training.pt", lambda f: f.write_bytes(b""), "is damaged"),
    "code": ("last/training.pt", lambda f: torch.save({"x": Stopped}, f), "is damaged"),
    "no best": ("best/model.json", Path.unlink, r"best is damaged: it holds no model\.json"),
    "config": ("config.json", lambda f: f.write_text("[]"), r"config\.json is damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_nothing_is_trained_over_it(
    store: Store, stopped: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "run"
    shutil.copytree(stopped, path)
    file, harm, message = DAMAGE[name]
    harm(path / file)
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*")}
    with pytest.raises(RunError, match=message):
        train_small(store, path, resume=True)
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*")} == before


def test_a_damaged_log_is_cut_where_it_breaks(store: Store, stopped: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(stopped, path)
    log = path / "metrics.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0] + b"\xff\xfe[1]\n" + b"".join(lines[1:]))
    train_small(store, path, resume=True)
    assert log.read_bytes().startswith(lines[0])
    assert all(json.loads(line)["step"] for line in log.read_text().splitlines())


def test_the_fold_that_was_held_out_is_that_of_the_runs_own_store(
    store: Store, stopped: Path, data: Path, tmp_path: Path
) -> None:
    from support.helpers import build_store
    from support.runs import ALONE

    other = build_store(data, tmp_path / "other.zarr", seed=7)
    with pytest.raises(DataError, match="was trained on another store"):
        score_run(RunFolder(stopped), other, "valid", ALONE)
