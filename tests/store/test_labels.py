"""What a reader marked is never lost, and never taken for what it is not."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsstore.errors import LabelsError
from hmsstore.labels import LabelFile, Mark, label_files, read_labels
from hmsstore.labels.sheet import read_sheet, seconds, write_sheet

SHA, OTHER = "ab" * 32, "cd" * 32
VIEW = {"montage": "longitudinal", "low_filter_hz": "1", "sensitivity": "7 uV/mm", "page_s": "10"}
SEIZURE = Mark(12.5, 1212.5, "seizure", "left; from T7, later C3", False, VIEW, "2026-01-31T12:00Z")
NOTE = Mark(5, 5, "", '=SUM(A1) "quoted" µV', True, {}, "2026-01-31T12:01Z", eeg_id=10000)
UNSURE = Mark(0, 3000.25, "unsure", marked_at="2026-01-31T12:02Z")
MARKS = (SEIZURE, NOTE, UNSURE)


def opened(folder: Path, reader: str = "AB", sha256: str = SHA) -> LabelFile:
    return LabelFile.open(folder, "night.edf", sha256, reader)


@pytest.fixture
def labels(tmp_path: Path) -> LabelFile:
    found = opened(tmp_path / "labels")
    for mark in MARKS:
        found.add(mark)
    return found


def respelled(
    content: bytes,
    delimiter: str,
    *,
    comma: bool = False,
    padded: bool = False,
    end: str = "\r\n",
    encoding: str = "utf-8-sig",
) -> bytes:
    """The content as a spreadsheet saves it."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    width = max(map(len, rows))
    out = io.StringIO()
    lines = csv.writer(out, delimiter=delimiter, lineterminator=end)
    for row in rows:
        cells = [
            one.replace(".", ",") if comma and one.replace(".", "").isdecimal() else one
            for one in row
        ]
        while not padded and cells and not cells[-1]:
            cells.pop()  # some leave empty cells at the end of a line out
        lines.writerow(cells + [""] * (width - len(cells)) * padded)
    return out.getvalue().encode(encoding)


def test_marks_are_in_the_file_before_a_change_returns(labels: LabelFile) -> None:
    assert labels.path.name == "night.edf.AB.csv"
    assert opened(labels.path.parent).marks == labels.marks == MARKS
    labels.remove(1)
    assert opened(labels.path.parent).marks == (SEIZURE, UNSURE)
    better = Mark(13, 1200, "lrda", marked_at="2026-01-31T12:03Z")
    labels.replace(0, better)
    found = read_labels(labels.path)
    assert found.marks == (better, UNSURE)
    assert (found.recording, found.sha256, found.reader) == ("night.edf", SHA, "AB")
    assert label_files(labels.path.parent) == (labels.path,)  # its lock is none


def test_a_mark_that_says_no_time_gets_the_present_one(tmp_path: Path) -> None:
    labels = opened(tmp_path)
    labels.add(Mark(1, 2, "gpd"))
    assert labels.marks[0].marked_at.startswith("20")
    assert labels.marks[0].marked_at.endswith("Z")


TIMES = st.floats(0, 1e6, allow_nan=False)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30)


LABELS = st.sampled_from(["lpd", "unsure", "other"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(TIMES, TIMES, LABELS, TEXTS), min_size=1, max_size=4))
def test_whatever_is_marked_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[float, float, str, str]]
) -> None:
    labels = opened(tmp_path_factory.mktemp("drawn"))
    marks = [
        Mark(min(a, b), max(a, b) + 1, label, text.lstrip("'"), marked_at="now")
        for a, b, label, text in drawn
    ]
    for mark in marks:
        labels.add(mark)
    assert opened(labels.path.parent).marks == tuple(marks)


@pytest.mark.parametrize(
    "save",
    [
        lambda content: respelled(content, ";", comma=True, padded=True),
        lambda content: respelled(content, ";", comma=True),
        lambda content: respelled(content, ",", padded=True, encoding="utf-8"),
        lambda content: respelled(content, "\t", encoding="utf-16", comma=True),
        lambda content: respelled(content, ",", end="\r"),
        lambda content: b"sep=;\r\n" + respelled(content, ";", encoding="utf-8"),
        lambda content: content.replace(b"AB\n", b"AB\n\n").replace(b"no,", b"FALSE,") + b"\n\n",
        lambda content: content.replace(b"1212.50", b"0:20:12.50"),
        lambda content: content.rstrip(b"\n"),
    ],
)
def test_files_that_a_spreadsheet_saved_are_read(
    labels: LabelFile, save: Callable[[bytes], bytes]
) -> None:
    labels.path.write_bytes(save(labels.path.read_bytes()))
    assert read_labels(labels.path).marks == MARKS
    assert opened(labels.path.parent).marks == MARKS
    labels.refresh()
    labels.add(UNSURE)
    assert opened(labels.path.parent).marks == (*MARKS, UNSURE)


