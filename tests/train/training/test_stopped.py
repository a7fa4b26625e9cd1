"""A run that is stopped between two of its writes, or finds no room for one, can be resumed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.runs import ALONE, SMALL, Stopped, train_small

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.errors import RunError
from hmstrain.events import silent
from hmstrain.reporting.systems import choose
from hmstrain.runs import checkpoint
from hmstrain.studies.study import run_study
from hmstrain.training import state
from hmstrain.training import train as training

SETTINGS: dict[str, Any] = {
    "epochs": 2,
    "ema": 0.5,
    "learning_rate": 1e-4,
    "start_at_prior": False,
}
"""Of a run whose first four validations are each the best so far."""


@pytest.fixture(scope="module")
def undisturbed(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("undisturbed") / "run"
    train_small(store, path, **SETTINGS)
    return path


def stop_before(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, stops: Callable[[Path, int], bool]
) -> None:
    """Have a function that writes to a path raise instead.

    `stops` is told the path, and how often one of that name was written before.
    """
    written: dict[str, int] = {}
    write = getattr(module, name)

    def writing(path: Path, *given: Any, **named: Any) -> Any:
        before = written.get(path.name, 0)
        if stops(path, before):
            raise Stopped
        written[path.name] = before + 1
        return write(path, *given, **named)

    monkeypatch.setattr(module, name, writing)


def best_at(number: int) -> Callable[[Path, int], bool]:
    return lambda path, before: path.name == "best" and before == number


def assert_same(path: Path, other: Path) -> None:
    ours, theirs = (json.loads((p / "metrics.json").read_text()) for p in (path, other))
    assert ours == theirs
    for name in ("last", "best"):
        a, b = (load_file(p / name / "model.safetensors") for p in (path, other))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a), name


@pytest.mark.parametrize("number", [0, 1])
def test_a_run_stopped_between_its_two_checkpoints_ends_as_if_it_had_not_been(
    store: Store, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "run"
    stop_before(monkeypatch, state, "save_checkpoint", best_at(number))
    with pytest.raises(Stopped):
        train_small(store, path, **SETTINGS)
    monkeypatch.undo()
    assert (path / "last").is_dir()
    assert (path / "best").is_dir() == (number > 0)
    train_small(store, path, resume=True, **SETTINGS)
    assert_same(path, undisturbed)


def test_weights_that_only_last_holds_become_the_best_before_another_step_is_taken(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    stop_before(monkeypatch, state, "save_checkpoint", best_at(0))
    with pytest.raises(Stopped):
        train_small(store, path, **SETTINGS)
    monkeypatch.undo()
    averaged = load_file(path / "last" / "average.safetensors")
    with pytest.raises(Stopped):
        train_small(store, path, resume=True, stop_at=4, **SETTINGS)
    kept = load_file(path / "best" / "model.safetensors")
    assert all(torch.equal(value, averaged[f"module.{key}"]) for key, value in kept.items())
    ours, theirs = (json.loads((path / n / "model.json").read_text()) for n in ("best", "last"))
    assert ours["progress"]["step"] == theirs["progress"]["step"] == 3


@pytest.mark.parametrize("file", ["last", "best"])
def test_a_full_disk_at_the_first_checkpoint_can_be_mended(
    store: Store, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    path = tmp_path / "run"
    save = checkpoint.save_file

    def full(weights: Any, target: Path) -> None:
        if target.parent.name.startswith(f".{file}."):
            raise OSError(28, "No space left on device")
        save(weights, target)

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(RunError, match=r"No space left.*resume with --resume"):
        train_small(store, path, **SETTINGS)
    monkeypatch.undo()
    assert path.exists() == (file == "best")  # a run without a checkpoint leaves nothing
    train_small(store, path, resume=True, **SETTINGS)
    assert_same(path, undisturbed)


@pytest.fixture
def first_best(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a version that wrote `best` first left, stopped before its first `last`."""
    path = tmp_path / "run"
    save = state.save_checkpoint

    def only_best(folder: Path, network: Any, described: Any, **more: Any) -> None:
        save(folder.with_name("best"), network, described)
        raise Stopped

    monkeypatch.setattr(state, "save_checkpoint", only_best)
    with pytest.raises(Stopped):
        train_small(store, path, **SETTINGS)
    monkeypatch.undo()
    assert sorted(p.name for p in path.iterdir()) == ["best", "config.json", "metrics.jsonl"]
    return path


