"""Shared data: one small simulated set, one store built of it, and real files if they are there."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from support.helpers import build_store

from hmsprep.simulator.make import synth
from hmsstore import Store


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated data set of 90 windows in Kaggle's layout."""
    folder = tmp_path_factory.mktemp("synth") / "data"
    synth(folder, windows=90, seed=3, fast=True)
    return folder


@pytest.fixture(scope="session")
def store(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of that data set, in many small shards."""
    return build_store(data, tmp_path_factory.mktemp("store") / "hms.zarr")


@pytest.fixture(scope="session")
def table(data: Path) -> pl.DataFrame:
    """train.csv of that data set."""
    return pl.read_csv(data / "train.csv")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real recordings, for those who have them."""
    folder = Path(os.environ.get("HMS_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real recordings here: set HMS_REAL_DATA to a folder that holds them")
    return folder
