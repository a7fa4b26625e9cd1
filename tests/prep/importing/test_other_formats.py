"""Formats that MNE reads, recordings of MNE, and MATLAB files: exact signals come back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.io import savemat
from support.formats import (
    NOTE,
    RATE_HZ,
    SECONDS,
    raw_array,
    signal_uv,
    write_brainvision,
    write_curry,
    write_eeglab,
    write_fif,
    write_nihon_kohden,
    write_persyst,
)
from support.helpers import build_store
from support.recorder import noise

from hmsprep.errors import DataError
from hmsprep.importing.condition import examined
from hmsprep.importing.convert import import_recordings
from hmsprep.importing.formats import find_recordings, open_recording
from hmsprep.importing.formats.mne_recording import exact_rate
from hmsprep.importing.listing import list_recordings
from hmsprep.importing.recording import Options, Recording
from hmsstore.montage import ELECTRODES, side
from hmsstore.schema import CHANNELS, CLASSES

mne = pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")


@pytest.mark.parametrize(
    ("write", "tolerance_uv", "noted"),
    [(write_fif, 0.001, True), (write_brainvision, 0.11, True), (write_eeglab, 0.001, True),
     (write_persyst, 0.011, True), (write_curry, 0.001, False)],
)  # fmt: skip
def test_a_format_comes_back_within_its_quantisation_through_import_and_store(
    write: Callable[[Path], Path], tolerance_uv: float, noted: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder)
    made = import_recordings([folder], tmp_path / "out")  # found among the files beside it
    (one,) = made.recordings
    assert (one.rates_hz, one.filled, made.refused) == ((RATE_HZ,), (), [])
    found = pl.read_parquet(tmp_path / "out" / "test_eegs" / "10000.parquet").to_numpy().T
    expected = signal_uv(200.0)
    assert found.shape == expected.shape
    inner = slice(400, -400)  # resampling knows nothing beyond the ends
    assert np.abs(found - expected)[:, inner].max() <= tolerance_uv + 0.05
    store = build_store(tmp_path / "out", tmp_path / "s.zarr", normalise="none")
    batch = store.denormalise(store.gather(np.arange(1)))["eeg"][0].T
    assert np.abs(batch - expected[:, :10_000])[:, inner].max() <= tolerance_uv + 0.3
    if noted:
        notes = pl.read_csv(tmp_path / "out" / "annotations.csv")
        row = notes.filter(pl.col("text") == "eyes closed").row(0)
        assert row[1:3] == pytest.approx((12.5, 3.0), abs=0.01)
    for file in (tmp_path / "out").rglob("*.json"):
        assert "MRN4711" not in file.read_text()


def opened(raw: Any) -> Recording:
    return open_recording(raw, Options())


def test_recordings_of_mne_are_imported_from_python(tmp_path: Path) -> None:
    names = [f"EEG {name.upper()}-REF" if name != "EKG" else "ECG" for name in CHANNELS]
    raws = [raw_array(names), raw_array(rate_hz=200.0, uv=signal_uv(200.0))]
    made = import_recordings(raws, tmp_path / "out")
    assert [one.file for one in made.recordings] == ["recording 1", "recording 2"]
    assert made.windows == 2
    for number in (1, 2):
        path = tmp_path / "out" / "test_eegs" / f"{number}0000.parquet"
        found = pl.read_parquet(path).to_numpy().T
        assert np.abs(found - signal_uv(200.0))[:, 400:-400].max() < 0.05


def test_whose_recordings_of_mne_are_is_told_by_code_or_name_and_kept_as_a_number(
    tmp_path: Path,
) -> None:
    people: list[dict[str, Any]] = [
        {"his_id": "MRN 4711"}, {"last_name": "Roe", "birthday": date(1950, 5, 1)},
        {"his_id": "MRN 4711", "last_name": "Roe"}, {"sex": 2},
        {"last_name": "Roe", "birthday": date(1950, 5, 1)}, {"last_name": "Roe"},
    ]  # fmt: skip
    raws = [raw_array() for _ in people]
    for raw, person in zip(raws, people, strict=True):
        raw.info["subject_info"] = person
    made = import_recordings(raws, tmp_path / "out")
    assert [one.patient_id for one in made.recordings] == [1, 2, 1, 3, 2, 4]
    for file in (tmp_path / "out").rglob("*.*"):
        assert not any(word in file.read_bytes() for word in (b"4711", b"Roe", b"1950"))


def test_time_of_a_recording_that_begins_late_is_its_own() -> None:
    raw = raw_array(rate_hz=200.0, uv=signal_uv(200.0)).crop(2.0)
    one = opened(raw)
    assert one.annotations == ((10.5, 3.0, "eyes closed"),)
    assert np.abs(one.read(0, 1000) - signal_uv(200.0)[:, 400:1400]).max() < 1e-4
    np.testing.assert_array_equal(one.read(300, 500), one.read(0, 1000)[:, 300:500])


def test_what_was_not_recorded_is_missing_and_what_was_joined_is_refused() -> None:
    raw = raw_array()
    raw.annotations.append(20.0, 5.0, "BAD_ACQ_SKIP")
    one = opened(raw)
    missing = np.isnan(one.read(0, one.samples)).any(axis=0)
    assert (missing[4000:5000].all(), missing.sum()) == (True, 1000)
    assert "was paused 1 time, 5 s in all" in one.notes[0]
    for text in ("boundary", "EDGE boundary", "New Segment/"):
        raw = raw_array()
        raw.annotations.append(30.0, 0.0, text)
        with pytest.raises(DataError, match=r"cut and joined, or paused, at 30\.0 s"):
            opened(raw)
        raw = raw_array()
        raw.annotations.append(0.0, 0.0, text)
        assert opened(raw).samples == round(SECONDS * 200)
    halves = mne.concatenate_raws([raw_array(), raw_array()], verbose="ERROR")
    with pytest.raises(DataError, match=r"at 56\.0 s"):
        opened(halves)


def test_a_gap_leaves_what_is_beside_it_as_it_was() -> None:
    offset_uv, rate_hz = 5000.0, 500.0
    whole = raw_array(uv=signal_uv(rate_hz) + offset_uv, rate_hz=rate_hz)
    uv = signal_uv(rate_hz) + offset_uv
    uv[:, 10_000:12_500] = 0.0  # as MNE fills what was not recorded
    raw = raw_array(uv=uv, rate_hz=rate_hz)
    raw.annotations.append(20.0, 5.0, "BAD_ACQ_SKIP")
    one = opened(raw)
    found = one.read(0, one.samples)
    there = ~np.isnan(found)
    assert (~there).sum() == len(found) * 1000
    expected = opened(whole).read(0, one.samples)
    assert np.abs(found - expected)[there].max() < 100  # of 5000, by which the zeros are away
    np.testing.assert_array_equal(one.read(3900, 4100), found[:, 3900:4100])
    np.testing.assert_array_equal(one.read(4900, 5100), found[:, 4900:5100])
    assert not raw.get_data(start=10_000, stop=12_500).any()


def test_pauses_that_files_of_brainvision_and_eeglab_tell_are_seen(tmp_path: Path) -> None:
    path = write_brainvision(tmp_path)
    markers = path.with_suffix(".vmrk")
    lines = markers.read_text().rstrip().splitlines()
    number = sum(line.startswith("Mk") for line in lines) + 1
    lines.append(f"Mk{number}=New Segment,,5001,1,0,20190102100500000000")
    markers.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"night\.vhdr was cut and joined, or paused, at 20\.0 s"):
        open_recording(path, Options())
    path = write_eeglab(tmp_path, note="boundary")
    with pytest.raises(DataError, match=r"night\.set was cut and joined, or paused, at 12\.5 s"):
        open_recording(path, Options())


def test_a_paused_recording_of_persyst_is_refused(tmp_path: Path) -> None:
    path = write_persyst(tmp_path, "0=36000.0\n5000=36020.0\n10000=36100.0\n")
    with pytest.raises(DataError, match=r"night\.lay was paused at 40\.0 s"):
        open_recording(path, Options())
    path = write_persyst(tmp_path, "0=36000.0\n5000=36020.0\n10000=36040.0\n")
    assert open_recording(path, Options()).samples == round(SECONDS * 200)


def test_units_that_would_be_taken_for_volts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is in 'mV', expected 'uV' or 'V'"):
        open_recording(write_curry(tmp_path, "mV"), Options())
    for wrong in (1e6, 1e-6):  # microvolts where volts are expected, volts in microvolts
        raw = raw_array(uv=signal_uv() * wrong)
        with pytest.raises(DataError, match=r"standard deviation of .* uV, expected between 0\.1 "):
            examined(partial(open_recording, raw), Options())
    nothing = partial(open_recording, raw_array(uv=signal_uv() * 0))
    assert examined(nothing, Options()).samples == round(SECONDS * 200)
    raw = raw_array(uv=signal_uv(200.0) * 1e6, rate_hz=200.0)
    found = open_recording(raw, Options(unit="uV")).read(0, 1000)
    assert np.abs(found - signal_uv(200.0)[:, :1000]).max() < 1e-3


def test_an_eeglab_set_in_volts_is_asked_for_its_unit(tmp_path: Path) -> None:
    path = write_eeglab(tmp_path, scale=1e-6)  # which the format cannot say
    with pytest.raises(DataError, match="name it with --unit"):
        examined(partial(open_recording, path), Options())
    found = open_recording(path, Options(unit="V")).read(0, 10_000)
    assert np.abs(found - signal_uv(200.0)[:, :10_000])[:, 400:-400].max() < 0.05


@pytest.mark.parametrize(
    ("stated", "asked"), [("mV", "uV"), ("V", "uV"), ("nV", "uV"), ("\u03bcV", None), ("x", "uV")]
)
def test_units_of_brainvision_are_read_or_asked_for(
    stated: str, asked: str | None, tmp_path: Path
) -> None:
    """Each holds microvolts, whatever its header says; MNE knows no Greek mu."""
    path = write_brainvision(tmp_path)
    path.write_text(path.read_text("utf-8").replace("\u00b5V", stated), "utf-8")
    open_ = partial(open_recording, path)
    if asked is not None:
        with pytest.raises(DataError, match=r"name (it|its unit) with --unit uV, mV, V or nV"):
            examined(open_, Options())
    found = examined(open_, Options(unit=asked)).read(0, 10_000)
    assert np.abs(found - signal_uv(200.0)[:, :10_000])[:, 400:-400].max() < 0.11


def test_a_day_of_an_odd_rate_ends_within_a_sample() -> None:
    """Whatever a recorder's clock did: 256 Hz that were 255.9873."""
    for rate in (255.9873, 200.0094, 499.907, 1000 / 3, 1e6 / 1953):
        assert abs(float(exact_rate(rate)) - rate) * 86_400 < 0.1


