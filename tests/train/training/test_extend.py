"""A finished run takes more epochs, in exactly one way, and says that it did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.runs import ALONE, SMALL, Stopped, train_small

import hmstrain
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.errors import RunError
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.training.run import resumed, run

CHOSEN: dict[str, Any] = SMALL | {"epochs": 1, "second_epochs": 1, "second_min_votes": 3}


def weights(path: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return load_file(path / name / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def extended(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch and a second stage of one, extended by two."""
    path = tmp_path_factory.mktemp("extended") / "run"
    hmstrain.train(store, out=path, **CHOSEN)
    hmstrain.train(store, out=path, resume=True, epochs=3)
    return path


def test_more_epochs_are_appended_to_the_last_stage_and_marked(
    store: Store, extended: Path
) -> None:
    written = json.loads((extended / "config.json").read_text())["config"]
    outcome = json.loads((extended / "metrics.json").read_text())
    assert (written["epochs"], written["second_epochs"], written["extended"]) == (1, 1, [2])
    assert outcome["extended"] == [2]
    lines = read_metrics(extended / "metrics.jsonl")
    epochs = [line["epoch"] for line in lines if line["event"] == "valid"]
    assert sorted(set(epochs)) == [0, 1, 2, 3]
    assert outcome["steps"] == max(line["step"] for line in lines)


def test_the_new_schedule_begins_and_ends_at_the_last_rate(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "run"
    settings = SMALL | {"epochs": 1, "validate_every": 1}
    hmstrain.train(store, out=path, **settings)
    last = torch.load(path / "last" / "training.pt", weights_only=True)["optimiser"]
    (path / "calibration.json").write_text("{}")
    hmstrain.train(store, out=path, resume=True, epochs=2)
    assert not (path / "calibration.json").exists()  # of the answers that it had
    rates = [
        line["learning_rate"]
        for line in read_metrics(path / "metrics.jsonl")
        if line["event"] == "train" and line["epoch"] == 1
    ]
    assert rates[0] == pytest.approx(last["param_groups"][0]["lr"])
    assert max(rates) > 100 * rates[0]
    after = torch.load(path / "last" / "training.pt", weights_only=True)["optimiser"]
    assert after["param_groups"][0]["lr"] == pytest.approx(rates[0])


def test_extending_is_the_same_in_one_piece_or_stopped_anywhere(
    store: Store, extended: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    train_small(store, whole, **CHOSEN, extended=(2,))
    assert same(weights(whole), weights(extended))
    path = tmp_path / "stopped"
    train_small(store, path, **CHOSEN)
    first = json.loads((path / "metrics.json").read_text())["steps"]
    for step in (first + 1, first + 4):
        with pytest.raises(Stopped):
            train_small(store, path, resume=True, stop_at=step, **CHOSEN, extended=(2,))
    hmstrain.train(store, out=path, resume=True, epochs=3)
    for name in ("last", "best"):
        assert same(weights(path, name), weights(extended, name))
    ours, theirs = (json.loads((p / "metrics.json").read_text()) for p in (path, extended))
    assert ours == theirs


def test_it_is_not_the_run_of_as_many_epochs_from_the_start(
    store: Store, extended: Path, tmp_path: Path
) -> None:
    train_small(store, tmp_path / "three", **CHOSEN | {"epochs": 3})
    assert not same(weights(tmp_path / "three"), weights(extended))


def test_a_run_extended_again_keeps_each_extension(
    store: Store, extended: Path, tmp_path: Path
) -> None:
    folder = RunFolder(extended)
    assert resumed(folder, {"epochs": 4}).extended == (2, 1)
    assert resumed(folder, {"epochs": 3}) == resumed(folder, {}) == folder.config()
    assert resumed(folder, {"epochs": 1}) == folder.config()
    with pytest.raises(RunError, match="has 3 epochs, more than --epochs 2"):
        resumed(folder, {"epochs": 2})


def test_an_unfinished_run_is_not_extended(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        train_small(store, path, stop_at=4, **CHOSEN)
    with pytest.raises(RunError, match="is not finished, so it cannot be extended yet"):
        hmstrain.train(store, out=path, resume=True, epochs=3)
    assert json.loads((path / "config.json").read_text())["config"]["extended"] == []


def test_an_outcome_of_before_the_extension_does_not_count(
    store: Store, extended: Path, tmp_path: Path
) -> None:
    """As if the process died after it wrote the configuration, before it removed the outcome."""
    path = tmp_path / "run"
    train_small(store, path, **SMALL | {"epochs": 1})
    old = (path / "metrics.json").read_text()
    with pytest.raises(Stopped):
        train_small(store, path, resume=True, stop_at=1, **SMALL | {"epochs": 1, "extended": (1,)})
    (path / "metrics.json").write_text(old)
    outcome = hmstrain.train(store, out=path, resume=True)
    assert outcome.extended == (1,)


def test_every_fold_is_extended(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "run"
    chosen = Config(**SMALL | {"epochs": 1, "fold": "all", "fraction": 0.5})
    run(chosen, store, RunFolder(path), ALONE, lambda *_: None, resume=False)
    outcome = hmstrain.train(store, out=path, resume=True, epochs=2)
    assert outcome.extended == (1,)
    for fold in range(store.folds):
        inner = json.loads((path / f"fold{fold}" / "metrics.json").read_text())
        assert inner["extended"] == [1]


def test_resuming_takes_the_runs_own_settings_and_refuses_others(
    store: Store, extended: Path
) -> None:
    before = (extended / "metrics.json").read_bytes()
    hmstrain.train(store, out=extended, resume=True)
    hmstrain.train(store, out=extended, resume=True, batch_size=8, device="cpu")
    with pytest.raises(RunError, match="batch_size was 8, now 16"):
        hmstrain.train(store, out=extended, resume=True, batch_size=16)
    assert (extended / "metrics.json").read_bytes() == before
