"""A run learns, is the same however often it is stopped, and says what it did."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.runs import ALONE, SMALL, Stopped, train_small

from hmsstore import Store
from hmstrain.errors import DataError, DivergedError, RunError
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.scoring import formulas, metrics
from hmstrain.scoring.score_run import score_run
from hmstrain.training.train import Run


def weights(path: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return load_file(path / name / "model.safetensors")


def assert_same_weights(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


def test_a_run_folder_holds_all_that_is_promised(store: Store, tmp_path: Path) -> None:
    outcome = train_small(store, tmp_path / "run", test_each_epoch=True)
    path = tmp_path / "run"
    assert {p.name for p in path.iterdir()} == {
        "best",
        "config.json",
        "confusion.png",
        "curves.png",
        "last",
        "metrics.json",
        "metrics.jsonl",
        "predictions.npz",
    }
    described = json.loads((path / "best" / "model.json").read_text())
    assert described["store"]["identity"] == store.identity
    assert described["versions"]["torch"] == torch.__version__.split("+")[0]
    assert len(described["normalisation"]["scales"]["spec"]["mean"]) == 400
    rows = store.select("test")
    with np.load(path / "predictions.npz") as found:
        assert found["identity"] == store.identity
        assert found["row"].tolist() == rows.tolist()
        expected = formulas.kaggle_kl(store.windows["target"][rows], found["prediction"])
    assert outcome.test is not None
    assert outcome.test["kl"] == pytest.approx(expected)
    assert outcome.test.values.keys() == {score.key for score in metrics.SCORES}
    events = [line["event"] for line in read_metrics(path / "metrics.jsonl")]
    assert {"train", "valid", "test"} == set(events)
    assert events.count("test") == 2


def test_training_follows_the_training_targets(store: Store, tmp_path: Path) -> None:
    """Forty steps on a few patients fit them better than any constant could."""
    settings: dict[str, Any] = {"fraction": 0.1, "epochs": 40, "flip": 0, "validate_every": 1000}
    train_small(store, tmp_path / "run", learning_rate=3e-3, **settings)
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl", "train")
    assert lines[-1]["kl"] < 0.3 * lines[0]["kl"]


STAGES: dict[str, Any] = {
    "inputs": "spec+eeg",
    "contrastive": True,
    "second_epochs": 1,
    "second_min_votes": 3,
    "ema": 0.9,
    "mixup": 0.4,
    "mixup_p": 0.7,
    "mixup_clip": 0.2,
    "shift_s": 2.0,
    "stretch": 0.2,
    "swap": 0.5,
    "front_back": 0.5,
    "permute_chains": 0.5,
    "channel_dropout": 0.1,
    "channel_dropout_most": 4,
    "random_bandpass": 0.5,
    "mask": 1,
    "boxes": 4,
    "noise": 0.1,
    "sample": "votes",
    "clip_gradient": 1.0,
    "norm_windows": 16,
    "batch_size": 2,
    "epochs": 1,
}


@pytest.fixture(scope="module")
def undisturbed(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("undisturbed") / "run"
    train_small(store, path, **STAGES)
    return path


def test_a_stopped_run_goes_on_to_the_very_same_weights(
    store: Store, undisturbed: Path, tmp_path: Path
) -> None:
    """With everything switched on that draws random numbers; also across the two stages."""
    steps = json.loads((undisturbed / "metrics.json").read_text())["steps"]
    path = tmp_path / "run"
    stops = 0
    for step in range(4, steps + 1, 4):
        with pytest.raises(Stopped):
            train_small(store, path, resume=path.exists(), stop_at=step, **STAGES)
        stops += 1
    assert stops >= 4
    train_small(store, path, resume=True, **STAGES)
    for name in ("last", "best"):
        assert_same_weights(weights(path, name), weights(undisturbed, name))
    ours, theirs = (json.loads((p / "metrics.json").read_text()) for p in (path, undisturbed))
    assert ours == theirs
    with np.load(path / "predictions.npz") as a, np.load(undisturbed / "predictions.npz") as b:
        np.testing.assert_array_equal(a["prediction"], b["prediction"])
    logged = [
        [(x["event"], x["step"], x.get("kl"), x.get("kl_votes")) for x in read_metrics(p)]
        for p in (path / "metrics.jsonl", undisturbed / "metrics.jsonl")
    ]
    assert [x for x in logged[0] if x[0] != "train"] == [x for x in logged[1] if x[0] != "train"]


def test_a_step_that_overflows_in_half_precision_is_not_taken(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the schedule nor by the moving average; and a resumed run does the same."""
    large = partial(torch.amp.GradScaler, init_scale=2.0**22)
    monkeypatch.setattr(torch.amp, "GradScaler", large)
    settings: dict[str, Any] = {"precision": "float16", "ema": 0.9, "epochs": 2}
    train_small(store, tmp_path / "whole", **settings)
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        train_small(store, path, stop_at=4, **settings)
    train_small(store, path, resume=True, **settings)
    for name in ("last", "best"):
        assert_same_weights(weights(path, name), weights(tmp_path / "whole", name))
    training = torch.load(path / "last" / "training.pt", weights_only=True)
    steps = json.loads((path / "metrics.json").read_text())["steps"]
    assert training["scaler"]["scale"] < 2.0**22
    assert 0 < training["schedule"]["last_epoch"] < steps