def test_columns_may_be_sorted_and_rows_added_by_hand(labels: LabelFile) -> None:
    head = f"# hms-eeg: labels 1\n# recording: night.edf\n# sha256: {SHA}\n# reader: AB\n"
    rows = "Class;seen_model;text;stop_s;start_s\nLPD;no;;20,5;10\n;yes;a note;1:00:00;1:00:00\n"
    labels.path.write_text(f"{head}{rows}# end\n")
    assert opened(labels.path.parent).marks == (
        Mark(10, 20.5, "lpd"),
        Mark(3600, 3600, "", "a note", True),
    )


def test_a_file_that_was_cut_anywhere_is_refused_or_whole(labels: LabelFile) -> None:
    content = labels.path.read_bytes()
    near = range(len(content) - 20, len(content))
    for length in (*range(0, near.start, 4), *near):
        labels.path.write_bytes(content[:length])
        if content[length:] == b"\n":
            assert read_labels(labels.path).marks == MARKS
        else:
            with pytest.raises(LabelsError, match=r"night\.edf\.AB\.csv"):
                read_labels(labels.path)
    middle = content.index(b"seizure")
    labels.path.write_bytes(content[:middle])
    with pytest.raises(LabelsError, match=r"ends after 1 row without .* it was cut short"):
        opened(labels.path.parent)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"seizure", b"siezure", r"line 6: expected a class of seizure, .* got 'siezure'\."),
        (b"12.50,1212.50", b"1212.50,12.50", r"line 6: expected a start .* got 1212.50 s to 12.50"),
        (b"12.50,1212.50", b'"12,50",1212.50', "line 6: expected seconds .* got '12,50'"),
        (b"12.50,1212.50", b"12. Mai,1212.50", "line 6: expected seconds .* got '12. Mai'"),
        (b"12.50,1212.50", b"nan,1212.50", "line 6: expected seconds .* got 'nan'"),
        (b"12.50,1212.50", b"-1,1212.50", r"line 6: expected a start from 0 s on"),
        (
            b'"left; from T7, later C3"',
            b"left, from T7",
            "line 6: expected yes or no as seen_model, got 'from T7'",
        ),
        (b",no,long", b",maybe,long", "line 6: expected yes or no as seen_model, got 'maybe'"),
        (b",10000", b",E4", "line 7: expected a whole number as eeg_id, got 'E4'"),
        (b"marked_at", b"note", "has the unknown column 'note': expected start_s"),
        (b"01-31T12:01Z,10000", b"01-31T12:01Z,1,2", "line 7: expected 13 cells, got 14"),
        (b"text,seen_model", b"text,text", "lacks the column 'seen_model': expected start_s"),
        (b"montage", b"text", "has twice the column 'text'"),
        (b"labels 1", b"labels 2", "is of version 2 .* reads version 1. Upgrade hms-eeg"),
        (b"labels 1", b"events 1", "does not hold labels: expected a line"),
        (b"# hms-eeg: labels 1\n", b"", "does not hold labels: .* got none"),
        (b"# reader: AB\n", b"", "does not say whose it is: .*'# reader: ...'"),
        (b"# reader: AB", b"# reader: CD", "is of the reader CD: expected AB"),
        (b"abab\n", b"ab\n", "expected 64 hexadecimal digits as sha256"),
        (b"# end\n", b"# end\n1,2,lpd,,no\n", "expected nothing after the line '# end'"),
        (b"# end\n", b"", "without its last line '# end'"),
        ("µV".encode(), b"\xb5V", "is not a text in UTF-8: .* save it again as 'CSV UTF-8'"),
    ],
)
def test_a_file_that_was_edited_into_something_else_is_refused_and_stays(
    labels: LabelFile, old: bytes, new: bytes, problem: str
) -> None:
    content = labels.path.read_bytes()
    assert old in content
    spoilt = content.replace(old, new, 1)
    labels.path.write_bytes(spoilt)
    with pytest.raises(LabelsError, match=problem) as caught:
        opened(labels.path.parent)
    assert str(labels.path) in str(caught.value)
    with pytest.raises(LabelsError, match=problem):
        labels.add(UNSURE)  # of a page that was open meanwhile
    assert labels.path.read_bytes() == spoilt
    assert labels.marks == MARKS


