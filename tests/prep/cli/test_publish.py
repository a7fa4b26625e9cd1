"""Preparing an upload from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from support.helpers import Program

from hmsstore import Store

PROGRAM = Program("hmsprep")


def test_the_command_that_uploads_is_printed(store: Store, tmp_path: Path) -> None:
    told = PROGRAM.succeed("publish", store.path, tmp_path / "new", "--id", "me/store")
    assert told.stdout == f"kaggle datasets create -p {tmp_path / 'new'} --dir-mode tar\n"
    done = PROGRAM.succeed("publish", store.path, tmp_path / "two", "--id", "me/store", "--json")
    assert json.loads(done.stdout)["bytes"] > 1e6