def test_a_run_is_saved_between_validations(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"epochs": 6, "batch_size": 2, "validate_every": 10_000}
    train_small(store, tmp_path / "whole", **settings)
    monkeypatch.setattr("hmstrain.training.state.SAVE_EVERY_S", 0)
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        train_small(store, path, stop_at=20, **settings)
    kept = json.loads((path / "last" / "model.json").read_text())["progress"]
    assert kept["step"] == 10
    assert kept["best_kl"] is None
    train_small(store, path, resume=True, **settings)
    assert_same_weights(weights(path), weights(tmp_path / "whole"))
    ours, theirs = (
        [(x["event"], x["step"], x.get("kl")) for x in read_metrics(p / "metrics.jsonl")]
        for p in (path, tmp_path / "whole")
    )
    assert ours == theirs


@pytest.mark.parametrize("stop_at", [10, 20])
def test_a_run_killed_in_a_validation_goes_on_with_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    """However recently it was saved: each validation is part of what chooses the best weights."""
    settings: dict[str, Any] = {"steps": 20, "batch_size": 2, "validate_every": 10}
    train_small(store, tmp_path / "whole", **settings)
    monkeypatch.setattr("hmstrain.training.state.SAVE_EVERY_S", 0)
    monkeypatch.setattr("hmstrain.training.train.Run._check", _stop(Run._check, stop_at))
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        train_small(store, path, **settings)
    monkeypatch.undo()
    fresh = not path.exists()
    assert fresh == (stop_at == 10)
    train_small(store, path, resume=not fresh, **settings)
    ours, theirs = (
        json.loads((p / "metrics.json").read_text()) for p in (path, tmp_path / "whole")
    )
    assert ours == theirs


def _stop(check: Any, at: int) -> Any:
    def stopping(run: Run, epoch: Any, *, last: bool) -> None:
        if run.progress.step == at:
            raise Stopped
        check(run, epoch, last=last)

    return stopping


