"""Nothing -> stores, a run and a file of each kind that the packages read."""

from __future__ import annotations

import json
import shutil
import zipfile
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.helpers import SMALL, blank_outside, build_store, tree_bytes, write_pair
from support.runs import train_small

import hmsprep
from hmsprep.building.build import build
from hmsprep.importing.convert import import_recordings
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsprep.simulator.make import synth
from hmsstore import Store
from hmsstore.schema import CHANNELS
from hmsstore.sums import sealed
from hmstrain.runs.folder import RunFolder

NAME = "hms.zarr"
"""Of every store."""


class Inline(Executor):
    """Works at once, in this very thread: it can be struck, and forked."""

    def submit(self, work: Any, /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*given, **named))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass(frozen=True)
class Small:
    """A data set of one window, and the stores of it, by how gaps are filled."""

    data: Path
    stores: dict[str, Path]
    trees: dict[str, dict[str, bytes]]
    features: dict[str, Path]
    """Tables of hand features of the stores."""


@dataclass(frozen=True)
class Samples:
    """Where they lie."""

    folder: Path
    data: Path
    store: Store
    run: RunFolder
    files: dict[str, Path]
    """Other files, by what they are."""
    small: Small


def make_samples(folder: Path) -> Samples:
    """Make them, in seconds."""
    torch.set_num_threads(1)
    data = folder / "data"
    synth(data, windows=60, seed=2, fast=True)
    store = build_store(data, folder / NAME)
    train_small(store, folder / "run", epochs=1, steps=2)
    run = RunFolder(folder / "run")
    small = make_small(folder / "small")
    return Samples(folder, data, store, run, other_files(folder, run), small)


def make_small(folder: Path) -> Small:
    """Make the smallest stores."""
    data = write_pair(folder / "data", [{}])
    blank_outside(data, 1, 2, samples=(1000, 9000), rows=(20, 280))
    stores, features = {}, {}
    for fill in ("zero", "mean"):
        (folder / fill).mkdir()
        stores[fill] = folder / fill / NAME
        planned = load(data, Parameters(**SMALL, nan=fill))
        build(planned, stores[fill], executor=Inline(), workers=1)
        table = folder / f"{fill}-features"
        features[fill] = hmsprep.features(stores[fill], out=table, executor=Inline()).path
    trees = {fill: tree_bytes(store) for fill, store in stores.items()}
    assert len({Store.open(store).identity for store in stores.values()}) == len(stores)
    return Small(data, stores, trees, features)


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
        "labels.csv": "# hms-eeg: labels 1\n# recording: night.edf\n"
        f"# sha256: {'ab' * 32}\n# reader: AB\nstart_s,stop_s,class,text,seen_model,eeg_id\n"
        '12.50,1212.50,seizure,"left; then, both",no,\n5.00,5.00,,eyes open,yes,7\n# end\n',
        "events.csv": "# hms-eeg: events 1\n# recording: night.edf\n"
        f"# sha256: {'ab' * 32}\n# reader: AB\nstart_s,stop_s,class,state,source,certainty,"
        "probability,proposed_start_s,proposed_stop_s,proposed_class\n"
        "10.00,40.00,seizure,accepted,model,probable,0.8000,12.00,40.00,lpd\n# end\n",
        "background.csv": "# hms-eeg: background 1\n# recording: night.edf\n"
        f"# sha256: {'ab' * 32}\n# reader: AB\nstart_s,stop_s,voltage,text\n"
        "0.00,60.00,low,as before\n# end\n",
        "patients.csv": "file,patient\nnight.edf,7\n",
        "recipe.toml": 'title = "A"\nsource = "B"\nabout = "C"\nneeds = "D"\nreach = "E"\n\n'
        '[every]\nepochs = 2\n\n[members.a]\nmodel = "resnet10t"\ninputs = "spec"\n\n'
        '[members.b]\nmodel = "naive_cnn"\n\n[answer]\nblend = "arithmetic"\n',
        "cleaning.json": json.dumps({"nan": "mean", "eeg_clip": 500.0}),
        "config.json": json.dumps({"model": "naive_cnn", "epochs": 3, "image_size": 32}),
        "calibration.json": json.dumps(
            sealed(
                {
                    "population": "all", "temperature": 1.2, "temperature_alone": 1.1,
                    "fitted_on": {"windows": "all"},
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
