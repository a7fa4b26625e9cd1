"""Verifying and describing stores from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.forked import Forked
from support.helpers import write_pair

from hmsstore import Store

PROGRAM = Forked("hmsprep")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two windows."""
    folder = tmp_path_factory.mktemp("cli")
    return write_pair(folder / "data", [{}, {"eeg_label_offset_seconds": 4.0, "label_id": 5}])


def test_build_verify_info_and_show_work_on_the_same_store(pair: Path, tmp_path: Path) -> None:
    store = tmp_path / "hms.zarr"
    built = succeed("build", pair, store, "--workers", 2)
    assert "windows" in built.stdout
    assert "Only 1 patient" in built.stderr
    assert "\x1b" not in built.stdout + built.stderr
    assert "is whole: " in succeed("verify", store).stdout
    described = json.loads(succeed("info", store, "--json").stdout)
    assert described["counts"]["windows"] == 2
    assert "identity" in succeed("info", store).stdout
    succeed("show", store, "--row", 1, "--out", tmp_path / "w.png")
    assert (tmp_path / "w.png").read_bytes()[:4] == b"\x89PNG"
    again = succeed("build", pair, store)
    assert "already exists and matches this plan" in again.stderr


def test_the_split_by_window_is_declared_wherever_the_store_is_named(
    data: Path, tmp_path: Path
) -> None:
    store = tmp_path / "leaking.zarr"
    built = succeed("build", data, store, "--split-by", "window")
    for done in (built, succeed("info", store), succeed("verify", store)):
        assert "same patients are in train and test" in done.stderr
    assert Store.open(store).leaks


def test_verify_of_a_damaged_store_lists_the_problems_and_exits_with_1(
    pair: Path, tmp_path: Path
) -> None:
    store = tmp_path / "hms.zarr"
    succeed("build", pair, store)
    (store / "windows" / "fold" / "c" / "0").write_bytes(b"\x00\x00")
    done = PROGRAM.run("verify", store)
    assert done.returncode == 1
    assert "windows/fold/c/0: expected checksum" in done.stdout
    found = json.loads(PROGRAM.run("verify", store, "--json").stdout)
    assert found["ok"] is False
    assert len(found["problems"]) == 1


def test_stores_are_described_without_the_packages_that_building_takes(
    pair: Path, tmp_path: Path
) -> None:
    store = tmp_path / "hms.zarr"
    succeed("build", pair, store)
    script = """
import sys
for name in ("polars", "pyarrow", "scipy", "sklearn", "zarr"):
    sys.modules[name] = None
sys.argv = ["hmsprep", *sys.argv[1:]]
from hmsprep.cli import main
main()
"""
    for command in ("info", "verify"):
        done = subprocess.run(
            [sys.executable, "-c", script, command, store],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_a_stores_warnings_are_said_by_info_and_build_but_not_by_verify(
    pair: Path, tmp_path: Path
) -> None:
    store = tmp_path / "hms.zarr"
    assert "Only 1 patient" in succeed("build", pair, store).stderr
    assert "Only 1 patient" in succeed("info", store).stderr
    assert succeed("verify", store, "--quiet").stderr == ""
