"""Predictions of anyone are read as they are meant, matched by id, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.answered import ANSWERS, VOTES, Set, write
from support.runs import train_small

from hmsstore import CLASSES, Store
from hmstrain.errors import DataError, RunError
from hmstrain.runs.folder import RunFolder
from hmstrain.scoring.answers.matched import Matched
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.answers.read import Answers, read_answers
from hmstrain.scoring.answers.truth import read_truth


@pytest.fixture(scope="module")
def made() -> Set:
    return Set()


@pytest.fixture
def answer(made: Set) -> np.ndarray:
    return made.model(0.5)


@pytest.mark.parametrize(
    "names", [CLASSES, VOTES, ANSWERS, [key.upper() for key in CLASSES], CLASSES[::-1]]
)
def test_columns_of_any_usual_name_and_order_are_found(
    made: Set, answer: np.ndarray, tmp_path: Path, names: list[str]
) -> None:
    place = [next(n for n, key in enumerate(CLASSES) if key in name.lower()) for name in names]
    path = made.answers(tmp_path / "a.csv", answer[:, place], names=names)
    found = read_answers(path)
    np.testing.assert_allclose(found.prediction, answer, rtol=1e-9)
    assert found.ids["eeg_id"].tolist() == made.eeg.tolist()
    assert found.votes is None


@pytest.mark.parametrize(
    "name",
    ["{}_pred", "pred_{}", "{}_vote_pred", "pred_{}_vote", "{}_vote_preds", "oof_{}_vote",
     "oof_{}", "{}_oof", "{}_prob", "{}_vote_prob"],
)  # fmt: skip
def test_answers_beside_votes_are_told_apart_by_name(
    made: Set, answer: np.ndarray, tmp_path: Path, name: str
) -> None:
    """Such tables hold the truth in `seizure_vote`: judged as answers, they were perfect."""
    names = [name.format(key) for key in CLASSES]
    path = made.answers(tmp_path / "a.csv", answer, votes=made.shares, names=names)
    found = read_answers(path)
    np.testing.assert_allclose(found.prediction, answer)
    assert found.votes is not None
    np.testing.assert_allclose(found.votes.shares, made.shares)
    whole = made.answers(tmp_path / "b.csv", answer, names=names, ids=made.ids() | votes_of(made))
    found = read_answers(whole)
    assert found.votes is not None
    assert np.array_equal(found.votes.counts, made.count)


def votes_of(made: Set) -> dict[str, Any]:
    """Votes in columns that have the classes' own names."""
    return dict(zip(CLASSES, made.votes.T, strict=True))


@pytest.mark.parametrize(
    ("names", "others", "message"),
    [
        (VOTES, "{}_vote_hat", r"seizure_vote, .* and seizure_vote_hat, .*: name the probabilit"),
        (CLASSES, "MyNet_{}", r"seizure, .* and MyNet_seizure, .*: name the probabilities seizure"),
        (ANSWERS, "oof_{}", r"has the columns seizure_vote_prediction, .* and oof_seizure, "),
    ],
)
def test_columns_of_several_kinds_that_may_be_the_answers_are_refused(
    made: Set, answer: np.ndarray, tmp_path: Path, names: list[str], others: str, message: str
) -> None:
    more = {others.format(key): made.eeg for key in CLASSES}
    path = made.answers(tmp_path / "a.csv", answer, names=names, ids=made.ids() | more)
    with pytest.raises(DataError, match=message):
        read_answers(path)
    del more[others.format("other")]  # not one for each class
    more["another_note"] = made.eeg
    if names is not ANSWERS:
        path = made.answers(tmp_path / "a.csv", answer, names=names, ids=made.ids() | more)
        np.testing.assert_allclose(read_answers(path).prediction, answer)
    other = {f"{key}_logit": made.eeg for key in CLASSES}
    path = made.answers(tmp_path / "a.csv", answer, names=ANSWERS, ids=made.ids() | other)
    np.testing.assert_allclose(read_answers(path).prediction, answer)


