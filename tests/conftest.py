"""Shared data: one small simulated set, one store built of it, and real files if they are there.

Tests and the programs that they start share a new folder for matplotlib: the list of fonts in the
user's cache may be of an environment that is gone. Test workers share the processors: one thread of
arithmetic for each, and for what they start. Speeds decide nothing, but where a test asks for it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HMS_AUTO_PRECISION"] = "off"
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers have the folder of who started them
    MATPLOTLIB = tempfile.TemporaryDirectory(prefix="hms-matplotlib-")
    os.environ["MPLCONFIGDIR"] = MATPLOTLIB.name

import polars as pl
import pytest
from support.helpers import build_store, made_once

import hmsprep
from hmsprep.simulator.make import synth
from hmsstore import Store


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated data set of 90 windows in Kaggle's layout."""

    def make(folder: Path) -> None:
        with ThreadPoolExecutor(2) as pool:
            synth(folder / "data", windows=90, seed=3, fast=True, executor=pool)

    made = made_once(tmp_path_factory, "synth", make)
    return made / "data"


@pytest.fixture(scope="session")
def store(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of that data set, in many small shards."""
    made = made_once(
        tmp_path_factory, "store", lambda folder: build_store(data, folder / "hms.zarr")
    )
    return Store.open(made / "hms.zarr")


@pytest.fixture(scope="session")
def measured(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same store with the table of its hand features beside it."""

    def make(folder: Path) -> None:
        shutil.copytree(store.path, folder / "hms.zarr")
        with ThreadPoolExecutor(2) as pool:
            hmsprep.features(folder / "hms.zarr", executor=pool)

    return Store.open(made_once(tmp_path_factory, "measured", make) / "hms.zarr")


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