def test_tensorboard_shows_what_the_log_holds(store: Store, tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    path = tmp_path / "run"
    train_small(store, path, tensorboard=True, test_each_epoch=True)
    shown = event_accumulator.EventAccumulator(str(path / "tensorboard")).Reload()
    logged = read_metrics(path / "metrics.jsonl", "valid")
    points = shown.Scalars("valid/kl_votes")
    assert [p.step for p in points] == [x["step"] for x in logged]
    assert [p.value for p in points] == pytest.approx([x["kl_votes"] for x in logged])
    assert {"train/loss", "test/kl_votes"} <= set(shown.Tags()["scalars"])


def command(store: Store, out: Path, *extra: str, **settings: Any) -> list[str]:
    words = [f"--set={key}={value}" for key, value in (SMALL | settings).items()]
    run = [sys.executable, "-m", "hmstrain", "run", str(store.path), "--out", str(out)]
    return [*run, *words, *extra]


def test_a_killed_run_goes_on_to_the_very_same_weights(store: Store, tmp_path: Path) -> None:
    train_small(store, tmp_path / "whole", epochs=3)
    path = tmp_path / "run"
    process = subprocess.Popen(
        command(store, path, epochs=3), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    end = time.monotonic() + 120
    while not (path / "last").exists():
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (path / "metrics.json").exists()
    train_small(store, path, resume=True, epochs=3)
    assert_same_weights(weights(path), weights(tmp_path / "whole"))


def launch(store: Store, out: Path, **settings: Any) -> None:
    """Run in two processes."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*torchrun, *command(store, out, **settings)[1:]],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("model", ["convnext_atto"])
def test_two_processes_take_the_same_steps_as_one(store: Store, tmp_path: Path, model: str) -> None:
    """Layer norm and no dropout, so that nothing depends on how a batch is shared out: unevenly."""
    settings = {"model": model, "epochs": 1, "steps": 4, "sample": "votes", "vote_weight": "log"}
    settings |= {"batch_size": 5, "accumulate": 2, "populations": "bias", "second_min_votes": 4}
    train_small(store, tmp_path / "one", **settings)
    launch(store, tmp_path / "two", **settings)
    logs = [read_metrics(tmp_path / name / "metrics.jsonl", "train") for name in ("one", "two")]
    losses = [[line["kl"] for line in lines] for lines in logs]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    for name, value in weights(tmp_path / "one").items():
        torch.testing.assert_close(value, weights(tmp_path / "two")[name], atol=1e-4, rtol=1e-3)
    with (
        np.load(tmp_path / "one/predictions.npz") as a,
        np.load(tmp_path / "two/predictions.npz") as b,
    ):
        np.testing.assert_allclose(a["prediction"], b["prediction"], atol=1e-3)


def test_two_processes_train_a_network_of_ones_own_that_does_not_use_all_of_itself(
    store: Store, tmp_path: Path
) -> None:
    settings = {"model": "support.nets:spare", "inputs": "spec+eeg", "epochs": 1, "steps": 4}
    train_small(store, tmp_path / "one", **settings)
    launch(store, tmp_path / "two", **settings)
    for name, value in weights(tmp_path / "one").items():
        torch.testing.assert_close(value, weights(tmp_path / "two")[name], atol=1e-4, rtol=1e-3)


def test_two_processes_keep_the_very_network_that_they_validated(
    store: Store, tmp_path: Path
) -> None:
    """Batch norm gathers statistics in each process; what is kept is what was scored."""
    path = tmp_path / "run"
    launch(store, path, sample="votes", ema=0.5)
    valid = [x["kl_votes"] for x in read_metrics(path / "metrics.jsonl", "valid")]
    found = score_run(RunFolder(path), store, "valid", ALONE)
    assert found.test["kl_votes"] == pytest.approx(min(valid), rel=1e-5)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_checkpoint(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    rows = r"rows \[\d+, .*\], label_id \[\d+, "
    with pytest.raises(DivergedError, match=rf"The loss became NaN or infinite at step 8.*{rows}"):
        train_small(store, path, model="support.nets:bad")
    validated = read_metrics(path / "metrics.jsonl", "valid")[-1]["step"]
    assert 5 < validated < 8
    assert json.loads((path / "last" / "model.json").read_text())["progress"]["step"] == validated
    kept = weights(path)
    assert all(torch.isfinite(value).all() for value in kept.values())
    assert not (path / "metrics.json").exists()


def test_every_fold_gives_out_of_fold_predictions_of_every_training_window(
    store: Store, tmp_path: Path
) -> None:
    outcome = train_small(store, tmp_path / "run", fold="all", epochs=1, steps=2)
    assert len(outcome.folds) == store.folds
    assert outcome.out_of_fold is not None
    with np.load(tmp_path / "run" / "out_of_fold.npz") as found:
        assert found["row"].tolist() == store.select("train").tolist()
        expected = metrics.scores(store, found["row"], found["prediction"])
    assert outcome.out_of_fold["kl"] == expected["kl"]
    means = [fold.test["kl"] for fold in outcome.folds if fold.test is not None]
    assert len(means) == store.folds
    spread = outcome.test_of_single_folds["kl"]
    assert spread is not None
    assert spread.mean == pytest.approx(np.mean(means))
    assert spread.std == pytest.approx(np.std(means, ddof=1))
    for fold in range(store.folds):
        with np.load(tmp_path / "run" / f"fold{fold}" / "out_of_fold.npz") as found:
            assert found["row"].tolist() == store.select("valid", fold=fold).tolist()


def test_rotating_folds_is_called_leaking_and_keeps_the_last_weights(
    store: Store, tmp_path: Path
) -> None:
    outcome = train_small(store, tmp_path / "run", fold="rotate", epochs=4)
    assert outcome.validation_leaks is True
    assert outcome.leaks is False
    assert outcome.best_step == outcome.steps
    assert_same_weights(weights(tmp_path / "run"), weights(tmp_path / "run", "best"))


def test_contrastive_training_logs_how_well_the_signals_match(undisturbed: Path) -> None:
    valid = read_metrics(undisturbed / "metrics.jsonl", "valid")
    assert {"positive_cosine", "negative_cosine", "retrieval_at_1", "chance"} <= valid[0].keys()
    matched = RunFolder(undisturbed).outcome().alignment
    assert matched is not None
    assert matched.chance == 1 / matched.patients


def test_the_moving_average_is_what_is_kept(store: Store, tmp_path: Path) -> None:
    train_small(store, tmp_path / "run", ema=0.99)
    best, last = weights(tmp_path / "run", "best"), weights(tmp_path / "run")
    assert not torch.equal(best["head.weight"], last["head.weight"])
    averaged = load_file(tmp_path / "run" / "last" / "average.safetensors")
    assert torch.isfinite(averaged["module.head.weight"]).all()


@pytest.mark.parametrize(
    ("setting", "nearly"),
    [
        ({"precision": "bfloat16"}, 3e-3),
        ({"precision": "float16"}, 1e-3),
        ({"channels_last": True}, 1e-3),
        ({"data": "device"}, 1e-9),
        pytest.param(
            {"compile": True},
            1e-3,
            marks=pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler: g++"),
        ),
    ],
)
def test_ways_of_computing_give_nearly_the_same_run(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: dict[str, Any],
    nearly: float,
) -> None:
    calls, compile_ = [], torch.compile

    def counted(network: Any) -> Any:
        compiled = compile_(network)

        def step(**prepared: torch.Tensor) -> Any:
            calls.append(prepared)
            return compiled(**prepared)

        return step

    plain = train_small(store, tmp_path / "plain", steps=4)
    monkeypatch.setattr(torch, "compile", counted)
    other = train_small(store, tmp_path / "other", steps=4, **setting)
    assert len(calls) == (4 if "compile" in setting else 0)
    assert other.test is not None
    assert plain.test is not None
    assert other.test["kl"] == pytest.approx(plain.test["kl"], abs=nearly)
    if "precision" in setting:
        assert other.test["kl"] != plain.test["kl"]


def test_what_validation_says_is_what_testing_the_fold_says(store: Store, tmp_path: Path) -> None:
    outcome = train_small(store, tmp_path / "run")
    rows = store.select("valid", fold=0)
    found = score_run(RunFolder(tmp_path / "run"), store, "valid", ALONE)
    assert found.rows.tolist() == rows.tolist()
    assert found.test["kl_votes"] == pytest.approx(outcome.valid_kl_votes, rel=1e-5)
    assert found.leaks is False


def test_patients_that_were_trained_on_are_noticed_in_another_store(
    store: Store, data: Path, tmp_path: Path
) -> None:
    from support.helpers import build_store

    train_small(store, tmp_path / "run")
    other = build_store(data, tmp_path / "other.zarr", split_by="all")
    found = score_run(RunFolder(tmp_path / "run"), other, "test", ALONE)
    patients = store.windows["patient_id"]
    assert found.patients_trained_on == len(np.unique(patients[store.select("train")]))
    assert found.leaks is True


def test_a_network_that_gives_no_numbers_when_tested_is_not_kept(
    store: Store, tmp_path: Path
) -> None:
    with pytest.raises(DivergedError, match="gives NaN or infinite values for"):
        train_small(store, tmp_path / "run", model="support.nets:untestable")
    kept = {"config.json", "metrics.jsonl", "source"}
    assert {p.name for p in (tmp_path / "run").iterdir()} == kept


def test_a_finished_run_is_left_as_it_is(store: Store, undisturbed: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in undisturbed.rglob("*")}
    train_small(store, undisturbed, resume=True, **STAGES)
    assert {p: p.stat().st_mtime_ns for p in undisturbed.rglob("*")} == before


def test_a_folder_is_never_shared_by_two_runs(
    store: Store, undisturbed: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="already holds a run"):
        train_small(store, undisturbed, **STAGES)
    with pytest.raises(RunError, match="another configuration: seed was 0, now 1"):
        train_small(store, undisturbed, resume=True, **(STAGES | {"seed": 1}))
    (tmp_path / "x").write_text("")
    with pytest.raises(RunError, match="is not empty and not a run"):
        train_small(store, tmp_path, resume=True)


def test_a_run_does_not_go_on_with_another_store(
    store: Store, undisturbed: Path, data: Path, tmp_path: Path
) -> None:
    from support.helpers import build_store

    other = build_store(data, tmp_path / "other.zarr", seed=7)
    with pytest.raises(RunError, match="was trained on another store"):
        train_small(other, undisturbed, resume=True, **STAGES)


def test_a_fold_or_rows_that_do_not_exist_are_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no fold 9: .* has folds 0 to 4"):
        train_small(store, tmp_path / "run", fold="9")
    with pytest.raises(DataError, match=r"No training window .* at least 999 vote"):
        train_small(store, tmp_path / "other", min_votes=999)
