"""Files in the competition's layout hold what was written, whatever they are packed by."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from hmsprep.cli import _user_message
from hmsprep.kaggle.write import LOOKED_AT, write_csv, write_eeg
from hmsstore import CHANNELS


@pytest.mark.parametrize(
    ("repeating", "dictionaries", "packed"),
    [(True, False, True), (False, False, False), (False, True, True)],
)
def test_a_dictionary_is_made_where_values_repeat_or_as_the_competition_did(
    tmp_path: Path, repeating: bool, dictionaries: bool, packed: bool
) -> None:
    eeg_uv = np.random.default_rng(0).normal(0, 30, (20, 2 * LOOKED_AT)).astype(np.float32)
    if repeating:  # as samples of 16 bits do
        eeg_uv = np.rint(eeg_uv * 10) / np.float32(10)
    eeg_uv[3, 100:200] = np.nan
    write_eeg(tmp_path / "eeg.parquet", eeg_uv, dictionaries=dictionaries)
    found = pl.read_parquet(tmp_path / "eeg.parquet")
    assert found.columns == list(CHANNELS)
    assert found[CHANNELS[3]].null_count() == 100
    read = np.stack([found[name].fill_null(np.nan).to_numpy() for name in CHANNELS])
    np.testing.assert_array_equal(read, eeg_uv)
    columns = pq.read_metadata(tmp_path / "eeg.parquet").row_group(0)
    encodings = {"RLE_DICTIONARY" in columns.column(n).encodings for n in range(20)}
    assert encodings == {packed}


WRITERS: dict[str, Callable[[Path], None]] = {
    "eeg.parquet": lambda path: write_eeg(path, np.zeros((20, 100_000), np.float32)),
    "train.csv": lambda path: write_csv(path, {"eeg_id": np.arange(100_000)}),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to try")
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_told_with_the_files_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as told:
        WRITERS[name](path)
    assert told.value.filename == str(path)
    assert _user_message(told.value) == f"{path}: No space left on device"


def test_nothing_of_pandas_is_imported_to_write(tmp_path: Path) -> None:
    """It takes a fifth of the time in which ten minutes of EEG are imported."""
    code = """
import sys
from pathlib import Path
import numpy as np, pyarrow as pa
from hmsprep.kaggle.write import write_eeg, write_spectrogram
folder = Path(sys.argv[1])
write_eeg(folder / "eeg.parquet", np.zeros((20, 400), np.float32))
write_spectrogram(folder / "power.parquet", np.ones((3, 400), np.float32), pa.int64())
print("pandas" in sys.modules)
"""
    pytest.importorskip("pandas")
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
