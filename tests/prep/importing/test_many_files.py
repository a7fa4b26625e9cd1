"""Many files at once: folders, packed files, and what cannot be read costs nothing else."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.edf_bytes import Head, annotations, eeg, tal, write
from support.helpers import Program
from support.recorder import QUANTUM_UV, noise, write_edf

from hmsprep.errors import DataError, ParameterError
from hmsprep.importing.convert import import_recordings
from hmsprep.importing.formats.edf_header import EdfHeader
from hmsprep.importing.listing import list_recordings
from hmsstore.recordings import read_left_out, read_recordings

PROGRAM = Program("hmsprep")


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """A recording of a minute, put wherever it is wanted, each under a number of its own."""
    plain = write_edf(tmp_path_factory.mktemp("minute") / "a.edf", noise(60)).read_bytes()
    numbers = count(1)

    def put(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = plain[:160] + b"%-8d" % next(numbers) + plain[168:]
        path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
        return path

    return put


def test_folders_are_searched_and_packed_files_unpacked(
    minute: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    folder = tmp_path / "in"
    for name in ("z.edf", "sub/deeper/b.EDF", "sub/c.edf.gz", ".hidden/d.edf"):
        minute(folder / name)
    (folder / "sub" / "c.tse").write_text("version = tse_v1.0.0\n0 60 bckg 1.0\n")
    made = import_recordings([folder], tmp_path / "out", unlabelled=True)
    assert [one.file for one in made.recordings] == ["c.edf.gz", "b.EDF", "z.edf"]
    first = pl.read_parquet(tmp_path / "out" / "test_eegs" / "10000.parquet").to_numpy()
    assert np.abs(first.T - noise(60)).max() <= QUANTUM_UV
    assert not any((tmp_path / "temporary").iterdir())
    # labels lie beside the packed file
    labelled = import_recordings([folder / "sub" / "c.edf.gz"], tmp_path / "labelled")
    assert labelled.by_class["other"] == 2


def test_files_of_one_name_are_told_apart_by_their_folders(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    files = [minute(tmp_path / name) for name in ("p1/eeg.edf", "p2/x/eeg.edf", "p2/other.edf")]
    made = import_recordings(files, tmp_path / "out")
    assert [one.file for one in made.recordings] == ["p1/eeg.edf", "p2/x/eeg.edf", "other.edf"]
    assert str(tmp_path) not in (tmp_path / "out" / "recordings.json").read_text()
    (tmp_path / "again.edf").symlink_to(files[0])
    with pytest.raises(ParameterError, match="given twice; name each recording once"):
        import_recordings([files[0], tmp_path / "again.edf"], tmp_path / "no")


def test_what_is_said_of_a_file_begins_with_its_name(tmp_path: Path) -> None:
    """As it is listed: with its folder, packed, and where another file says it."""
    silent = write_edf(tmp_path / "silent.edf", np.full((20, 12_000), 3.0)).read_bytes()
    (tmp_path / "silent.edf").unlink()
    for name in ("p1/eeg.edf", "p2/eeg.edf", "packed.edf.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(silent, 1) if name[-1] == "z" else silent)
    (tmp_path / "p2" / "eeg_channels.tsv").write_text("name\tstatus\nT3\tbad\n")
    made = import_recordings([tmp_path], tmp_path / "out")
    files = {one.file for one in made.recordings}
    assert files == {"p1/eeg.edf", "p2/eeg.edf", "packed.edf.gz"}
    nothing = [one for one in made.warnings if "it may hold no EEG at all" in one]
    assert {one.partition(": ")[0] for one in nothing} == files
    (bad,) = (one for one in made.warnings if "marks as bad" in one)
    assert bad.startswith("p2/eeg.edf: ")


def test_a_tree_of_bids_is_searched_without_its_copies(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    stem = "sub-01_ses-01_task-szMonitoring_run-00"
    eeg = tree / "sub-01" / "ses-01" / "eeg"
    minute(eeg / f"{stem}_eeg.edf")
    minute(tree / "sourcedata" / "night.edf")
    minute(tree / "derivatives" / "clean" / f"{stem}_eeg.edf")
    (tree / "dataset_description.json").write_text("{}")
    (eeg / f"{stem}_events.tsv").write_text("onset\tduration\teventType\n20.0\t12.0\tsz_gen\n")
    made = import_recordings([tree], tmp_path / "out", stride=5)
    assert [one.file for one in made.recordings] == [f"{stem}_eeg.edf"]
    assert (made.by_class["seizure"], made.by_class["other"]) == (2, 1)


def test_what_cannot_be_read_costs_no_other_and_is_named_with_the_reason(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    minute(folder / "good.edf")
    write_edf(folder / "short.edf", noise(30))
    (folder / "broken.edf").write_bytes(b"0       " + b"x" * 400)
    packed = gzip.compress((folder / "good.edf").read_bytes(), 1)
    (folder / "half.edf.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "no.edf.gz").write_bytes(b"not packed")
    (folder / "study.erd").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    words = ["import", folder, tmp_path / "empty", tmp_path / "none.edf", tmp_path / "out"]
    done = PROGRAM.run(*words, "--json")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    told = json.loads(done.stdout)
    assert [one["file"] for one in told["recordings"]] == ["good.edf"]
    reasons = {Path(one["file"]).name: one["reason"] for one in told["refused"]}
    for name, reason in (
        ("short.edf", "30 s long; expected at least one window"), ("broken.edf", "not a readable"),
        ("half.edf.gz", "not a whole gzip file"), ("no.edf.gz", "not a whole gzip file"),
        ("study.erd", "is a Natus recording (.erd), which cannot be read here. Export it as EDF"),
        ("empty", "found no file"), ("none.edf", "got nothing"),
    ):  # fmt: skip
        assert reason in reasons.pop(name)
        assert f"{name}" in done.stderr
    assert not reasons
    assert len(read_recordings(tmp_path / "out")) == 1
    assert {Path(one.file).name for one in read_left_out(tmp_path / "out")} >= {"short.edf"}
    assert pl.read_csv(tmp_path / "out" / "test.csv")["eeg_id"].n_unique() == 1


def test_a_file_and_a_folder_that_may_not_be_read_and_a_link_that_leads_back_cost_no_other(
    minute: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    minute(folder / "good.edf")
    (folder / "again").symlink_to(folder)
    minute(folder / "locked.edf")
    (folder / "closed").mkdir()
    listed, opened = Path.iterdir, Path.open

    def refusing(act: Callable[..., Any], name: str) -> Callable[..., Any]:
        def acting(path: Path, *how: Any, **more: Any) -> Any:
            if path.name == name:
                raise PermissionError(13, "Permission denied", str(path))
            return act(path, *how, **more)

        return acting

    monkeypatch.setattr(Path, "iterdir", refusing(listed, "closed"))
    monkeypatch.setattr(Path, "open", refusing(opened, "locked.edf"))
    made = import_recordings([folder], tmp_path / "out")
    assert [one.file for one in made.recordings] == ["good.edf"]
    reasons = {Path(one.file).name: one.reason for one in made.refused}
    assert "cannot be read: Permission denied" in reasons["locked.edf"]
    assert "cannot be searched: Permission denied" in reasons["closed"]


def test_a_link_that_cannot_be_followed_costs_no_other(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    """As into a folder that may not be entered: whoever runs this, such a name is too long."""
    folder, nowhere = tmp_path / "in", "x" * 300
    minute(folder / "good.edf")
    names = ("link.edf", "folder", "a.eeg", "a.fif", "dataset_description.json")
    for name in names:
        (folder / name).symlink_to(nowhere)
    (folder / "a.vhdr").write_text("[Common Infos]\nDataFile=a.eeg\n")
    (folder / "a-1.fif").touch()  # which may be a part of the first
    given = tmp_path / "given.edf"
    given.symlink_to(nowhere)
    made = import_recordings([folder, given], tmp_path / "out")
    assert [one.file for one in made.recordings] == ["good.edf"]
    reasons = {Path(one.file).name: one.reason for one in made.refused}
    for name in (*names, "a-1.fif", "given.edf"):
        assert f"{name} cannot be read: {os.strerror(errno.ENAMETOOLONG)}" in reasons[name]
    with pytest.raises(DataError, match=r"given\.edf cannot be read"):
        import_recordings([given], tmp_path / "alone")


def test_a_recording_that_breaks_off_while_it_is_read_costs_no_other(
    minute: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a failing disk: opened well, and an error an hour later."""
    folder = tmp_path / "in"
    minute(folder / "a.edf")
    minute(folder / "good.edf")
    (folder / "a.tse").write_text("version = tse_v1.0.0\n0 60 bckg 1.0\n")
    (folder / "good.tse").write_text("version = tse_v1.0.0\n0 60 gped 1.0\n")
    read = EdfHeader.read_records

    def failing(header: EdfHeader, first: int, stop: int) -> Any:
        if header.path.name == "a.edf":
            raise OSError(5, "Input/output error", str(header.path))
        return read(header, first, stop)

    monkeypatch.setattr(EdfHeader, "read_records", failing)
    made = import_recordings([folder], tmp_path / "out")
    assert [one.file for one in made.recordings] == ["good.edf"]
    assert [one.file for one in made.refused] == ["a.edf"]
    assert "a.edf cannot be read: Input/output error" in made.warnings[-1]
    assert (made.windows, made.patients, made.by_class["gpd"], made.by_class["other"]) == (
        2,
        1,
        2,
        0,
    )
    assert made.hours == pytest.approx(1 / 60)
    written = {path.name for path in (tmp_path / "out").rglob("*.parquet")}
    assert written == {"20000.parquet"}
    assert pl.read_csv(tmp_path / "out" / "train.csv")["eeg_id"].unique().to_list() == [20000]
    assert [one.file for one in read_recordings(tmp_path / "out")] == ["good.edf"]
    (folder / "good.edf").unlink()
    with pytest.raises(DataError, match=r"a\.edf cannot be read"):
        import_recordings([folder], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_where_the_one_labelled_recording_breaks_off_that_is_said(
    minute: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    minute(folder / "a.edf")
    minute(folder / "good.edf")
    (folder / "a.tse").write_text("version = tse_v1.0.0\n0 60 bckg 1.0\n")
    (folder / "good.tse").write_text("version = tse_v1.0.0\n0 5 bckg 1.0\n")  # of no window
    read = EdfHeader.read_records

    def failing(header: EdfHeader, first: int, stop: int) -> Any:
        if header.path.name == "a.edf":
            raise OSError(5, "Input/output error", str(header.path))
        return read(header, first, stop)

    monkeypatch.setattr(EdfHeader, "read_records", failing)
    said = r"No window of these recordings is annotated.*--unlabelled.* 1 file left out:\n.*a\.edf"
    with pytest.raises(DataError, match=said):
        import_recordings([folder], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_file_at_all_is_refused(tmp_path: Path) -> None:
    for ask in (list_recordings, lambda files: import_recordings(files, tmp_path / "out")):
        with pytest.raises(ParameterError, match="There is nothing to import"):
            ask([])
    assert not (tmp_path / "out").exists()


def test_all_reasons_are_shown_where_nothing_can_be_imported(tmp_path: Path) -> None:
    for number in range(14):
        (tmp_path / f"{number:02}.edf").write_bytes(b"x")
    with pytest.raises(DataError, match=r"14 files cannot be imported:(.|\n)*13\.edf") as error:
        import_recordings([tmp_path], tmp_path / "out")
    assert len(str(error.value).splitlines()) == 15
    assert not (tmp_path / "out").exists()


def test_a_file_that_a_link_names_again_is_imported_once(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    minute(folder / "a.edf")
    (folder / "b.edf").symlink_to(folder / "a.edf")
    (folder / "c.edf").symlink_to(tmp_path / "nowhere")
    made = import_recordings([folder, folder / "a.edf"], tmp_path / "out")
    assert [one.file for one in made.recordings] == ["a.edf"]
    reasons = [one.reason for one in made.refused]
    assert any("b.edf is the same file as" in reason for reason in reasons)
    assert any("c.edf is a link to a file that is not there" in reason for reason in reasons)
    with pytest.raises(ParameterError, match="given twice"):
        import_recordings([folder / "a.edf", folder / "b.edf"], tmp_path / "none")


def test_a_file_of_annotations_alone_costs_a_folder_nothing(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    """As `hmstrain predict` writes them."""
    folder = tmp_path / "in"
    minute(folder / "night.edf")
    note = annotations([tal(float(r)) for r in range(52)])
    alone = write(folder / "night.annotations.edf", [note], Head(kind="EDF+C"))
    made = import_recordings([folder], tmp_path / "out")
    assert ([one.file for one in made.recordings], made.refused) == (["night.edf"], [])
    with pytest.raises(DataError, match="holds only annotations: nothing to import"):
        import_recordings([alone], tmp_path / "none")


@pytest.mark.parametrize("names", [("sub-01_eeg.edf", "sub-02_eeg.edf"), ("a.edf", "b.edf.gz")])
def test_copies_of_a_recording_are_named(
    minute: Callable[[Path], Path], tmp_path: Path, names: tuple[str, str]
) -> None:
    folder = tmp_path / "in"
    content = minute(folder / names[0]).read_bytes()
    (folder / names[1]).write_bytes(gzip.compress(content) if names[1].endswith(".gz") else content)
    minute(folder / "y.edf")
    middle = bytearray(content)
    middle[len(middle) // 2] ^= 1
    (folder / "z.edf").write_bytes(middle)  # begins and ends as the first does
    found = list_recordings([folder])
    made = import_recordings([folder], tmp_path / "out")
    assert len(made.recordings) == len(found.recordings) == 4
    said = f"{names[1]} is a copy of {names[0]}, byte by byte"
    for notes in (made.notes, found.notes):
        assert [note.partition(":")[0] for note in notes if "a copy of" in note] == [said]


def test_links_of_one_name_are_told_apart_by_the_folders_that_they_lie_in(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    """As in a tree of git-annex, whose files lead to names of their own."""
    folder = tmp_path / "in"
    for patient, key in (("p1", "ab/MD5-1.edf"), ("p2", "cd/MD5-2.edf")):
        target = minute(tmp_path / "objects" / key)
        (folder / patient).mkdir(parents=True)
        (folder / patient / "eeg.edf").symlink_to(target)
    minute(tmp_path / "objects" / "p3" / "eeg.edf")
    (folder / "p3").symlink_to(tmp_path / "objects" / "p3")
    made = import_recordings([folder], tmp_path / "out")
    assert [one.file for one in made.recordings] == ["p1/eeg.edf", "p2/eeg.edf", "p3/eeg.edf"]


@pytest.mark.parametrize("name", ["loop.edf", "good-1.fif", "loop.edf.gz", "loop.rec"])
def test_a_link_that_leads_to_itself_costs_no_other(
    minute: Callable[[Path], Path], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "in"
    minute(folder / "good.edf")
    (folder / "good.fif").write_bytes(b"x")
    (folder / name).symlink_to(folder / name)
    made = import_recordings([folder, folder / name], tmp_path / "out")
    assert [one.file for one in made.recordings] == ["good.edf"]
    reasons = {Path(one.file).name: one.reason for one in made.refused}
    assert re.search("is a link to itself|Too many levels of symbolic links", reasons[name])


def test_a_recording_is_known_by_its_content_whatever_its_ending(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    content = minute(folder / "a.edf").read_bytes()
    minute(folder / "b.REC")
    minute(folder / "c")
    (folder / "a.rec").write_text("13,20.0,30.0,6\n")  # labels of the other
    (folder / "d.rec").write_text("a letter")
    made = import_recordings([folder], tmp_path / "out", unlabelled=True)
    assert [one.file for one in made.recordings] == ["a.edf", "b.REC"]
    assert import_recordings([folder / "c"], tmp_path / "one").windows == 2
    (folder / "a.rec").write_bytes(content)  # no labels then
    assert not import_recordings([folder / "a.edf"], tmp_path / "two").labelled


def test_a_name_of_bytes_that_are_no_text_costs_nothing(tmp_path: Path) -> None:
    """As archives of other systems unpack them: 'M\xfcller.edf' in Latin-1."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller.edf"))
    note = annotations([tal(float(r), *([b"spike"] if r == 3 else [])) for r in range(52)])
    try:
        write(path, [*eeg(52, 100, 100), note], Head(kind="EDF+C"))
    except OSError:
        pytest.skip("this file system takes no such names")
    made = import_recordings([path], tmp_path / "out")
    assert [one.file for one in made.recordings] == ["M\\xfcller.edf"]
    assert "xfcller.edf,3.0" in (tmp_path / "out" / "annotations.csv").read_text("utf-8")


def test_a_packed_file_that_unpacks_to_far_more_than_eeg_is_left_out(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    bomb = tmp_path / "in" / "bomb.edf.gz"
    minute(tmp_path / "in" / "good.edf.gz")
    with gzip.open(bomb, "wb", 1) as file:
        for _ in range(5):
            file.write(bytes(1 << 24))
    made = import_recordings([tmp_path / "in"], tmp_path / "out")
    assert [one.file for one in made.recordings] == ["good.edf.gz"]
    (left,) = made.refused
    assert "unpacks to more than 100 times its size: that is no EEG" in left.reason


TABLE = "name\ttype\tunits\tstatus\n"


def test_what_a_bids_tree_says_of_channels_is_said(
    minute: Callable[[Path], Path], tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    folder = tree / "sub-01" / "eeg"
    path = minute(folder / "sub-01_task-rest_eeg.edf")
    (tree / "dataset_description.json").write_text("{}")

    def notes() -> list[str]:
        (one,) = list_recordings([path]).recordings
        return [note for note in one.notes if "channels.tsv" in note]

    assert notes() == []
    above = tree / "task-rest_channels.tsv"
    above.write_text(TABLE + "Fp1\tEEG\tuV\tgood\nF7\tEEG\tuV\tbad\nX1\tEEG\tuV\tbad\n")
    assert notes() == ["task-rest_channels.tsv marks as bad, and they are read: F7."]
    (tree / "task-other_channels.tsv").write_text(TABLE + "O1\tEEG\tuV\tbad\n")
    assert notes() == ["task-rest_channels.tsv marks as bad, and they are read: F7."]
    own = folder / "sub-01_task-rest_channels.tsv"
    own.write_text(TABLE + "Fp1\tEEG\tmV\tn/a\nF7\tEEG\tn/a\tgood\n", encoding="utf-16")
    (told,) = notes()
    assert told == (
        "sub-01_task-rest_channels.tsv has 'mV' as units, and sub-01_task-rest_eeg.edf 'uV': the "
        "recording is followed."
    )
    own.write_text("")
    assert notes() == []


def test_a_recording_in_which_nothing_changes_is_said_to_hold_no_eeg(tmp_path: Path) -> None:
    """Even if a heart beats."""
    for name, uv in (
        ("a", np.zeros((20, 12_000))),
        ("b", noise(60) * (np.arange(20) == 19)[:, None]),
    ):
        path = write_edf(tmp_path / f"{name}.edf", uv)
        said = import_recordings([path], tmp_path / name).warnings
        (note,) = (one for one in said if "no EEG" in one)
        assert note.startswith(f"{name}.edf: no electrode changes in any of 40 stretches of 2 s")
