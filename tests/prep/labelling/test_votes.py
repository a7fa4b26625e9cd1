"""Marks of readers become the votes of the windows that they cover, and a store of those."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.helpers import Program
from support.recorder import noise, write_edf

import hmsprep
from hmsprep.errors import DataError, ParameterError
from hmsprep.labelling.agreement import NONE, UNSURE
from hmsprep.labelling.places import Places
from hmsprep.labelling.predictions import read_predictions
from hmsprep.labelling.ratings import rate, rate_windows
from hmsstore import CLASSES, HMS, Store
from hmsstore.labels import LabelFile, Mark
from hmsstore.recordings import ImportedPiece, ImportedRecording, read_recordings
from hmstrain.reading.recording import Recording

PROGRAM = Program("hmsprep")
SHORT = replace(
    HMS,
    name="short",
    signals={**HMS.signals, "eeg": replace(HMS.eeg, window_rows=6_000, shard_rows=1_200_000)},
)
"""Windows of 30 s, of which no whole number fills HMS's shards."""
TILES = np.arange(20.0, 100.0, 10.0)
SEIZURE, LPD, OTHER = (CLASSES.index(key) for key in ("seizure", "lpd", "other"))


def rated(*marks: Mark, start_s: np.ndarray = TILES) -> list[int]:
    return rate_windows(marks, start_s, 10, CLASSES).tolist()


def test_a_mark_counts_where_it_covers_half_of_the_judged_seconds_or_more() -> None:
    assert rated(Mark(35, 75, "lpd")) == [NONE, LPD, LPD, LPD, LPD, LPD, NONE, NONE]
    assert rated(Mark(35.01, 74.99, "lpd")) == [NONE, NONE, LPD, LPD, LPD, NONE, NONE, NONE]
    assert rated(Mark(0, 1200, "seizure")) == [SEIZURE] * 8
    assert rated(Mark(35, 75, "", "electrode")) == rated() == [NONE] * 8


def test_marks_of_a_class_count_together_and_twice_only_once() -> None:
    apart = Mark(20, 23, "lpd"), Mark(27, 30, "lpd")
    assert rated(*apart)[0] == LPD
    assert rated(Mark(20, 24, "lpd"), Mark(21, 24, "lpd"))[0] == NONE


def test_the_class_that_covers_most_wins_and_the_last_of_two_that_cover_as_much() -> None:
    assert rated(Mark(20, 26, "seizure"), Mark(26, 30, "lpd"))[0] == SEIZURE
    assert rated(Mark(20, 24, "seizure"), Mark(24, 30, "lpd"))[0] == LPD
    assert rated(Mark(20, 25, "seizure"), Mark(25, 30, "lpd"))[0] == LPD
    assert rated(Mark(25, 30, "lpd"), Mark(20, 25, "seizure"))[0] == SEIZURE
    assert rated(Mark(0, 99, "lpd"), Mark(20, 40, "other")) == [OTHER, OTHER, *[LPD] * 6]


def test_the_last_mark_is_told_by_its_time_if_all_tell_theirs() -> None:
    """A spreadsheet may have sorted the rows."""
    first = Mark(20, 60, "seizure", marked_at="2026-01-31T12:00:00Z")
    second = Mark(20, 40, "lpd", marked_at="2026-01-31T12:00:07Z")
    expected = [LPD, LPD, SEIZURE, SEIZURE, *[NONE] * 4]
    assert rated(first, second) == rated(second, first) == expected
    text = Mark(30, 30, "", "chewing", marked_at="")
    assert rated(text, second, first) == expected
    saved = replace(second, marked_at="2026-01-31 12:00:07")  # by a spreadsheet
    assert rated(saved, first) == expected
    for unknown in ("", "2026-01-31", "yesterday"):
        other = replace(second, marked_at=unknown)
        assert rated(first, other) == expected
        assert rated(other, first) == [SEIZURE] * 4 + [NONE] * 4
    together = replace(second, marked_at=first.marked_at)
    assert rated(first, together) == expected


