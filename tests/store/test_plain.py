"""Text from files shows as text, on a terminal and in a spreadsheet."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import unicodedata
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmsprep.kaggle.write import write_csv
from hmsstore.plain.text import PlainStream, cell, json_line, plain, uncell, write_rows

HOSTILE = "Fp1\x1b]0;owned\x07\x1b[2J\r\x08\x9b31m\u202egnp\u2066\udc80"


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_no_character_of_any_text_acts_on_a_terminal(text: str) -> None:
    shown = plain(text)
    shown.encode()  # a terminal takes bytes
    directions = {unicodedata.bidirectional(letter) for letter in shown}
    assert not directions & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert {letter for letter in shown if unicodedata.category(letter) == "Cc"} <= {"\t", "\n"}


def test_what_is_not_shown_is_written_so_that_it_can_be_told() -> None:
    assert plain(HOSTILE).startswith(r"Fp1\x1b]0;owned\x07\x1b[2J\r\x08\x9b31m\u202egnp")
    assert plain("Fp1-Cz µV 脳波\tx\n") == "Fp1-Cz µV 脳波\tx\n"


@pytest.mark.parametrize("code", ["raise ValueError(HOSTILE)", "warnings.warn(HOSTILE)"])
def test_tracebacks_and_warnings_of_a_program_are_plain(code: str) -> None:
    program = (
        "import warnings; from hmsstore.plain.text import write_plainly; write_plainly(); "
        f"HOSTILE = {HOSTILE!r}; {code}"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert b"owned" in done.stderr
    assert not {0x1B, 0x07, 0x0D, 0x08} & {*done.stderr}
    assert b"\xe2\x80\xae" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_stays_closed(closed: str) -> None:
    program = "from hmsstore.plain.text import write_plainly; write_plainly(); print('shown')"
    words = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, program]
    done = subprocess.run(words, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (b"shown\n" if closed == "2>&-" else b"")


@pytest.mark.parametrize("gone", ["stdout", "stderr"])
def test_a_reader_that_goes_away_ends_no_program(tmp_path: Path, gone: str) -> None:
    program = (
        "import sys; from pathlib import Path; from hmsstore.plain.screen import Screen; "
        "from hmsstore.plain.text import write_plainly; write_plainly(); "
        "[Screen(stderr=err).print(text) for err in (False, True) for text in 'ab']; "
        "[print('c' * 100_000, file=file) for file in (sys.stdout, sys.stderr) for _ in 'ab']; "
        "Path(sys.argv[1]).touch()"
    )
    read, write = os.pipe()
    os.close(read)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, gone: write}
    words = [sys.executable, "-c", program, str(tmp_path / "done")]
    done = subprocess.run(words, check=False, text=True, **streams)
    os.close(write)
    shown = done.stdout or done.stderr
    assert (done.returncode, shown.replace("c" * 100_000, "c").split()) == (0, ["a", "b", "c", "c"])
    assert (tmp_path / "done").exists()


def test_what_is_no_number_is_null_in_json() -> None:
    value = {"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": (float("-inf"), "\x7f\x1b")}}
    text = json_line(value)
    assert json.loads(text) == {"a": None, "b": [1.5, None], "c": {"d": [None, "\x7f\x1b"]}}
    assert plain(text) == text


def test_bars_of_other_packages_stay_in_their_line_and_names_in_theirs() -> None:
    screen = StringIO()
    bars, results = PlainStream(screen, bars=True), PlainStream(screen, bars=False)
    bars.write("\r 50%|#####     | a\rb")
    results.writelines(["\rx", "\n"])
    assert screen.getvalue() == "\r 50%|#####     | a\\rb\\rx\n"


CELLS = [
    ("=HYPERLINK(1)", True), ("+1+cmd", True), ("-2+3", True), ("@SUM(A1)", True),
    ("\t=1", True), ("\uff1d1", True), ("-Fp1", True), ("-1.5 [x, 2]", True),
    ("-0.25", False), ("+1,204.5", False), ("-1.2e-07", False), ("-5%", False), ("-", False),
    ("-0.021 [-0.030, -0.012]", False), ("-1 to 2", False), ("Fp1-Cz", False), ("", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "run"), CELLS)
def test_a_spreadsheet_runs_no_cell_and_numbers_stay_numbers(text: str, run: bool) -> None:
    file = StringIO()
    write_rows(file, [text], [[text, 3, None]])
    kept = f"'{text}" if run else text
    assert list(csv.reader(StringIO(file.getvalue(), newline=""))) == [[kept], [kept, "3", ""]]
    assert uncell(kept) == text


@given(st.text())
def test_what_was_quoted_for_spreadsheets_is_read_back_as_it_was(text: str) -> None:
    kept = str(cell(text))
    assert not kept.startswith(("=", "@", "\t", "\r"))
    if kept != text:
        assert uncell(kept) == plain(text)


def test_no_cell_ends_its_row(tmp_path: Path) -> None:
    """Two lines stay two lines of one cell; a carriage return is no longer one."""
    file, columns = StringIO(), tmp_path / "notes.csv"
    write_rows(file, ["text", "n"], [["a\r=1+1\r\nb", 1]])
    write_csv(columns, {"text": ["a\r=1+1\r\nb"], "n": [1]})
    for text in (file.getvalue(), columns.read_text()):
        rows = list(csv.reader(StringIO(text, newline="")))
        assert rows == [["text", "n"], ["a\\r=1+1\\r\nb", "1"]]
