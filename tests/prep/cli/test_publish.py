"""Preparing an upload from the command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from support.helpers import Program

from hmsstore import Store

PROGRAM = Program("hmsprep")


def test_the_command_that_uploads_is_printed(store: Store, tmp_path: Path) -> None:
    told = PROGRAM.succeed("publish", store.path, tmp_path / "new", "--id", "me/store")
    assert told.stdout == f"kaggle datasets create -p {tmp_path / 'new'} --dir-mode tar\n"
    done = PROGRAM.succeed("publish", store.path, tmp_path / "two", "--id", "me/store", "--json")
    assert json.loads(done.stdout)["bytes"] > 1e6


def test_a_printed_command_can_be_copied_whatever_the_folder_is_called(
    store: Store, tmp_path: Path
) -> None:
    told = PROGRAM.succeed("publish", store.path, tmp_path / "my store", "--id", "me/store")
    assert shlex.split(told.stdout)[4] == str(tmp_path / "my store")


def test_the_store_may_come_from_the_environment(store: Store, tmp_path: Path) -> None:
    ours = {"HMS_STORE": str(store.path)}
    PROGRAM.succeed("publish", tmp_path / "new", "--id", "me/store", **ours)
    assert (tmp_path / "new" / store.path.name).is_dir()
    there = f"file://{tmp_path / 'there'}"
    assert f"{store.path} is at" in PROGRAM.succeed("push", there, **ours).stdout
    PROGRAM.succeed("push", store.path, f"{there}2", HMS_STORE="nowhere.zarr")
    assert (tmp_path / "there2").is_dir()
    assert "Missing argument" in PROGRAM.fail("push", code=2)
