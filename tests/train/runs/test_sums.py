"""One flipped bit in what a run or a bundle loads is told by the file's name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.inside import Inside
from support.runs import Stopped, train_small, unsealed

from hmsstore import Store
from hmsstore.sums import FILES, SEAL, sums_of
from hmstrain.prediction.bundle import bundle
from hmstrain.runs.json_file import write_sealed

PROGRAM = Inside("hmstrain")
SETTINGS = {"ema": 0.9, "epochs": 1}
BEST = ("best/model.json", "best/model.safetensors")
LAST = ("last/model.json", "last/model.safetensors", "last/average.safetensors", "last/training.pt")


@pytest.fixture(scope="module")
def run(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run"
    train_small(store, path, **SETTINGS)
    return path


@pytest.fixture(scope="module")
def stopped(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(Stopped):
        train_small(store, path, stop_at=6, **SETTINGS | {"epochs": 2})
    return path


@pytest.fixture(scope="module")
def bundled(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's copy in a bundle."""
    out = tmp_path_factory.mktemp("bundle") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hmstrain.prediction.bundle._download", lambda *_: None)
        bundle(run, out)
    return out / "runs" / "run"


def flipped(run: Path, name: str, copy: Path) -> Path:
    """A copy of a run with one bit in the middle of a file flipped."""
    shutil.copytree(run, copy)
    content = bytearray((copy / name).read_bytes())
    place = len(content) // 2
    if name.endswith(".json"):  # a digit, so that it stays JSON
        place = next(n for n in range(place, len(content)) if chr(content[n]) in "2345678")
    content[place] ^= 1
    (copy / name).write_bytes(content)
    return copy


def check(told: str, copy: Path, name: str) -> None:
    words = " ".join(told.split())
    assert f"{copy / name} is damaged: " in words
    assert f"restore {Path(name).name} from a copy, or make it again" in words
    assert "Traceback" not in words


@pytest.mark.parametrize("name", [*BEST, "config.json"])
@pytest.mark.parametrize("command", ["test", "predict", "bundle"])
def test_a_run_is_not_used(
    run: Path, store: Store, tmp_path: Path, name: str, command: str
) -> None:
    copy = flipped(run, name, tmp_path / "run")
    words: dict[str, list[object]] = {
        "test": [copy, "--store", store.path],
        "predict": [copy, store.path, "--out", tmp_path / "out"],
        "bundle": [copy, tmp_path / "out"],
    }
    check(PROGRAM.fail(command, *words[command]), copy, name)
    assert not (tmp_path / "out" / "runs").exists()


@pytest.mark.parametrize("name", BEST)
def test_a_bundles_copy_is_not_used(bundled: Path, store: Store, tmp_path: Path, name: str) -> None:
    assert set(json.loads((bundled / BEST[0]).read_text())[FILES]) == {"model.safetensors"}
    copy = flipped(bundled, name, tmp_path / "run")
    check(PROGRAM.fail("predict", copy, store.path, "--out", tmp_path / "out"), copy, name)


@pytest.mark.parametrize("name", [*LAST, *BEST, "config.json"])
def test_a_run_is_not_resumed(stopped: Path, store: Store, tmp_path: Path, name: str) -> None:
    copy = flipped(stopped, name, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    check(PROGRAM.fail("run", store.path, "--out", copy, "--resume"), copy, name)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


@pytest.mark.parametrize("change", [lambda state: [state], lambda state: state.pop("schedule")])
def test_a_state_of_another_shape_is_refused_though_its_sum_is_right(
    stopped: Path, store: Store, tmp_path: Path, change: Callable[[Any], Any]
) -> None:
    copy = Path(shutil.copytree(stopped, tmp_path / "run"))
    described, state = copy / LAST[0], torch.load(copy / LAST[3], weights_only=True)
    changed = change(state)
    torch.save(changed if isinstance(changed, list) else state, copy / LAST[3])
    values = json.loads(described.read_text())
    del values[SEAL]
    others = sorted(path for path in described.parent.iterdir() if path != described)
    write_sealed(described, values | {FILES: sums_of(others)})
    told = " ".join(PROGRAM.fail("run", store.path, "--out", copy, "--resume").split())
    assert f"{copy / LAST[3]} is damaged: " in told


@pytest.mark.parametrize("name", ["metrics.json", "predictions.npz"])
def test_predictions_and_outcome_are_not_read(
    run: Path, store: Store, tmp_path: Path, name: str
) -> None:
    copy = flipped(run, name, tmp_path / "run")
    check(PROGRAM.fail("compare", copy, run, "--truth", store.path), copy, name)
    out = tmp_path / "report.html"
    check(PROGRAM.fail("report", copy, "--store", store.path, "--out", out), copy, name)


def test_weights_and_settings_of_a_run_do_not_start_another(
    run: Path, store: Store, tmp_path: Path
) -> None:
    name = "best/model.safetensors"
    copy = flipped(run, name, tmp_path / "weights")
    given = ["run", store.path, "--model", "naive_cnn", "--image-size", 32, "--steps", 1]
    check(PROGRAM.fail(*given, "--weights", copy / name, "--out", tmp_path / "a"), copy, name)
    copy = flipped(run, "config.json", tmp_path / "settings")
    file = copy / "config.json"
    told = PROGRAM.fail("run", store.path, "--config", file, "--out", tmp_path / "b")
    check(told, copy, "config.json")
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_runs_of_before_checksums_are_used_and_resumed(
    stopped: Path, store: Store, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(stopped, copy)
    for file in [*copy.rglob("model.json"), copy / "config.json"]:
        content = unsealed(file)
        file.write_text(json.dumps(content))
    PROGRAM.succeed("run", store.path, "--out", copy, "--resume")
    assert {SEAL, FILES} <= json.loads((copy / "last" / "model.json").read_text()).keys()
    (copy / "metrics.json").write_text(json.dumps(unsealed(copy / "metrics.json")))
    (copy / "best" / "model.json").write_text(json.dumps(unsealed(copy / "best" / "model.json")))
    PROGRAM.succeed("test", copy, "--store", store.path)
