"""The notebooks, run as plain Python on simulated data, as Kaggle and Colab would run them."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from support.forked import forking
from support.recorder import noise, write_edf

from hmsstore import Store

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SMALL = "--model naive_cnn --inputs spec+eeg --image-size 32 --epochs 1 --steps 2 --batch-size 8"


def code(name: str) -> str:
    """All cells of a notebook with code."""
    cells = json.loads((NOTEBOOKS / name).read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def run(name: str, folder: Path, *, alone: bool = False, **environment: object) -> None:
    """Run a notebook in an empty folder: in this process, or alone in one that it starts."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HMS_")}
    given = {f"HMS_{key}": str(value) for key, value in environment.items()}
    with patch.dict(os.environ, clean | given | {"HMS_OPTIONS": SMALL}, clear=True), chdir(folder):
        if alone:
            subprocess.run([sys.executable, "-c", code(name)], check=True)
        else:
            with forking():
                exec(compile(code(name), name, "exec"), {"__name__": "__main__"})


@pytest.fixture
def read_only(data: Path, tmp_path: Path) -> Path:
    """The simulated data where nothing may be written, as Kaggle mounts an input."""
    folder = tmp_path / "input"
    shutil.copytree(data, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return folder


def test_kaggles_builds_trains_submits_and_maps_what_was_uploaded(
    read_only: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in read_only.rglob("*")}
    work = tmp_path / "working"
    work.mkdir()
    run("kaggle.ipynb", work, DATA=read_only, WORK=work, UPLOADED=tmp_path / "none")
    assert "none. Add that input, or set HMS_UPLOADED. Without it" in capfd.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in read_only.rglob("*")} == before
    assert (work / "upload" / "dataset-metadata.json").is_file()
    assert (work / "run" / "report.html").is_file()
    first = pl.read_csv(work / "submission.csv")
    tests = pl.read_csv(read_only / "test.csv")
    assert first["eeg_id"].to_list() == tests["eeg_id"].to_list()

    later = tmp_path / "later"
    later.mkdir()
    uploaded = work / "upload" / "hms.zarr"
    run("kaggle.ipynb", later, alone=True, DATA=read_only, WORK=later, UPLOADED=uploaded)
    assert not (later / "hms.zarr").exists()
    assert not (later / "upload").exists()
    assert pl.read_csv(later / "submission.csv").equals(first)
    for path in [read_only, *read_only.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_kaggles_finds_inputs_wherever_they_are_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = "".join(json.loads((NOTEBOOKS / "kaggle.ipynb").read_text())["cells"][1]["source"])
    scope: dict[str, Any] = {}
    exec(cell.replace("/kaggle/input", str(tmp_path)), scope)
    monkeypatch.delenv("HMS_UPLOADED", raising=False)
    wanted = "hms-eeg-store/hms.zarr", "HMS_UPLOADED"
    with pytest.raises(FileNotFoundError, match=r"datasets/\*/hms-eeg-store.*set HMS_UPLOADED\."):
        scope["find"](*wanted)
    for mount in ("competitions", "datasets/me", "."):
        (tmp_path / mount / "hms-eeg-store" / "hms.zarr").mkdir(parents=True)
        found = Path(scope["find"](*wanted))
        assert found == tmp_path / mount / "hms-eeg-store" / "hms.zarr"
    monkeypatch.setenv("HMS_UPLOADED", str(tmp_path / "[own]"))
    with pytest.raises(FileNotFoundError, match="own"):
        scope["find"](*wanted)
    (tmp_path / "[own]").mkdir()
    assert scope["find"](*wanted) == str(tmp_path / "[own]")


def test_colabs_builds_from_the_zip_keeps_the_store_and_predicts_a_recording(
    data: Path, tmp_path: Path
) -> None:
    drive, work = tmp_path / "drive", tmp_path / "content"
    (drive / "recordings").mkdir(parents=True)
    work.mkdir()
    name = drive / "hms-harmful-brain-activity-classification"
    shutil.make_archive(str(name), "zip", data)
    write_edf(drive / "recordings" / "night.edf", noise(60))
    run("colab.ipynb", work, DRIVE=drive, WORK=work)
    assert Store.open(drive / "hms.zarr").identity == Store.open(work / "hms.zarr").identity
    assert (work / "predicted" / "night.html").is_file()

    again = tmp_path / "again"
    again.mkdir()
    name.with_suffix(".zip").unlink()
    run("colab.ipynb", again, DRIVE=drive, WORK=again)
    assert (again / "run" / "report.html").is_file()


@pytest.mark.parametrize("name", ["kaggle.ipynb", "colab.ipynb"])
def test_notebooks_are_clean_and_explain_each_cell(name: str) -> None:
    notebook = json.loads((NOTEBOOKS / name).read_text())
    assert notebook["nbformat"] == 4
    for text, cell in zip(notebook["cells"][::2], notebook["cells"][1::2], strict=True):
        assert (text["cell_type"], cell["cell_type"]) == ("markdown", "code")
        assert cell["outputs"] == []
    assert max(len(line) for line in code(name).splitlines()) <= 100
