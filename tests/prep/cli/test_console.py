"""Notes, warnings and the log file."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.helpers import Program

from hmsprep.cli import console

PROGRAM = Program("hmsprep")


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


def test_at_a_terminal_notes_break_between_words_and_elsewhere_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = "A note of many words that is much longer than the narrow terminal it is shown on."
    for terminal in (True, False):
        screen = StringIO()
        narrow = Console(file=screen, force_terminal=terminal, width=30, color_system=None)
        monkeypatch.setattr(console, "errors", narrow)
        console.say(words)
        lines = screen.getvalue().splitlines()
        assert " ".join(line.strip() for line in lines) == words
        assert (max(map(len, lines)) <= 30) is terminal
