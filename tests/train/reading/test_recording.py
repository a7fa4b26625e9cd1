"""Any stretch of an imported recording, and the cache of imports."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import signal
import subprocess
import sys
import time as clock
from contextlib import nullcontext
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from support.edf_bytes import Head, annotations, eeg, tal, write
from support.recorder import QUANTUM_UV, noise, write_edf

from hmsprep.importing.convert import ANNOTATIONS
from hmsprep.kaggle.write import write_csv, write_eeg
from hmsstore import CHANNELS
from hmsstore.recordings import (
    ImportedPiece,
    ImportedRecording,
    read_recordings,
    write_recordings,
)
from hmsstore.sums import names_beside, of_recording
from hmstrain.errors import DataError
from hmstrain.reading import pieces
from hmstrain.reading.cache import clear_cache, default_cache, open_or_import
from hmstrain.reading.clock import clock_start
from hmstrain.reading.recording import ANNOTATIONS_NAME, Annotation, Recording, _renamed

STARTS_S, LENGTHS_S = (0, 30, 75), (60, 40, 25)
"""Pieces that overlap, and a gap of 5 s between the last two."""


@pytest.fixture(scope="module")
def whole() -> NDArray[np.float32]:
    """EEG (20, T) of 100 s, a gap of one channel in it."""
    eeg_uv = noise(100).astype(np.float32)
    eeg_uv[3, 2_000:2_500] = np.nan
    return eeg_uv


@pytest.fixture
def imported(whole: NDArray[np.float32], tmp_path: Path) -> Path:
    """That EEG as an import has it, in three pieces."""
    folder = tmp_path / "data"
    (folder / "test_eegs").mkdir(parents=True)
    pieces = []
    for number, (start, length) in enumerate(zip(STARTS_S, LENGTHS_S, strict=True)):
        values = whole[:, start * 200 : (start + length) * 200]
        write_eeg(folder / "test_eegs" / f"{10_000 + number}.parquet", values)
        pieces.append(ImportedPiece(10_000 + number, float(start)))
    one = ImportedRecording(
        "night.edf", 100.0, 1, (200.0,), ("EKG",), ("A1A2",), tuple(pieces),
        interpolated=("F7",), flat=("O1",), railed=("O2",), bridged=("F3-C3",), missing={"T3": 2.5},
    )  # fmt: skip
    other = replace(one, file="=other.edf", pieces=pieces[:1], seconds=60.0)
    write_recordings(folder, (one, other), 10.0, warnings=["night.edf has no EKG."])
    notes = [("=other.edf", 5.0, None, "no"), ("night.edf", 61.5, 2.0, "=eyes, closed"),
             ("night.edf", 4.0, None, "start")]  # fmt: skip
    names = ("file", "onset_s", "duration_s", "text")
    write_csv(folder / ANNOTATIONS, {n: [row[p] for row in notes] for p, n in enumerate(names)})
    return folder


def expected(whole: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a reader sees of it: the gap between two pieces and the absent EKG are missing."""
    found = whole.T.copy()
    found[70 * 200 : 75 * 200] = np.nan
    found[:, CHANNELS.index("EKG")] = np.nan
    return found


def test_any_stretch_equals_that_of_the_whole(
    imported: Path, whole: NDArray[np.float32], tmp_path: Path
) -> None:
    recording = Recording.open(imported, "night.edf", cache=tmp_path / "cache")
    wanted = expected(whole)
    for start, stop in ((0, 10), (55.5, 63.25), (28, 80), (99, 100), (0, 100), (0.004, 0.011)):
        found = recording.read(start, stop)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, wanted[round(start * 200) : round(stop * 200)])
    assert recording.seconds == 100
    assert recording.channels == CHANNELS


