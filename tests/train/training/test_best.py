"""The checkpoint that is kept is the best at what its stage trains for, and the run says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.helpers import build_store, write_pair
from support.runs import ALONE, train_small

import hmstrain
from hmsstore import Store
from hmsstore.windows import typical_rows
from hmstrain.config import Config
from hmstrain.data.rows import plan_epochs
from hmstrain.data.validation import FEWEST, judges
from hmstrain.errors import DataError
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.runs.outcome import Outcome
from hmstrain.scoring.formulas import kaggle_kl
from hmstrain.scoring.score_run import score_run
from hmstrain.training.state import Progress

STAGES: dict[str, Any] = {
    "model": "support.nets:level",
    "inputs": "spec",
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 0.3,
    "weight_decay": 0,
    "second_epochs": 4,
    "second_learning_rate": 0.3,
    "validate_every": 1000,
}


@pytest.fixture(scope="module")
def kept(divided: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two stages on it."""
    path = tmp_path_factory.mktemp("kept") / "run"
    train_small(divided, path, **STAGES)
    return path


def validations(path: Path, stage: int) -> list[dict[str, Any]]:
    lines = read_metrics(path / "metrics.jsonl", "valid")
    return [line for line in lines if (line["epoch"] >= STAGES["epochs"]) == bool(stage)]


def test_the_second_stage_is_kept_for_what_it_is_better_at(divided: Store, kept: Path) -> None:
    """Over all votes it is worse than the first, and its own score is above the first's."""
    first, second = validations(kept, 0), validations(kept, 1)
    assert first[-1]["kl_votes"] + 0.1 < second[-1]["kl_votes"]
    assert first[-1]["kl_hi"] - 0.1 > second[-1]["kl_hi"]
    assert min(x["kl_votes"] for x in first) + 0.1 < min(x["kl_hi"] for x in second)
    best = min(second, key=lambda line: line["kl_hi"])
    outcome = RunFolder(kept).outcome()
    assert outcome.best_step == best["step"]
    assert (outcome.best_by, outcome.best_value) == ("kl_hi", best["kl_hi"])
    assert outcome.valid_kl_votes == best["kl_votes"]
    assert [x["step"] for x in second if x["best"]][-1] == best["step"]
    assert {x["best_by"] for x in first} == {"kl_votes"}


def test_the_test_is_of_the_checkpoint_that_is_kept(divided: Store, kept: Path) -> None:
    outcome = RunFolder(kept).outcome()
    again = score_run(RunFolder(kept), divided, "test", ALONE, trust=True)
    valid = score_run(RunFolder(kept), divided, "valid", ALONE, trust=True)
    assert outcome.test is not None
    assert outcome.test["kl"] == pytest.approx(again.test["kl"], rel=1e-6)
    assert valid.test["kl_hi"] == pytest.approx(outcome.best_value, rel=1e-5)


def test_by_kl_votes_the_first_stage_is_kept_as_before(divided: Store, tmp_path: Path) -> None:
    outcome = train_small(divided, tmp_path / "run", best_by="kl_votes", **STAGES)
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl", "valid")
    best = min(lines, key=lambda line: line["kl_votes"])
    assert best["epoch"] < STAGES["epochs"]
    assert (outcome.best_step, outcome.best_value) == (best["step"], best["kl_votes"])
    assert "is the lowest of all validations" in outcome.kept


def test_the_latest_is_kept_where_nothing_chooses(divided: Store, tmp_path: Path) -> None:
    outcome = train_small(divided, tmp_path / "run", best_by="last", **STAGES)
    assert outcome.best_step == outcome.steps
    assert (outcome.best_by, outcome.best_value) == ("last", None)
    assert outcome.valid_kl_votes == validations(tmp_path / "run", 1)[-1]["kl_votes"]
    assert outcome.kept.endswith("the latest, as best_by=last asks.")


def test_kl_is_over_every_window_of_the_fold(store: Store, tmp_path: Path) -> None:
    outcome = train_small(store, tmp_path / "run", best_by="kl")
    found = score_run(RunFolder(tmp_path / "run"), store, "valid", ALONE)
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl", "valid")
    assert outcome.best_value == min(line["kl"] for line in lines)
    assert found.test["kl"] == pytest.approx(outcome.best_value, rel=1e-5)
    assert found.test["kl_votes"] == pytest.approx(outcome.valid_kl_votes, rel=1e-5)
    expected = kaggle_kl(store.windows["target"][found.rows], found.prediction)
    assert outcome.best_value == pytest.approx(expected, rel=1e-5)


