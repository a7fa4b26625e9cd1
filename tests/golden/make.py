"""Make the golden files of this folder, with the code of commit 8d15354 and no other.

They say how the code behaved before it was moved, so the code of today must not make them. To make
them again, from the top of the repository, with the packages of that commit's `constraints.txt`::

    git worktree add ../before 8d15354
    PYTHONPATH=$PWD/../before:$PWD/../before/store python tests/golden/make.py OUT
    git worktree remove ../before

`OUT` then holds the same stores and options byte for byte, and on one machine the same losses, runs
and figures, but for the times in logs. The data set is made up here and nothing else is read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import torch
from hmsprep.build import build
from hmsprep.dataset import load
from hmsprep.parameters import Parameters
from hmsprep.writing import write_eeg, write_spectrogram
from hmstrain.folds import run
from hmstrain.run_folder import RunFolder
from hmstrain.world import World
from made_up import eeg_uv, power, training_table
from observe import log_lines, pack, program_options, store_facts
from safetensors.torch import save_file

import hmsprep.cli
import hmstrain.cli
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.models import make_network

STORE, TEST_STORE = "store-v1.zarr", "store-v1-test.zarr"
SHARDS = {"eeg_shard_rows": 40_000, "spectrogram_shard_rows": 1_200}
"""Rows of small shards, so that there are several, and one recording longer than a shard."""
SHARED: dict[str, Any] = {
    "model": "naive_cnn", "fold": "0", "batch_size": 4, "fraction": 1.0, "image_size": 32,
    "spectrogram_rows": [0, 300], "pretrained": False, "second_learning_rate": 5e-4,
    "projection_size": 16, "contrastive_margin": 0.2, "mask_size": 0.2,
    "device": "cpu", "data": "map", "loader_threads": 1, "precision": "float32",
    "channels_last": False, "compile": False, "tensorboard": False,
}  # fmt: skip
"""Settings of every run; those below add to them until none is left to a default."""
LOSSES: dict[str, Any] = SHARED | {
    "inputs": "spec+eeg", "seed": 3, "epochs": 2, "steps": 20, "learning_rate": 1e-3,
    "weight_decay": 1e-4, "validate_every": 1, "clip_gradient": 5.0, "eeg_as": "image",
    "eeg_seconds": 30.0, "standardise": "window", "weights": "", "drop_rate": 0.1,
    "contrastive": True, "contrastive_weight": 0.5, "contrastive_loss": "infonce",
    "contrastive_temperature": 0.5, "flip": 0.5, "shift_s": 3.0, "swap": 0.5,
    "channel_dropout": 0.1, "mask": 1, "noise": 0.05, "mixup": 0.4, "sample": "window",
    "balance": "votes", "vote_weight": "log", "min_votes": 2, "second_epochs": 3,
    "second_min_votes": 10, "ema": 0.9, "norm_windows": 8,
}  # fmt: skip
PLAIN: dict[str, Any] = SHARED | {
    "steps": 0, "learning_rate": 1e-2, "weight_decay": 0.0, "clip_gradient": 0.0,
    "eeg_as": "image", "standardise": "store", "weights": "start.safetensors", "drop_rate": 0.0,
    "contrastive": False, "contrastive_weight": 0.5, "contrastive_loss": "cosine",
    "contrastive_temperature": 0.1, "noise": 0.0, "balance": "none", "vote_weight": "none",
    "min_votes": 1, "second_epochs": 0, "second_min_votes": 10,
}  # fmt: skip
FINISHED: dict[str, Any] = PLAIN | {
    "inputs": "eeg", "seed": 4, "epochs": 6, "validate_every": 5, "learning_rate": 2e-3,
    "eeg_seconds": 50.0, "flip": 0.5, "shift_s": 2.0, "swap": 0.5, "channel_dropout": 0.1,
    "mask": 0, "mixup": 0.0, "sample": "window", "ema": 0.0, "norm_windows": 8,
}  # fmt: skip
INTERRUPTED: dict[str, Any] = PLAIN | {
    "inputs": "spec", "seed": 5, "epochs": 6, "validate_every": 4, "eeg_seconds": 50.0,
    "flip": 0.5, "shift_s": 0.0, "swap": 0.5, "channel_dropout": 0.0, "mask": 1, "mixup": 0.4,
    "sample": "votes", "ema": 0.9, "norm_windows": 8,
}  # fmt: skip
"""Batch norm is measured anew before validations in all three: a bias before it has no gradient but
rounding, which Adam makes whole steps of, so averages over steps differ between processors."""
STOP_AT = 14
"""Step whose log line is the last of the interrupted run; its checkpoint is an earlier one."""
LIVE_MAPS, LIVE_UNITS = 16, 64
"""Feature maps and hidden units that the toy runs start with; the others stay silent for good."""


def main(out: Path) -> None:
    """Make everything in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        work = Path.cwd()
        stores(work, out)
        options(out)
        losses(work, out)
        finished(work, out)
        interrupted(work, out)
    for path in sorted(out.iterdir()):
        print(f"{path.stat().st_size:9,} {path.name}")


