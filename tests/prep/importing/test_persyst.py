"""Persyst's files as they are met, not only as MNE takes them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from support.formats import NOTE, signal_uv, write_persyst

from hmsprep.errors import DataError
from hmsprep.importing.formats import open_recording, persyst
from hmsprep.importing.recording import Options
from hmsstore.schema import CHANNELS
from hmsstore.sums import of_recording

pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")
PATIENT = "[Patient]\nFirst=Jane\nMI=\nLast=Roe\nID=MRN4711\nSex=\nHand=\nBirthDate=01/02/50\n"


def is_whole(path: Path, note: str = NOTE[2]) -> None:
    """Check that signals and notes are read, and nothing of the temporary copy is said."""
    one = open_recording(path, Options())
    assert np.abs(one.read(0, one.samples) - signal_uv(200.0))[:, 400:-400].max() < 0.06
    assert one.annotations == ((NOTE[0], NOTE[1], note),)
    assert one.notes == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"{PATIENT}TestDate=01/02/2019\nTestTime=10:00:00\n", ""),
        ("BirthDate=01/02/50\n", ""),
        ("BirthDate=01/02/50\n", "BirthDate=\n"),
        ("BirthDate=01/02/50\n", "BirthDate=2 January 1950\n"),
        ("Hand=\n", ""),
        ("Sex=\n", ""),
        ("TestDate=01/02/2019\n", ""),
        ("TestDate=01/02/2019\n", "TestDate=01/02/19\n"),
        ("TestDate=01/02/2019\n", "TestDate=2019-02-01\n"),
        ("TestTime=10:00:00\n", "TestTime=10:00\n"),
        ("TestTime=10:00:00\n", "TestTime=10:00:00.000\n"),
        ("File=night.dat", "File=C:\\EEG\\night.dat"),
        ("File=night.dat", "File=NIGHT.DAT"),
        ("SamplingRate=", "SamplingRate = "),
        ("[Sheets]\n", "[Sheets]\nfirst\n"),
    ],
)
def test_headers_that_mne_refuses_are_read(old: str, new: str, tmp_path: Path) -> None:
    path = write_persyst(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    is_whole(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_comments_in_any_usual_encoding_are_read(encoding: str, tmp_path: Path) -> None:
    path = write_persyst(tmp_path)
    path.write_text(path.read_text().replace(NOTE[2], "øyne lukket"), encoding)
    is_whole(path, "øyne lukket")


def test_names_of_files_are_taken_in_any_case(tmp_path: Path) -> None:
    path = write_persyst(tmp_path)
    is_whole(path.rename(tmp_path / "NIGHT.LAY"))
    (tmp_path / "night.dat").rename(tmp_path / "Night.Dat")
    is_whole(tmp_path / "NIGHT.LAY")
    (tmp_path / "Night.Dat").unlink()
    with pytest.raises(DataError, match=r"NIGHT\.LAY needs night\.dat, which is not in the same"):
        open_recording(tmp_path / "NIGHT.LAY", Options())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_signals_named_in_another_case_count_for_the_checksum(
    encoding: str, tmp_path: Path
) -> None:
    path = write_persyst(tmp_path)
    path.write_text(path.read_text().replace("File=night.dat", "File=OTHER.DAT"), encoding)
    data = (tmp_path / "night.dat").rename(tmp_path / "other.dat")
    is_whole(path)
    before = of_recording(path)
    data.write_bytes(data.read_bytes()[::-1])
    assert of_recording(path) != before


@pytest.mark.parametrize(
    ("born", "told"),
    [("01/02/1950", date(1950, 1, 2)), ("1950-02-01", date(1950, 2, 1)), ("", None)],
)
def test_who_was_recorded_is_read_from_the_file(
    born: str, told: date | None, tmp_path: Path
) -> None:
    path = write_persyst(tmp_path)
    path.write_text(path.read_text().replace("01/02/50", born))
    subject = persyst.read(path).info["subject_info"]
    assert (subject["his_id"], subject["last_name"]) == ("MRN4711", "Roe")
    assert subject.get("birthday") == told


def test_channels_are_named_by_their_numbers_in_whatever_order(tmp_path: Path) -> None:
    path = write_persyst(tmp_path)
    lines = [f"{name}-Ref={n}\n" for n, name in enumerate(CHANNELS, 1)]
    text = path.read_text()
    assert "".join(lines) in text
    path.write_text(text.replace("".join(lines), "".join(sorted(lines))))
    is_whole(path)


@pytest.mark.parametrize("wrong", ["0", "2", "21", "", "x"])
def test_channels_without_numbers_of_their_own_are_refused(wrong: str, tmp_path: Path) -> None:
    path = write_persyst(tmp_path)
    path.write_text(path.read_text().replace("Fp1-Ref=1\n", f"Fp1-Ref={wrong}\n"))
    with pytest.raises(DataError, match=rf"the numbers 1 to 20 .*, each once, got '{wrong}'"):
        open_recording(path, Options())
