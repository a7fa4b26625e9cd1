"""Which parquet files are accepted, and what is read from them."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from hmsprep.errors import DataError
from hmsprep.kaggle.recording import decode
from hmsstore.schema import CHANNELS, EEG, FEATURES, SPECTROGRAM


def eeg(rows: int = 50) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame({name: rng.normal(size=rows).astype("f4") for name in CHANNELS})


def spectrogram(rows: int = 10) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    columns = {"time": 2 * np.arange(rows) + 1}
    return pl.DataFrame(columns | {n: rng.lognormal(size=rows).astype("f4") for n in FEATURES})


def content(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def test_eeg_comes_with_channels_first() -> None:
    frame = eeg()
    np.testing.assert_array_equal(decode(content(frame), EEG, "1.parquet"), frame.to_numpy().T)


def test_missing_values_are_nan_whether_written_as_null_or_nan() -> None:
    frame = eeg().with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise(pl.col("C3")).alias("C3"),
        pl.when(pl.int_range(pl.len()) == 4).then(np.nan).otherwise(pl.col("C4")).alias("C4"),
    )
    values = decode(content(frame.cast(pl.Float32)), EEG, "1.parquet")
    assert np.argwhere(np.isnan(values)).tolist() == [[2, 3], [CHANNELS.index("C4"), 4]]


def test_the_time_column_may_have_any_integer_type() -> None:
    for dtype in (pl.Int16, pl.Int64):
        frame = spectrogram().with_columns(pl.col("time").cast(dtype))
        values = decode(content(frame), SPECTROGRAM, "2.parquet")
        np.testing.assert_array_equal(values, frame.drop("time").to_numpy().T)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (b"Fp1,F3\n1,2\n", r"1\.parquet is not a whole parquet file: it starts with b'Fp1,F3"),
        (content(eeg())[:-10], r"not a whole parquet file"),
        (b"PAR1" + bytes(40) + b"PAR1", r"cannot be decoded"),
        (content(eeg().drop("Cz", "O1")), r"the file lacks O1, Cz"),
        (content(eeg().with_columns(pl.lit(1).alias("A1"))), r"also has A1"),
        (
            content(eeg().select(["F3", "Fp1", *CHANNELS[2:]])),
            r"another order: column 0 is F3, expected Fp1",
        ),
        (
            content(eeg().with_columns(pl.col("Pz").cast(pl.Float64))),
            r"column Pz is Float64, expected Float32 \(1 such columns\)",
        ),
        (content(eeg().clear()), r"has no rows"),
    ],
)
def test_another_eeg_file_is_refused(wrong: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode(wrong, EEG, "1.parquet")


def test_a_spectrogram_with_other_times_is_refused() -> None:
    frame = spectrogram().with_columns(pl.col("time") + 1)
    with pytest.raises(DataError, match=r"column time must be 1, 3, 5 .*found \[2, 4, 6\]"):
        decode(content(frame), SPECTROGRAM, "2.parquet")


def test_csv_under_a_parquet_name_is_refused(real_data) -> None:
    for file, signal in (("eeg", EEG), ("spectrogram", SPECTROGRAM)):
        path = real_data / "malformed" / f"csv_text_named_parquet_{file}.parquet"
        with pytest.raises(DataError, match="is not a whole parquet file"):
            decode(path.read_bytes(), signal, path.name)
