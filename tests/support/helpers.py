"""What several tests use: small stores, small data sets, whole folders as bytes."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from hmsprep.building.build import build
from hmsprep.kaggle.write import on_grid, write_eeg, write_spectrogram
from hmsprep.planning.load import Planned, load
from hmsprep.planning.parameters import Parameters
from hmsstore import Store
from hmsstore.manifest import MANIFEST_NAME, checksum, parse_manifest
from hmsstore.reading.feature_table import DESCRIPTION
from hmsstore.sums import sealed

LARGEST_PAGE = 5_000_000
"""Bytes that a page may have, so that it can be mailed."""
SMALL = {"eeg_shard_rows": 80_000, "spectrogram_shard_rows": 2_400}
"""Shards so small that a small data set fills many."""


def build_store(data: Path, store: Path, **parameters: Any) -> Store:
    """Build in this process, on threads, with small shards."""
    dataset = load(data, Parameters(**(SMALL | parameters)))
    return build_dataset(dataset, store)


def build_dataset(dataset: Planned, store: Path) -> Store:
    with ThreadPoolExecutor(2) as pool:
        build(dataset, store, executor=pool)
    return Store.open(store)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Folder of a session that the first test worker to need it makes, and all others find.

    None of them may write there.
    """
    top = factory.getbasetemp()
    shared = (top.parent if "PYTEST_XDIST_WORKER" in os.environ else top) / "shared"
    shared.mkdir(exist_ok=True)
    folder = shared / name
    done = shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def tree_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def reseal(path: Path, *changed: str, identity: str | None = None) -> None:
    """Seal again after these files were changed, as only a forger would; or as another store."""
    manifest = parse_manifest(path)
    files = dict(manifest.files)
    for name in changed:
        files[name] = ((path / name).stat().st_size, checksum(path / name))
    forged = replace(manifest, files=files, identity=identity or manifest.identity)
    (path / MANIFEST_NAME).write_text(forged.to_text())


def of_version(table: Path, version: int) -> None:
    """Have a table of features be of a version, by what its description says."""
    path = table / DESCRIPTION
    value = json.loads(path.read_text())
    path.write_text(json.dumps(sealed({**value, "version": version})))


def write_pair(folder: Path, rows: list[dict[str, Any]], seed: int = 0) -> Path:
    """Write a data set with these rows of train.csv and random recordings that fit them."""
    rng = np.random.default_rng(seed)
    (folder / "train_eegs").mkdir(parents=True)
    (folder / "train_spectrograms").mkdir()
    full = pl.DataFrame([train_row(**row) for row in rows])
    full.write_csv(folder / "train.csv")
    for (eeg,), part in full.group_by("eeg_id"):
        samples = int(200 * (part["eeg_label_offset_seconds"].max() + 50))
        values = on_grid(rng.normal(0, 30, (20, samples)))
        write_eeg(folder / "train_eegs" / f"{eeg}.parquet", values)
    for (spectrogram,), part in full.group_by("spectrogram_id"):
        count = int((600 + part["spectrogram_label_offset_seconds"].max()) / 2)
        power = on_grid(rng.lognormal(0, 1.5, (count, 400)))
        path = folder / "train_spectrograms" / f"{spectrogram}.parquet"
        write_spectrogram(path, power, pa.int64())
    return folder


def blank_outside(
    folder: Path,
    eeg_id: int,
    spectrogram_id: int,
    samples: tuple[int, int] = (4000, 6000),
    rows: tuple[int, int] = (148, 152),
) -> None:
    """Make all but a part of a recording's two files missing."""
    for name, number, (first, stop) in (
        ("eegs", eeg_id, samples),
        ("spectrograms", spectrogram_id, rows),
    ):
        path = folder / f"train_{name}" / f"{number}.parquet"
        table = pl.read_parquet(path)
        values = [column for column in table.columns if column != "time"]
        kept = pl.int_range(pl.len()).is_between(first, stop, closed="left")
        table.with_columns(pl.when(kept).then(pl.col(values))).write_parquet(path)


def train_row(**given: Any) -> dict[str, Any]:
    """One row of train.csv; what is not given is made up."""
    row: dict[str, Any] = {
        "eeg_id": 1,
        "eeg_sub_id": 0,
        "eeg_label_offset_seconds": 0.0,
        "spectrogram_id": 2,
        "spectrogram_sub_id": 0,
        "spectrogram_label_offset_seconds": 0.0,
        "label_id": 4,
        "patient_id": 3,
        "expert_consensus": "LPD",
        "seizure_vote": 0,
        "lpd_vote": 3,
        "gpd_vote": 0,
        "lrda_vote": 0,
        "grda_vote": 0,
        "other_vote": 1,
    }
    return row | given


@dataclass(frozen=True)
class Program:
    """A command line in a process of its own, without the user's HMS_ variables."""

    name: str

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HMS_")}
        words = [sys.executable, "-m", self.name, *map(str, arguments)]
        return self.started(words, clean | {"COLUMNS": "100"} | environment)

    def started(
        self, words: list[str], environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, capture_output=True, text=True, check=False, env=environment)

    def succeed(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done

    def fail(self, *arguments: object, code: int = 1) -> str:
        done = self.run(*arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        return done.stderr


def six_windows(folder: Path, seed: int) -> Store:
    """Build a store of six windows in six shards."""
    rows = [
        {"eeg_id": 10 + n, "spectrogram_id": 20 + n, "label_id": n, "patient_id": n}
        for n in range(6)
    ]
    write_pair(folder / "data", rows, seed)
    shards = {"eeg_shard_rows": 20_000, "spectrogram_shard_rows": 600}
    return build_store(folder / "data", folder / "hms.zarr", **shards)