def test_a_page_is_the_same_before_and_after_its_piece_is_unpacked(
    imported: Path, whole: NDArray[np.float32], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    for number, (start, stop) in enumerate(((0, 10), (33, 64), (50, 60), (58, 78), (90, 100))):
        recording = Recording.open(imported, "night.edf", cache=cache / str(number))
        wanted = expected(whole)[start * 200 : stop * 200]
        np.testing.assert_array_equal(recording.read(start, stop), wanted)
        recording.wait()
        assert list((cache / str(number)).glob("*.f4"))
        np.testing.assert_array_equal(recording.read(start, stop), wanted)


def test_what_lies_outside_of_a_recording_is_missing(
    imported: Path, whole: NDArray[np.float32], tmp_path: Path
) -> None:
    recording = Recording.open(imported, "night.edf", cache=tmp_path / "cache")
    found = recording.read(-3, 104)
    assert found.shape == (107 * 200, 20)
    np.testing.assert_array_equal(found[600:-800], expected(whole))
    assert np.isnan(found[:600]).all()
    assert np.isnan(found[-800:]).all()
    assert np.isnan(recording.read(500, 501)).all()
    for stretch in ((4, 4), (5, 4), (np.nan, 5)):
        with pytest.raises(DataError, match="expected a stretch"):
            recording.read(*stretch)


def test_what_was_unpacked_is_made_again_when_it_is_gone_or_cut_short(
    imported: Path, whole: NDArray[np.float32], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    recording = Recording.open(imported, "night.edf", cache=cache)
    recording.read(0, 5)
    recording.wait()
    assert [path.name for path in cache.iterdir()] == ["10000.f4"]  # and no other piece
    assert cache.stat().st_mode & 0o077 == 0
    with (cache / "10000.f4").open("r+b") as file:
        file.truncate(1_000)
    np.testing.assert_array_equal(recording.read(0, 5), expected(whole)[:1_000])
    recording.wait()
    assert (cache / "10000.f4").stat().st_size == 60 * 200 * 20 * 4
    shutil.rmtree(cache)
    np.testing.assert_array_equal(recording.read(0, 5), expected(whole)[:1_000])


def test_a_cache_that_cannot_be_written_is_one_sentence(imported: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recording = Recording.open(imported, "night.edf", cache=tmp_path / "file")
    assert len(recording.read(0, 5)) == 1_000  # a page needs none
    with pytest.raises(DataError, match=r"file.*cannot be (read|written): "):
        recording.read(0, 121)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to try")
def test_a_cache_on_a_full_disk_says_so(
    imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "whole_file", lambda _: nullcontext(Path("/dev/full")))
    recording = Recording.open(imported, "night.edf", cache=tmp_path / "cache")
    with pytest.raises(DataError, match=r"10000\.f4 cannot be written: No space left on device\."):
        recording.read(0, 121)


def test_states_annotations_and_warnings_are_those_of_the_import(
    imported: Path, tmp_path: Path
) -> None:
    recording = Recording.open(imported, "night.edf", cache=tmp_path / "cache")
    assert ANNOTATIONS_NAME == ANNOTATIONS
    assert recording.annotations == (
        Annotation(4.0, None, "start"),
        Annotation(61.5, 2.0, "=eyes, closed"),
    )
    assert recording.warnings == ("night.edf has no EKG.",)
    assert dict(recording.states) == {
        "EKG": ("filled",), "F7": ("interpolated",), "O1": ("flat",), "O2": ("railed",),
        "F3": ("bridged",), "C3": ("bridged",), "T3": ("missing",),
    }  # fmt: skip
    assert recording.start is None


def test_a_data_set_that_is_none_or_damaged_is_refused_in_one_sentence(
    imported: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(DataError, match=r"holds 2 recordings \(night.edf, =other.edf\)"):
        Recording.open(imported, cache=cache)
    with pytest.raises(DataError, match=r"no recording day\.edf; it has night\.edf"):
        Recording.open(imported, "day.edf", cache=cache)
    recording = Recording.open(imported, "night.edf", cache=cache)
    second = imported / "test_eegs" / "10001.parquet"
    content = second.read_bytes()
    second.write_bytes(content[: len(content) // 2] + content[-2_000:])
    with pytest.raises(DataError, match=r"10001.parquet cannot be read"):
        recording.read(65, 66)
    second.write_bytes(content[:-100])
    with pytest.raises(DataError, match=r"10001.parquet cannot be read"):
        Recording.open(imported, "night.edf", cache=cache)
    second.unlink()
    with pytest.raises(DataError, match=r"10001.parquet is missing"):
        Recording.open(imported, "night.edf", cache=cache)
    (imported / ANNOTATIONS).write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="columns file, onset_s"):
        Recording.open(imported, "night.edf", cache=cache)
    with pytest.raises(DataError, match=r"without recordings\.json"):
        open_or_import(tmp_path, cache)
    with pytest.raises(DataError, match="No such file"):
        open_or_import(tmp_path / "none.edf", cache)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"seconds": 99.0}, "within the 99 s of night.edf"),
        ({"seconds": 1e12}, "at most 31 days"),
        ({"seconds": 0.0}, "more than 0"),
        ({"pieces": (ImportedPiece(10_000, -5.0),)}, "from second -5 on"),
        ({"pieces": ()}, "has no EEG file"),
    ],
)
def test_lengths_and_places_that_cannot_be_are_refused(
    imported: Path, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    one = read_recordings(imported)[0]
    write_recordings(imported, (replace(one, **wrong),), 10.0)
    with pytest.raises(DataError, match=said):
        Recording.open(imported, cache=tmp_path / "cache")


def test_a_piece_that_claims_more_than_two_hours_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "test_eegs").mkdir(parents=True)
    columns = {name: pa.nulls(1_440_001, pa.float32()) for name in CHANNELS[:1]}
    pq.write_table(pa.table(columns), folder / "test_eegs" / "10000.parquet")
    pieces = (ImportedPiece(10_000, 0.0),)
    one = ImportedRecording("night.edf", 1e5, 1, (200.0,), (), (), pieces)
    write_recordings(folder, (one,), 10.0)
    with pytest.raises(DataError, match="1,440,001 rows"):
        Recording.open(folder, cache=tmp_path / "cache")


@pytest.fixture(scope="module")
def edf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a minute that starts at 21:05:09."""
    return write_edf(
        tmp_path_factory.mktemp("edf") / "night.edf", noise(60), starttime=time(21, 5, 9),
        annotations=[edfio.EdfAnnotation(12.5, None, "hyperventilation")],
    )  # fmt: skip


@pytest.fixture(scope="module")
def kept(edf: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recording]:
    """A cache in which that recording was imported."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, open_or_import(edf, cache)


def test_a_recorders_file_is_imported_once_whatever_it_is_called(
    kept: tuple[Path, Recording], edf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, recording = kept
    digest = hashlib.sha256(edf.read_bytes()).hexdigest()
    assert recording.sha256 == digest
    assert [path.name.partition("-")[0] for path in cache.iterdir()] == [digest]
    assert recording.start == time(21, 5, 9)
    assert recording.annotations == (Annotation(12.5, None, "hyperventilation"),)
    np.testing.assert_allclose(recording.read(0, 60), noise(60).T, atol=QUANTUM_UV)
    made = recording.folder.stat()
    again = open_or_import(Path(shutil.copy(edf, tmp_path / "other.edf")), cache)
    assert again.folder.stat().st_ino == made.st_ino
    assert again.folder.stat().st_mtime_ns == made.st_mtime_ns
    monkeypatch.setattr("hmstrain.reading.cache.IMPORTED", 0)  # as of an earlier version
    assert open_or_import(edf, cache).folder != again.folder
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "hms-eeg"


def test_a_file_that_was_renamed_is_shown_by_its_present_name_alone(tmp_path: Path) -> None:
    path = write_edf(
        tmp_path / "Roe_Jane.edf", noise(60)[:-1], channels=CHANNELS[:-1],
        annotations=[edfio.EdfAnnotation(2.5, None, "awake")],
    )  # fmt: skip
    cache = tmp_path / "cache"
    first = open_or_import(path, cache)
    assert first.warnings == ("Roe_Jane.edf has no EKG: filled with 0.",)
    again = open_or_import(path.rename(tmp_path / "P07.edf"), cache)
    assert (again.folder, again.name, again.described.file) == (first.folder, "P07.edf", "P07.edf")
    assert again.warnings == ("P07.edf has no EKG: filled with 0.",)
    assert again.annotations == first.annotations != ()
    np.testing.assert_array_equal(again.read(0, 10), first.read(0, 10))
    said = "1/a.edf, xa.edf and a.edf, of a.eeg. a.edf: a. It is."
    assert _renamed(said, "a.edf", "b.c.edf.gz") == (
        "1/b.c.edf.gz, xa.edf and b.c.edf.gz, of b.c.eeg. b.c.edf.gz: a. It is."
    )


def test_an_imported_folder_is_opened_as_it_is_and_leaves_its_pieces_in_the_cache(
    kept: tuple[Path, Recording], tmp_path: Path
) -> None:
    _, recording = kept
    folder = Path(shutil.copytree(recording.folder, tmp_path / "data"))
    before = sorted(path.name for path in folder.rglob("*"))
    again = open_or_import(folder, tmp_path / "cache")
    np.testing.assert_array_equal(again.read(3, 9), recording.read(3, 9))
    assert again.sha256 == recording.sha256
    assert sorted(path.name for path in folder.rglob("*")) == before
    with pytest.raises(DataError, match="--truncated is for a recorder's file"):
        open_or_import(folder, tmp_path / "cache", importing={"truncated": True})


def test_a_cache_is_cleared_of_what_is_its_own_alone(edf: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "mine.txt").write_text("kept")
    opened = open_or_import(edf, cache)
    opened.read(0, 1)
    opened.wait()
    left = cache / ("0" * 64) / ".import.0123abcd.partial"
    left.mkdir(parents=True)
    (left / "10000.parquet").write_bytes(b"of a patient")
    open_or_import(edf, cache)
    assert not left.exists()  # a killed import's
    assert clear_cache(cache) > opened.samples
    assert [path.name for path in cache.iterdir()] == ["mine.txt"]
    assert clear_cache(tmp_path / "none") == 0


def test_a_file_that_cannot_be_imported_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bad.edf"
    path.write_bytes(b"not a recording")
    with pytest.raises(DataError, match=r"bad\.edf"):
        open_or_import(path, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_import_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "night.edf", np.tile(noise(120), 10))
    cache = tmp_path / "cache"
    script = (
        "import sys; from pathlib import Path; from hmstrain.runs.stopping import raising\n"
        "from hmstrain.reading.cache import open_or_import\n"
        "with raising(): open_or_import(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, path, cache], stderr=subprocess.PIPE, text=True
    ) as child:
        while child.poll() is None and not list(cache.glob("*/.import.*/test_eegs")):
            clock.sleep(0.005)
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate()
    assert "Interrupted" in said
    assert list(cache.iterdir()) == []


def test_the_time_of_day_is_read_where_a_header_has_one(edf: Path, tmp_path: Path) -> None:
    content = edf.read_bytes()
    packed = tmp_path / "night.edf.gz"
    packed.write_bytes(gzip.compress(content))
    assert clock_start(packed) == time(21, 5, 9)
    for said, is_ in ((b"00.00.00", None), (b"25.00.00", None), (b"23:59:59", time(23, 59, 59))):
        (tmp_path / "a.edf").write_bytes(content[:176] + said + content[184:])
        assert clock_start(tmp_path / "a.edf") == is_
    (tmp_path / "b.edf").write_bytes(b"short")
    assert clock_start(tmp_path / "b.edf") is None
    assert clock_start(tmp_path / "none.edf") is None


@pytest.mark.parametrize("bdf", [False, True])
@pytest.mark.parametrize(
    ("onset", "starts"),
    [("+0", time(22)), ("+3600", time(23)), ("+7200.5", time(0)), ("-60", time(21, 59)),
     ("+86399", time(21, 59, 59)), ("soon", time(22))],
)  # fmt: skip
def test_a_first_record_that_begins_later_than_the_header_says_counts(
    onset: str, starts: time, bdf: bool, tmp_path: Path
) -> None:
    signals = eeg(2, 200, 200.0)[:3]
    label = "BDF Annotations" if bdf else "EDF Annotations"
    signals.insert(2, annotations([tal(onset) + tal("+5", b"note"), tal("+9")], label=label))
    path = write(tmp_path / "a.edf", signals, Head(bdf=bdf, kind="EDF+D"))
    content = path.read_bytes()
    path.write_bytes(content[:176] + b"22.00.00" + content[184:])
    assert clock_start(path) == starts
    packed = tmp_path / "a.edf.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert clock_start(packed) == starts
    path.write_bytes(content)  # midnight sharp by the header
    assert clock_start(path) is None


def test_files_of_one_recording_are_known_together(tmp_path: Path) -> None:
    for name, content in (("a.vhdr", b"1"), ("a.eeg", b"2"), ("a.txt", b"3"), ("b.eeg", b"4")):
        (tmp_path / name).write_bytes(content)
    assert of_recording(tmp_path / "a.vhdr") == hashlib.sha256(b"21").hexdigest()
    assert of_recording(tmp_path / "a.txt") == hashlib.sha256(b"3").hexdigest()


def test_names_of_channels_beside_a_recording_make_another_import_of_it(tmp_path: Path) -> None:
    for name, beside in (("night.eeg", "night.21E"), ("night.cdt", "night.cdt.dpo")):
        path = tmp_path / name
        path.write_bytes(b"signals")
        (tmp_path / "other.21E").write_bytes(b"of another")
        before = of_recording(path)
        assert names_beside(path) == {}
        (tmp_path / beside).write_bytes(b"names")
        first = names_beside(path)
        assert set(first) == {beside}
        (tmp_path / beside).write_bytes(b"others")
        assert names_beside(path) != first
        assert of_recording(path) == before  # so that marks stay those of the recording
        (tmp_path / beside).unlink()


@pytest.mark.parametrize(
    ("header", "says", "signals"),
    [
        ("rec.vhdr", "[Common Infos]\r\nDataFile=data.eeg\r\n", "data.eeg"),
        ("rec.vhdr", "DataFile = Käse.eeg\n", "Käse.eeg"),
        ("rec.lay", "[FileInfo]\nFile=C:\\night\\data.dat\n", "data.dat"),
    ],
)
def test_files_of_any_name_belong_to_the_header_that_names_them(
    tmp_path: Path, header: str, says: str, signals: str
) -> None:
    found = set()
    for content in (b"one patient's", b"another's"):
        folder = tmp_path / content.decode()
        folder.mkdir()
        (folder / header).write_text(says, encoding="cp1252", newline="")
        (folder / signals).write_bytes(content)
        alone = of_recording(folder / header)
        (folder / "other.eeg").write_bytes(b"of no concern")
        assert of_recording(folder / header) == alone
        found.add(alone)
    assert len(found) == 2


def test_a_column_of_another_type_is_one_sentence(imported: Path, tmp_path: Path) -> None:
    path = imported / "test_eegs" / "10000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, CHANNELS[0], pa.array(["a"] * table.num_rows)), path)
    with pytest.raises(DataError, match=r"10000\.parquet cannot be read"):
        Recording.open(imported, "night.edf", cache=tmp_path / "cache").read(0, 5)
    pq.write_table(table.set_column(0, CHANNELS[0], pa.nulls(table.num_rows)), path)
    recording = Recording.open(imported, "night.edf", cache=tmp_path / "cache")
    assert np.isnan(recording.read(0, 5)[:, 0]).all()  # a column of nothing
    recording.wait()
    pq.write_table(table.drop_columns([CHANNELS[0]]), path)
    with pytest.raises(DataError, match=r"10000\.parquet cannot be read"):
        Recording.open(imported, "night.edf", cache=tmp_path / "other").read(0, 5)