def test_labels_of_another_recording_are_refused(labels: LabelFile) -> None:
    with pytest.raises(
        LabelsError, match=r"is of another recording: expected SHA-256 cdcd.*, got abab"
    ):
        opened(labels.path.parent, sha256=OTHER)
    assert opened(labels.path.parent).marks == MARKS


def test_small_initials_are_the_same_reader(labels: LabelFile) -> None:
    assert opened(labels.path.parent, "ab").marks == MARKS
    assert opened(labels.path.parent, "CD").marks == ()


@pytest.mark.parametrize("reader", ["", "A B", "a/b", "../x", "ABCDEFGHIJKLM", "Ä", "A.B", "A\n"])
def test_initials_are_letters_and_digits(tmp_path: Path, reader: str) -> None:
    if reader == "A\n":
        assert opened(tmp_path, reader).path.name == "night.edf.A.csv"
        return
    with pytest.raises(LabelsError, match="expected initials of 1 to 12 letters and digits"):
        opened(tmp_path, reader)


@pytest.mark.parametrize("name", ["", "..", "a/b.edf", "a\\b", "a\x00b", "a:b"])
def test_names_that_no_file_can_have_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabelsError, match="cannot be part of a file's name: give the recording"):
        LabelFile.open(tmp_path, name, SHA, "AB")
    with pytest.raises(LabelsError, match="64 hexadecimal digits"):
        LabelFile.open(tmp_path, "night.edf", "12", "AB")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Mark(2, 1, "lpd"), "a start from 0 s on and a stop behind it"),
        (lambda: Mark(float("nan"), 1, "lpd"), "a number of seconds as start_s, got nan"),
        (lambda: Mark(1, float("inf"), "lpd"), "a number of seconds as stop_s, got inf"),
        (lambda: Mark(1, 1.001, "lpd"), "only a text may be of a moment"),
        (lambda: Mark(1, 2, "", " \n"), "a class or a text, got neither"),
        (lambda: Mark(1, 2, "lpd", "x" * 2001), "at most 2,000 characters, got 2,001"),
        (lambda: Mark(1, 2, "lpd", view={"gain": "7"}), "of the view, got 'gain'"),
    ],
)
def test_a_mark_that_says_nothing_cannot_be_made(make: Callable[[], Mark], problem: str) -> None:
    with pytest.raises(LabelsError, match=problem):
        make()


def test_a_mark_of_an_unknown_class_is_not_added(labels: LabelFile) -> None:
    with pytest.raises(LabelsError, match=r"a class of seizure, lpd.* got 'spike'"):
        labels.add(Mark(1, 2, "spike"))
    assert opened(labels.path.parent).marks == MARKS


def test_two_programs_see_each_others_marks(labels: LabelFile) -> None:
    other = opened(labels.path.parent)
    other.add(Mark(1, 2, "lrda", marked_at="then"))
    labels.add(Mark(3, 4, "grda", marked_at="then"))
    assert [one.label for one in labels.marks[3:]] == ["lrda", "grda"]
    assert other.refresh()
    assert not other.refresh()
    assert other.marks == labels.marks
    labels.remove(0)
    other.remove(1)  # its place has changed meanwhile; the note is meant
    assert [one.label for one in other.marks] == ["unsure", "lrda", "grda"]
    with pytest.raises(LabelsError, match="changed or removed by another program meanwhile"):
        labels.replace(0, SEIZURE)  # the note again
    assert labels.marks == other.marks
    with pytest.raises(LabelsError, match="has no entry 7: expected one of 0 to 2"):
        labels.remove(7)


def test_marks_come_back_if_their_file_is_removed_meanwhile(labels: LabelFile) -> None:
    labels.path.unlink()
    labels.add(UNSURE)
    assert opened(labels.path.parent).marks == (*MARKS, UNSURE)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabelsError, match="labels cannot be made"):
        opened(tmp_path / "file" / "labels")
    with pytest.raises(LabelsError, match=r"x.csv cannot be read: there is no such file"):
        read_labels(tmp_path / "x.csv")
    with pytest.raises(LabelsError, match="gone cannot be read"):
        label_files(tmp_path / "gone")
    (tmp_path / "night.edf.AB.csv").mkdir()
    with pytest.raises(LabelsError, match=r"night.edf.AB.csv cannot be read: .* a folder"):
        opened(tmp_path)


