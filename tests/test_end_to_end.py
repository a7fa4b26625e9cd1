"""From nothing to a verified store, and from real recordings to one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.helpers import build_dataset, build_store

from hmsprep.errors import MissingFilesError
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsprep.sealed.verification import verify
from hmsstore import CLASSES, SIGNALS, Store


def hmsprep(*arguments: object) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HMS_")}
    done = subprocess.run(
        [sys.executable, "-m", "hmsprep", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout


def test_from_nothing_to_a_verified_half_store(tmp_path: Path) -> None:
    data, store = tmp_path / "data", tmp_path / "hms.zarr"
    made = json.loads(hmsprep("synth", data, "--windows", 61, "--seed", 3, "--fast", "--json"))
    assert made["windows"] == 61
    built = json.loads(hmsprep("build", data, store, "--half", "--seed", 9, "--json"))
    assert built["windows"] == 30
    assert json.loads(hmsprep("verify", store, "--json")) == {
        "store": str(store),
        "ok": True,
        "problems": [],
    }
    opened = Store.open(store)
    batch = opened.gather(np.arange(30))
    assert np.isfinite(batch["eeg"]).all()
    assert np.isfinite(batch["spectrogram"]).all()
    votes = pl.read_csv(data / "train.csv").filter(
        pl.col("label_id").is_in(opened.windows["label_id"].tolist())
    )
    expected = votes.select([f"{name}_vote" for name in CLASSES]).to_numpy()
    np.testing.assert_array_equal(opened.windows["votes"], expected)


def test_the_nine_real_windows_are_what_the_files_hold(real_data: Path, tmp_path: Path) -> None:
    data = real_data / "kaggle"
    store = build_store(data, tmp_path / "hms.zarr", eeg_shard_rows=1_600_000)
    assert len(store) == 9
    assert verify(store.path) == []
    assert (store.windows["split"] == 0).all()
    assert store.folds == 0
    assert "Only 1 patient: no test set" in store.info["warnings"][0]
    table = pl.read_csv(data / "train.csv")
    eeg = pl.read_parquet(data / "train_eegs" / "1628180742.parquet").to_numpy()
    power = pl.read_parquet(data / "train_spectrograms" / "353733.parquet").drop("time").to_numpy()
    physical = store.denormalise(store.gather(range(9)))
    limit = np.asarray([1024.0] * 19 + [32_000.0])
    log_power = np.log(np.clip(power.astype(np.float64), np.exp(-4), np.exp(8)))
    for row in range(9):
        start = int(200 * table["eeg_label_offset_seconds"][row])
        first = int(table["spectrogram_label_offset_seconds"][row] // 2)
        expected = {
            "eeg": np.clip(eeg[start : start + 10_000].astype(np.float64), -limit, limit),
            "spectrogram": log_power[first : first + 300],
        }
        for name in SIGNALS:
            statistics = store.info["statistics"][name]
            mean, std = np.asarray(statistics["mean"]), np.asarray(statistics["std"])
            bound = 2.0**-10 * (np.abs(expected[name]) + np.abs(mean)) + 2.0**-24 * std
            error = np.abs(physical[name][row] - expected[name])
            assert (error <= bound + 1e-6).all()


def test_real_segments_with_mostly_missing_spectrograms_build(
    real_data: Path, tmp_path: Path
) -> None:
    store = build_store(real_data / "iiic", tmp_path / "hms.zarr")
    assert len(store) == 12
    assert verify(store.path) == []
    np.testing.assert_allclose(store.windows["spectrogram_nan_fraction"], 276 / 300, atol=1e-6)
    physical = store.denormalise(store.gather(range(12)))["spectrogram"]
    # Missing rows are at the clip's floor in every mode that fills with zero.
    np.testing.assert_allclose(physical[:, :138], -4, atol=0.01)
    assert physical[:, 138:162].mean() > -3.9


def test_a_partial_download_is_refused_naming_what_is_missing(real_data: Path) -> None:
    for missing in ("error", "skip"):
        with pytest.raises(MissingFilesError) as caught:
            load(real_data / "unpaired", Parameters(), missing=missing)
        message = str(caught.value)
        assert "train_spectrograms/175871552.parquet" in message
        assert "--missing skip would leave nothing" in message


def test_the_real_test_pair_builds_unlabelled(real_data: Path, tmp_path: Path) -> None:
    only = tmp_path / "data"
    only.mkdir()
    for name in ("test.csv", "test_eegs", "test_spectrograms"):
        (only / name).symlink_to(real_data / "kaggle" / name)
    store = build_dataset(load(only, Parameters()), tmp_path / "hms.zarr")
    assert store.select("predict").tolist() == [0]
    assert store.windows["eeg_id"].tolist() == [3911565283]
    assert np.isnan(store.windows["target"]).all()
    assert verify(store.path) == []
