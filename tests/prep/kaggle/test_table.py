"""What is read from train.csv, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from support.helpers import train_row

from hmsprep.errors import DataError
from hmsprep.kaggle.table import read_table


def csv(*rows: dict[str, Any], drop: tuple[str, ...] = ()) -> bytes:
    return pl.DataFrame(list(rows)).drop(*drop).write_csv().encode()


def test_columns_are_read_as_numbers() -> None:
    table = read_table(
        csv(
            train_row(eeg_label_offset_seconds=6.0, spectrogram_label_offset_seconds=7.0),
            train_row(
                eeg_label_offset_seconds=8.0,
                label_id=None,
                expert_consensus="GRDA",
                grda_vote=3,
            ),
        ),
        "train.csv",
    )
    assert table["eeg_offset_s"].tolist() == [6.0, 8.0]
    assert table["spectrogram_offset_s"].tolist() == [7.0, 0.0]
    assert table["votes"].tolist() == [[0, 3, 0, 0, 0, 1], [0, 3, 0, 0, 3, 1]]
    assert table["expert_consensus"].tolist() == [1, 4]
    assert table["label_id"].tolist() == [4, -1]


def test_parquet_metadata_are_read_alike() -> None:
    frame = pl.DataFrame([train_row(), train_row(eeg_label_offset_seconds=2.0)])
    import io

    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    from_parquet = read_table(buffer.getvalue(), "train_metadata.parquet")
    from_csv = read_table(frame.write_csv().encode(), "train.csv")
    for name, values in from_csv.items():
        np.testing.assert_array_equal(values, from_parquet[name])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_that_a_spreadsheet_saved_is_read_alike(delimiter: str, end: str) -> None:
    rows = pl.DataFrame([train_row(), train_row(eeg_label_offset_seconds=2.5, label_id=5)])
    saved = rows.with_columns(pl.col("label_id", "lpd_vote", "eeg_sub_id").cast(pl.Float64))
    if delimiter != ",":
        saved = saved.with_columns(pl.all().cast(pl.String).str.replace(".", ",", literal=True))
    text = saved.write_csv(separator=delimiter).replace("\n", end)
    text = f"\ufeff{text}{end}{delimiter * (rows.width - 1)}{end}{end}"
    found = read_table(text.encode(), "train.csv")
    for name, values in read_table(rows.write_csv().encode(), "train.csv").items():
        np.testing.assert_array_equal(found[name], values)


def test_empty_lines_between_rows_are_refused_by_their_line() -> None:
    header, row = csv(train_row()).splitlines()
    with pytest.raises(DataError, match=r"line 3, eeg_id: expected an id .*found nothing"):
        read_table(b"\n".join((header, row, b"", row, b"", b"")), "train.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_table_in_another_encoding_is_refused_in_a_sentence(encoding: str) -> None:
    with pytest.raises(DataError, match=r"^train\.csv is not a text in UTF-8.*'CSV UTF-8'\.$"):
        read_table(csv(train_row()).decode().encode(encoding), "train.csv")


def test_a_table_without_votes_is_unlabelled() -> None:
    table = read_table(b"spectrogram_id,eeg_id,patient_id\n853520,3911565283,6885\n", "test.csv")
    assert table["expert_consensus"].tolist() == [-1]
    assert table["votes"].sum() == 0
    assert table["eeg_offset_s"].tolist() == [0.0]
    assert table["label_id"].tolist() == table["eeg_sub_id"].tolist() == [-1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"lpd_vote": -1}], r"line 2, lpd_vote: expected a number of votes .*, found '-1'"),
        ([{}, {"label_id": 5, "eeg_id": 9, "lpd_vote": None}], r"line 3, lpd_vote: .*nothing"),
        ([{"lpd_vote": "nan"}], r"lpd_vote: expected a number of votes .*, found 'nan'"),
        ([{"lpd_vote": 1.5}], r"lpd_vote: .*found '1\.5'"),
        ([{"lpd_vote": 0, "other_vote": 0}], r"line 2: expected at least one vote, found none"),
        ([{"expert_consensus": "Other"}], r"expected a class with the most votes, found 'Other'"),
        ([{"eeg_sub_id": 2**31}], r"eeg_sub_id: expected a number below 2\^31, found '2147483648'"),
        ([{"expert_consensus": "Spike"}], r"expert_consensus: expected one of Seizure.*'Spike'"),
        ([{}, {}], r"line 3: the window of EEG 1 at 0 s is given twice"),
        ([{"eeg_id": "x"}], r"eeg_id: expected an id \(a whole number\), found 'x'"),
        ([{"eeg_id": "1.5"}], r"eeg_id: expected an id \(a whole number\), found '1\.5'"),
        ([{"eeg_id": f"{2**53}.0"}], r"eeg_id: expected an id .*found '9007199254740992\.0'"),
        ([{"patient_id": None}], r"patient_id: expected an id .*found nothing"),
        (
            [{"eeg_label_offset_seconds": -2}],
            r"eeg_label_offset_seconds: expected 0 to",
        ),
        ([{"eeg_label_offset_seconds": "inf"}], r"expected seconds, found 'inf'"),
        ([{"eeg_label_offset_seconds": 0.001}], r"whole number of samples .*found '0\.001'"),
        (
            [{}, {"eeg_label_offset_seconds": 2, "spectrogram_id": 8}],
            r"eeg_id 1 has 2 different spectrogram_ids",
        ),
        (
            [{}, {"eeg_id": 7, "patient_id": 8}],
            r"spectrogram_id 2 has 2 different patient_ids",
        ),
    ],
)
def test_a_wrong_row_is_shown_with_its_line(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(csv(*(train_row(**row) for row in rows)), "train.csv")


def test_all_problems_are_shown_at_once() -> None:
    wrong = csv(
        train_row(lpd_vote=-1),
        train_row(eeg_id=5, expert_consensus="none"),
        train_row(eeg_id=6, patient_id="p"),
    )
    with pytest.raises(DataError) as caught:
        read_table(wrong, "train.csv")
    for part in ("3 problems", "line 2, lpd_vote", "line 3, expert_consensus", "line 4, patient"):
        assert part in str(caught.value)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match=r"lacks 2 columns: patient_id, gpd_vote\. It has"):
        read_table(csv(train_row(), drop=("patient_id", "gpd_vote")), "train.csv")


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be decoded"):
        read_table(b"PK\x03\x04", "train_metadata.parquet")
    with pytest.raises(DataError, match=r"cannot be read as a table|has no rows"):
        read_table(b"", "train.csv")
    with pytest.raises(DataError, match="has no rows"):
        read_table(csv(train_row()).splitlines()[0] + b"\n", "train.csv")
