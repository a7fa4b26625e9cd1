"""A bundle predicts on a machine that has no internet and nothing of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import polars as pl
import pytest
from support.inside import Inside
from support.runs import train_small

from hmsstore import CLASSES, Store
from hmstrain.errors import ConfigError, RunError
from hmstrain.prediction.bundle import CELL, KAGGLE, bundle, missing_packages, write_own_wheel
from hmstrain.runs.folder import RunFolder

PROGRAM = Inside("hmstrain")


@pytest.fixture(scope="module")
def run(store: Store, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of both signals and of all folds."""
    path = tmp_path_factory.mktemp("run") / "all"
    train_small(store, path, inputs="spec+eeg", fold="all", epochs=1, steps=2)
    return RunFolder(path)


@pytest.fixture(scope="module")
def made(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of it for a machine with Kaggle's packages."""
    pytest.importorskip("pip", reason="no pip here to download wheels with")
    out = tmp_path_factory.mktemp("bundle") / "offline"
    try:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        bundle(run.path, out, python=version, swap=True, reverse=True)
    except RunError as error:
        if "cannot be downloaded" not in str(error):
            raise
        pytest.skip("no package index can be reached from here")
    return out


def fresh_machine(folder: Path, without: set[str]) -> Path:
    """An environment with this one's packages, less some, and without any index; its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    there = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        name = path.name.lower().replace("-", "_")
        ours = any(name == word or name.startswith((f"{word}.", f"{word}_")) for word in without)
        dist = any(name.startswith(f"{word}_") and "_info" in name for word in without)
        target = Path(there) / path.name
        if path.suffix != ".pth" and not ours and not dist and not target.exists():
            target.symlink_to(path)
    return python


def test_the_cell_predicts_offline(made: Path, tmp_path: Path, real_data: Path) -> None:
    # An editable install leaves hmsstore/FORMAT.md beside the packages.
    without = {"hms_eeg", "hmsstore", "zarr", "numcodecs", "donfig", "google_crc32c", "edfio"}
    python = fresh_machine(tmp_path / "machine", without)
    for name in ("zarr", "numcodecs", "hmstrain", "hmsstore", "edfio"):
        found = subprocess.run(
            [python, "-c", f"import {name}"], cwd=tmp_path, capture_output=True, check=False
        )
        assert found.returncode == 1, name
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HMS_", "PYTHON", "PIP_"))}
    offline = {"PIP_NO_INDEX": "1", "HMS_BUNDLE": str(made), "HMS_DATA": str(real_data / "kaggle")}
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [python, made / "cell.py"], env=clean | offline, cwd=work, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = pl.read_csv(work / "submission.csv")
    assert found["eeg_id"].to_list() == [3911565283]
    assert found.columns == ["eeg_id", *(f"{name}_vote" for name in CLASSES)]
    assert found.drop("eeg_id").sum_horizontal()[0] == pytest.approx(1)


def test_a_bundle_holds_weights_and_just_the_wheels_that_are_missing(made: Path) -> None:
    names = {path.name.split("-")[0].lower() for path in (made / "wheels").iterdir()}
    assert {"hms_eeg", "zarr", "numcodecs", "edfio"} <= names
    assert not names & {"torch", "numpy", "polars", "timm"}
    for fold in made.glob("runs/all/fold*"):
        files = {path.name for path in (fold / "best").iterdir()}
        assert files == {"model.json", "model.safetensors"}
    assert len(list(made.glob("runs/all/fold*"))) > 1
    assert not list(made.rglob("training.pt"))
    cell = (made / "cell.py").read_text()
    assert len(cell.splitlines()) <= 28
    compile(cell, "cell.py", "exec")
    assert "own = ['--swap', '--reverse']" in cell


COMPETITION = "hms-harmful-brain-activity-classification"


@pytest.mark.parametrize(
    ("bundled", "data"),
    [
        ("it's", COMPETITION),
        ("datasets/me/it's", f"competitions/{COMPETITION}"),
        ("datasets/me/it's", f"datasets/else/{COMPETITION}"),
    ],
)
def test_the_cell_finds_its_inputs_wherever_kaggle_mounts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundled: str, data: str
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: commands.append(words))
    for name in ("HMS_BUNDLE", "HMS_DATA"):
        monkeypatch.delenv(name, raising=False)
    cell = CELL.format(name="it's", own=[]).replace("/kaggle/input", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"datasets/\*/it's or .*set HMS_BUNDLE\."):
        exec(cell, {})
    (tmp_path / bundled / "runs" / "first").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=rf"competitions/{COMPETITION}.*set HMS_DATA\."):
        exec(cell, {})
    (tmp_path / data).mkdir(parents=True)
    exec(cell, {})
    assert commands[-1][-2:] == [str(tmp_path / bundled / "runs/first"), str(tmp_path / data)]


def test_what_is_missing_follows_from_what_is_there() -> None:
    few = missing_packages(KAGGLE, "3.11")
    assert "zarr" in few
    assert "torch" not in few
    more = missing_packages([name for name in KAGGLE if name != "timm"], "3.12")
    assert set(more) - set(few) >= {"timm"}
    assert set(few) <= set(more)
    assert missing_packages("numpy", "3.11") == missing_packages(["numpy"], "3.11")


def test_our_own_wheel_is_a_wheel(tmp_path: Path) -> None:
    path = write_own_wheel(tmp_path)
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        record = next(name for name in names if name.endswith("RECORD"))
        listed = [line.split(",")[0] for line in wheel.read(record).decode().splitlines()]
        assert sorted(listed) == sorted(names)
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        assert "hmstrain = hmstrain.__main__:run" in wheel.read(entry).decode()
    assert {
        "hmsprep/cli/__init__.py",
        "hmsstore/reader.py",
        "hmstrain/reporting/browse/page.html",
    } <= set(names)


def test_what_cannot_be_bundled_is_told(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a version such as 3\.11"):
        bundle(run.path, tmp_path / "out", python="three")
    (tmp_path / "there").mkdir()
    with pytest.raises(RunError, match="exists"):
        bundle(run.path, tmp_path / "there", python="3.11")
    with pytest.raises(RunError, match="it is not a run, or not finished"):
        bundle(tmp_path, tmp_path / "out", python="3.11")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert "exists" in PROGRAM.fail("bundle", run.path, tmp_path / "there")


def test_a_checkpoint_whose_replacement_was_killed_is_bundled(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmstrain.prediction.bundle._download", lambda *_: None)
    copy = tmp_path / "run"
    shutil.copytree(run.path, copy)
    best = copy / "fold0" / "best"
    best.rename(best.with_name("best.old"))
    bundle(copy, tmp_path / "out")
    assert (tmp_path / "out" / "runs" / "run" / "fold0" / "best" / "model.safetensors").is_file()
    best.with_name("best.old").rename(best)
    (best / "model.json").unlink()
    with pytest.raises(RunError, match=r"best is damaged: it holds no model\.json"):
        bundle(copy, tmp_path / "damaged")
    assert not (tmp_path / "damaged").exists()
