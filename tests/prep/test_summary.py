"""What is said of a store: what it holds, and what is wrong with its tables of gaps."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.helpers import Program, reseal

import hmsprep
from hmsstore import DamagedStoreError, Store

GOLDEN = Path(__file__).parents[1] / "golden"


def test_gaps_are_counted_with_the_recordings_that_have_them(store: Store) -> None:
    found = hmsprep.info(store.path).gaps
    assert found is not None
    assert store.gaps is not None
    for name, table in store.gaps.items():
        assert found[name] == (len(table["rows"]), len(set(table["recording"].tolist())))
    count, recordings = found["eeg"]
    printed = Program("hmsprep").succeed("info", store.path).stdout
    assert f"{count} in {recordings} EEG" in printed


def test_a_store_from_before_gaps_were_kept_has_none_to_count(tmp_path: Path) -> None:
    with zipfile.ZipFile(GOLDEN / "store-v1.zip") as archive:
        archive.extractall(tmp_path)
    assert hmsprep.info(tmp_path / "store-v1.zarr").gaps is None
    printed = Program("hmsprep").succeed("info", tmp_path / "store-v1.zarr").stdout
    assert not any(line.startswith("gaps") for line in printed.splitlines())


def test_tables_of_gaps_that_contradict_others_are_warned_of(store: Store, tmp_path: Path) -> None:
    path = Path(shutil.copytree(store.path, tmp_path / "hms.zarr"))
    name = "windows/eeg_nan_fraction/c/0"
    np.full_like(np.fromfile(path / name, "f4"), 0.5).tofile(path / name)
    reseal(path, name)
    warned = "\n".join(hmsprep.info(path).warnings)
    assert "eeg_nan_fraction disagrees with the gaps" in warned
    assert "disagrees with the gaps" in " ".join(
        Program("hmsprep").succeed("info", path).stderr.split()
    )


def test_gaps_that_contradict_themselves_are_refused(store: Store, tmp_path: Path) -> None:
    path = Path(shutil.copytree(store.path, tmp_path / "hms.zarr"))
    name = "gaps/eeg/start/c/0"
    (np.fromfile(path / name, "i8")[::-1]).tofile(path / name)
    reseal(path, name)
    with pytest.raises(DamagedStoreError, match="gaps/eeg: not in the order"):
        hmsprep.info(path)
