"""`hmstrain run` as a user meets it: folders, notes, tables, JSON, resuming, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.inside import Inside
from support.runs import SMALL

from hmsstore import Store

PROGRAM = Inside("hmstrain")
succeed, fail = PROGRAM.succeed, PROGRAM.fail
WORDS = [f"--set={k}={v}" for k, v in SMALL.items()]
FLAGS = {
    *("--model", "--inputs", "--contrastive", "--image-size", "--fold", "--pretrained"),
    *("--also", "--weights", "--epochs", "--batch-size", "--steps", "--fraction"),
    *("--learning-rate", "--sample", "--balance", "--seed", "--seeds", "--config", "--set"),
    *("--device", "--data", "--precision"),
    *("--out", "--resume", "--dry-run", "--json", "--quiet", "--log-file"),
}


def test_run_has_these_options_and_no_more() -> None:
    """Another setting needs no option: --set and --config take every one."""
    import typer.main

    from hmstrain.cli import app

    command = typer.main.get_command(app).commands["run"]
    options = [param for param in command.params if param.param_type_name == "option"]
    assert {form for option in options for form in option.opts} == FLAGS


def test_a_bare_run_says_that_it_starts_from_random_weights(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a working folder with hms.zarr, with nothing named but the model."""
    (tmp_path / "hms.zarr").symlink_to(store.path)
    monkeypatch.chdir(tmp_path)
    small = ["--image-size", "32", "--steps", "2", "--epochs", "1", "--batch-size", "8"]
    done = succeed("run", "--model", "naive_cnn", *small)
    assert "Starting from random weights" in done.stderr
    assert "2 steps in 1 epoch." in done.stderr
    assert "95% interval" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    (path,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch("naive_cnn-spec-fold0-seed0-[0-9a-f]{6}", path.name)
    assert (path / "metrics.json").exists()
    assert f"Everything is in runs/{path.name}." in done.stderr
    kept = [line for line in done.stderr.splitlines() if line.startswith("Kept the checkpoint")]
    assert len(kept) == 1
    assert re.fullmatch(
        r"Kept the checkpoint of step 2 of 2: its kl_votes of \d\.\d{4} is the lowest of all "
        r"validations\.",
        kept[0],
    )


def test_the_test_split_is_looked_at_once_unless_asked(store: Store, tmp_path: Path) -> None:
    for name, more in (("once", []), ("each", ["--set", "test_each_epoch=true"])):
        done = succeed("run", store.path, *WORDS, *more, "--out", tmp_path / name)
        lines = [line for line in done.stderr.splitlines() if re.match(r"step .*: test ", line)]
        assert [line.split(":")[0].split(", ")[1] for line in lines] == (
            ["epoch 1", "epoch 2"] if more else []
        )
        outcome = json.loads((tmp_path / name / "metrics.json").read_text())
        assert len(outcome["test_per_epoch"]) == len(lines)


def test_a_dry_run_prints_every_setting_and_trains_nothing(tmp_path: Path) -> None:
    words = ["--set", "mixup=0.3", "--fold", "2", "--set", "model.width=64"]
    found = json.loads(succeed("run", tmp_path / "none.zarr", "--dry-run", *words).stdout)
    assert found["mixup"] == 0.3
    assert found["fold"] == "2"
    assert found["model_args"] == {"width": 64}
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_refuses_a_model_that_timm_does_not_have() -> None:
    assert "Did you mean" in fail("run", "--dry-run", "--model", "resnet_18")
    beside = ("--inputs", "spec+eeg", "--set", "eeg_model=wavnet")
    assert "Did you mean wavenet" in fail("run", "--dry-run", *beside)
    found = json.loads(succeed("run", "--dry-run", "--model", "resnet10t").stdout)
    assert found["model"] == "resnet10t"


def test_a_finished_run_is_extended_by_the_command(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "run"
    succeed("run", store.path, *WORDS, "--set=epochs=1", "--out", out)
    resumed = json.loads(
        succeed("run", store.path, "--out", out, "--resume", "--epochs", "3", "--dry-run").stdout
    )
    assert (resumed["model"], resumed["epochs"], resumed["extended"]) == ("naive_cnn", 1, [2])
    done = succeed("run", store.path, "--out", out, "--resume", "--epochs", "3", "--json")
    assert json.loads(done.stdout)["extended"] == [2]
    assert "resuming at step" in done.stderr
    refused = fail("run", store.path, "--out", out, "--resume", "--epochs", "2")
    assert "has 3 epochs, more than --epochs 2" in refused


def test_a_stores_warnings_are_said_where_scores_are_printed(data: Path, tmp_path: Path) -> None:
    from support.helpers import build_store

    leaking = build_store(data, tmp_path / "leaks.zarr", split_by="window")
    assert leaking.leaks
    done = succeed("run", leaking.path, *WORDS, "--steps", "2", "--out", tmp_path / "run")
    for message in leaking.info["warnings"]:
        assert f"warning: {message}" in done.stderr
    assert "warning: Patients leak between training and test" in done.stderr
    looked = succeed("report", tmp_path / "run")
    assert "Patients leak" in looked.stderr


def test_resuming_what_is_not_there_begins_it_and_says_so(store: Store, tmp_path: Path) -> None:
    words = ("run", store.path, *WORDS, "--steps", "2", "--out", tmp_path / "run", "--resume")
    begun = f"There is no run in {tmp_path / 'run'} to resume: starting a new one."
    assert begun in succeed(*words).stderr
    assert begun not in succeed(*words).stderr


def test_ctrl_c_says_how_to_resume(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["--set=validate_every=1", "--set=epochs=500", "--out", out]
    process = subprocess.Popen(
        [sys.executable, "-m", "hmstrain", "run", store.path, *WORDS, *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    while not (out / "last" / "model.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert stdout == ""
    assert (
        f"is saved in {out}. Resume with hmstrain run {store.path} --out {out} --resume." in stderr
    )


def test_training_needs_nothing_that_building_does(store: Store, tmp_path: Path) -> None:
    """In a process where polars, pyarrow, scipy, scikit-learn and zarr cannot be imported."""
    script = """
import sys
for name in ("polars", "pyarrow", "scipy", "sklearn", "zarr", "numcodecs", "hmsprep"):
    sys.modules[name] = None
from hmstrain.cli import main
main()
"""
    done = subprocess.run(
        [
            *[sys.executable, "-c", script, "run", store.path],
            *["--out", tmp_path / "run", "--steps", "2", "--inputs", "spec+eeg", *WORDS],
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
