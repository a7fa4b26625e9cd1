"""Nothing -> a store, a run and a file of each kind that the packages read."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from support.helpers import build_store, write_pair
from support.runs import train_small

from hmsprep.importing.convert import import_recordings
from hmsprep.simulator.make import synth
from hmsstore import Store
from hmsstore.schema import CHANNELS
from hmsstore.sums import sealed
from hmstrain.runs.folder import RunFolder


@dataclass(frozen=True)
class Samples:
    """Where they lie."""

    folder: Path
    data: Path
    store: Store
    run: RunFolder
    files: dict[str, Path]
    """Other files, by what they are."""


def make_samples(folder: Path) -> Samples:
    """Make them, in seconds."""
    torch.set_num_threads(1)
    data = folder / "data"
    synth(data, windows=60, seed=2, fast=True)
    store = build_store(data, folder / "hms.zarr")
    train_small(store, folder / "run", epochs=1, steps=2)
    run = RunFolder(folder / "run")
    return Samples(folder, data, store, run, other_files(folder, run))


def other_files(folder: Path, run: RunFolder) -> dict[str, Path]:
    """One file of each kind."""
    made = folder / "files"
    made.mkdir()
    edf = write_edf(made / "night.edf")
    import_recordings([edf], folder / "imported", unlabelled=True)
    pair = write_pair(folder / "pair", [{}])
    archive = made / "pair.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(pair.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(pair).as_posix())
    texts = {
        "marks.csv_bi": "# version = csv_v1.0.0\n# duration = 60.0000 secs\n"
        "channel,start_time,stop_time,label,confidence\nTERM,10.0000,20.0000,seiz,1.0000\n",
        "marks.tse": "version = tse_v1.0.0\n\n0.0000 10.0 bckg 1.0\n10.0000 20.0000 seiz 1.0\n",
        "marks.tsv": "onset\tduration\teventType\tconfidence\tchannels\tdateTime\t"
        "recordingDuration\n10.0\t5.0\tsz\tn/a\tn/a\t2016-11-06 13:43:04\t60.0\n",
        "night.csv": "start_s,stop_s,seizure,lpd,gpd,lrda,grda,other,predicted,spectrogram_missing,"
        "eeg_missing\n0.000,10.000,0.9,0.02,0.02,0.02,0.02,0.02,seizure,0.0,0.0\n"
        "10.000,20.000,0.1,0.1,0.1,0.1,0.1,0.5,other,0.0,0.0\n",
        "answers.csv": "eeg_id,seizure_vote,lpd_vote,gpd_vote,lrda_vote,grda_vote,other_vote\n"
        "1,0.5,0.1,0.1,0.1,0.1,0.1\n2,0.1,0.5,0.1,0.1,0.1,0.1\n",
        "patients.csv": "file,patient\nnight.edf,7\n",
        "recipe.toml": '[member.a]\nmodel = "resnet10t"\ninputs = "spec"\n',
        "cleaning.json": json.dumps({"nan": "mean", "eeg_clip": 500.0}),
        "config.json": json.dumps({"model": "naive_cnn", "epochs": 3, "image_size": 32}),
        "calibration.json": json.dumps(
            sealed(
                {
                    "population": "all", "temperature": 1.2, "fitted_on": "x",
                    "bias": dict.fromkeys(("seizure", "lpd", "gpd", "lrda", "grda", "other"), 0.1),
                }
            )
        ),
    }  # fmt: skip
    files = {name: made / name for name in texts}
    for name, text in texts.items():
        files[name].write_text(text)
    files |= {"night.edf": edf, "pair.zip": archive, "train.csv": pair / "train.csv"}
    files["eeg.parquet"] = next((pair / "train_eegs").iterdir())
    files["recordings.json"] = folder / "imported" / "recordings.json"
    files["metrics.jsonl"] = run.path / "metrics.jsonl"
    files["predictions.npz"] = run.path / "predictions.npz"
    files["weights.pt"] = made / "weights.pt"
    torch.save({"a": torch.zeros(3, 4), "b": torch.ones(2)}, files["weights.pt"])
    files["weights.safetensors"] = made / "weights.safetensors"
    shutil.copyfile(run.best / "model.safetensors", files["weights.safetensors"])
    return files


def write_edf(path: Path) -> Path:
    """A minute of noise on all channels, with a note."""
    import edfio

    rng = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(
            rng.normal(0, 20, 200 * 60), 200, label=name, physical_dimension="uV",
            physical_range=(-300, 300),
        )
        for name in CHANNELS
    ]  # fmt: skip
    notes = [edfio.EdfAnnotation(10.0, 5.0, "seizure"), edfio.EdfAnnotation(30.0, None, "x")]
    edfio.Edf(signals, annotations=notes).write(path)
    return path
