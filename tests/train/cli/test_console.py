"""Notes, warnings and progress: where they go, how often, and how numbers read."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console
from support.inside import Inside
from support.runs import SMALL

from hmsstore import Store
from hmsstore.plain.screen import Screen
from hmstrain.cli import console, results
from hmstrain.words import resuming

PROGRAM = Inside("hmstrain")
WORDS = [f"--set={k}={v}" for k, v in SMALL.items()]


def test_quiet_prints_results_alone_and_the_log_file_has_all_with_times(
    store: Store, tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    done = PROGRAM.succeed(
        *["run", store.path, *WORDS, "--steps", "2", "--out", tmp_path / "run"],
        *["--quiet", "--json", "--log-file", log],
    )
    assert done.stderr == ""
    assert json.loads(done.stdout)["steps"] == 2
    lines = log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ ", line) for line in lines)
    assert any("INFO step 2, epoch 1: validation" in line for line in lines)
    assert any("INFO Kept the checkpoint of step 2 of 2: its kl_votes of" in line for line in lines)
    PROGRAM.fail("test", tmp_path / "none", "--log-file", log)
    assert "ERROR" in log.read_text().splitlines()[-1]
    assert len(log.read_text().splitlines()) == len(lines) + 1


def test_each_fold_says_which_checkpoint_it_kept(store: Store, tmp_path: Path) -> None:
    words = [*WORDS, "--set=best_by=kl", "--fold", "all", "--steps", "1"]
    done = PROGRAM.succeed("run", store.path, *words, "--out", tmp_path / "run")
    assert re.findall(
        r"^fold(\d): Kept the checkpoint of step 1 of 1: its kl of", done.stderr, re.M
    ) == [str(fold) for fold in range(store.folds)]
    assert (
        len(re.findall(r"validation kl_votes \d\.\d+, accuracy .*, kl \d", done.stderr))
        == store.folds
    )
    assert "one of each EEG and votes" not in done.stderr


def test_the_loggers_are_left_as_they_were(store: Store, tmp_path: Path) -> None:
    logger = logging.getLogger("hmstrain")
    before = logger.level, list(logger.handlers)
    PROGRAM.fail("test", tmp_path / "none", "--log-file", tmp_path / "x.log")
    assert (logger.level, logger.handlers) == before


def test_without_a_terminal_progress_is_a_line_per_tenth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console.reporting(), console.counting("Predicting", "windows") as progress:
        for done in range(0, 1001, 10):
            progress(done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"Predicting: {n:,} of 1,000 windows" for n in range(100, 1001, 100)]


def test_on_a_terminal_a_bar_takes_the_place_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(console, "errors", Console(file=screen, force_terminal=True, width=80))
    with console.reporting(), console.counting("Predicting", "windows") as progress:
        progress(500, 1000)
        assert console.shows_bars()
    assert "Predicting: 500 of" not in screen.getvalue()
    assert "500/1000" in screen.getvalue()
    with console.reporting(quiet=True):
        assert not console.shows_bars()


def test_at_a_terminal_notes_break_between_words_and_elsewhere_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = "A note of many words that is much longer than the narrow terminal it is shown on."
    for terminal in (True, False):
        screen = io.StringIO()
        narrow = Console(file=screen, force_terminal=terminal, width=30, color_system=None)
        monkeypatch.setattr(console, "errors", narrow)
        with console.reporting():
            console.note(words)
        lines = screen.getvalue().splitlines()
        assert " ".join(line.strip() for line in lines) == words
        assert (max(map(len, lines)) <= 30) is terminal


def test_training_lines_are_sparse(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    shown = console.RunProgress("run")
    with console.reporting():
        for step in range(1, 101):
            clock[0] += 1.0
            shown("train", {"step": step, "loss": 1.0, "windows_per_s": 8.0, "waiting": 0.25})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "step 31: loss 1.000, 8 windows/s, 25.0% waiting"
    assert len(lines) == 3


def test_a_validation_is_the_best_only_where_validations_are_compared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = console.RunProgress("run")
    with console.reporting():
        for by in ("kl_votes", "last"):
            scores = {"kl_votes": 0.5, "accuracy": 0.7, "best_by": by, "best": True}
            shown("valid", {"step": 9, "epoch": 0, **scores})
    line = "step 9, epoch 1: validation kl_votes 0.500, accuracy 0.700"
    assert capsys.readouterr().err.splitlines() == [f"{line} (best)", line]


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_200, "1,200 rows")]
)
def test_a_count_has_the_right_number(count: int, words: str) -> None:
    assert console.plural(count, "row") == words


HOSTILE = "a\x1b]0;owned\x07\x1b[2J\rb\x9b31m\u202egnp[/bold]"


def test_no_text_acts_on_a_terminal_while_colours_and_bars_do() -> None:
    """In a process of its own, on a terminal of its own."""
    program = (
        "from hmsstore.plain.text import write_plainly; write_plainly()\n"
        "import sys\n"
        "from hmstrain.cli import console, results\n"
        f"hostile = {HOSTILE!r}\n"
        "with console.reporting(), console.counting(hostile, 'windows') as report:\n"
        "    console.warn(hostile)\n"
        "    report(1, 2)\n"
        "    print(hostile)\n"
        "    print(hostile, file=sys.stderr)\n"
        "results.print_table([hostile], [[hostile]], last=hostile)\n"
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
    told = PROGRAM.fail("test", tmp_path / HOSTILE.replace("/", ""))
    assert r"a\x1b]0;owned\x07\x1b[2J\rb\x9b31m\u202egnp" in re.sub(r"\n *", "", told)
    assert not re.search("[\x1b\x07\r\x9b\u202e]", told)


@pytest.mark.parametrize(
    ("size", "sampled", "said"),
    [
        ({"parameters": 1234}, True, "1,234 parameters on cpu; 9 training windows, 8 windows to "
         "validate on (one of each EEG and votes), 7 test windows"),
        ({"columns": 2038}, False, "2,038 columns on cpu; 9 training windows, 8 windows to "
         "validate on, 7 test windows"),
    ],
)  # fmt: skip
def test_a_start_says_the_size_and_how_windows_to_validate_on_were_drawn(
    size: dict[str, int], sampled: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {
        "model": "m", "device": "cpu", "train": 9, "valid": 8, "test": 7, "sampled": sampled,
        "steps": 2, "epochs": 1, "step": 0, "random": False, "rotating": False, **size,
    }  # fmt: skip
    with console.reporting(), console.run_progress("run") as events:
        events("start", values)
    assert said in capsys.readouterr().err.replace("\n", " ")


def test_a_pretraining_validates_on_all_windows_of_its_fold(store: Store, tmp_path: Path) -> None:
    words = [f"--set={k}={v}" for k, v in SMALL.items() if k not in ("model", "inputs")]
    done = PROGRAM.succeed("pretrain", store.path, *words, "--steps=1", "--out", tmp_path / "run")
    assert "windows to validate on," in done.stderr


NEEDED = ("night-0123.edf", "8:00:00", "1,234", "100%", "12%", "34%", "56%", "78%", "90%")
TITLES = (
    *("", ">length, h:mm:ss", ">episodes", ">Seizure-like"),
    *(">LPD", ">GPD", ">LRDA", ">GRDA", ">Other"),
)


@pytest.mark.parametrize("width", [120, 80, 60, 40, 31])
def test_no_number_of_a_table_is_cut_however_narrow_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    narrow = Screen(file=shown, force_terminal=True, color_system=None, width=width)
    monkeypatch.setattr(results, "Screen", lambda: narrow)
    results.print_table(TITLES, [NEEDED])
    text = shown.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert {*NEEDED, "LPD", "GPD", "LRDA", "GRDA", "Other"} <= {*text.split()}


@pytest.mark.parametrize("width", [80, 60, 31])
def test_a_name_longer_than_the_terminal_is_folded_and_no_number_cut(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    narrow = Screen(file=shown, force_terminal=True, color_system=None, width=width)
    monkeypatch.setattr(results, "Screen", lambda: narrow)
    name = "x" * 90 + ".edf"
    results.print_table(TITLES, [(name, *NEEDED[1:])])
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert {*NEEDED[1:], "LPD", "Other"} <= {*" ".join(lines).split()}
    folded = "".join(line.split()[0] for line in lines if line[:1] in "x.e" and line.strip())
    assert folded.count("x") % 90 == 0


def test_a_stop_is_told_where_pytorch_was_only_half_imported(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"  # so importing it fails
        "from pathlib import Path\n"
        "from hmstrain.cli import console\n"
        f"print(console.stopped(KeyboardInterrupt(), Path({str(tmp_path)!r}), ''))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "Stopped. There was no checkpoint yet, so nothing is kept.\n", done.stderr


def test_the_command_that_resumes_can_be_copied() -> None:
    words = shlex.split(resuming(Path("my run"), Path("a store.zarr"), pretraining=True))
    assert words == ["hmstrain", "pretrain", "a store.zarr", "--out", "my run", "--resume"]
