"""Notes, warnings and the log file."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.forked import Forked

from hmsprep.cli import console

PROGRAM = Forked("hmsprep")


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


HOSTILE = "a\x1b]0;owned\x07\x1b[2J\rb\x9b31m\u202egnp[/bold]"


def test_no_text_acts_on_a_terminal_while_colours_and_bars_do() -> None:
    """In a process of its own, on a terminal of its own."""
    program = (
        "from hmsstore.plain.text import write_plainly; write_plainly()\n"
        "import sys\n"
        "from hmsprep.cli import console, progress, tables\n"
        f"hostile = {HOSTILE!r}\n"
        "with console.reporting(), progress.bars({'s': progress.Stage(hostile)}) as report:\n"
        "    console.warn_all([hostile])\n"
        "    report('s', 1, 1)\n"
        "    print(hostile)\n"
        "    print(hostile, file=sys.stderr)\n"
        "tables.print_facts({'name': hostile})\n"
        "tables.print_section('title', [hostile], [[hostile]])\n"
    )
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=theirs, stderr=theirs, env=environment
    ) as child:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # the terminal ends with the program
            while part := os.read(ours, 65536):
                shown += part
    os.close(ours)
    assert child.returncode == 0, shown
    assert shown.count(b"owned") >= 7, shown
    assert b"[/bold]" in shown
    for acting in (b"\x1b]0;", b"\x07", b"\x1b[2J", b"\rb", "\x9b".encode(), "\u202e".encode()):
        assert acting not in shown, (acting, shown)
    assert b"\x1b[1;33mwarning: " in shown


def test_a_log_file_is_plain_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.log, "propagate", False)  # a report of tests holds text alone
    with console.reporting(quiet=True, log_file=tmp_path / "log.txt"):
        console.note(HOSTILE + "\udc80")
    capsys.readouterr()
    (line,) = (tmp_path / "log.txt").read_text().splitlines()
    assert r"a\x1b]0;owned\x07" in line
    assert line.endswith(r"[/bold]\udc80")


def test_a_path_of_any_bytes_is_told_as_text(tmp_path: Path) -> None:
    told = PROGRAM.fail("info", tmp_path / HOSTILE.replace("/", ""))
    assert r"a\x1b]0;owned\x07\x1b[2J\rb\x9b31m\u202egnp" in re.sub(r"\n *", "", told)
    assert not re.search("[\x1b\x07\r\x9b\u202e]", told)
