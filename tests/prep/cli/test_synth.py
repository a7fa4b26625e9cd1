"""Simulating a data set from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from support.helpers import Program

PROGRAM = Program("hmsprep")


def test_what_was_simulated_is_printed(tmp_path: Path) -> None:
    done = PROGRAM.succeed("synth", tmp_path / "a", "--windows", 6, "--fast", "--json")
    told = json.loads(done.stdout)
    assert told["windows"] == 6
    assert told["data"] == str(tmp_path / "a")
    assert "kl_of_truth" not in told
    assert (tmp_path / "a" / "train.csv").is_file()


def test_a_share_needs_a_table_to_copy(tmp_path: Path) -> None:
    assert "--like" in PROGRAM.fail("synth", tmp_path / "a", "--fraction", 0.5, code=2)
