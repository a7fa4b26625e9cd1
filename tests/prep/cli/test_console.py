"""Notes, warnings, progress and tables as the user reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.helpers import Program

from hmsprep.cli.console import Lines, Stage, column_blocks
from hmsprep.words import plural, size

PROGRAM = Program("hmsprep")
STAGES = {"read": Stage("Reading", "bytes"), "plan": Stage("Planning"), "cut": Stage("Cut", "EEG")}


def said(steps: list[tuple[str, int, int, float]]) -> list[str]:
    """Lines for these reports of progress: stage, done, total, second."""
    found: list[str] = []
    now = iter([step[-1] for step in steps])
    lines = Lines(STAGES, found.append, lambda: next(now))
    for stage, done, total, _ in steps:
        lines.show(stage, done, total)
    return found


def test_progress_is_a_line_per_tenth() -> None:
    steps = [("cut", done, 100, 3.0 * done) for done in range(101)]
    found = said(steps)
    assert len(found) == 10
    assert found[0] == "Cut: 10%, 10 of 100 EEGs, 30 s"
    assert found[-1] == "Cut: 100%, 100 of 100 EEGs, 300 s"


def test_slow_progress_is_a_line_per_half_minute() -> None:
    assert said([("read", 0, 10**9, 10.0 * n) for n in range(10)]) == [
        f"Reading: 0%, 0.0 kB of 1.0 GB, {seconds} s" for seconds in (30, 60, 90)
    ]


def test_a_quick_stage_has_one_line_and_a_quick_one_without_measure_none() -> None:
    found = said([("plan", 0, 1, 0.0), ("plan", 1, 1, 0.1)])
    assert found == []
    found = said([("cut", n, 5, 0.01 * n) for n in range(6)] + [("cut", 5, 5, 9.0)])
    assert found == ["Cut: 100%, 5 of 5 EEGs, 0 s"]


def test_stages_that_alternate_keep_their_own_lines() -> None:
    steps = [(name, n, 4, n + 0.1) for n in range(5) for name in ("cut", "read")]
    ends = [line for line in said(steps) if "100%" in line]
    assert [line.split(":")[0] for line in ends] == ["Cut", "Reading"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (plural(1, "row"), "1 row"),
        (plural(0, "row"), "0 rows"),
        (plural(1200, "EEG"), "1,200 EEGs"),
        (plural(2, "second of EEG", "seconds of EEG"), "2 seconds of EEG"),
        (size(14_400_000_000), "14.4 GB"),
        (size(999), "1.0 kB"),
        (size(2_500_000), "2.5 MB"),
    ],
)
def test_counts_have_the_right_unit_and_number(words: str, text: str) -> None:
    assert words == text


def test_columns_that_do_not_fit_follow_below_the_first() -> None:
    columns = [["name", "a", "b"], ["first second", "12345678", "1"], ["third", "12345678", "2"]]
    assert column_blocks(columns, 80) == [{0: 4, 1: 12, 2: 8}]
    assert column_blocks(columns, 28) == [{0: 4, 1: 10, 2: 8}]
    assert column_blocks(columns, 20) == [{0: 4, 1: 12}, {0: 4, 2: 8}]


def test_a_log_file_holds_notes_warnings_progress_and_errors_with_their_time(
    data: Path, tmp_path: Path
) -> None:
    log, store = tmp_path / "log.txt", tmp_path / "hms.zarr"
    options = ("--windows", "eeg", "--log-file", log)
    told = PROGRAM.succeed("build", data, store, *options, "--quiet", "--json").stderr
    assert all(line.startswith("warning: ") for line in told.splitlines())
    PROGRAM.succeed("build", data, store, *options)
    PROGRAM.fail("build", data, store, "--half", "--log-file", log)
    lines = log.read_text().splitlines()
    stamped = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d (INFO|WARNING|ERROR) \S.*"
    assert all(re.fullmatch(stamped, line) for line in lines if not line.startswith(" "))
    for part in ("INFO Reading: 100%", "INFO Normalising: 100%", "already exists and matches"):
        assert any(part in line for line in lines), part
    assert any("ERROR" in line and "a store of another plan" in line for line in lines)


def test_a_log_file_that_cannot_be_written_is_refused(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "no" / "log.txt"
    assert "--log-file" in PROGRAM.fail("plan", data, "--log-file", log)
