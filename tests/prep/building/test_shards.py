"""Shard files are what zarr-python would write, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hmsprep.building.shards import ChecksummedFile, filling, shard_index
from hmsstore.manifest import checksum
from hmsstore.reading.arrays import shard_bytes
from hmsstore.schema import SPECTROGRAM


@pytest.mark.parametrize("rows", [2400, 2100, 1501, 300, 7])
def test_a_shard_is_what_zarr_python_writes(tmp_path: Path, rows: int) -> None:
    import zarr

    shard_rows, width = 2400, 400
    rng = np.random.default_rng(rows)
    values = rng.normal(size=(rows, width)).astype(np.float16)
    values[: min(rows, 300)] = np.nan  # a whole chunk of fill values must be there all the same
    array = zarr.create_array(
        tmp_path / "z",
        shape=(rows, width),
        shards=(shard_rows, width),
        chunks=(300, width),
        dtype="float16",
        compressors=None,
        filters=None,
        fill_value=float("nan"),
        config={"write_empty_chunks": True},
    )
    array[:] = values
    path = tmp_path / "ours"
    with ChecksummedFile(path) as file:
        file.write(values)
        for part in filling(SPECTROGRAM.chunk, -rows % 300):
            file.write(part)
        file.write(np.frombuffer(shard_index(SPECTROGRAM.chunk, rows, shard_rows), np.uint8))
        size, crc = file.close()
    assert path.read_bytes() == (tmp_path / "z" / "c" / "0" / "0").read_bytes()
    assert size == path.stat().st_size == shard_bytes(SPECTROGRAM, rows, shard_rows)
    assert crc == checksum(path)


def test_a_file_that_fails_half_way_is_taken_back(tmp_path: Path) -> None:
    def fail() -> None:
        with ChecksummedFile(tmp_path / "x") as file:
            file.write(np.zeros(10))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not (tmp_path / "x").exists()