def test_a_best_checkpoint_alone_is_begun_anew(
    store: Store, undisturbed: Path, first_best: Path
) -> None:
    train_small(store, first_best, resume=True, **SETTINGS)
    assert_same(first_best, undisturbed)


def test_a_run_that_lost_its_last_checkpoint_is_not_trained_over(
    store: Store, first_best: Path
) -> None:
    log = first_best / "metrics.jsonl"
    text = log.read_text()
    later = json.loads(text.splitlines()[-1]) | {"event": "train", "step": 5}
    for content in (text + json.dumps(later) + "\n", ""):
        log.write_text(content)
        before = {p: p.stat().st_mtime_ns for p in first_best.rglob("*")}
        with pytest.raises(RunError, match=r"last is damaged.*name another --out"):
            train_small(store, first_best, resume=True, **SETTINGS)
        assert {p: p.stat().st_mtime_ns for p in first_best.rglob("*")} == before


def test_a_best_checkpoint_of_steps_that_are_taken_again_stands(
    store: Store, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As earlier versions left it: `best` is of the second validation, `last` of the first."""
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        train_small(store, path, stop_at=6, **SETTINGS)
    assert json.loads((path / "last" / "model.json").read_text())["progress"]["step"] == 3
    later = tmp_path / "later"
    shutil.copytree(path, later)
    stop_before(monkeypatch, state, "save_checkpoint", best_at(1))
    train = partial(train_small, store, resume=True, **SETTINGS)
    with pytest.raises(Stopped):
        train(later, stop_at=7)
    monkeypatch.undo()
    with pytest.raises(Stopped):
        train(later, stop_at=7)
    described = json.loads((later / "best" / "model.json").read_text())["progress"]
    assert described["step"] == described["best_step"] == 6
    shutil.rmtree(path / "best")
    shutil.copytree(later / "best", path / "best")
    with pytest.raises(Stopped):
        train(path, stop_at=5)
    train(path)
    assert_same(path, undisturbed)


def test_a_folder_in_which_only_unfinished_files_lie_takes_a_run(
    store: Store, tmp_path: Path
) -> None:
    """Left by a process that was killed while it wrote config.json, without --resume too."""
    path = tmp_path / "run"
    path.mkdir()
    left = path / ".config.json.0123abcd.partial"
    left.write_text("{")
    train_small(store, path, epochs=1, steps=1)
    assert not left.exists()


def test_a_run_of_all_folds_and_a_study_resume_at_each_such_place(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short: dict[str, Any] = {"epochs": 1, "steps": 2, "validate_every": 2}
    folds = partial(train_small, store, fold="all", **short)
    systems = choose(["naive_cnn-spec"])
    config = Config(**(SMALL | short | {"model": Config().model}))

    def study(out: Path) -> None:
        run_study(config, store, out, ALONE, systems, silent)

    folds(tmp_path / "folds whole")
    study(tmp_path / "study whole")
    places: list[tuple[Any, str, Callable[[Path, int], bool]]] = [
        (state, "save_checkpoint", best_at(0)),
        (training, "write_predictions", lambda path, _: path.name == "predictions.npz"),
    ]
    for number, (module, name, stops) in enumerate(places):
        for what, work in (("folds", partial(folds, resume=True)), ("study", study)):
            out = tmp_path / f"{what} {number}"
            stop_before(monkeypatch, module, name, stops)
            with pytest.raises(Stopped):
                work(out)
            monkeypatch.undo()
            work(out)
            file = "metrics.json" if what == "folds" else "naive_cnn-spec/metrics.json"
            whole = tmp_path / f"{what} whole"
            ours, theirs = (json.loads((one / file).read_text()) for one in (out, whole))
            assert ours == theirs