def test_channels_that_are_no_voltage_are_no_electrodes() -> None:
    raw = raw_array()
    raw.set_channel_types({"Fz": "misc", "EKG": "stim"}, verbose="ERROR")
    assert opened(raw).chosen.filled == ("Fz", "EKG")
    raw = raw_array()
    raw.info["bads"] = ["C3"]
    assert any("marks as bad, and they are read: C3" in note for note in opened(raw).notes)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.vhdr",
            "Brain Vision Data Exchange Header File Version 1.0\n",
            "recording of BrainVision",
        ),
        ("a.set", "no", "cannot be read as a recording of EEGLAB"),
        ("a.fif", "no", "cannot be read as a recording of FIF"),
        ("a.lay", "[FileInfo]\nFile=b.dat\n", r"needs b\.dat"),
        ("a.eeg", "no", "Nihon Kohden"),
        ("a.cnt", "no", "cannot be read as a recording of Neuroscan CNT"),
        ("a.data", "no", r"needs a\.head"),
        ("a.cdt", "no", r"needs a\.cdt\.dpo"),
        ("a.mat", "no", "is not a readable .mat file"),
    ],
)
def test_what_cannot_be_read_is_said_in_own_words(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message) as error:
        open_recording(tmp_path / name, Options())
    assert "Error" not in str(error.value)
    assert "\n" not in str(error.value)


