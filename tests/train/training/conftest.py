"""A store whose raters differ, for what is trained to tell them apart."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest
from support.helpers import build_store, train_row, write_pair

from hmsstore import Store
from hmsstore.schema import CLASS_TITLES, CLASSES

FEW, MANY = 190, 125


@pytest.fixture(scope="session")
def divided(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Few raters saw seizures, many saw all else; all in the very same signals."""
    folder = tmp_path_factory.mktemp("divided")
    rows = []
    for number in range(FEW + MANY):
        votes = np.zeros(6, int)
        leading = 0 if number < FEW else 1 + number % 5
        votes[leading] = 3 if number < FEW else 12
        rows.append(
            {f"{name}_vote": int(count) for name, count in zip(CLASSES, votes, strict=True)}
            | {"expert_consensus": CLASS_TITLES[leading], "patient_id": number}
            | {"eeg_id": 1_000 + number, "spectrogram_id": 2_000 + number, "label_id": number}
        )
    data = write_pair(folder / "data", rows[:1])
    for row in rows[1:]:
        for signal, one in (("eeg", 1_000), ("spectrogram", 2_000)):
            files = data / f"train_{signal}s"
            shutil.copyfile(files / f"{one}.parquet", files / f"{row[f'{signal}_id']}.parquet")
    pl.DataFrame([train_row(**row) for row in rows]).write_csv(data / "train.csv")
    return build_store(data, folder / "hms.zarr")
