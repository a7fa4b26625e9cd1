"""Whatever a library says of bad bytes ends as one sentence that names the file."""

from __future__ import annotations

import base64
import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.helpers import train_row

from hmsprep.errors import DataError
from hmsprep.kaggle.files import KaggleData
from hmsprep.kaggle.frames import column_count, read_parquet
from hmsprep.kaggle.recording import decode
from hmsprep.kaggle.table import read_table
from hmsprep.planning.load import load_metadata
from hmsprep.planning.parameters import Parameters
from hmsstore.schema import EEG

PANICS = zlib.decompress(
    base64.b85decode(
        "c-oCqO=uHA6rR~^LMTyc=?uHD)J58`At66&(<G%xr){jIt!_e51P^Yq*(91~CFzgt$(sjzQ9*LlTMtE~&`ar|;=vx"
        "Jry?Fium?p%4_-uZ-X>L14?cF@|9tPgnOTG769kbBOxAFOXk7IXpE86r5up~7I7hem(zasX)QcZ5>d79Ho+O`1f$aU"
        "ULF4utB&<IieRL<fmAWT*b`BFCcix6#E341LeV-mb?b+BJo_@a<l1>U332}k=<pJcAC2W!a)#ztT_i@la@@F+7k_VX"
        "7XGkA8Dm}f3(E;X`39L}GN_M$Yy>`7eUk8U15b@|P_KC_>S6u1s=acl4AsDH<JyMs39bWkevF9#AP|x#P!lJiZpId5"
        "ezdB9=auWHvd5Z<N#WjI`!NE;Wa9#KfK|UeK?PgukVg$*w<Hjam4mi4ytWZDM$2<h;riau(C4xM1PHZ^N0ud4M4+wx"
        "s0w4<mXhz{FRFf4s5`2l3zmM$ezmAM<dkLlQL=r{8b+7V&W6&3{spTc75dH3<TF_7TJiXAX6kz%Mg-gTDVx=^1N(VR"
        "wlyn%UEU@$vw{PY;w(FW^tjWe*nPXvt$CsDEKgC$NlQ#v@b&dg>o#RRA;!n_a-q=~zA!8NdS-^vjO~U?(CbTjO@o_i"
        "nvdeR`E@-yQp+M%^#U?sXVd!_6hstd77haYj>Ad08%tlkyZmcX+oO(!IDm9wbGj&yuCZcgwD=b!PmYT9NalK%jwrxv"
        "K*>+mD5`%gwZN@XEo=MuaZl}zWmC-|Tgx?=r;URyQ2LHK!08%i%bp"
    )
)
"""A parquet file with two bytes changed, on which Polars 2.1 panics."""


def test_a_panic_of_polars_is_an_error_that_a_worker_can_hand_over() -> None:
    for read in (
        lambda: decode(PANICS, EEG, "1.parquet"),
        lambda: read_table(PANICS, "metadata.parquet"),
    ):
        with pytest.raises(DataError, match=r"parquet cannot be decoded") as caught:
            read()
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        assert caught.value.__context__ is None  # Dask hands that over, too


def parquet(rows: int, columns: int = 1, repeats: int = 1) -> bytes:
    """A file of equal values, which takes next to no room."""
    table = pa.table({f"c{n}": np.zeros(rows, np.float32) for n in range(columns)})
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, compression="zstd") as writer:
        for _ in range(repeats):
            writer.write_table(table)
    return buffer.getvalue()


@pytest.mark.parametrize("columns", [1, 14, 15, 20, 401, 2_000])
def test_columns_are_counted_in_the_footer(columns: int) -> None:
    assert column_count(parquet(1, columns)) == columns
    buffer = io.BytesIO()
    pl.DataFrame({f"c{n}": [0.0] for n in range(columns)}).write_parquet(buffer)
    assert column_count(buffer.getvalue()) == columns


def test_a_parquet_file_that_unpacks_to_gigabytes_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hmsprep.kaggle.frames.LARGEST_VALUES", 1 << 20)
    bomb = parquet(1 << 20, repeats=64)
    assert len(bomb) < 300_000
    with pytest.raises(DataError, match=r"1\.parquet has over [0-9,]+ rows of 1 columns in"):
        read_parquet(bomb, "1.parquet")


def train_csv() -> str:
    return pl.DataFrame([train_row()]).write_csv()


def zipped(path: Path, *, method: int | None = None, encrypted: bool = False) -> Path:
    """An archive whose heads claim another way of packing."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", train_csv())
    content = bytearray(path.read_bytes())
    for head, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(head)
        if method is not None:
            content[place + flags + 2 : place + flags + 4] = struct.pack("<H", method)
        content[place + flags] |= encrypted
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"encrypted": True}, "is encrypted"),
        ({"method": 9}, "compression method is not supported"),  # Deflate64
        ({"method": 98}, "compression method is not supported"),  # PPMd
        ({"method": 93}, "compression method is not supported"),  # Zstandard
        ({"method": 12}, "Invalid data stream"),  # said to be bzip2
        ({"method": 14}, ""),  # said to be LZMA
    ],
)
def test_a_file_that_python_cannot_unpack_is_named(
    tmp_path: Path, how: dict[str, int], reason: str
) -> None:
    data = KaggleData(zipped(tmp_path / "hms.zip", **how))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=rf"train\.csv in .*hms\.zip is damaged, or .*{reason}"):
        data.files.read("train.csv")


def test_a_zip_that_unpacks_to_gigabytes_is_refused_before_it_is(tmp_path: Path) -> None:
    path = tmp_path / "hms.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("train.csv", "w", force_zip64=True) as file,
    ):
        for _ in range(300):
            file.write(bytes(1 << 20))
    assert path.stat().st_size < 5_000_000
    with pytest.raises(DataError, match=r"train\.csv .*it claims 314,572,800 bytes"):
        KaggleData(path).files.read("train.csv")


def test_a_recording_whose_number_no_store_holds_is_not_one(tmp_path: Path) -> None:
    path = tmp_path / "hms.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.csv", train_csv())
        for stem in ("7", "9" * 5000, "²"):
            archive.writestr(f"train_eegs/{stem}.parquet", b"")
    assert KaggleData(path).recordings("eeg") == {7}


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_folder_is_not_a_table(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "train.csv"
    make(path)
    with pytest.raises(DataError, match="cannot be read: expected a file, got a"):
        load_metadata(path, Parameters())


def test_a_table_of_lists_is_refused() -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"eeg_id": [[1, 2]]}).write_parquet(buffer)
    with pytest.raises(DataError, match="column eeg_id holds List"):
        read_table(buffer.getvalue(), "metadata.parquet")
