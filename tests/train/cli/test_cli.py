"""The command line of hmstrain as a user meets it: help, exit codes, messages, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.helpers import Program, build_store
from support.runs import SMALL, train_small

from hmsstore import Store

COMMANDS = ("run", "test", "study", "report", "explain", "view", "models")


PROGRAM = Program("hmstrain")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


@pytest.fixture(scope="module")
def run(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "run"
    train_small(store, path, inputs="spec+eeg")
    return path


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    script = """
import sys
from hmstrain.cli import app
try:
    app(["run", "--help"])
except SystemExit:
    pass
print(sorted({"numpy", "torch", "timm", "matplotlib"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    text = succeed("--help").stdout
    assert all(command in text for command in COMMANDS)


def test_a_bare_run_says_that_it_starts_from_random_weights(store: Store, tmp_path: Path) -> None:
    """In a working folder with hms.zarr, with nothing named but the model."""
    (tmp_path / "hms.zarr").symlink_to(store.path)
    done = subprocess.run(
        [
            *[sys.executable, "-m", "hmstrain", "run", "--model", "naive_cnn"],
            *["--image-size", "32", "--steps", "2", "--epochs", "1", "--batch-size", "8"],
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Starting from random weights" in done.stderr
    assert "95% interval" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert (tmp_path / "runs" / "naive_cnn-spec-fold0-seed0" / "metrics.json").exists()


def test_a_dry_run_prints_every_setting_and_trains_nothing(tmp_path: Path) -> None:
    done = succeed("run", tmp_path / "none.zarr", "--dry-run", "--set", "mixup=0.3", "--fold", "2")
    found = json.loads(done.stdout)
    assert found["mixup"] == 0.3
    assert found["fold"] == "2"
    assert list(tmp_path.iterdir()) == []


def test_test_scores_the_best_checkpoint_again(run: Path, store: Store) -> None:
    found = json.loads(succeed("test", run, "--json").stdout)
    before = json.loads((run / "metrics.json").read_text())
    assert found["test"] == before["test"]
    assert found["same_store"] is True
    with (
        np.load(run / f"test-{store.identity[:12]}.npz") as a,
        np.load(run / "predictions.npz") as b,
    ):
        np.testing.assert_array_equal(a["prediction"], b["prediction"])
    valid = json.loads(succeed("test", run, "--split", "valid", "--json").stdout)
    assert valid["test"]["windows"] == len(store.select("valid", fold=0))


def test_test_takes_another_store_and_refuses_one_cleaned_otherwise(
    run: Path, data: Path, tmp_path: Path
) -> None:
    foreign = build_store(data, tmp_path / "foreign.zarr", split_by="all")
    found = json.loads(succeed("test", run, "--store", foreign.path, "--json").stdout)
    assert found["same_store"] is False
    assert found["test"]["windows"] == len(foreign)
    other = build_store(data, tmp_path / "other.zarr", split_by="all", eeg_clip=500.0)
    assert "was cleaned differently" in fail("test", run, "--store", other.path)


def test_a_study_prints_its_table_beside_the_published_numbers_and_goes_on(
    store: Store, tmp_path: Path
) -> None:
    words = [f"--set={k}={v}" for k, v in SMALL.items() if k not in ("model", "image_size")]
    arguments = ["study", store.path, "--out", tmp_path / "study", "--image-size", "32", *words]
    chosen = ["--system", "naive_cnn-spec", "--system", "naive_cnn-spec+eeg-contrastive"]
    text = succeed(*arguments, *chosen, "--steps", "3").stdout
    assert text.startswith("# Study: from scratch, 3 steps, 32 px, test split by patient")
    rows = [line for line in text.splitlines() if line.startswith("| naive_cnn")]
    assert len(rows) == 2
    assert "0.966" in rows[0]
    assert rows[1].endswith("- | - | - |")
    assert {p.name for p in (tmp_path / "study").iterdir()} == {
        "naive_cnn-spec",
        "naive_cnn-spec+eeg-contrastive",
        "study.csv",
        "study.json",
        "study.md",
        "study.html",
        "study.png",
    }
    first = tmp_path / "study" / "naive_cnn-spec" / "metrics.json"
    before = first.stat().st_mtime_ns
    assert succeed(*arguments, *chosen, "--steps", "3").stdout == text
    assert first.stat().st_mtime_ns == before
    assert "no system 'cnn'" in fail(*arguments, "--system", "cnn")


def test_models_are_listed_with_parameters_and_what_they_take() -> None:
    found = json.loads(succeed("models", "naive", "--json").stdout)
    assert found[0] == {
        "model": "naive_cnn",
        "parameters": 4_372_006,
        "takes": "images 3 x 400 x 300",
    }
    assert "convnext_atto" in succeed("models", "convnext_atto").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "none.zarr"), "found nothing"),
        (("run", "--set", "mixpu=1"), "Did you mean mixup"),
        (("run", "{store}", "--model", "resnet_18", "--out", "{out}"), "Did you mean resnet18"),
        (("run", "{store}", "--fold", "7", "--out", "{out}"), "There is no fold 7"),
        (("run", "{store}", "--device", "cuda:9", "--out", "{out}"), "There is no device cuda:9"),
        (("run", "{store}", "--config", "none.json", "--out", "{out}"), "cannot be read"),
        (("test", "{out}"), "holds no config.json"),
    ],
)
def test_a_users_error_is_one_message_and_leaves_no_folder(
    store: Store, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "run"
    filled = [word.format(store=store.path, out=out) for word in arguments]
    text = fail(*filled)
    assert message in text
    assert text.splitlines()[-1].startswith("hmstrain: ")
    assert not out.exists()


@pytest.mark.parametrize("arguments", [("run", "--nope"), ("nope",), ("test",)])
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    fail(*arguments, code=2)


def test_training_needs_nothing_that_building_does(store: Store, tmp_path: Path) -> None:
    """In a process where polars, pyarrow, scipy, scikit-learn and zarr cannot be imported."""
    script = """
import sys
for name in ("polars", "pyarrow", "scipy", "sklearn", "zarr", "numcodecs", "hmsprep"):
    sys.modules[name] = None
from hmstrain.cli import main
main()
"""
    words = [f"--set={k}={v}" for k, v in SMALL.items()]
    done = subprocess.run(
        [
            *[sys.executable, "-c", script, "run", store.path],
            *["--out", tmp_path / "run", "--steps", "2", "--inputs", "spec+eeg", *words],
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_without_torch_one_sentence_says_what_to_install(store: Store, tmp_path: Path) -> None:
    script = """
import sys
sys.modules["torch"] = None
from hmstrain.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "run", store.path, "--out", tmp_path / "run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("hmstrain: torch is not installed. Install what training takes")