def stores(work: Path, out: Path) -> None:
    """Build a store of a data set's part `train` and one of its part `test`."""
    data = work / "data"
    rows = training_table()
    for name in ("train_eegs", "train_spectrograms", "test_eegs", "test_spectrograms"):
        (data / name).mkdir(parents=True)
    pl.DataFrame(rows).write_csv(data / "train.csv")
    lengths: dict[str, dict[int, int]] = {"eeg": {}, "spectrogram": {}}
    for row in rows:
        samples = int(200 * (row["eeg_label_offset_seconds"] + 50))
        seconds = row["spectrogram_label_offset_seconds"]
        for name, count in (("eeg", samples), ("spectrogram", int(300 + seconds / 2))):
            known = lengths[name].get(row[f"{name}_id"], 0)
            lengths[name][row[f"{name}_id"]] = max(known, count)
    for number, (eeg, count) in enumerate(lengths["eeg"].items()):
        write_eeg(data / "train_eegs" / f"{eeg}.parquet", eeg_uv(number, count).T)
    for number, (spectrogram, count) in enumerate(lengths["spectrogram"].items()):
        path = data / "train_spectrograms" / f"{spectrogram}.parquet"
        write_spectrogram(path, power(number, count), pa.int64())
    test = [
        {"spectrogram_id": 9_000 + n, "eeg_id": 8_000 + n, "patient_id": 700 + n} for n in (1, 4)
    ]
    pl.DataFrame(test).write_csv(data / "test.csv")
    for row, number in zip(test, (1, 4), strict=True):
        path = data / "test_eegs" / f"{row['eeg_id']}.parquet"
        write_eeg(path, eeg_uv(number, 10_000).T)
        path = data / "test_spectrograms" / f"{row['spectrogram_id']}.parquet"
        write_spectrogram(path, power(number, 300), pa.int64())
    for name, part, normalise in ((STORE, "train", "zscore"), (TEST_STORE, "test", "none")):
        parameters = Parameters(nan="interpolate", normalise=normalise, **SHARDS)
        with ThreadPoolExecutor(2) as pool:
            build(load(data, parameters, part=part), work / name, executor=pool)
        program("hmsprep", "verify", name)
        stem = name.removesuffix(".zarr")
        pack(out / f"{stem}.zip", work, [name])
        write(out / f"{stem}.json", store_facts(Store.open(work / name)))


def options(out: Path) -> None:
    """Keep every option of both programs."""
    apps = {"hmsprep": hmsprep.cli.app, "hmstrain": hmstrain.cli.app}
    write(out / "options.json", {name: program_options(app) for name, app in apps.items()})


def losses(work: Path, out: Path) -> None:
    """Run twenty steps with every augmentation on, and keep what each of them logged."""
    config = work / "losses.json"
    write(config, every_setting(LOSSES))
    program("hmstrain", "run", STORE, "--config", config, "--out", "losses")
    log = log_lines(work / "losses" / "metrics.jsonl")
    write(out / "losses-cpu.json", {"config": every_setting(LOSSES), "log": log})