def test_votes_are_not_judged_as_answers(made: Set, answer: np.ndarray, tmp_path: Path) -> None:
    truth = made.table(tmp_path / "train.csv")
    nameless = made.ids() | {f"pred_{n}": answer[:, n] for n in range(6)}
    split = int((made.votes.max(axis=1) < made.count).sum())
    message = rf"in {split} of {split} rows with split votes the probabilities are the shares of"
    path = made.answers(tmp_path / "a.csv", made.shares, ids=nameless, names=VOTES)
    with pytest.raises(DataError, match=message):
        matched_answers([path], truth=truth)
    path = made.answers(tmp_path / "a.csv", made.shares.round(2), ids=nameless, names=VOTES)
    with pytest.raises(DataError, match="with split votes the probabilities are the shares of"):
        matched_answers([path], truth=truth, scale=True)
    path = made.answers(tmp_path / "b.csv", made.votes, ids=nameless, names=VOTES)
    with pytest.raises(DataError, match="All are whole numbers, as votes are") as caught:
        matched_answers([path], truth=truth)
    assert "--scale" not in str(caught.value)
    with pytest.raises(DataError, match=message):
        matched_answers([path], truth=truth, scale=True)
    percent = made.answers(tmp_path / "c.csv", (100 * answer).round(), names=VOTES)
    with pytest.raises(DataError, match="--scale"):
        matched_answers([percent], truth=truth)
    path = made.answers(tmp_path / "d.csv", made.shares, votes=made.votes)
    with pytest.raises(DataError, match=message):
        matched_answers([path])


def test_answers_may_equal_votes_where_all_voted_alike_or_split_in_one_way(tmp_path: Path) -> None:
    sure = Set()
    sure.votes = sure.count[:, None] * np.eye(6, dtype=int)[sure.truth.argmax(axis=1)]
    sure.votes[:5] = [1, 1, 0, 0, 0, 0]
    sure.count[:5] = 2
    path = sure.answers(tmp_path / "a.csv", sure.shares)
    assert len(matched_answers([path], truth=sure.table(tmp_path / "t.csv"))) == 300
    sure.votes[:], sure.count[:] = [1, 1, 0, 0, 0, 0], 2
    path = sure.answers(tmp_path / "b.csv", sure.shares)
    assert len(matched_answers([path], truth=sure.table(tmp_path / "u.csv"))) == 300


def test_csv_of_any_delimiter_and_line_ending_and_parquet_are_read_alike(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    path = made.answers(tmp_path / "a.csv", answer, votes=made.votes)
    text = path.read_text()
    (tmp_path / "b.csv").write_text(text.replace(",", ";"), newline="\r\n")
    (tmp_path / "c.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r").encode())
    pl.read_csv(path).write_parquet(tmp_path / "misnamed.csv")
    first = read_answers(path)
    assert first.votes is not None
    for name in ("b.csv", "c.csv", "misnamed.csv"):
        other = read_answers(tmp_path / name)
        np.testing.assert_array_equal(first.prediction, other.prediction)
        assert other.votes is not None
        np.testing.assert_array_equal(first.votes.counts, other.votes.counts)


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("declared", ["", "sep={}\r\n"])
def test_numbers_have_decimal_commas_where_a_spreadsheet_writes_them(
    made: Set, answer: np.ndarray, tmp_path: Path, delimiter: str, declared: str
) -> None:
    ids = made.ids() | {"eeg_id": made.eeg + 0.0}
    path = made.answers(tmp_path / "a.csv", answer / 10 ** np.arange(6), ids=ids, names=ANSWERS)
    text = path.read_text().replace(",", delimiter).replace(".", ",")
    assert "e-0" in text
    (tmp_path / "b.csv").write_text(declared.format(delimiter) + text, newline="")
    first, other = (read_answers(tmp_path / f"{name}.csv", scale=True) for name in "ab")
    np.testing.assert_array_equal(first.prediction, other.prediction)
    assert first.ids["eeg_id"].tolist() == other.ids["eeg_id"].tolist() == made.eeg.tolist()


def test_a_comma_between_cells_is_none_in_a_number(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    path = made.answers(tmp_path / "a.csv", answer)
    lines = path.read_text().splitlines()
    (tmp_path / "b.csv").write_text("\n".join(["sep=,", *lines]))
    np.testing.assert_allclose(read_answers(tmp_path / "b.csv").prediction, answer)
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:-1], '"0,5"'])
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="row 2, column other: expected a number, got '0,5'"):
        read_answers(path)


