"""Make the golden files of formats that came after those of `make.py`, by the code of ec843ac.

From the top of the repository, with the packages of that commit's `constraints.txt`::

    git worktree add ../before ec843ac
    PYTHONPATH=$PWD/../before:$PWD/../before/store python tests/golden/make_later.py OUT
    git worktree remove ../before

`OUT` then holds the same stores byte for byte, and on one machine the same runs, but for the times
in logs. The data set of the ward is made up here; the runs are of `store-v1.zip`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import torch
from observe import log_lines, pack, sha256, unpack

import hmsprep
import hmstrain
from hmsprep.kaggle.write import on_grid, write_eeg, write_spectrogram
from hmsstore import HMS, FeatureTable, PatternClass, Store
from hmsstore.sums import sealed
from hmstrain.config import Config
from hmstrain.distributed import World
from hmstrain.prediction.bundle import KAGGLE, missing_packages
from hmstrain.runs.folder import RunFolder
from hmstrain.training.run import run

GOLDEN = Path(__file__).parent
WARD = replace(
    HMS,
    name="ward",
    classes=(PatternClass("quiet", "Quiet sleep"), PatternClass("burst", "Burst suppression")),
    background="quiet",
)
SETTINGS: dict[str, Any] = {
    "model": "eegnet", "inputs": "eeg", "fold": "0", "seed": 6, "epochs": 2, "batch_size": 8,
    "validate_every": 4, "learning_rate": 1e-3, "device": "cpu", "loader_threads": 1,
}  # fmt: skip
STOP_AT = 6
"""Step at which the interrupted run is stopped; its checkpoint is of the validation before."""


def main(out: Path) -> None:
    """Make everything in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        work = Path.cwd()
        ward(work, out)
        features(work, out)
        unpack(GOLDEN / "store-v1.zip", work)
        finished(work, out)
        interrupted(work, out)
    for path in sorted(out.iterdir()):
        print(f"{path.stat().st_size:9,} {path.name}")


def ward(work: Path, out: Path) -> None:
    """Build a store of format version 2: two classes, three patients, a gap."""
    data = work / "data"
    for name in ("train_eegs", "train_spectrograms"):
        (data / name).mkdir(parents=True)
    rows = []
    for number in range(3):
        rng = np.random.default_rng([7, number])
        eeg = 5.0 * np.tile(rng.integers(-3, 4, (500, 20)), (20, 1))
        if number == 1:
            eeg[6_000:6_400] = np.nan
        power = np.exp(np.tile(rng.integers(-2, 3, (20, 400)).astype(np.float64), (15, 1)))
        write_eeg(data / "train_eegs" / f"{10 + number}.parquet", on_grid(eeg).T)
        path = data / "train_spectrograms" / f"{20 + number}.parquet"
        write_spectrogram(path, on_grid(power), pa.int64())
        rows.append(
            {
                "eeg_id": 10 + number, "eeg_sub_id": 0, "eeg_label_offset_seconds": 0.0,
                "spectrogram_id": 20 + number, "spectrogram_sub_id": 0,
                "spectrogram_label_offset_seconds": 0.0, "label_id": 30 + number,
                "patient_id": 40 + number, "expert_consensus": WARD.class_titles[number % 2],
                "quiet_vote": 3 - 2 * (number % 2), "burst_vote": 2 * (number % 2),
            }
        )  # fmt: skip
    pl.DataFrame(rows).write_csv(data / "train.csv")
    with ThreadPoolExecutor(2) as pool:
        store = hmsprep.build(data, work / "store-v2.zarr", spec=WARD, executor=pool)
    assert store.manifest.format_version == 2
    pack(out / "store-v2.zip", work, ["store-v2.zarr"])
    windows = store.gather(range(len(store)))
    facts = {
        "identity": store.identity,
        "spec": store.spec.to_json(),
        "columns": {name: sha256(np.asarray(store.windows[name])) for name in store.windows},
        "windows": {name: sha256(values) for name, values in windows.items()},
    }
    write(out / "store-v2.json", facts)


def features(work: Path, out: Path) -> None:
    """Make the table of features of the store without labels."""
    unpack(GOLDEN / "store-v1-test.zip", work)
    with ThreadPoolExecutor(2) as pool:
        hmsprep.features(work / "store-v1-test.zarr", out=work / "features", executor=pool)
    table = FeatureTable.open(work / "features")
    pack(out / "features-v1.zip", work, ["features"])
    facts = {
        "identity": table.identity,
        "version": table.version,
        "columns": hashlib.sha256("\n".join(table.columns).encode()).hexdigest(),
        "values": sha256(table.values),
    }
    write(out / "features-v1.json", facts)


def finished(work: Path, out: Path) -> None:
    """Keep a run that came to its end, and a bundle of it without wheels."""
    hmstrain.train("store-v1.zarr", out="run-sealed", **SETTINGS)
    forget(work, work / "run-sealed")
    have = {*KAGGLE, *missing_packages(KAGGLE, "3.11")}
    hmstrain.bundle("run-sealed", "bundle", python="3.11", have=sorted(have))
    shutil.rmtree(work / "bundle" / "wheels")
    for picture in Path("run-sealed").glob("*.png"):
        picture.unlink()
    pack(out / "run-sealed.zip", work, ["run-sealed"])
    pack(out / "bundle.zip", work, ["bundle"])


def interrupted(work: Path, out: Path) -> None:
    """Keep a run that was stopped, and what came of it when it went on."""

    def tell(event: str, values: Mapping[str, Any]) -> None:
        if event == "train" and values["step"] >= STOP_AT:
            raise KeyboardInterrupt

    folder = RunFolder(work / "run-stopped")
    config = Config(**SETTINGS | {"seed": 7})
    alone = World(0, 1, torch.device("cpu"))
    with suppress(KeyboardInterrupt):
        run(config, Store.open("store-v1.zarr"), folder, alone, tell, resume=False)
    forget(work, folder.path)
    pack(out / "run-stopped.zip", work, ["run-stopped"])
    hmstrain.train("store-v1.zarr", out=folder.path, resume=True)
    outcome = json.loads((folder.path / "metrics.json").read_text())
    log = log_lines(folder.path / "metrics.jsonl")
    write(out / "run-stopped.json", {"log": log, "test": outcome["test"]})


def forget(work: Path, folder: Path) -> None:
    """Take this machine's paths out of a run's folder, and seal its files again."""
    for path in sorted(folder.rglob("*.json")):
        value = json.loads(path.read_text().replace(f"{work}/", ""))
        write(path, sealed(value))
    for path in folder.rglob("*"):
        assert path.is_dir() or os.fsencode(work) not in path.read_bytes(), path


def write(path: Path, value: Any) -> None:
    """Write JSON that is easy to read in a difference."""
    path.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