def test_parts_of_a_format_that_lie_apart_are_asked_for(tmp_path: Path) -> None:
    path = write_brainvision(tmp_path)
    with pytest.raises(DataError, match=r"night\.eeg is a part of night\.vhdr: name that"):
        open_recording(tmp_path / "night.eeg", Options())
    (tmp_path / "night.eeg").unlink()
    with pytest.raises(DataError, match=r"needs night\.eeg"):
        open_recording(path, Options())


def segment(path: Path, **content: Any) -> Path:
    savemat(path, content)
    return path


VOTES = [3, 0, 5, 0, 1, 2]


def test_votes_of_experts_beside_a_segment_become_vote_columns(tmp_path: Path) -> None:
    uv = noise(50)
    folder = tmp_path / "in"
    folder.mkdir()
    segment(folder / "a.mat", data=uv, votes=np.asarray([VOTES]), classes=np.asarray(
        ["Other", "Seizure", "LPD", "GPD", "LRDA", "GRDA"], object))  # fmt: skip
    segment(folder / "b.mat", seg=uv.T.astype(np.float32), Votes=np.asarray(VOTES)[:, None])
    segment(folder / "c.mat", data=uv[:, 4000:6000], votes=np.asarray([0, 0, 0, 9, 0, 0]))
    segment(folder / "table.mat", rates=np.arange(12))  # of something else
    made = import_recordings([folder], tmp_path / "out")
    assert [one.file for one in made.recordings] == ["a.mat", "b.mat", "c.mat"]
    table = pl.read_csv(tmp_path / "out" / "train.csv")
    votes = table.select(f"{name}_vote" for name in CLASSES).rows()
    assert votes == [(0, 5, 0, 1, 2, 3), tuple(VOTES), (0, 0, 0, 9, 0, 0)]
    assert table["expert_consensus"].to_list() == ["LPD", "GPD", "LRDA"]
    assert [one for one in made.warnings if "b.mat does not name the classes of its votes" in one]
    assert not [one for one in made.warnings if "a.mat does not name" in one]
    for number in (1, 2):
        path = tmp_path / "out" / "train_eegs" / f"{number}0000.parquet"
        assert np.abs(pl.read_parquet(path).to_numpy().T - uv).max() < 1e-3
    judged = pl.read_parquet(tmp_path / "out" / "train_eegs" / "30000.parquet").to_numpy().T
    assert np.abs(judged[:, 4000:6000] - uv[:, 4000:6000]).max() < 1e-3
    assert np.isnan(judged[:, :4000]).all()
    assert np.isnan(judged[:, 6000:]).all()
    plain = import_recordings([folder / "a.mat"], tmp_path / "plain", unlabelled=True)
    assert not plain.labelled


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"rates": np.arange(3)}, r"has rates \(1 x 3\); expected `data`"),
        ({"data": np.zeros((7, 10_000))}, "expected EEG of 20 channels"),
        ({"data": noise(50), "votes": np.zeros(6)}, "whole numbers that are not all 0"),
        ({"data": noise(50), "votes": np.full(6, 0.5)}, "whole numbers"),
        ({"data": noise(50), "votes": np.ones(5)}, "expected votes of 6 classes"),
        ({"data": noise(60), "votes": np.ones(6)}, "has votes and 60 s of EEG; expected 50 s, or"),
        ({"data": noise(50), "votes": np.ones(6), "classes": np.asarray(list("abcdef"), object)},
         "expected the classes seizure, lpd"),
    ],
)  # fmt: skip
def test_bad_segments_are_refused(content: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        open_recording(segment(tmp_path / "a.mat", **content), Options())


@pytest.mark.parametrize(
    ("name", "way"), [("a.mat", r"save\(\.\.\., '-v7'\)"), ("a.set", r"pop_saveset\(.*'6'\)")]
)
def test_files_of_newer_matlab_are_named(name: str, way: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(600, b"\0"))
    with pytest.raises(DataError, match=rf"version 7\.3 .*{way}"):
        open_recording(tmp_path / name, Options())


def test_a_recording_that_is_split_into_files_is_one(tmp_path: Path) -> None:
    raw = raw_array(uv=np.tile(signal_uv(), (1, 3)))
    raw.save(tmp_path / "night_raw.fif", split_size="2MB", verbose="ERROR")
    raw_array().save(tmp_path / "night_raw-9.fif", verbose="ERROR")  # a night of its own
    found = find_recordings([tmp_path])[0]
    assert [path.name for path in found] == ["night_raw-9.fif", "night_raw.fif"]
    assert open_recording(found[1], Options()).duration_s == pytest.approx(3 * SECONDS)
    with pytest.raises(DataError, match=r"night_raw-1\.fif is a part of night_raw\.fif"):
        open_recording(tmp_path / "night_raw-1.fif", Options())
    (tmp_path / "night_raw-1.fif").unlink()
    with pytest.raises(DataError, match=r"needs night_raw-1\.fif"):
        open_recording(tmp_path / "night_raw.fif", Options())


def test_references_that_brainvision_names_by_channel_are_followed(tmp_path: Path) -> None:
    path = write_brainvision(tmp_path)
    plain = path.read_text("utf-8")
    path.write_text(plain.replace("=F3,,", "=F3,Fp1,").replace("=C3,,", "=C3,A2,"), "utf-8")
    with pytest.raises(DataError, match=r"lacks C3 .*'C3-A2' is measured against A2"):
        open_recording(path, Options())
    path.write_text(plain.replace(",,", ",FCz,"), "utf-8")
    assert open_recording(path, Options()).chosen.reference == "scalp"


@pytest.mark.parametrize(
    "section",
    ["[Coordinates]\n" + "".join(f"Ch{n}=1,{3 * n},{-5 * n}\n" for n in range(1, 21)),
     "[Coordinates]\n" + "".join(f"Ch{n}=1,{4.5 * n},{-7.2 * n}\n" for n in range(1, 21)),
     "[Comment]\nCh1=Fp1,FCz,\n", "[Comment]\nDataPoints=10\n", "[Comment]\nDataFile=no.eeg\n"],
    ids=["whole degrees", "tenths of degrees", "channel", "length", "file"],
)  # fmt: skip
def test_other_sections_of_brainvision_are_not_taken_for_its_channels(
    section: str, tmp_path: Path
) -> None:
    path = write_brainvision(tmp_path)
    text = path.read_text("utf-8").partition("[Comment]")[0]
    for name in ELECTRODES:
        text = text.replace(f"={name},,", f"={name},{'A2' if side(name) == 'right' else 'A1'},")
    path.write_text(text, "utf-8")
    plain = opened(path)
    assert (plain.chosen.reference, plain.chosen.references) == ("chains", ("A1", "A2"))
    path.write_text(text + section, "utf-8")
    found = opened(path)
    assert (found.chosen, found.notes) == (plain.chosen, plain.notes)
    np.testing.assert_array_equal(found.read(0, found.samples), plain.read(0, plain.samples))


def test_a_bids_tree_names_channels_of_brainvision_without_their_references(tmp_path: Path) -> None:
    path = write_brainvision(tmp_path)
    text = path.read_text("utf-8")
    for name in ELECTRODES:
        text = text.replace(f"={name},,", f"={name},FCz,")
    path.write_text(text, "utf-8")
    table = tmp_path / "night_channels.tsv"
    table.write_text("name\ttype\tunits\tstatus\nF3\tEEG\tmV\tbad\nO2\tEEG\tmV\tgood\n")
    (one,) = list_recordings([path]).recordings
    assert (one.references, one.signals) == (("FCZ",), CHANNELS)
    assert [note for note in one.notes if table.name in note] == [
        "night_channels.tsv marks as bad, and they are read: F3.",
        "night_channels.tsv has 'mV' as units, and night.vhdr '\u00b5V': the recording is "
        "followed.",
    ]
    for name in ("F3", "F3-FCz"):
        with pytest.raises(DataError, match="lacks F3"):
            open_recording(path, Options(rename={name: "none"}))


@pytest.mark.parametrize(
    ("header", "named", "there"),
    [
        ("night.vhdr", r"C:\data\night", "night"),
        ("night.vhdr", "../raw/recorder01", "recorder01"),
        ("renamed.vhdr", "$b", "renamed"),
        ("night.vhdr", "recorder01", "recorder01"),
        ("night.vhdr", "NIGHT", "night"),
        ("night.vhdr", "k\u00e4se", "ka\u0308se"),  # as file systems of Macs have it
        ("NIGHT.VHDR", "NIGHT", "NIGHT"),
    ],
)
def test_files_of_brainvision_are_found_by_their_names_in_the_header(
    header: str, named: str, there: str, tmp_path: Path
) -> None:
    path = write_brainvision(tmp_path)
    endings = (".EEG", ".VMRK") if header.isupper() else (".eeg", ".vmrk")
    text = path.read_text("utf-8").replace("\u00b5V", "uV").replace("Codepage=UTF-8\n", "")
    for ending in endings:
        text = text.replace(f"=night{ending.lower()}", f"={named}{ending}")
        path.with_suffix(ending.lower()).rename(tmp_path / f"{there}{ending}")
    path.unlink()
    (tmp_path / header).write_bytes(text.encode("cp1252"))
    made = import_recordings([tmp_path], tmp_path / "out")
    assert ([one.file for one in made.recordings], made.refused) == ([header], [])
    one = open_recording(tmp_path / header, Options())
    assert (one.annotations, one.notes) == ((NOTE,), ())
    assert np.abs(one.read(0, 10_000) - signal_uv(200.0)[:, :10_000])[:, 400:-400].max() < 0.11


def test_notes_of_brainvision_that_are_missing_are_said(tmp_path: Path) -> None:
    path = write_brainvision(tmp_path)
    (tmp_path / "night.vmrk").unlink()
    assert "it is unknown whether it was paused" in open_recording(path, Options()).notes[0]
    path.write_text(
        path.read_text("utf-8").replace("MarkerFile=night.vmrk", "MarkerFile="), "utf-8"
    )
    assert open_recording(path, Options()).notes == ()  # the header says that there are none
    path.with_suffix(".eeg").rename(tmp_path / "other.eeg")
    with pytest.raises(DataError, match=r"needs night\.eeg.*restore its name"):
        open_recording(path, Options())


@pytest.mark.parametrize("page", ["ANSI", "UTF-8", "windows-1252", ""])
def test_markers_of_brainvision_in_another_code_page_are_read(page: str, tmp_path: Path) -> None:
    path = write_brainvision(tmp_path)
    markers = path.with_suffix(".vmrk")
    text = markers.read_text().replace("eyes closed", "„Augen“ zu")
    text = text.replace("Codepage=UTF-8", f"Codepage={page}" if page else "")
    markers.write_bytes(text.encode("cp1252"))
    one = open_recording(path, Options())
    assert one.annotations == ((12.5, 3.0, "„Augen“ zu"),)
    assert np.abs(one.read(0, 2000)).max() > 20
    assert markers.read_bytes() == text.encode("cp1252")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_notes_of_nihon_kohden_are_read_or_said_to_be_missing(
    encoding: str, tmp_path: Path
) -> None:
    notes = ("Seizure", "Augen öffnen", "awake")
    path = write_nihon_kohden(tmp_path, [note.encode(encoding) for note in notes])
    one = open_recording(path, Options())
    assert one.annotations == tuple((n + 1.0, None, note) for n, note in enumerate(notes))
    assert one.notes == ()
    found = one.read(0, one.samples)[: len(ELECTRODES)]
    assert np.abs(found - signal_uv(200.0)[: len(ELECTRODES)])[:, 400:-400].max() < 0.2
    for ending, said in ((".LOG", "its notes are not read"), (".21E", "as Nihon Kohden numbers")):
        path.with_suffix(ending).unlink()
        assert said in open_recording(path, Options()).notes[-1]


def test_what_a_reader_prints_stays_out_of_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read = mne.io.read_raw_fif

    def printing(*arguments: Any, **more: Any) -> Any:
        print("as some of MNE's readers do")
        return read(*arguments, **more)

    monkeypatch.setattr(mne.io, "read_raw_fif", printing)
    assert open_recording(write_fif(tmp_path), Options()).notes == ()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("write", [write_brainvision, write_eeglab])
def test_a_seizure_marked_at_one_sample_is_not_an_interval(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    if write is write_brainvision:
        markers = write(tmp_path).with_suffix(".vmrk")
        lines = re.sub(r"eyes closed,(\d+),\d+", r"Seizure,\1,1", markers.read_text())
        markers.write_text(lines)
    else:
        write_eeglab(tmp_path, note="Seizure", lasts=1 / RATE_HZ)
    made = import_recordings([tmp_path], tmp_path / "out", label={"*": "other"})
    assert not made.labelled
    assert "1 annotation of its own that seems to name a seizure" in " ".join(made.warnings)
    assert pl.read_csv(tmp_path / "out" / "annotations.csv")["duration_s"].to_list() == [None]


def test_epochs_and_pauses_are_named_whatever_a_format_calls_them(tmp_path: Path) -> None:
    raw = raw_array()
    events = np.array([[1000, 0, 1], [4000, 0, 1]])
    cut = mne.Epochs(raw, events, tmin=-1, tmax=1, baseline=None, preload=True, verbose="ERROR")
    cut.save(tmp_path / "a-epo.fif", verbose="ERROR")
    with pytest.raises(DataError, match="is not a continuous recording"):
        open_recording(tmp_path / "a-epo.fif", Options())
    with pytest.raises(DataError, match=r"was cut and joined, or paused, at 12\.5 s"):
        open_recording(write_eeglab(tmp_path, note="-99"), Options())
    raw.set_annotations(mne.Annotations([20, 20, 30], [5, 5, 0], [
        "BAD_ACQ_SKIP", "BAD_ACQ_SKIP", "Lost Samples/LostSamples: 5"]))  # fmt: skip
    notes = open_recording(raw, Options()).notes
    assert any("marks 1 place where samples were lost" in note for note in notes)
    assert any("was paused 1 time, 5 s in all" in note for note in notes)
