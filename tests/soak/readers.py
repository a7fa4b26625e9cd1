"""Samples -> whatever reads what others wrote, each given files that are nearly right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hmsprep.errors import PrepError
from hmsprep.importing.formats import open_recording
from hmsprep.importing.labels import tuh_csv, tuh_tse
from hmsprep.importing.labels.layout import Source
from hmsprep.importing.labels.words import Words
from hmsprep.importing.patients import find_patients
from hmsprep.importing.recording import Options, Recording
from hmsprep.kaggle.files import KaggleData
from hmsprep.kaggle.recording import decode
from hmsprep.kaggle.table import read_table
from hmsprep.planning.cleaning import read_cleaning
from hmsstore import HMS, Store, StoreError
from hmsstore.labels import read_labels
from hmsstore.labels.owner import Owner
from hmsstore.manifest import MANIFEST_NAME, checksum, digest
from hmsstore.recordings import read_left_out, read_recordings, read_warnings
from hmsstore.schema import CLASSES, EEG
from hmsstore.sums import FILES, SEAL, sealed, sums_of
from hmstrain.config import make_config
from hmstrain.errors import TrainError
from hmstrain.models.weights import read_weights
from hmstrain.prediction.seizures.answers import ChosenRule
from hmstrain.prediction.seizures.answers import read_answers as read_seizures
from hmstrain.reading.events.background import BackgroundFile
from hmstrain.reading.events.event_file import EventFile
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.runs.predictions import read_arrays
from hmstrain.runs.trained import load_trained
from hmstrain.scoring.answers.read import read_answers
from hmstrain.scoring.calibration import read_calibration
from hmstrain.studies.recipe_file import read_recipe
from soak.mutate import bytes_like, dumped, json_like
from soak.samples import Samples

OWN = (PrepError, StoreError, TrainError)
"""Whatever is wrong with a file ends as one of these."""
OWNER = Owner("night.edf", "ab" * 32, "AB")
CPU = torch.device("cpu")
Read = Callable[[Path], object]


@dataclass(frozen=True)
class Reader:
    """A kind of file, and what reads it."""

    name: str
    sample: Path
    read: Read
    as_json: bool = False
    """Whether values within are changed, too, and sealed again where they were sealed."""
    within: Path | None = None
    """A folder that is copied with the file in it, and given to `read`."""
    seal: Callable[[Path], None] | None = None
    """What makes the file, in its copy, one that was written so: the checks beyond come to bear."""

    def attempt(self, rng: np.random.Generator, work: Path) -> Path:
        """Write a file that is nearly right, read it, and return where it is.

        Raises
        ------
        Exception
            Of a kind that is not the package's own.
        """
        content = self.sample.read_bytes()
        if self.as_json and rng.random() < 0.8:
            value = json.loads(content)
            changed = dumped(resealed(json_like(value, rng))).encode("utf-8", "surrogatepass")
        else:
            changed = bytes_like(content, rng)
        target = given = work / self.sample.name
        if self.within is not None:
            given = work / self.within.name
            shutil.copytree(self.within, given, copy_function=_linked)
            target = given / self.sample.relative_to(self.within)
            target.unlink()
        target.write_bytes(changed)
        if self.seal is not None and rng.random() < 0.9:
            self.seal(target)
        with suppress(*OWN):
            self.read(given)
        return given


def _linked(source: str, target: str) -> str:
    """Files that stay as they are need no copy: each that is changed is unlinked before."""
    Path(target).hardlink_to(source)
    return target


def resealed(value: Any) -> Any:
    """Seal an object again that was sealed, as whoever writes it can."""
    if isinstance(value, dict) and SEAL in value:
        try:
            return sealed(value)
        except (ValueError, TypeError):
            return value
    return value


def readers(samples: Samples) -> list[Reader]:
    """Every kind of file that comes from elsewhere."""
    files, run, store = samples.files, samples.run.path, samples.store.path
    night = open_recording(files["night.edf"], Options())
    found = [
        Reader("EDF", files["night.edf"], _read_recording),
        Reader("TUH csv_bi", files["marks.csv_bi"], _labels(tuh_csv.read, night)),
        Reader("TUH tse", files["marks.tse"], _labels(tuh_tse.read, night)),
        Reader("patients.csv", files["patients.csv"], lambda path: find_patients([night], path)),
        Reader("zip", files["pair.zip"], _read_data),
        Reader("train.csv", files["train.csv"], lambda p: read_table(p.read_bytes(), p.name)),
        Reader("parquet", files["eeg.parquet"], lambda p: decode(p.read_bytes(), EEG, p.name)),
        Reader("cleaning.json", files["cleaning.json"], read_cleaning, as_json=True),
        Reader("recordings.json", files["recordings.json"], _read_recordings, as_json=True),
        Reader("SzCORE tsv", files["marks.tsv"], lambda path: read_seizures(path, ChosenRule())),
        Reader("timeline", files["night.csv"], lambda path: read_seizures(path, ChosenRule())),
        Reader("labels", files["labels.csv"], read_labels),
        Reader("events", files["events.csv"], lambda path: EventFile(path, OWNER, HMS)),
        Reader("background", files["background.csv"], lambda path: BackgroundFile(path, OWNER)),
        Reader("answers.csv", files["answers.csv"], read_answers),
        Reader("recipe", files["recipe.toml"], read_recipe),
        Reader("settings", files["config.json"], make_config, as_json=True),
        Reader(
            "calibration.json", files["calibration.json"],
            lambda path: read_calibration(path, CLASSES), as_json=True,
        ),
        Reader("weights.pt", files["weights.pt"], read_weights),
        Reader("weights.safetensors", files["weights.safetensors"], read_weights),
        Reader("predictions.npz", files["predictions.npz"], read_arrays),
        Reader("metrics.jsonl", files["metrics.jsonl"], read_metrics),
        Reader(
            "MANIFEST.json", store / MANIFEST_NAME, _read_store, as_json=True, within=store,
            seal=_seal_manifest,
        ),
        Reader(
            "zarr.json", store / "zarr.json", _read_store, as_json=True, within=store,
            seal=_state_in_manifest,
        ),
    ]  # fmt: skip
    found += [
        Reader(name, run / name, _read_run, as_json=True, within=run)
        for name in ("config.json", "metrics.json", "best/model.json")
    ]
    weights = run / "best" / "model.safetensors"
    found.append(Reader("a run's weights", weights, _read_run, within=run, seal=_state_in_model))
    return found


def _read_recording(path: Path) -> None:
    recording = open_recording(path, Options())
    recording.read(0, min(recording.samples, 4000))


def _labels(read: Callable[[Source], object], night: Recording) -> Read:
    return lambda path: read(Source(path, night, Words()))


def _read_data(path: Path) -> None:
    data = KaggleData(path)
    for name in data.sizes:
        if name.endswith((".csv", ".parquet")):
            content = data.files.read(name)
            if name == data.table_name:
                read_table(content, name)


def _read_recordings(path: Path) -> None:
    read_recordings(path.parent)
    read_left_out(path.parent)
    read_warnings(path.parent)


def _read_store(path: Path) -> None:
    store = Store.open(path)
    store.gather([0, len(store) - 1])
    assert store.info["warnings"] is not None


def _read_run(path: Path) -> None:
    run = RunFolder(path)
    run.networks()
    run.outcome()
    load_trained(run, CPU)


def _seal_manifest(path: Path) -> None:
    """With the digest of what it says now, if it is still an object."""
    try:
        body = json.loads(path.read_bytes())
        body.pop("sha256", None)
        path.write_text(json.dumps(body | {"sha256": digest(body)}))
    except (ValueError, AttributeError, RecursionError):
        return


def _state_in_manifest(path: Path) -> None:
    manifest = path.parent / MANIFEST_NAME
    body = json.loads(manifest.read_bytes())
    size, crc = path.stat().st_size, checksum(path)
    body["files"][path.name] = {"bytes": size, "crc32": f"{crc:08x}"}
    body.pop("sha256")
    manifest.unlink()
    manifest.write_text(json.dumps(body | {"sha256": digest(body)}))


def _state_in_model(path: Path) -> None:
    described = path.with_name("model.json")
    body = json.loads(described.read_bytes())
    body[FILES] |= sums_of([path])
    described.unlink()
    described.write_text(json.dumps(sealed(body)))
