"""Paths -> what a process does with them while others do the same, or lose their rights."""

from __future__ import annotations

import encodings.cp437
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.model_selection
import torch
import zarr
from numpy.typing import NDArray
from support.helpers import SMALL
from support.runs import Stopped, train_small

from hmsprep.building.build import build
from hmsprep.kaggle.publish import publish
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsstore import FeatureTable, Store
from hmsstore.atomic import whole_folder
from hmstrain.data.loader import Request, make_loader
from hmstrain.errors import TrainError
from hmstrain.runs.checkpoint import load_checkpoint, read_description, save_checkpoint
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.predictions import read_arrays
from hmstrain.runs.trained import load_trained
from soak.readers import CPU
from soak.samples import Inline

ACTS: dict[str, Callable[..., Any]] = {}
# What is imported late would take each fork its time, and nobody may lack the right to read it.
assert encodings.cp437
assert sklearn.model_selection
assert zarr


def act(work: Callable[..., Any]) -> Callable[..., Any]:
    """Note a function among the acts."""
    ACTS[work.__name__] = work
    return work


@contextmanager
def done_after(done: str | None) -> Iterator[None]:
    """Make a file in the end, whatever comes of it: others wait for it."""
    try:
        yield
    finally:
        if done is not None:
            Path(done).touch()


@act
def build_store(
    data: str, store: str, fills: list[str], *, force: bool = False, done: str | None = None
) -> None:
    """Build a store once for each way to fill gaps, each of which is another store."""
    with done_after(done):
        for fill in fills:
            planned = load(Path(data), Parameters(**SMALL, nan=fill))
            build(planned, Path(store), executor=Inline(), workers=1, force=force)


@act
def read_store(store: str, done: str | None = None) -> list[tuple[str, str]]:
    """Open it and read all windows, until it is done: identities, and digests of what was read."""
    found: set[tuple[str, str]] = set()
    for _ in _until(done):
        opened = Store.open(store)
        found.add((opened.identity, windows_digest(opened)))
    return sorted(found)


@act
def load_windows(store: str, done: str | None = None) -> list[tuple[str, str]]:
    """Open it once, and load all windows again and again as training does, until it is done."""
    opened = Store.open(store)
    rows = np.arange(len(opened))
    signals = tuple(opened.spec.signals)
    loader = make_loader(opened, signals, len(rows), CPU, resident=False, threads=2)
    found: set[tuple[str, str]] = set()
    try:
        for _ in _until(done):
            for _, batch in loader.load([Request(rows)]):
                values = {name: batch[name].numpy() for name in signals}
                found.add((opened.identity, _digest(values)))
    finally:
        loader.close()
    return sorted(found)


@act
def publish_store(store: str, out: str) -> None:
    """Publish it."""
    publish(store, out, name="me/hms-eeg-store")


@act
def train(store: str, run: str, seed: int, *, stop_at: int | None = None) -> None:
    """Train for two steps; with `stop_at` 1 it ends before there is anything to keep."""
    torch.set_num_threads(1)
    try:
        train_small(
            Store.open(store), Path(run), seed=seed, stop_at=stop_at,
            model="naive_cnn", epochs=1, steps=2, batch_size=2,
        )  # fmt: skip
    except Stopped as error:
        raise TrainError("stopped, as it was meant to") from error


@act
def read_run(run: str) -> str:
    """Load everything that a run holds: a digest of its weights and predictions."""
    folder = RunFolder(Path(run))
    folder.networks()
    folder.outcome()
    found = read_arrays(folder.path / "predictions.npz")["prediction"]
    network = load_trained(folder, CPU).network
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    return _digest(weights | {"prediction": found})


@act
def save_checkpoints(folder: str, values: list[float], done: str | None = None) -> None:
    """Save a checkpoint of one value after the other."""
    with done_after(done):
        for value in values:
            save_value(Path(folder), value)


@act
def read_checkpoint(folder: str, done: str | None = None) -> list[tuple[float, ...]]:
    """Load it until it is done: values that weights, description and optimiser say, together."""
    found = set()
    for _ in _until(done):
        network = torch.nn.Linear(4, 3)
        state = load_checkpoint(Path(folder), network)
        found.add((network.weight[0, 0].item(), float(state["step"])))
        read_description(Path(folder))
    return sorted(found)


@act
def replace_folder(sources: list[str], folder: str, done: str | None = None) -> None:
    """Put copies of one folder after the other in its place, as whatever seals a table does."""
    with done_after(done):
        for source in sources:
            with whole_folder(Path(folder), replace=True) as partial:
                shutil.copytree(source, partial, dirs_exist_ok=True)


@act
def replace_in_part(sources: list[str], folder: str, done: str | None = None) -> None:
    """Write over a file and stop halfway: the test of the soak plants this."""
    with done_after(done):
        content = (Path(sources[0]) / "features.npy").read_bytes()
        (Path(folder) / "features.npy").write_bytes(content[: len(content) // 2])


@act
def read_features(table: str, done: str | None = None) -> list[tuple[str, str]]:
    """Open a table until it is done: identities of the store, and digests of the values."""
    found = set()
    for _ in _until(done):
        opened = FeatureTable.open(table)
        found.add((opened.identity, _digest({"values": opened.values})))
    return sorted(found)


def save_value(folder: Path, value: float) -> None:
    """Save a checkpoint that consists of one value."""
    network = torch.nn.Linear(4, 3)
    torch.nn.init.constant_(network.weight, value)
    described = {
        "config": {}, "store": {}, "normalisation": {}, "patients": [], "progress": {"step": value}
    }  # fmt: skip
    save_checkpoint(folder, network, described, training={"step": value})


def windows_digest(store: Store) -> str:
    """SHA-256 of all windows of both signals."""
    return _digest(store.gather(range(len(store))))


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


def _until(done: str | None) -> Iterator[None]:
    """Once, and again until there is a file of this name; once more after that."""
    while done is not None and not Path(done).exists():
        yield
    yield