def test_unsure_is_no_vote() -> None:
    assert rated(Mark(20, 40, "unsure"), Mark(38, 50, "lpd")) == [
        UNSURE, UNSURE, LPD, *[NONE] * 5,
    ]  # fmt: skip
    assert rated(Mark(20, 40, "lpd"), Mark(20, 40, "unsure"))[:2] == [UNSURE, UNSURE]


def test_what_covers_is_counted_as_sample_by_sample() -> None:
    rng = np.random.default_rng(5)
    words = [*CLASSES, "unsure"]
    marks = []
    for _ in range(30):
        start, length = rng.integers(0, 9000), rng.integers(1, 1500)
        label = words[rng.integers(len(words))]
        marks.append(Mark(start / 100, (start + length) / 100, label))
    starts = np.sort(rng.integers(0, 9000, 50)) / 100
    found = rate_windows(marks, starts, 10, CLASSES)
    axis = np.zeros((len(words), 12_000), bool)
    for mark in marks:
        axis[words.index(mark.label), round(mark.start_s * 100) : round(mark.stop_s * 100)] = True
    for start, code in zip(starts, found, strict=True):
        covered = axis[:, round(start * 100) : round(start * 100) + 1000].sum(axis=1)
        if covered.max() < 500:
            assert code == NONE
        else:
            best = len(CLASSES) if code == UNSURE else code
            assert covered[best] == covered.max()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of two patients, imported without labels."""
    folder = tmp_path_factory.mktemp("night")
    files = [
        write_edf(folder / f"{name}.edf", noise(seconds, seed=seed))
        for seed, (name, seconds) in enumerate((("a", 120), ("b", 90)))
    ]
    hmsprep.import_recordings(files, folder / "imported")
    return folder / "imported"


def label_file(night: Path, folder: Path, recording: str, reader: str) -> LabelFile:
    one = next(one for one in read_recordings(night) if one.file == recording)
    return LabelFile.open(folder, recording, one.sha256, reader)


@pytest.fixture
def labels(night: Path, tmp_path: Path) -> Path:
    """AB and CD in a.edf, AB in b.edf."""
    folder = tmp_path / "labels"
    a, other, b = (
        label_file(night, folder, name, reader)
        for name, reader in (("a.edf", "AB"), ("a.edf", "CD"), ("b.edf", "AB"))
    )
    a.add(Mark(20, 60, "seizure"))
    a.add(Mark(60, 80, "gpd", seen_model=True))
    a.add(Mark(70, 70, "", "chewing"))
    other.add(Mark(24, 51, "seizure"))
    other.add(Mark(50, 70, "lpd"))
    other.add(Mark(70, 80, "unsure"))
    b.add(Mark(30, 50, "other"))
    b.add(Mark(89, 99, "", "end of the page"))
    return folder


EXPECTED = {
    ("a.edf", 20): [2, 0, 0, 0, 0, 0],
    ("a.edf", 30): [2, 0, 0, 0, 0, 0],
    ("a.edf", 40): [2, 0, 0, 0, 0, 0],
    ("a.edf", 50): [1, 1, 0, 0, 0, 0],
    ("a.edf", 60): [0, 1, 1, 0, 0, 0],
    ("a.edf", 70): [0, 0, 1, 0, 0, 0],
    ("b.edf", 30): [0, 0, 0, 0, 0, 1],
    ("b.edf", 40): [0, 0, 0, 0, 0, 1],
}
"""Recording and start of the judged seconds -> votes. CD covers 6 of the first ten seconds."""


def votes_of(night: Path, table: Path) -> dict[tuple[str, int], list[int]]:
    files = {piece.eeg_id: one.file for one in read_recordings(night) for piece in one.pieces}
    columns = [f"{key}_vote" for key in CLASSES]
    return {
        (files[row["eeg_id"]], round(row["eeg_label_offset_seconds"]) + 20): [
            row[name] for name in columns
        ]
        for row in pl.read_csv(table).iter_rows(named=True)
    }


def test_windows_in_gaps_have_no_votes_however_they_were_marked(
    night: Path, labels: Path, tmp_path: Path
) -> None:
    """Readers agree on a gap, which is no agreement on EEG. The EKG runs on."""
    data = shutil.copytree(night, tmp_path / "data")
    path = data / "test_eegs" / f"{read_recordings(night)[0].pieces[0].eeg_id}.parquet"
    seconds = pl.int_range(pl.len()) / 200
    for stop_s, lost in ((58, 1), (58.005, 2)):  # of 40 to 50 s two are gone, of 50 to 60 s eight
        gone = seconds.is_between(48 - (stop_s - 58), stop_s, closed="left")
        gap = [pl.when(~gone).then(pl.col(name)).alias(name) for name in HMS.eeg.features[:-1]]
        pl.read_parquet(night / path.relative_to(data)).with_columns(gap).write_parquet(path)
        found = hmsprep.votes(data, labels, tmp_path / "votes.csv", force=True)
        left = dict.fromkeys((("a.edf", 50), ("a.edf", 40))[:lost])
        assert votes_of(data, tmp_path / "votes.csv") == {
            place: votes for place, votes in EXPECTED.items() if place not in left
        }
        assert found.pairs[0].windows == 5 - lost
        assert found.readers[0].windows == 8 - lost
        assert [one for one in found.warnings if "gaps" in one] == [
            f"{lost} marked window{'s' * (lost > 1)} in gaps left out: more than 20% of the judged "
            "seconds was not recorded."
        ]
    path.unlink()
    with pytest.raises(DataError, match=r"lacks test_eegs/\d+\.parquet: its windows were marked"):
        hmsprep.votes(data, labels, tmp_path / "votes.csv", force=True)


def test_votes_agreement_and_second_look_are_as_marked(
    night: Path, labels: Path, tmp_path: Path
) -> None:
    found = hmsprep.votes(night, labels, tmp_path / "votes.csv")
    assert votes_of(night, tmp_path / "votes.csv") == EXPECTED
    assert found.voted == len(EXPECTED)
    assert found.votes == {"seizure": 7, "lpd": 2, "gpd": 2, "lrda": 0, "grda": 0, "other": 2}
    by_reader = {one.reader: one for one in found.readers}
    assert (by_reader["AB"].marks, by_reader["AB"].windows, by_reader["AB"].blind) == (5, 8, 6)
    assert (by_reader["CD"].windows, by_reader["CD"].unsure) == (5, 1)
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.windows) == ("AB", "CD", 5)
    assert pair.same == 3 / 5
    assert pair.confusion[0].tolist() == [3, 1, 0, 0, 0, 0]
    assert found.fleiss is None
    seen = [(one.recording, one.start_s, one.stop_s, one.reasons) for one in found.second_look]
    assert seen == [
        ("a.edf", 50, 60, ("readers disagree",)),
        ("a.edf", 60, 70, ("readers disagree",)),
        ("a.edf", 70, 80, ("a reader is unsure",)),
    ]
    assert found.second_look[0].labels == {"AB": "seizure", "CD": "lpd"}


def spreadsheet(path: Path) -> None:
    """Save a file as a spreadsheet does where numbers have decimal commas."""
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))
    out = io.StringIO()
    lines = csv.writer(out, delimiter=";", lineterminator="\r\n")
    for row in rows:
        cells = [c.replace(".", ",") if c.replace(".", "").isdecimal() else c for c in row]
        lines.writerow(cells + [""] * (13 - len(cells)))
    path.write_bytes(out.getvalue().encode("utf-8-sig"))


def test_labels_of_two_readers_are_merged_and_built(
    night: Path, labels: Path, tmp_path: Path
) -> None:
    """One file was edited in a spreadsheet, one is of another recording."""
    spreadsheet(labels / "a.edf.CD.csv")
    LabelFile.open(labels, "c.edf", "12" * 32, "AB").add(Mark(0, 99, "grda"))
    table, store = tmp_path / "votes.csv", tmp_path / "night.zarr"
    done = PROGRAM.succeed("votes", night, labels, "--out", table, "--json")
    told = json.loads(done.stdout)
    assert "c.edf.AB.csv was left out: it is of c.edf (SHA-256 121212121212)" in told["left_out"][0]
    assert "warning: c.edf.AB.csv was left out" in done.stderr.replace("\n", " ")
    assert votes_of(night, table) == EXPECTED
    PROGRAM.succeed("build", night, store, "--table", table, "--split-by", "all", "--workers", 1)
    built = Store.open(store)
    files = {piece.eeg_id: one.file for one in read_recordings(night) for piece in one.pieces}
    assert {
        (files[eeg], round(offset) + 20): list(votes)
        for eeg, offset, votes in zip(
            built.windows["eeg_id"].tolist(),
            built.windows["eeg_offset_s"].tolist(),
            built.windows["votes"].tolist(),
            strict=True,
        )
    } == EXPECTED
    again = PROGRAM.fail("votes", night, labels, "--out", table)
    assert f"{table} exists already. Name another file, or use --force." in again


def test_a_file_that_was_cut_short_stops_everything(
    night: Path, labels: Path, tmp_path: Path
) -> None:
    path = labels / "a.edf.CD.csv"
    path.write_bytes(path.read_bytes()[:-40])
    said = PROGRAM.fail("votes", night, labels, "--out", tmp_path / "votes.csv")
    assert "it was cut short" in said
    assert not (tmp_path / "votes.csv").exists()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a: a.add(Mark(500, 510, "lpd")), "from 500.00 to 510.00 s, behind the end of a.e"),
        (lambda a: a.add(Mark(9, 1250, "lpd")), "from 9.00 to 1250.00 s, behind the end of a.edf"),
        (
            lambda a: a.add(Mark(1, 9, "lpd", eeg_id=5)),
            "EEG 5 is not in .*: expected EEGs of a.edf",
        ),
        (
            lambda a: (a.path.parent / "copy.csv").write_bytes(a.path.read_bytes()),
            "are both of the reader AB and the same recording",
        ),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    night: Path, labels: Path, tmp_path: Path, change: object, problem: str
) -> None:
    change(label_file(night, labels, "a.edf", "AB"))  # type: ignore[operator]
    with pytest.raises(DataError, match=problem):
        hmsprep.votes(night, labels, tmp_path / "votes.csv")
    assert not (tmp_path / "votes.csv").exists()


def test_folders_without_labels_or_votes_are_refused(night: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="labels cannot be read: No such file"):
        hmsprep.votes(night, tmp_path / "labels")
    folder = tmp_path / "labels"
    LabelFile.open(folder, "c.edf", "12" * 32, "AB").add(Mark(0, 99, "grda"))
    with pytest.raises(DataError, match=r"(?s)holds no labels of .*c\.edf\.AB\.csv was left out"):
        hmsprep.votes(night, folder, tmp_path / "votes.csv")
    label_file(night, folder, "a.edf", "AB").add(Mark(20, 24, "grda"))
    with pytest.raises(DataError, match="no mark of a class covers half of the 10 judged seconds"):
        hmsprep.votes(night, folder, tmp_path / "votes.csv")
    with pytest.raises(ParameterError, match="cannot be written: there is no folder"):
        hmsprep.votes(night, folder, tmp_path / "gone" / "votes.csv")


def test_tables_never_replace_labels_the_data_set_or_each_other(
    night: Path, labels: Path, tmp_path: Path
) -> None:
    file = label_file(night, labels, "a.edf", "AB").path
    before = file.read_bytes(), (night / "test.csv").read_bytes()
    with pytest.raises(ParameterError, match="would lie among the label files"):
        hmsprep.votes(night, labels, file, force=True)
    with pytest.raises(ParameterError, match="would lie among the label files"):
        hmsprep.votes(night, labels, tmp_path / "v.csv", second_look_csv=labels / "look.csv")
    with pytest.raises(ParameterError, match=r"test\.csv exists already\. Name another file\."):
        hmsprep.votes(night, labels, night / "test.csv", force=True)
    with pytest.raises(ParameterError, match="--out and --second-look are both"):
        hmsprep.votes(night, labels, tmp_path / "v.csv", second_look_csv=tmp_path / "v.csv")
    assert (file.read_bytes(), (night / "test.csv").read_bytes()) == before
    assert list(tmp_path.glob("v.csv")) == []


def test_a_recording_whose_import_does_not_tell_its_hash_is_known_by_its_first_piece(
    night: Path, tmp_path: Path
) -> None:
    """As where it is read: of MNE's own recordings, and of imports by earlier versions."""
    older = tmp_path / "older"
    shutil.copytree(night, older)
    described = json.loads((older / "recordings.json").read_text())
    for one in described["recordings"]:
        one["sha256"] = ""
    (older / "recordings.json").write_text(json.dumps(described))
    opened = Recording.open(older, "b.edf", cache=tmp_path / "cache")
    LabelFile.open(tmp_path / "labels", "b.edf", opened.sha256, "AB").add(Mark(30, 40, "grda"))
    hmsprep.votes(older, tmp_path / "labels", tmp_path / "votes.csv")
    assert votes_of(older, tmp_path / "votes.csv") == {("b.edf", 30): [0, 0, 0, 0, 1, 0]}