def test_votes_are_counts_or_shares_and_shares_get_their_number_by_id(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    counts = made.answers(tmp_path / "counts.csv", answer, votes=made.votes, names=ANSWERS)
    shares = made.answers(tmp_path / "shares.csv", answer, votes=made.shares, names=ANSWERS)
    assert np.array_equal(matched_answers([counts]).counts, made.count)
    alone = matched_answers([shares])
    assert np.isnan(alone.counts).all()
    assert len(alone.typical["hi"]) == 0
    np.testing.assert_allclose(alone.shares, made.shares)
    assert any("number of votes is not known" in note for note in alone.notes)
    table = made.table(tmp_path / "train.csv", slice(20, None))
    found = matched_answers([shares], truth=table)
    assert np.isnan(found.counts[:20]).all()
    assert np.array_equal(found.counts[20:], made.count[20:])
    assert np.array_equal(found.typical["hi"], 20 + np.flatnonzero(made.count[20:] >= 10))
    assert any(note.startswith("20 rows not in") for note in found.notes)
    assert any("not known of 20 of 300 rows" in note for note in found.notes)


def test_rows_are_matched_by_id_in_any_order_and_what_is_missing_is_counted(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    order = np.random.default_rng(2).permutation(300)[:250]
    first = made.answers(tmp_path / "a.csv", answer)
    second = made.answers(tmp_path / "b.csv", answer, order)
    found = matched_answers([first, second], truth=made.table(tmp_path / "train.csv"))
    assert len(found) == 250
    np.testing.assert_allclose(found.answers[0].prediction, found.answers[1].prediction)
    np.testing.assert_allclose(found.answers[0].prediction, answer[np.sort(order)])
    assert any("a: 50 rows of 300 that not all have left out." in note for note in found.notes)


def test_labelled_windows_that_no_model_answers_are_counted(
    made: Set, answer: np.ndarray, store: Store, tmp_path: Path
) -> None:
    truth = made.table(tmp_path / "train.csv")

    def unanswered(*paths: Path, truth: Any = truth) -> list[str]:
        notes = matched_answers(paths, truth=truth).notes
        return [note for note in notes if "labelled windows" in note]

    few = made.answers(tmp_path / "few.csv", answer, slice(10, 200))
    said = f"110 of 300 labelled windows of {truth} without an answer"
    assert unanswered(few) == [f"{said}: left out."]
    assert unanswered(few, made.answers(tmp_path / "b.csv", answer, slice(10, 200))) == [
        f"{said} of every model: left out."
    ]
    assert not unanswered(made.answers(tmp_path / "all.csv", answer))
    same = Set()  # both windows of an EEG alike, of which each has one answer
    same.votes[::2], same.count[::2] = same.votes[1::2], same.count[1::2]
    table = same.table(tmp_path / "same.csv")
    ids = {"eeg_id": np.unique(same.eeg)}
    by_eeg = same.answers(tmp_path / "eeg.csv", same.model(0.1)[::2], ids=ids)
    assert not unanswered(by_eeg, truth=table)
    train_small(store, tmp_path / "run", steps=1)  # known to be of test windows
    assert not unanswered(tmp_path / "run", truth=store)


def test_files_with_different_ids_meet_in_the_truth(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    by_eeg = made.answers(tmp_path / "a.csv", answer)
    by_label = made.answers(tmp_path / "b.csv", answer, ids={"label_id": made.label})
    found = matched_answers([by_eeg, by_label], truth=made.table(tmp_path / "train.csv"))
    np.testing.assert_allclose(found.answers[0].prediction, found.answers[1].prediction)
    with pytest.raises(DataError, match=r"no columns in common that identify a row.*--id"):
        matched_answers([by_eeg, by_label])
    unlike = made.table(tmp_path / "old.csv", label=False)
    with pytest.raises(DataError, match="no columns in common"):
        matched_answers([by_eeg, by_label], truth=unlike)


def test_windows_without_labels_are_matched_by_eeg_and_number(
    answer: np.ndarray, tmp_path: Path
) -> None:
    """What is predicted of a recording that nobody labelled has -1; votes count from 0."""
    made = Set()
    unlabelled = made.ids() | {"label_id": np.full(300, -1)}
    paths = [made.answers(tmp_path / f"{name}.csv", answer, ids=unlabelled) for name in "ab"]
    made.label = np.arange(300)[::-1]
    found = matched_answers(paths, truth=made.table(tmp_path / "votes.csv"))
    assert len(found) == 300
    np.testing.assert_allclose(found.shares, made.shares)


def test_equal_labels_of_different_eegs_are_refused(answer: np.ndarray, tmp_path: Path) -> None:
    made = Set()
    labels = {"label_id": np.arange(300)}
    ours = made.answers(tmp_path / "a.csv", answer, ids=made.ids() | labels)
    other = made.ids() | {"eeg_id": made.eeg + 9_000}
    theirs = made.answers(tmp_path / "b.csv", answer, ids=other | labels, votes=made.votes)
    with pytest.raises(
        DataError, match=r"give the same label_id to different EEGs, .* 1000 and 10"
    ):
        matched_answers([ours, theirs])
    made.label, made.eeg = np.arange(300), made.eeg + 9_000
    with pytest.raises(DataError, match="give the same label_id to different EEGs"):
        matched_answers([ours], truth=made.table(tmp_path / "votes.csv"))


def test_a_row_per_eeg_is_judged_where_its_windows_agree(made: Set, tmp_path: Path) -> None:
    eegs = np.unique(made.eeg)
    same = Set()
    same.votes[::2] = same.votes[1::2]  # both windows of an EEG alike, but for the first
    same.count[::2] = same.count[1::2]
    same.votes[0] = same.count[0] * np.eye(6)[(same.votes[1].argmax() + 1) % 6]
    path = same.answers(tmp_path / "a.csv", same.model(0.1)[::2], ids={"eeg_id": eegs})
    found = matched_answers([path], truth=same.table(tmp_path / "train.csv"))
    assert len(found) == 149
    assert any(
        "1 row of an EEG whose windows carry different votes" in note for note in found.notes
    )


def test_any_column_can_tell_rows_apart(made: Set, answer: np.ndarray, tmp_path: Path) -> None:
    names = [f"segment {n}" for n in range(300)]
    first = made.answers(tmp_path / "a.csv", answer, ids={"segment": names}, votes=made.votes)
    second = made.answers(
        tmp_path / "b.csv", answer[::-1], ids={"segment": names[::-1]}, votes=made.votes[::-1]
    )
    with pytest.raises(DataError, match="--id"):
        matched_answers([first, second])
    found = matched_answers([first, second], id_column="segment")
    np.testing.assert_allclose(found.answers[0].prediction, found.answers[1].prediction)
    with pytest.raises(DataError, match="has no column 'part': it has segment"):
        matched_answers([first, second], id_column="part")


def groups(found: Matched) -> int:
    return len(np.unique(found.group))


def test_patients_are_resampled_else_eegs_else_rows_of_equal_votes(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    table = made.table(tmp_path / "train.csv")
    path = made.answers(tmp_path / "a.csv", answer, votes=made.votes)
    known = matched_answers([path], truth=table)
    assert (known.unit, groups(known)) == ("patients", 40)
    by_eeg = matched_answers([path])
    assert (by_eeg.unit, groups(by_eeg)) == ("EEGs", 150)
    assert any("each EEG is resampled as one" in note for note in by_eeg.notes)
    nameless = made.answers(tmp_path / "b.csv", answer, ids={"x": made.eeg}, votes=made.votes)
    by_votes = matched_answers([nameless])
    patterns = len(np.unique(made.votes, axis=0))
    assert (by_votes.unit, groups(by_votes)) == ("patterns of votes", patterns)
    assert any("rows of equal votes are resampled as one" in note for note in by_votes.notes)
    named = matched_answers([nameless], patient_column="x")
    assert groups(named) == 150
    partly = made.table(tmp_path / "part.csv", slice(0, 200))
    found = matched_answers([path], truth=partly)
    assert found.unit == "patients"
    assert groups(found) == 40 + 50


def test_a_patient_is_known_by_his_eeg_where_the_window_is_not(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    path = made.answers(tmp_path / "a.csv", answer, votes=made.votes)
    half = made.table(tmp_path / "half.csv", slice(0, None, 2))  # one window of each EEG
    found = matched_answers([path], truth=half)
    assert groups(found) == 40
    assert not any("unknown" in note for note in found.notes)


def test_doubled_rows_count_once_and_contradict_each_other_never(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    twice = np.r_[np.arange(300), 7, 8]
    path = made.answers(tmp_path / "a.csv", answer, twice, votes=made.votes)
    found = matched_answers([path])
    assert len(found) == 300
    assert any("a: 2 doubled rows left out." in note for note in found.notes)
    other = np.vstack([answer, made.model(0.5, seed=9)[7:9]])
    path = write(
        tmp_path / "b.csv",
        {"eeg_id": made.eeg[twice], "eeg_sub_id": made.sub[twice]}
        | dict(zip(CLASSES, other.T, strict=True)),
    )
    with pytest.raises(DataError, match="2 rows of an id that another row has with another answer"):
        matched_answers([path], truth=made.table(tmp_path / "train.csv"))


def test_rows_without_an_answer_or_votes_are_left_out_and_counted(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    votes = made.votes.copy()
    votes[3] = 0
    path = made.answers(tmp_path / "a.csv", answer, votes=votes, names=ANSWERS)
    lines = path.read_text().splitlines()
    lines[1] = ",".join(lines[1].split(",")[:-6]) + "," * 6
    path.write_text("\n".join(lines))
    found = matched_answers([path])
    assert len(found) == 298
    assert any("1 row without an answer left out" in note for note in found.notes)
    assert any("1 row without votes left out" in note for note in found.notes)


BAD: list[tuple[Any, str]] = [
    (np.nan, r"1 row has probabilities that are missing or infinite, the first is row 6 "),
    (np.inf, "missing or infinite"),
    (-0.2, r"1 row has probabilities below 0, .* If these are logits, save their softmax"),
    (1e308, "sum to 1"),
    (0.9, r"1 row has probabilities that do not sum to 1, the first is row 6 .*--scale"),
    ("many", r"row 6, column lpd: expected a number, got 'many'"),
]


@pytest.mark.parametrize(("value", "message"), BAD)
def test_what_is_not_a_distribution_is_refused_by_row(
    made: Set, answer: np.ndarray, tmp_path: Path, value: Any, message: str
) -> None:
    given = answer.astype(object)
    given[4, 1] = value if isinstance(value, str) else float(value) + (value == 0.9) * answer[4, 1]
    with pytest.raises(DataError, match=message):
        read_answers(made.answers(tmp_path / "a.csv", given))


def test_rounded_rows_are_scaled_and_counted_and_others_only_if_asked(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    rounded = made.answers(tmp_path / "a.csv", answer.round(4))
    found = read_answers(rounded)
    np.testing.assert_allclose(found.prediction.sum(axis=1), 1)
    off = int((np.abs(answer.round(4).sum(axis=1) - 1) > 1e-6).sum())
    assert found.notes == [f"{rounded}: {off} rows scaled to sum to 1."]
    doubled = made.answers(tmp_path / "b.csv", 2 * answer)
    with pytest.raises(DataError, match="300 of 300 rows have probabilities that do not sum to 1"):
        read_answers(doubled)
    np.testing.assert_allclose(read_answers(doubled, scale=True).prediction, answer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty"),
        (b"eeg_id,seizure,lpd,gpd,lrda,grda,other\n", "has no rows"),
        (b"eeg_id,a,b\n1,2,3\n", "has no probabilities: expected a column for each class, named"),
        (b"eeg_id,seizure,lpd,gpd,lrda,grda\n1,1,0,0,0,0\n", "no column other"),
        (b"eeg_id,seizure,seizure,gpd\n1,1,0,0\n", "several columns named 'seizure'"),
        (b"eeg_id,seizure,lpd,gpd,lrda,grda,other\n1,1,0,0\n", "row 2: expected 7 cells .* got 4"),
        (b"PAR1 is not enough", "is damaged, or not parquet"),
        (b"PK\x03\x04 neither", "is damaged, or not of a run"),
        (b"\x1f\x8b\x08\x00", "is compressed: unpack it first"),
        (b"eeg_id,seizure,lpd,gpd,lrda,grda,other\n\xe9,1,0,0,0,0,0\n", "is not UTF-8"),
        (b"\x89PNG\0\0\0\0", "no probabilities|binary data"),
    ],
)
def test_files_of_something_else_are_refused_by_name(
    tmp_path: Path, text: bytes, message: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text)
    with pytest.raises((DataError, RunError), match=message) as caught:
        read_answers(path)
    assert str(path) in str(caught.value)


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, but not a store, a finished run"):
        read_answers(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        read_answers(tmp_path / "none.csv")


def test_ids_are_joined_as_they_are_written(made: Set, answer: np.ndarray, tmp_path: Path) -> None:
    """1_100 is not 11_00, nor 007 7; but 1628.0 is how pandas writes 1628."""

    def path(name: str, ids: list[str]) -> Path:
        rows = slice(0, len(ids))
        columns = {"window": ids, **dict(zip(VOTES, made.votes[rows].T, strict=True))}
        columns |= dict(zip(ANSWERS, answer[rows].T, strict=True))
        return write(tmp_path / f"{name}.csv", columns)

    first = path("a", ["1_100", "1_101", "1_102"])
    with pytest.raises(DataError, match="share no row"):
        matched_answers([first, path("b", ["11_00", "11_01", "11_02"])], id_column="window")
    zeros = path("c", ["007", "008", "009"])
    with pytest.raises(DataError, match="share no row"):
        matched_answers([zeros, path("d", ["7", "8", "9"])], id_column="window")
    pl.read_csv(zeros, schema_overrides={"window": pl.String}).write_parquet(tmp_path / "c.pq")
    assert len(matched_answers([zeros, tmp_path / "c.pq"], id_column="window")) == 3
    floats = path("e", ["1628.0", "1629.0", ""])
    found = matched_answers([floats, path("f", ["1628", "1629", "1630"])], id_column="window")
    assert len(found) == 2
    assert any("e: 1 row without an id left out." in note for note in found.notes)


def test_patients_without_a_name_are_unknown(made: Set, answer: np.ndarray, tmp_path: Path) -> None:
    names = [f"p{n}" if n % 2 else "" for n in made.patient]
    ids = {**made.ids(), "patient_id": names}
    path = made.answers(tmp_path / "a.csv", answer, ids=ids, votes=made.votes, names=ANSWERS)
    found = matched_answers([path])
    nameless = [not name for name in names]
    eegs = len(np.unique(made.eeg[nameless]))
    expected = len({name for name in names if name}) + eegs
    assert groups(found) == expected
    assert any("are unknown: each EEG is resampled as one" in note for note in found.notes)
    columns = {**ids, **dict(zip(VOTES, made.votes.T, strict=True))}
    truth = write(tmp_path / "train.csv", columns)
    alone = made.answers(tmp_path / "b.csv", answer)
    assert groups(matched_answers([alone], truth=truth)) == expected


def test_equal_shares_of_other_counts_are_told_apart(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    whole = made.answers(tmp_path / "a.csv", answer, votes=made.votes, names=ANSWERS)
    double = made.answers(tmp_path / "b.csv", answer, votes=2 * made.votes, names=ANSWERS)
    shares = made.answers(tmp_path / "c.csv", answer, votes=made.shares, names=ANSWERS)
    with pytest.raises(DataError, match="a and b have different votes in 300 rows"):
        matched_answers([whole, double])
    for both in ([whole, shares], [shares, whole]):  # shares get their number by id
        assert np.array_equal(matched_answers(both).counts, made.count)
    same = Set()
    same.votes[::2], same.count[::2] = 2 * same.votes[1::2], 2 * same.count[1::2]
    path = same.answers(
        tmp_path / "d.csv", same.model(0.1)[::2], ids={"eeg_id": np.unique(same.eeg)}
    )
    with pytest.raises(DataError, match="the windows of each of these EEGs carry different votes"):
        matched_answers([path], truth=same.table(tmp_path / "train.csv"))


def test_ids_and_patients_are_found_in_the_truth_by_any_column(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    segment = [f"s{n}" for n in range(300)]
    columns = {"seg": segment, "ward": made.patient % 7}
    truth = write(tmp_path / "t.csv", {**columns, **dict(zip(VOTES, made.votes.T, strict=True))})
    path = made.answers(tmp_path / "a.csv", answer, ids={"seg": segment})
    found = matched_answers([path], truth=truth, id_column="seg", patient_column="ward")
    assert (groups(found), found.unit) == (7, "values of ward")
    with pytest.raises(DataError, match="--patient site: no file of answers or votes has"):
        matched_answers([path], truth=truth, id_column="seg", patient_column="site")


def test_odd_votes_and_truths_are_refused(made: Set, answer: np.ndarray, tmp_path: Path) -> None:
    votes = made.votes.astype(float)
    votes[2, 0] = -1
    with pytest.raises(DataError, match="1 row has negative votes, the first is row 4"):
        read_answers(made.answers(tmp_path / "a.csv", answer, votes=votes, names=ANSWERS))
    votes[2, 0] = 0.25
    with pytest.raises(DataError, match="neither counts nor shares that sum to 1"):
        read_answers(made.answers(tmp_path / "b.csv", answer, votes=votes, names=ANSWERS))
    with pytest.raises(DataError, match=r"has no votes: expected the columns seizure_vote"):
        read_truth(write(tmp_path / "c.csv", {"eeg_id": [1]}))
    with pytest.raises(DataError, match="has no ids: expected label_id"):
        read_truth(write(tmp_path / "d.csv", {key: [1] for key in VOTES}))
    alone = made.answers(tmp_path / "e.csv", answer)
    with pytest.raises(DataError, match="has no votes: name the store or the table"):
        matched_answers([alone])
    elsewhere = Set(seed=3)
    elsewhere.eeg += 10**6
    with pytest.raises(DataError, match=r"No row of .* is in"):
        matched_answers([alone], truth=elsewhere.table(tmp_path / "f.csv", label=False))


@pytest.mark.parametrize(
    ("scale", "decimals", "message"),
    [
        (100, 0, "the votes of a row sum to 100, as percent do: save their counts, or shares"),
        (100, 1, "the votes of a row sum to 100, as percent do"),
        (1, 2, "shares of votes are rounded too far to sum to 1: save them with four decimals"),
    ],
)
def test_percent_are_not_taken_for_a_hundred_votes(
    made: Set, answer: np.ndarray, tmp_path: Path, scale: int, decimals: int, message: str
) -> None:
    """Rounded, some rows sum to 99 or 101."""
    rounded = (scale * made.shares).round(decimals)
    assert len(set(rounded.sum(axis=1).round(decimals).tolist())) > 1
    ids = {**made.ids(), **dict(zip(VOTES, rounded.T, strict=True))}
    with pytest.raises(DataError, match=message):
        read_truth(write(tmp_path / "t.csv", ids))
    path = made.answers(tmp_path / "a.csv", answer, votes=rounded, names=ANSWERS)
    with pytest.raises(DataError, match=message):
        read_answers(path)
    rounded[0] *= 3  # of other numbers of votes, percent are nowhere
    if not decimals:
        ids |= dict(zip(VOTES, rounded.T, strict=True))
        assert read_truth(write(tmp_path / "u.csv", ids)).votes.counts[0] > 290


def test_votes_that_contradict_each_other_are_said_or_refused(
    made: Set, answer: np.ndarray, tmp_path: Path
) -> None:
    other = made.votes[::-1]
    first = made.answers(tmp_path / "a.csv", answer, votes=made.votes, names=ANSWERS)
    second = made.answers(tmp_path / "b.csv", answer, votes=other, names=ANSWERS)
    with pytest.raises(DataError, match=r"a and b have different votes in \d+ rows"):
        matched_answers([first, second])
    found = matched_answers([second], truth=made.table(tmp_path / "train.csv"))
    assert any("differ from those of" in note for note in found.notes)
    np.testing.assert_allclose(found.shares, made.shares)  # the truth counts


def test_runs_and_their_files_are_read_and_name_what_they_lack(
    store: Store, tmp_path: Path
) -> None:
    outcome = train_small(store, tmp_path / "run", steps=2)
    with pytest.raises(RunError, match=r"has no predictions of windows out of fold: train it with"):
        read_answers(tmp_path / "run", split="valid")
    found = matched_answers([tmp_path / "run"])
    assert (found.names, found.unit) == (("run",), "patients")
    by_file = matched_answers([tmp_path / "run" / "predictions.npz"], truth=store)
    assert by_file.names == ("predictions",)
    np.testing.assert_array_equal(found.shares, by_file.shares)
    assert outcome.test is not None
    assert len(found) == outcome.test.windows
    metrics = tmp_path / "run" / "metrics.json"
    metrics.rename(tmp_path / "gone.json")
    with pytest.raises(RunError, match="is not finished"):
        read_answers(tmp_path / "run")
    assert not RunFolder(tmp_path / "run").finished


def test_networks_are_of_one_model_however_the_path_of_their_weights_is_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spelt = ["made/pre", "./made/../made/pre", str(tmp_path / "made/pre")]
    configs = [{"weights": word, "generator": "", "seed": n} for n, word in enumerate(spelt)]
    none = np.empty((0, 6))
    models = {Answers("a", Path("a.npz"), {}, none, config=one).model for one in configs}
    assert len(models) == 1
    other = Answers("a", Path("a.npz"), {}, none, config={"weights": "", "generator": ""})
    assert other.model not in models
