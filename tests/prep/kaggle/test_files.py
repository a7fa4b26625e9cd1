"""A folder and a zip of it are the same data."""

from __future__ import annotations

import os
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.helpers import SMALL, build_store, tree_bytes, write_pair

import hmsprep
from hmsprep.errors import DataError, MissingFilesError, ParameterError
from hmsprep.kaggle.files import AHEAD, Folder, KaggleData, read_ahead
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsstore import Store


def zipped(data: Path, path: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(data.rglob("*")):
            if file.is_file():
                archive.write(file, f"{prefix}{file.relative_to(data)}")
    return path


def test_a_zip_gives_the_same_store_as_the_folder_it_was_made_of(
    data: Path, store: Store, tmp_path: Path
) -> None:
    archive = zipped(data, tmp_path / "hms.zip", prefix="competition/")
    built = build_store(archive, tmp_path / "hms.zarr")
    assert tree_bytes(built.path) == tree_bytes(store.path)


def test_a_zip_whose_names_have_backslashes_is_read_as_others_are(
    data: Path, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "hms.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hms\\train_eegs\\", "")
        for file in sorted(data.rglob("*.*")):
            archive.write(file, f"hms\\{file.relative_to(data)}".replace("/", "\\"))
    assert KaggleData(path).sizes == KaggleData(data).sizes
    assert tree_bytes(build_store(path, tmp_path / "hms.zarr").path) == tree_bytes(store.path)


def test_a_zip_whose_tables_lie_apart_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hms.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("test.csv", "eeg_id")
        archive.writestr("train/train.csv", "eeg_id")
    with pytest.raises(DataError, match=r"holds test\.csv and train/train\.csv, expected both in"):
        KaggleData(path)


def test_a_damaged_zip_is_named(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    archive = zipped(data, tmp_path / "hms.zip")
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        entry = opened.getinfo("train_eegs/1.parquet")
    content[entry.header_offset + 5000] ^= 255
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"train_eegs/1\.parquet in .* is damaged"):
        build_store(archive, tmp_path / "hms.zarr")
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"hms\.zip is not a whole zip archive: its end is missing"):
        KaggleData(archive)
    archive.write_text("<html>")
    with pytest.raises(DataError, match=r"hms\.zip is not a zip archive\. Download it again"):
        KaggleData(archive)
    with pytest.raises(DataError, match="found another kind of file"):
        KaggleData(archive.rename(tmp_path / "hms"))


def test_a_folder_that_holds_no_data_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither train\.csv nor test\.csv"):
        KaggleData(tmp_path)
    (tmp_path / "hms.zip").write_text("x")
    with pytest.raises(DataError, match=r"It holds hms\.zip: name that file instead"):
        KaggleData(tmp_path)
    with pytest.raises(DataError, match="found nothing"):
        KaggleData(tmp_path / "none")


def test_a_folder_says_where_its_table_is_instead(tmp_path: Path) -> None:
    (tmp_path / "hms.zip").touch()
    write_pair(tmp_path / "hms", [{}])
    with pytest.raises(DataError, match=r"data\. .*/hms has one: name that folder instead\.$"):
        KaggleData(tmp_path)
    (tmp_path / "train.csv.zip").touch()
    with pytest.raises(DataError, match=r"It holds train\.csv\.zip: unpack that file there\.$"):
        KaggleData(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_recording_whose_name_has_leading_zeros_has_no_file(tmp_path: Path, packed: bool) -> None:
    data = write_pair(tmp_path / "data", [{}])
    (data / "train_eegs" / "1.parquet").rename(data / "train_eegs" / "0001.parquet")
    source = zipped(data, tmp_path / "hms.zip") if packed else data
    assert KaggleData(source).recordings("eeg") == set()
    with pytest.raises(MissingFilesError, match=r"1 of 1 EEG: train_eegs/1\.parquet"):
        load(source, Parameters())


def test_missing_recordings_are_counted_and_named(tmp_path: Path) -> None:
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in range(1, 8)]
    data = write_pair(tmp_path / "data", rows)
    for n in (2, 3, 4, 5):
        (data / "train_eegs" / f"{n}.parquet").unlink()
    (data / "train_spectrograms" / "7.parquet").unlink()
    with pytest.raises(MissingFilesError) as caught:
        load(data, Parameters())
    text = str(caught.value)
    assert "4 of 7 EEGs: train_eegs/2.parquet, train_eegs/3.parquet" in text
    assert "and 1 more" in text
    assert "1 of 7 spectrograms: train_spectrograms/7.parquet" in text
    assert "--missing skip to build the 2 of 7 windows" in text


