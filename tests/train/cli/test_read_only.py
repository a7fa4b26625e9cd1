"""Runs and stores on a mount that cannot be written to serve every command that reads."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.inside import Inside
from support.runs import unsealed

from hmsstore import NotAStoreError, Store
from hmsstore.manifest import MANIFEST_NAME

PREP, TRAIN = Inside("hmsprep"), Inside("hmstrain")


CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.chmod"}
_mounted: list[Path] = []


def _refuse_writing(event: str, arguments: tuple[Any, ...]) -> None:
    """Answer as a read-only mount does; rights of files would not hold for root."""
    if not _mounted:
        return
    writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
    if (writing or event in CHANGES) and str(arguments[0]).startswith(str(_mounted[0])):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(arguments[0]))


@pytest.fixture(scope="module")
def mount(run: Path, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and its store."""
    sys.addaudithook(_refuse_writing)  # stays, and refuses nothing outside of `read_only`
    folder = tmp_path_factory.mktemp("mount") / "mount"
    shutil.copytree(run, folder / "run")
    shutil.copytree(store.path, folder / "hms.zarr")
    return folder


@contextmanager
def read_only(mount: Path) -> Iterator[None]:
    _mounted.append(mount)
    try:
        yield
    finally:
        _mounted.clear()


@pytest.mark.parametrize(
    ("program", "words", "made"),
    [
        (PREP, "info {store}", ""),
        (PREP, "verify {store}", ""),
        (PREP, "show {store} --row 0 --out {out}/w.png", "w.png"),
        (PREP, "publish {store} {out}/kaggle --id me/hms-eeg-store", "kaggle"),
        (TRAIN, "test {run} --store {store} --out {out}/scores", "scores"),
        (TRAIN, "report {run} --store {store} --out {out}/page.html", "page.html"),
        (TRAIN, "explain {run} 0 --store {store} --out {out}/why.png", "why.png"),
        (TRAIN, "predict {run} {store} --out {out}/answers", "answers"),
        (TRAIN, "compare {run} --out {out}/compared", "compared"),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) and " " in value else "",
)
def test_a_command_that_reads_takes_what_cannot_be_written_to(
    mount: Path, tmp_path: Path, program: Inside, words: str, made: str
) -> None:
    places = {"run": mount / "run", "store": mount / "hms.zarr", "out": tmp_path}
    before = sorted(mount.rglob("*"))
    with read_only(mount):
        program.succeed(*words.format(**places).split())
    assert sorted(mount.rglob("*")) == before
    assert (tmp_path / made).exists()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (PREP, "features {store}"),
        (TRAIN, "test {run} --store {store}"),
        (TRAIN, "report {run} --store {store}"),
        (TRAIN, "explain {run} 0 --store {store}"),
        (TRAIN, "calibrate {run}"),
    ],
    ids=["features", "test", "report", "explain", "calibrate"],
)
def test_what_would_be_written_beside_what_is_read_is_asked_to_go_elsewhere(
    mount: Path, program: Inside, words: str
) -> None:
    places = {"run": mount / "run", "store": mount / "hms.zarr"}
    with read_only(mount):
        told = program.fail(*words.format(**places).split()).replace("\n", " ")
    assert "Read-only file system" in told
    assert "--out" in told


def test_a_store_that_was_moved_is_named(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "run"
    shutil.copytree(run, moved)
    config = unsealed(moved / "config.json")
    config["store"]["path"] = "/mnt/gone/hms.zarr"
    (moved / "config.json").write_text(json.dumps(config))
    for words in (["test", moved], ["report", moved], ["explain", moved, 0]):
        told = TRAIN.fail(*words)
        assert "was trained on the store /mnt/gone/hms.zarr, which is not there" in told
        assert "--store" in told
        assert "hmsprep build" not in told


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (PREP, "info s3://bucket/hms.zarr"),
        (PREP, "build s3://bucket/data {out}/hms.zarr"),
        (PREP, "build {store} s3://bucket/hms.zarr"),
        (PREP, "synth gs://bucket/data"),
        (PREP, "import https://example.org/a.edf {out}/data"),
        (TRAIN, "run s3://bucket/hms.zarr --out {out}/run"),
        (TRAIN, "run {store} --out s3://bucket/run"),
        (TRAIN, "predict s3://bucket/run {store}"),
    ],
)
def test_an_address_is_not_taken_for_a_path(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Inside, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told = program.fail(*words.format(store=store.path, out=tmp_path).split())
    assert "is an address" in told
    assert not list(tmp_path.iterdir())


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path) -> None:
    for words in ("info s3://me:hunter2@bucket/hms.zarr", "synth https://me:hunter2@host/data"):
        told = PREP.fail(*words.split())
        assert "hunter2" not in told
        assert ":/...@" in told
    with pytest.raises(NotAStoreError, match="found an address") as refused:
        Store.open("s3://me:hunter2@bucket/hms.zarr")
    assert "hunter2" not in str(refused.value)


def test_a_folder_that_is_called_like_an_address_is_opened(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s3:").mkdir()
    shutil.copytree(store.path, "s3:/hms.zarr")
    assert (Path("s3:/hms.zarr") / MANIFEST_NAME).is_file()
    PREP.succeed("info", "s3:/hms.zarr")
