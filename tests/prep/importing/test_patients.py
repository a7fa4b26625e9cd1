"""Whose recordings they are: known, guessed or unknown, and said; nothing of headers is written."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import polars as pl
import pytest
from support.helpers import build_store
from support.recorder import noise, write_edf

from hmsprep.errors import ParameterError
from hmsprep.importing.channels import Chosen
from hmsprep.importing.convert import import_recordings
from hmsprep.importing.patients import find_patients, read_header
from hmsprep.importing.recording import Recording


def recording(path: str, header: str = "") -> Recording:
    """A recording of which nothing is read."""
    return Recording(
        path=Path(path),
        samples=12_000,
        chosen=Chosen({}),
        rates_hz={},
        annotations=(),
        patient=header,
        read=lambda first, stop: np.zeros((20, stop - first), np.float32),
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["chb01_03.edf", "chb02_16+.edf", "chb01_04.edf", "chb21_19.edf"], (1, 2, 1, 1)),
        (["chb17a_03.edf", "chb17b_57.edf", "chb18_02.edf"], (1, 1, 2)),
        (["PN11-.edf", "PN00-1.edf", "PN11-.edf.gz"], (1, 2, 1)),
        (["PN00-1.edf", "PN10-4.5.6.edf", "PN00-5.edf", "PN10-1.edf"], (1, 2, 1, 2)),
        (["00000258_s002_t000.edf", "00000258_s003_t001.edf", "00000675_s001_t000.edf"], (1, 1, 2)),
        (["aaaaaaac_s001_t000.edf", "aaaaaaac_s002_t000.edf", "aaaaaaad_s001_t000.edf"], (1, 1, 2)),
        (["aaaaaaar_00000001.edf", "aaaaaaar_00000002.edf", "aaaaabdo_00000001.edf"], (1, 1, 2)),
        (["S001R01.edf", "S001R02.edf", "S002R01.edf"], (1, 1, 2)),
        (["a/sub-01/ses-1/eeg/sub-01_ses-1_task-rest_eeg.edf",
          "a/sub-01/ses-2/eeg/sub-01_ses-2_task-rest_eeg.edf",
          "a/sub-02/eeg/sub-02_task-rest_eeg.edf", "b/sub-01/eeg/sub-01_task-x_eeg.edf"],
         (1, 1, 2, 3)),
        (["sub-07_run-1_eeg.edf", "sub-07_run-2_eeg.edf", "sub-08_run-1_eeg.edf"], (1, 1, 2)),
    ],
)  # fmt: skip
def test_names_of_the_corpora_are_known(files: list[str], expected: tuple[int, ...]) -> None:
    found = find_patients([recording(file, "X X X X") for file in files])
    assert (found.numbers, found.known, found.notes) == (expected, "known", ())


@pytest.mark.parametrize(
    ("header", "way"),
    [
        ("MCH-0234567 F 02-MAY-1951 Haagse_Harry", "known"),
        ("X F X Haagse_Harry", "guessed"),
        ("MRN4711 X X X", "known"),
        ("Miller, Jane 4711", "guessed"),
        ("4711", "guessed"),
        ("X X X X", "unknown"),
        ("X F 02-MAY-1951 X", "unknown"),
        ("0 X 05-JAN-1930 No_Name", "unknown"),
        ("X M 01-JAN-1900 Anonymous", "unknown"),
        ("anonymized", "unknown"),
        ("Unknown", "unknown"),
        ("F 34", "unknown"),
        ("X M X X Age:35", "unknown"),
        ("M Age:35", "unknown"),
        ("M 01.02.1960", "unknown"),
        ("1960-02-01 male", "unknown"),
        ("no name", "unknown"),
        ("xxxx", "unknown"),
        ("", "unknown"),
        ("X\0\0", "unknown"),
    ],
)
def test_only_what_identifies_a_person_counts(header: str, way: str) -> None:
    found, key = read_header(header)
    assert found == way
    assert (key is None) == (way == "unknown")


def test_a_code_identifies_whatever_the_rest_says_and_a_name_only_with_its_birthdate() -> None:
    codes = ["A7 F X X", "a7 F 02-MAY-1951 Harry", "A8 F X X"]
    assert find_patients([recording(f"{n}.edf", h) for n, h in enumerate(codes)]).numbers == (
        1, 1, 2,
    )  # fmt: skip
    names = ["X F 02-MAY-1951 Ann_Lee", "X F 02-MAY-1951 ann_lee", "X F 03-JUN-1980 Ann_Lee"]
    assert find_patients([recording(f"{n}.edf", h) for n, h in enumerate(names)]).numbers == (
        1, 1, 2,
    )  # fmt: skip


def test_where_nothing_tells_each_recording_is_a_patient_and_it_is_said() -> None:
    files = [recording(f"eeg{n}.edf", "0 X 05-JAN-1930 No_Name") for n in (3, 5, 7)]
    found = find_patients(files)
    assert (found.numbers, found.known) == ((1, 2, 3), "unknown")
    assert "eeg3.edf, eeg5.edf, eeg7.edf" in found.notes[0]
    assert "--patients FILE" in found.notes[0]
    alone = find_patients(files[:1])
    assert (alone.known, alone.notes) == ("unknown", ())


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["AB12_1.edf", "AB12_2.edf", "CD34_1.edf"], (1, 1, 2)),
        (["p3-ses1-run1.edf", "p3-ses2-run1.edf", "p4-ses1-run1.edf"], (1, 1, 2)),
        (["patient 1/a.edf", "patient 1/b.edf", "patient 2/a.edf"], (1, 1, 2)),
    ],
)
def test_folders_and_stems_of_names_are_guesses(
    files: list[str], expected: tuple[int, ...]
) -> None:
    found = find_patients([recording(file) for file in files])
    assert (found.numbers, found.known) == (expected, "guessed")
    assert "guessed" in found.notes[0]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["ses1/sub-01_task-a_eeg.edf", "ses1/sub-02_task-a_eeg.edf",
          "ses2/sub-01_task-a_eeg.edf", "ses2/sub-02_task-a_eeg.edf"], (1, 2, 1, 2)),
        (["sub-01/ses-1/eeg/sub-01_a_eeg.edf", "more/sub-01_b_eeg.edf", "more/sub-02_b_eeg.edf"],
         (1, 1, 2)),
    ],
)  # fmt: skip
def test_a_code_that_names_of_files_in_several_folders_have_is_a_guess(
    files: list[str], expected: tuple[int, ...]
) -> None:
    """Sessions of one person, or people of two studies: together they never leak."""
    found = find_patients([recording(file) for file in files])
    assert (found.numbers, found.known) == (expected, "guessed")
    assert "--patients FILE" in found.notes[0]
    headers = ["A7 F 02-MAY-1951 Lee", "", "B8 M 03-JUN-1980 Roe", ""]
    apart = find_patients([recording(*both) for both in zip(files, headers, strict=False)])
    assert any("what their headers say" in note for note in apart.notes) == (len(files) == 4)


def test_names_that_group_nothing_are_no_guess() -> None:
    found = find_patients([recording(f"eeg_{n}.edf") for n in range(4)])
    assert (found.numbers, found.known) == ((1, 2, 3, 4), "unknown")


def test_a_list_decides(tmp_path: Path) -> None:
    files = [recording(name, "A7 F X X") for name in ("x/a.edf", "b.edf", "c.edf.gz")]
    path = tmp_path / "patients.csv"
    path.write_bytes("\ufefffile;patient;note\na.edf;Müller;\nb;Mayer;x\nc;Müller\n".encode())
    found = find_patients(files, path)
    assert (found.numbers, found.known, found.notes) == ((1, 2, 1), "known", ())
    for content, said in (
        ("file,patient\na.edf,1\nb.edf,2\n", "lacks 1 recording: c.edf.gz"),
        ("file,patient\na.edf,1\na.edf,2\n", "line 3: a.edf is of 2, but of 1 above"),
        ("name,who\na.edf,1\n", "expected a CSV file with the columns file and patient"),
        ("file,patient\na.edf,\n", "line 2: expected a file and a patient"),
        ("", "got nothing"),
    ):
        path.write_text(content)
        with pytest.raises(ParameterError, match=said):
            find_patients(files, path)
    with pytest.raises(ParameterError, match="cannot be read: No such file"):
        find_patients(files, tmp_path / "none.csv")


def labelled(folder: Path, name: str, patient: Any) -> Path:
    folder.mkdir(exist_ok=True)
    equipment = edfio.Recording(equipment_code=name)  # no file is a copy of another
    eeg_uv = noise(50)
    path = write_edf(folder / f"{name}.edf", eeg_uv, patient=patient, recording=equipment)
    path.with_suffix(".csv").write_text(
        "channel,start_time,stop_time,label,confidence\nTERM,0.0,50.0,bckg,1.0\n"
    )
    return path


def test_a_store_says_how_sure_its_patients_are_and_names_nobody(tmp_path: Path) -> None:
    import datetime

    who = edfio.Patient(sex="F", birthdate=datetime.date(1951, 5, 2))
    files = [labelled(tmp_path / "in", name, who) for name in ("night", "day")]
    made = import_recordings(files, tmp_path / "data")
    assert made.patients_known == "unknown"
    assert any("--patients" in warning for warning in made.warnings)
    assert json.loads((tmp_path / "data" / "recordings.json").read_text())["patients"] == "unknown"
    store = build_store(tmp_path / "data", tmp_path / "s.zarr")
    assert store.patients == store.info["split"]["patients"] == "unknown"
    assert any("share patients" in warning for warning in store.info["warnings"])
    listed = tmp_path / "list.csv"
    listed.write_text("file,patient\nnight.edf,Jane Roe\nday.edf,Jane Roe\n")
    known = import_recordings(files, tmp_path / "known", patients=listed)
    assert (known.patients, known.patients_known) == (1, "known")
    store = build_store(tmp_path / "known", tmp_path / "k.zarr")
    assert store.patients == "known"
    assert not any("share patients" in warning for warning in store.info["warnings"])
    for folder in ("known", "k.zarr", "data", "s.zarr"):
        for file in (tmp_path / folder).rglob("*"):
            if file.is_file():
                assert b"Roe" not in file.read_bytes()
                assert b"1951" not in file.read_bytes()
    table = pl.read_csv(tmp_path / "known" / "train.csv")
    assert set(table["patient_id"].to_list()) == {1}


@pytest.mark.parametrize(
    "placeholder",
    ["X_X", "N.N.", "unknown_unknown", "Anónimo", "x,x", "patient_name", "99999", "12345", "Demo"],
)
def test_what_stands_in_place_of_a_name_makes_nobody_one_patient(placeholder: str) -> None:
    for header in (f"X X X {placeholder}", f"{placeholder} M X X", placeholder):
        assert read_header(header) == ("unknown", None)


def test_people_who_share_a_name_or_a_code_are_not_one_in_silence() -> None:
    same_name = [recording("a.edf", "X F X Smith"), recording("b.edf", "X M X Smith")]
    found = find_patients(same_name)
    assert (found.numbers, found.known) == ((1, 2), "guessed")
    for one, other in (
        ("4711-A F 02-MAY-1951 Lee", "4711-A M 03-JUN-1980 Jones"),
        ("7 F X X", "7 M X X"),
    ):
        found = find_patients([recording("a.edf", one), recording("b.edf", other)])
        assert (found.numbers, found.known) == ((1, 1), "guessed")
        assert "a.edf, b.edf) count as one patient, but what their headers say" in found.notes[0]
    assert read_header("7 F X X")[0] == read_header("CLINIC F X X")[0] == "guessed"


def test_names_that_only_look_like_those_of_a_corpus_are_not_known() -> None:
    people = ["MRN1 F X X", "MRN2 M X X", "MRN3 F X X"]
    files = [f"baseline_2019010{n}.edf" for n in range(3)]
    found = find_patients([recording(*both) for both in zip(files, people, strict=True)])
    assert (found.numbers, found.known) == ((1, 2, 3), "known")
    motor = [recording("S001R01.edf", people[0]), recording("S001R02.edf", people[1])]
    assert find_patients(motor).known == "guessed"


def test_folders_of_sessions_are_their_patients() -> None:
    files = ["patient1/s1/a.edf", "patient1/s2/a.edf", "patient2/s1/a.edf", "p7/a.edf"]
    found = find_patients([recording(file) for file in files])
    assert (found.numbers, found.known) == ((1, 1, 2, 3), "guessed")


def test_a_list_names_files_in_folders_either_way_and_never_two_at_once(tmp_path: Path) -> None:
    listed = tmp_path / "patients.csv"
    files = [recording("A/x.edf"), recording("B/x.edf")]
    files = [replace(one, name=str(one.path)) for one in files]
    listed.write_text("file;patient\nA\\x.edf;p1\n./B/x.edf;p2\n")
    assert find_patients(files, listed).numbers == (1, 2)
    listed.write_text("file,patient\nx.edf,p1\n")
    with pytest.raises(ParameterError, match=r"x\.edf may be A/x\.edf or B/x\.edf"):
        find_patients(files, listed)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_list_of_patients_is_read_in_the_encodings_of_spreadsheets(
    encoding: str, tmp_path: Path
) -> None:
    listed = tmp_path / "patients.csv"
    listed.write_bytes("file\tpatient\nMüller.edf\tp1\nb.edf\tp2\n".encode(encoding))
    decomposed = unicodedata.normalize("NFD", "Müller.edf")  # as file systems of Macs have it
    for name in ("Müller.edf", decomposed):
        assert find_patients([recording("b.edf"), recording(name)], listed).numbers == (1, 2)
    with pytest.raises(ParameterError, match=r"--patients .* cannot be read: No such file"):
        find_patients([recording("b.edf")], tmp_path / "none.csv")
    listed.write_text(f"file\tpatient\nb.edf\t{'1' * 140_000}\n")
    with pytest.raises(ParameterError, match=r"--patients .*, line 2: expected a row, got field"):
        find_patients([recording("b.edf")], listed)