def test_skipping_builds_the_rest_and_records_what_was_skipped(tmp_path: Path) -> None:
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in (1, 2)]
    data = write_pair(tmp_path / "data", rows)
    (data / "train_eegs" / "2.parquet").unlink()
    dataset = load(data, Parameters(**SMALL), missing="skip")
    assert any("Left out 1 window: " in warning for warning in dataset.warnings)
    from support.helpers import build_dataset

    built = build_dataset(dataset, tmp_path / "hms.zarr")
    assert built.windows["eeg_id"].tolist() == [1]
    assert built.info["skipped"] == {"windows": 1, "eeg": [2], "spectrogram": []}


@pytest.mark.parametrize("missing", ["raise", "Error", None, False])
def test_what_to_do_without_files_is_one_of_two_words(tmp_path: Path, missing: Any) -> None:
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in (1, 2)]
    data = write_pair(tmp_path / "data", rows)
    (data / "train_eegs" / "2.parquet").unlink()
    for call in (hmsprep.plan, hmsprep.build):
        with pytest.raises(ParameterError, match="--missing: expected one of error, skip, got"):
            call(data, missing=missing)


def test_with_nothing_left_skipping_says_so(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    (data / "train_eegs" / "1.parquet").unlink()
    for missing in ("error", "skip"):
        with pytest.raises(MissingFilesError, match="--missing skip would leave nothing"):
            load(data, Parameters(), missing=missing)


def test_files_that_the_table_does_not_name_are_counted_and_never_read(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    (data / "train_eegs" / "99.parquet").write_text("not parquet")
    dataset = load(data, Parameters(**SMALL))
    assert dataset.unnamed == {"eeg": 1, "spectrogram": 0}
    from support.helpers import build_dataset

    assert len(build_dataset(dataset, tmp_path / "hms.zarr")) == 1


def test_a_folder_of_test_data_alone_builds_unlabelled_windows(data: Path, tmp_path: Path) -> None:
    only = tmp_path / "data"
    only.mkdir()
    for name in ("test.csv", "test_eegs", "test_spectrograms"):
        source = data / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, only / name)
    built = build_store(only, tmp_path / "hms.zarr")
    assert built.select("predict").tolist() == [0, 1, 2]
    assert built.windows["votes"].sum() == 0
    assert built.windows["expert_consensus"].tolist() == [-1] * 3
    assert built.folds == 0


def test_reading_ahead_keeps_the_order_and_each_files_own_error(tmp_path: Path) -> None:
    for name in "abd":
        (tmp_path / name).write_text(name)
    found = list(read_ahead(Folder(tmp_path), list("abcd")))
    assert [found[place].result() for place in (0, 1, 3)] == [b"a", b"b", b"d"]
    with pytest.raises(FileNotFoundError, match="c"):
        found[2].result()
    assert list(read_ahead(Folder(tmp_path), [])) == []


class Slow:
    """Files that can only be read if AHEAD are asked for together."""

    def __init__(self) -> None:
        self.together = threading.Barrier(AHEAD)
        self.asked: list[str] = []

    def sizes(self) -> dict[str, int]:
        raise AssertionError

    def stamp(self, name: str) -> list[int]:
        raise AssertionError(name)

    def changed_ns(self, name: str) -> int:
        raise AssertionError(name)

    def read(self, name: str) -> bytes:
        self.asked.append(name)
        self.together.wait(timeout=30)
        return name.encode()


def test_several_files_are_read_at_a_time_and_no_more_than_those() -> None:
    names = [f"{number}" for number in range(3 * AHEAD)]
    files = Slow()
    coming = read_ahead(files, names)
    first = next(coming)
    assert first.result() == b"0"
    assert len(files.asked) <= AHEAD + 1
    assert [first.result(), *(one.result() for one in coming)] == [one.encode() for one in names]


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system cannot tell what is cached")
@pytest.mark.parametrize("cached", [True, False])
def test_the_kernel_may_forget_what_it_did_not_hold_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    (tmp_path / "recording").write_bytes(b"signal")
    forgotten: list[int] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda *what: forgotten.append(what[-1]))
    if not cached:

        def would_wait(*_: object) -> int:
            raise BlockingIOError

        monkeypatch.setattr(os, "preadv", would_wait)
    assert Folder(tmp_path).read("recording") == b"signal"
    assert forgotten == ([] if cached else [os.POSIX_FADV_DONTNEED])
