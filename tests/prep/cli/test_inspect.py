"""Describing a data set from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from support.helpers import Program

PROGRAM = Program("hmsprep")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


def test_a_data_set_is_described_in_tables_and_on_a_page(data: Path, tmp_path: Path) -> None:
    page = tmp_path / "data.html"
    told = succeed("inspect", data, "--html", page, "--workers", 1)
    assert "EEG channels" in told.stdout
    assert "\x1b" not in told.stdout + told.stderr
    assert page.read_text().startswith("<!doctype html>")


def test_no_word_of_a_table_is_broken_on_a_narrow_screen(data: Path) -> None:
    wide = succeed("inspect", data, "--workers", 1, COLUMNS="300").stdout
    narrow = succeed("inspect", data, "--workers", 1, COLUMNS="70").stdout
    assert max(map(len, narrow.splitlines())) <= 70
    assert set(narrow.split()) - {"\u2500" * n for n in range(71)} <= set(wide.split())


def test_json_holds_all_facts_and_the_warnings(data: Path) -> None:
    facts = json.loads(succeed("inspect", data, "--json", "--workers", 1).stdout)
    assert facts["windows"] == 90
    assert any("missing values" in warning for warning in facts["warnings"])


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_read(
    data: Path, tmp_path: Path
) -> None:
    assert "there is no folder" in fail("inspect", data, "--html", tmp_path / "no" / "x.html")