def test_extensions_are_judged_with_the_last_stage(divided: Store, tmp_path: Path) -> None:
    path = tmp_path / "run"
    train_small(divided, path, **(STAGES | {"epochs": 2, "second_epochs": 2}))
    before = RunFolder(path).outcome()
    after = hmstrain.train(divided, out=path, resume=True, epochs=3)
    lines = [x for x in read_metrics(path / "metrics.jsonl", "valid") if x["epoch"] >= 2]
    assert {x["best_by"] for x in lines} == {"kl_hi"}
    assert after.best_value == min(x["kl_hi"] for x in lines)
    assert before.best_value is not None
    assert after.best_value is not None
    assert after.best_value <= before.best_value
    assert "of the second stage" in after.kept
    added = [x for x in lines if x["epoch"] == 4]
    assert added
    assert all(x["best"] == (x["kl_hi"] < before.best_value) for x in added[:1])


def test_too_few_windows_of_a_stage_do_not_choose_and_that_is_said(
    store: Store, tmp_path: Path
) -> None:
    told: list[tuple[str, Any]] = []
    outcome = hmstrain.train(
        store,
        out=tmp_path / "run",
        events=lambda event, values: told.append((event, dict(values))),
        model="naive_cnn",
        image_size=32,
        epochs=1,
        second_epochs=1,
        batch_size=8,
        device="cpu",
    )
    notices = [values["text"] for event, values in told if event == "notice"]
    assert len(notices) == 1
    assert "too few to choose the best checkpoint of the second stage by, so kl_votes" in notices[0]
    assert outcome.best_by == "kl_votes"
    assert outcome.best_stage == 1
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl", "valid")
    assert lines[-1]["epoch"] == 1
    assert outcome.best_value == min(x["kl_votes"] for x in lines if x["epoch"] == 1)


@pytest.mark.parametrize("least", [1, 2, 10])
def test_a_stage_is_judged_by_typical_windows_with_its_votes(divided: Store, least: int) -> None:
    config = Config(model="naive_cnn", min_votes=least)
    judge = judges(config, divided, plan_epochs(config, divided))[0]
    rows = divided.select("valid", fold=0)
    typical = typical_rows(divided.windows, rows)
    name = {1: "kl_votes", 2: "kl_min2", 10: "kl_hi"}[least]
    assert judge.by == name
    expected = rows[typical["hi" if least == 10 else "votes"]]  # one window of each EEG here
    assert judge.rows[judge.judged].tolist() == expected.tolist()
    assert len(expected) >= FEWEST


@pytest.mark.parametrize("fold", ["0", "all"])
def test_a_score_of_windows_that_the_fold_lacks_is_refused_before_training(
    tmp_path: Path, fold: str
) -> None:
    rows = [
        {"eeg_id": n, "spectrogram_id": 100 + n, "patient_id": n, "label_id": n} for n in range(12)
    ]
    store = build_store(write_pair(tmp_path / "data", rows), tmp_path / "hms.zarr")
    with pytest.raises(DataError, match=r"best_by=kl_hi: fold 0 of .* holds no window with 10 v"):
        train_small(store, tmp_path / "run", best_by="kl_hi", fold=fold)
    assert not (tmp_path / "run").exists()


def test_a_run_of_before_the_setting_is_resumed_as_it_was() -> None:
    before = {"step": 40, "best_kl": 0.9, "best_step": 30, "tests": []}
    progress = Progress.from_json(before)
    assert not progress.judge("kl_votes", 0, {"kl_votes": 0.95})
    assert (progress.best_step, progress.best_value) == (30, 0.9)
    assert progress.judge("kl_votes", 0, {"kl_votes": 0.85})
    assert (progress.best_step, progress.best_kl) == (40, 0.85)


def test_an_outcome_of_before_the_setting_says_why_its_checkpoint_was_kept(kept: Path) -> None:
    written = json.loads((kept / "metrics.json").read_text())
    for key in ("best_by", "best_value", "best_stage", "held_out"):
        del written[key]
    old = Outcome.from_json(written)
    assert f"its kl_votes of {old.valid_kl_votes:.4f} is the lowest of all" in old.kept
    leaking = replace(old, validation_leaks=True)
    assert "the latest: with fold=rotate" in leaking.kept
    unheld = replace(old, valid_kl_votes=None)
    assert "the latest: no fold was held out" in unheld.kept