def test_marks_by_piece_count_from_its_start(night: Path, tmp_path: Path) -> None:
    eeg = read_recordings(night)[0].pieces[0].eeg_id
    label_file(night, tmp_path / "labels", "a.edf", "AB").add(Mark(30, 40, "grda", eeg_id=eeg))
    hmsprep.votes(night, tmp_path / "labels", tmp_path / "votes.csv")
    assert votes_of(night, tmp_path / "votes.csv") == {("a.edf", 30): [0, 0, 0, 0, 1, 0]}


def test_marks_in_a_later_piece_count_for_its_windows_alone(tmp_path: Path) -> None:
    """Both pieces have a window at 500 s, of which seconds 520 to 530 are judged."""
    begins, sha256 = {10_000: 0.0, 10_001: 3_000.0}, "ab" * 32
    one = ImportedRecording(
        "night.edf", 6_600.0, 1, (200.0,), (), (),
        pieces=tuple(ImportedPiece(eeg, begin) for eeg, begin in begins.items()),
    )  # fmt: skip
    windows = {"eeg_id": np.asarray(list(begins)), "eeg_offset_s": np.asarray([500.0, 500.0])}
    pieces = {eeg: (0, begin) for eeg, begin in begins.items()}
    places = Places(tmp_path, HMS, windows, (one,), (sha256,), pieces)
    of_recording, of_piece = (
        LabelFile.open(tmp_path / "labels", one.file, sha256, reader) for reader in ("AB", "CD")
    )
    of_recording.add(Mark(3_520, 3_530, "lpd"))
    of_piece.add(Mark(520, 530, "lpd", eeg_id=10_001))
    assert rate(places, tmp_path / "labels").codes.tolist() == [[NONE, LPD], [NONE, LPD]]


