"""Files in the competition's layout hold what was written, whatever they are packed by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from hmsprep.kaggle.write import LOOKED_AT, write_eeg
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