def finished(work: Path, out: Path) -> None:
    """Keep the folder of a run that came to its end."""
    config = work / "finished.json"
    write(config, every_setting(FINISHED))
    start(work / "start.safetensors", FINISHED)
    program("hmstrain", "run", STORE, "--config", config, "--out", "run-finished")
    forget(work, work / "run-finished")
    pack(out / "run-finished.zip", work, ["run-finished", "start.safetensors"])


def interrupted(work: Path, out: Path) -> None:
    """Keep the folder of a run that was stopped, and what came of it when it went on."""

    def tell(event: str, values: Mapping[str, Any]) -> None:
        if event == "train" and values["step"] >= STOP_AT:
            raise KeyboardInterrupt

    start(work / "start.safetensors", INTERRUPTED)
    folder = RunFolder(work / "run-interrupted")
    torch.set_num_threads(1)
    try:
        config = Config(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in INTERRUPTED.items()}
        )
        alone = World(0, 1, torch.device("cpu"))
        run(config, Store.open(work / STORE), folder, alone, tell, resume=False)
    except KeyboardInterrupt:
        pass
    forget(work, folder.path)
    pack(out / "run-interrupted.zip", work, ["run-interrupted", "start.safetensors"])
    stopped = json.loads((folder.last / "model.json").read_text())["progress"]["step"]
    config_file = folder.path / "config.json"
    program("hmstrain", "run", STORE, "--config", config_file, "--out", folder.path, "--resume")
    outcome = json.loads((folder.path / "metrics.json").read_text())
    outcome = {key: v for key, v in outcome.items() if key not in ("store", "versions")}
    log = log_lines(folder.path / "metrics.jsonl")
    found = {"checkpoint_step": stopped, "log": log, "metrics": outcome}
    write(out / "run-interrupted.json", found)


def start(path: Path, settings: Mapping[str, Any]) -> None:
    """Write weights to start from of which most are silent and stay so: they pack into nothing.

    A silent map or unit has no input weights and a bias below 0, so nothing passes its ReLU, and
    without weight decay no gradient ever moves it.
    """
    torch.manual_seed(int(settings["seed"]))
    chosen = {key: settings[key] for key in ("model", "inputs", "image_size")}
    weights = make_network(Config(**chosen)).state_dict()
    for name, values in weights.items():
        if ".layers.4." in name:
            values[LIVE_MAPS:] = 0
        elif ".layers.5." in name and name.endswith(("weight", "bias")):
            values[LIVE_MAPS:] = 0 if name.endswith("weight") else -1
        elif ".fc1.0." in name:
            values[LIVE_UNITS:] = 0 if name.endswith("weight") else -1
            if name.endswith("weight"):
                values[:, LIVE_MAPS:] = 0
        elif name == "head.weight":
            values[:, LIVE_UNITS:] = 0
    save_file(weights, path)


def every_setting(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, of which none may be left to a default."""
    missing = {field.name for field in fields(Config)} ^ settings.keys()
    assert not missing, missing
    return dict(settings)


def program(name: str, *arguments: object) -> None:
    """Run a command line on one thread, without the user's variables."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HMS_")}
    command = [sys.executable, "-m", name, *map(str, arguments)]
    subprocess.run(command, check=True, env=clean | {"OMP_NUM_THREADS": "1"})


def forget(work: Path, folder: Path) -> None:
    """Take this machine's paths out of a run's folder: the store lies beside it."""
    for path in sorted(folder.rglob("*.json")):
        path.write_text(path.read_text().replace(f"{work}/", ""))
    for path in folder.rglob("*"):
        assert path.is_dir() or os.fsencode(work) not in path.read_bytes(), path


def write(path: Path, value: Any) -> None:
    """Write JSON that is easy to read in a difference."""
    path.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