def predicted(night: Path, folder: Path, seizure: dict[int, float]) -> Path:
    """A table as `hmstrain predict` writes it: seizure or other, by start of a.edf's windows."""
    folder.mkdir()
    first = read_recordings(night)[0].pieces[0].eeg_id
    rows = [(first, start - 20, p, *[0.0] * 4, 1 - p) for start, p in seizure.items()]
    with (folder / "predictions.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("eeg_id", "eeg_offset_s", *CLASSES))
        lines.writerows(rows)
    described = [{"file": one.file, "sha256": one.sha256} for one in read_recordings(night)]
    (folder / "predictions.json").write_text(json.dumps({"recordings": described}))
    return folder / "predictions.csv"


def test_the_model_is_compared_with_blind_marks_alone(
    night: Path, labels: Path, tmp_path: Path
) -> None:
    table = predicted(
        night, tmp_path / "run", {20: 0.9, 30: 0.9, 40: 0.2, 50: 0.9, 60: 0.9, 70: 0.9}
    )
    found = hmsprep.votes(
        night, labels, tmp_path / "votes.csv", predictions=table,
        second_look_csv=tmp_path / "look.csv",
    )  # fmt: skip
    ab, cd, most = found.model
    assert (ab.first, ab.second, ab.windows) == ("AB", "model", 4)  # gpd was marked seeing it
    assert ab.same == 3 / 4
    assert (cd.first, cd.windows, cd.same) == ("CD", 5, 2 / 5)
    assert most.windows == 5
    assert most.same == 3 / 5  # at 50 s AB says seizure, CD LPD
    word = "the model disagrees"
    against = {one.start_s: one for one in found.second_look if word in one.reasons}
    assert set(against) == {40, 60}
    assert against[40].model == "other"
    assert against[40].probability == pytest.approx(0.8)
    assert any("1 window marked only after" in one for one in found.warnings)
    assert any("2 windows with a vote, without" in one for one in found.warnings)
    assert not any("There is no" in one for one in found.warnings)
    table.with_suffix(".json").unlink()
    again = hmsprep.votes(night, labels, tmp_path / "again.csv", predictions=table)
    said = f"There is no {table.with_suffix('.json')} to say of which recordings predictions.csv is"
    assert again.warnings[-1].startswith(said)
    written = pl.read_csv(tmp_path / "look.csv")
    assert written["from (h:mm:ss)"].to_list()[:2] == ["0:01:00", "0:00:50"]
    assert written.height == len(found.second_look)


def test_windows_in_a_row_of_which_the_same_is_to_be_said_are_one_stretch(
    night: Path, tmp_path: Path
) -> None:
    first, second = (label_file(night, tmp_path / "labels", "a.edf", who) for who in ("AB", "CD"))
    first.add(Mark(20, 60, "seizure"))
    second.add(Mark(20, 40, "lpd"))
    second.add(Mark(50, 60, "lpd"))
    table = predicted(night, tmp_path / "run", {20: 0.3, 30: 0.1, 40: 0.9, 50: 0.2})
    found = hmsprep.votes(
        night, tmp_path / "labels", tmp_path / "votes.csv", predictions=table
    ).second_look
    looks = {(one.start_s, one.stop_s): one for one in found}
    assert {span: one.windows for span, one in looks.items()} == {(20, 40): 2, (50, 60): 1}
    assert {one.model for one in found} == {"other"}
    assert {one.reasons for one in found} == {("readers disagree", "the model disagrees")}
    assert {one.split for one in found} == {0.5}
    assert looks[20, 40].probability == pytest.approx(0.8)
    assert looks[20, 40].against == pytest.approx(0.6)  # 0.7 - 0.3 and 0.9 - 0.1
    assert looks[50, 60].probability == pytest.approx(0.8)
    assert looks[50, 60].against == pytest.approx(0.6)


def test_predictions_of_eegs_of_long_numbers_are_told_apart(tmp_path: Path) -> None:
    """Timestamps, say: as floats two of them would be one."""
    eegs = [2**54, 2**54 + 1, 2**54 + 2]
    table = tmp_path / "predictions.csv"
    lines = [f"{eeg},0,0,0,0,0,{n / 4},{1 - n / 4}" for n, eeg in enumerate(eegs)]
    table.write_text("\n".join([f"eeg_id,eeg_offset_s,{','.join(CLASSES)}", *lines]))
    columns = {"eeg_id": np.asarray(eegs), "eeg_offset_s": np.zeros(3)}
    places = Places(tmp_path, HMS, columns, (), (), {})
    np.testing.assert_allclose(read_predictions(table, places)[:, 4], [0, 1 / 4, 2 / 4])
    table.write_text(f"eeg_id,eeg_offset_s,{','.join(CLASSES)}\n7.0,0,1,0,0,0,0,0\n")
    seven = replace(places, table={"eeg_id": np.asarray([7]), "eeg_offset_s": np.zeros(1)})
    assert read_predictions(table, seven)[0, 0] == 1


def test_predictions_of_other_recordings_are_refused(
    night: Path, labels: Path, tmp_path: Path
) -> None:
    table = predicted(night, tmp_path / "run", {20: 0.9})
    beside = table.with_suffix(".json")
    beside.write_text(beside.read_text().replace("a.edf", "z.edf"))
    with pytest.raises(DataError, match=r"is of z\.edf, b\.edf, and .* holds a\.edf, b\.edf"):
        hmsprep.votes(night, labels, tmp_path / "votes.csv", predictions=table)
    beside.unlink()
    with pytest.raises(DataError, match=r"run cannot be read: expected a file, got a folder\.$"):
        hmsprep.votes(night, labels, tmp_path / "votes.csv", predictions=table.parent)
    table.write_text("eeg_id,eeg_offset_s\n1,0\n")
    with pytest.raises(DataError, match=r"lacks seizure, lpd.*predictions\.csv that"):
        hmsprep.votes(night, labels, tmp_path / "votes.csv", predictions=table)
    table.write_text(f"eeg_id,eeg_offset_s,{','.join(CLASSES)}\n1,0,1,0,0,0,0,0\n")
    with pytest.raises(DataError, match="has none of the windows of"):
        hmsprep.votes(night, labels, tmp_path / "votes.csv", predictions=table)
    assert not (tmp_path / "votes.csv").exists()


def test_windows_marked_in_a_store_become_votes_of_its_data_set(
    data: Path, store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "labels"
    eeg, offset = (store.windows[name][3].item() for name in ("eeg_id", "eeg_offset_s"))
    marked = LabelFile.open(folder, "hms.zarr", store.identity, "AB")
    begin = offset + store.spec.judged_from_s
    marked.add(Mark(begin, begin + 10, "lrda", eeg_id=eeg))
    with pytest.raises(DataError, match=r"If that is a store, name it with --store"):
        hmsprep.votes(data, folder, tmp_path / "votes.csv")
    found = hmsprep.votes(data, folder, tmp_path / "votes.csv", store=store)
    rows = pl.read_csv(tmp_path / "votes.csv")
    near = rows.filter(pl.col("eeg_label_offset_seconds") == offset)
    assert near["lrda_vote"].to_list() == [1]
    assert set(rows["eeg_id"]) == {eeg}
    assert found.votes["lrda"] == rows.height
    own = pl.read_csv(data / "train.csv")
    known = own.filter(pl.col("label_id").is_in(rows["label_id"].to_list()))
    assert set(known["eeg_id"]) == {eeg}  # windows keep their numbers
    marked.add(Mark(0, 10, "lrda"))
    with pytest.raises(DataError, match="expected an eeg_id in each row, since it is of a store"):
        hmsprep.votes(data, folder, tmp_path / "other.csv", store=store)


def test_a_store_of_another_import_is_refused(night: Path, tmp_path: Path) -> None:
    """Its EEGs have the same numbers."""
    other = write_edf(tmp_path / "other.edf", noise(120, seed=7))
    hmsprep.import_recordings([other], tmp_path / "other")
    store = hmsprep.build(tmp_path / "other", tmp_path / "other.zarr", split_by="all", workers=1)
    eeg = store.windows["eeg_id"][0].item()
    marked = LabelFile.open(tmp_path / "labels", "other.zarr", store.identity, "AB")
    marked.add(Mark(30, 40, "seizure", eeg_id=eeg))
    assert eeg in {piece.eeg_id for one in read_recordings(night) for piece in one.pieces}
    with pytest.raises(DataError, match=rf"other\.zarr was not built from .*: 1 EEG .*\({eeg}\)"):
        hmsprep.votes(night, tmp_path / "labels", tmp_path / "votes.csv", store=store)
    assert not (tmp_path / "votes.csv").exists()
    hmsprep.votes(tmp_path / "other", tmp_path / "labels", tmp_path / "votes.csv", store=store)


@pytest.mark.parametrize(
    "options",
    [
        {"bandpass": (1.0, 20.0), "normalise": "none"},
        {"nan": "mean", "eeg_clip": 100.0},
        {"nan": "interpolate", "eeg_clip": None},
        {"spec": SHORT},
    ],
)
def test_a_store_is_known_by_its_data_however_it_was_built(
    data: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    store = hmsprep.build(data, tmp_path / "other.zarr", workers=1, **options)
    marked = LabelFile.open(tmp_path / "labels", "other.zarr", store.identity, "AB")
    begins = dict(
        zip(store.windows["eeg_id"].tolist(), store.windows["eeg_offset_s"].tolist(), strict=True)
    )
    for eeg, offset in begins.items():
        begin = offset + store.spec.judged_from_s
        marked.add(Mark(begin, begin + 10, "lrda", eeg_id=eeg))
    spec = options.get("spec", HMS)
    hmsprep.votes(data, tmp_path / "labels", tmp_path / "votes.csv", store=store, spec=spec)


def test_a_readers_marks_of_a_recording_and_of_its_store_count_together(
    night: Path, tmp_path: Path
) -> None:
    """Whichever file is read last: the class that covers most of the judged seconds wins."""
    store = hmsprep.build(night, tmp_path / "night.zarr", split_by="all")
    eeg = read_recordings(night)[0].pieces[0].eeg_id
    label_file(night, tmp_path / "labels", "a.edf", "AB").add(Mark(30, 36, "gpd"))
    for number, name in enumerate(("A.zarr", "z.zarr")):
        folder = tmp_path / f"labels{number}"
        shutil.copytree(tmp_path / "labels", folder)
        LabelFile.open(folder, name, store.identity, "AB").add(Mark(31, 36, "lrda", eeg_id=eeg))
        hmsprep.votes(night, folder, tmp_path / f"{number}.csv", store=store)
        found = votes_of(night, tmp_path / f"{number}.csv")
        assert found == {("a.edf", 30): [0, 0, 1, 0, 0, 0]}


def test_three_readers_have_one_kappa(night: Path, labels: Path, tmp_path: Path) -> None:
    label_file(night, labels, "a.edf", "EF").add(Mark(20, 60, "seizure"))
    done = PROGRAM.succeed("votes", night, labels, "--out", tmp_path / "votes.csv")
    assert "all readers" in done.stdout
    assert "Worth a second look" in done.stdout
    found = hmsprep.votes(night, labels, tmp_path / "votes.csv", force=True)
    assert found.fleiss is not None
    assert (found.fleiss.readers, found.fleiss.windows) == (3, 4)
    # 3 windows of (3, 0), one of (2, 1): (1 + 1 + 1 + 1/3) / 4 observed, (11/12)^2 + (1/12)^2.
    observed, expected = 10 / 12, 122 / 144
    assert found.fleiss.kappa == pytest.approx((observed - expected) / (1 - expected))


def test_a_table_that_is_given_is_planned_built_in_shares_and_read(
    night: Path, labels: Path, tmp_path: Path
) -> None:
    table = tmp_path / "votes.csv"
    hmsprep.votes(night, labels, table)
    assert hmsprep.plan(night, table=table, split_by="all").windows == len(EXPECTED)
    with pytest.raises(ParameterError, match=r"--table: .* is a table of windows already"):
        hmsprep.plan(table, table=table)
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        hmsprep.plan(night, table=tmp_path / "gone.csv")
    store = tmp_path / "night.zarr"
    hmsprep.build_share(night, store, share=(1, 1), table=table, split_by="all", workers=1)
    assert len(hmsprep.seal(store, workers=1)) == len(EXPECTED)