def test_a_change_that_cannot_be_written_is_said(
    labels: LabelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(LabelsError, match=r"cannot be written .No space left.* was not kept"):
        labels.add(UNSURE)
    assert labels.marks == opened(labels.path.parent).marks == MARKS


ADDING = """
import sys
from pathlib import Path
from hmsstore.labels import LabelFile, Mark
labels = LabelFile.open(Path(sys.argv[1]), "night.edf", sys.argv[2], "AB")
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3]), int(sys.argv[4])):
    labels.add(Mark(number, number + 1, "lpd"))
    print(number, flush=True)
"""


def adding(folder: Path, first: int, stop: int) -> subprocess.Popen[str]:
    """A program that adds marks once it is told to begin."""
    return subprocess.Popen(
        [sys.executable, "-c", ADDING, folder, SHA, str(first), str(stop)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def begin(program: subprocess.Popen[str]) -> None:
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.stdin.write("\n")
    program.stdin.flush()


def test_programs_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    programs = [adding(tmp_path, first, first + 40) for first in (0, 1000, 2000)]
    for program in programs:
        begin(program)
    for program in programs:
        program.communicate()
        assert program.returncode == 0
    starts = [int(mark.start_s) for mark in opened(tmp_path).marks]
    assert sorted(starts) == [*range(40), *range(1000, 1040), *range(2000, 2040)]
    for first in (0, 1000, 2000):
        assert [one for one in starts if first <= one < first + 40] == sorted(
            one for one in starts if first <= one < first + 40
        )


@pytest.mark.parametrize("after", [1, 7, 23])
def test_marks_that_a_killed_program_had_made_are_there(tmp_path: Path, after: int) -> None:
    program = adding(tmp_path, 0, 1_000_000)
    begin(program)
    assert program.stdout is not None
    seen = [program.stdout.readline() for _ in range(after)]
    os.kill(program.pid, signal.SIGKILL)
    seen += program.stdout.readlines()
    with program:
        program.wait()
    found = opened(tmp_path)
    kept = [int(mark.start_s) for mark in found.marks]
    told = [int(line) for line in seen if line.endswith("\n")]
    assert kept[: len(told)] == told == list(range(len(told)))
    assert len(kept) - len(told) in {0, 1}  # killed after it was kept, before it was told
    found.add(UNSURE)  # the lock of the dead is none
    assert len(opened(tmp_path).marks) == len(kept) + 1


@pytest.mark.parametrize(
    ("text", "commas", "value"),
    [("12.5", False, 12.5), ("12,5", True, 12.5), ("1:02:03.5", False, 3723.5), ("1e2", True, 100)],
)
def test_seconds_are_read_as_spreadsheets_write_them(text: str, commas: bool, value: float) -> None:
    assert seconds(text, commas) == value


@pytest.mark.parametrize("text", ["1.234", "1,234", "12,345", "-123.456", "+1,000"])
def test_three_decimals_may_be_thousands_where_numbers_have_commas(text: str) -> None:
    with pytest.raises(ValueError, match=rf"got '{re.escape(text)}', which may be thousands"):
        seconds(text, commas=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0,834", 0.834), ("1234,500", 1234.5), ("12,3450", 12.345), ("0:00:12,345", 12.345)],
)
def test_three_decimals_that_cannot_be_thousands_are_read(text: str, value: float) -> None:
    assert seconds(text, commas=True) == value
    assert seconds("12.345", commas=False) == 12.345


@pytest.mark.parametrize("text", ["1,234.5", "1.234,5", "12:30", "", "x", "1:99:00", "1_0", "inf"])
def test_numbers_that_could_be_two_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected seconds such as 12.5, or h:mm:ss"):
        seconds(text, True)


def test_no_text_becomes_a_formula_of_a_spreadsheet(labels: LabelFile) -> None:
    rows = csv.reader(io.StringIO(labels.path.read_text("utf-8-sig")))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))]


def test_a_sheet_keeps_names_with_separators_in_its_head(tmp_path: Path) -> None:
    head = {"recording": "a, b; c: d.edf"}
    content = write_sheet("events 1", head, ("a",), [{"a": "1"}])
    for save in (bytes, lambda content: respelled(content, ";", padded=True)):
        found = read_sheet(tmp_path, save(content), "events 1", ("a",), ("a",))
        assert dict(found.head) == head
        assert [dict(row) for row in found.rows] == [{"a": "1"}]
