"""Files of every released format are read; those of a later one say that hms-eeg is to be upgraded.

What `golden/make.py` made is read in `test_golden.py`; here is what `golden/make_later.py` made.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden.observe import log_lines, sha256, unpack
from support.inside import Inside
from test_golden import ROUNDING, check, golden, skip_of_older_torch

from hmsstore import FeatureTable, NewerStoreError, Store
from hmsstore.errors import RecordingsError
from hmsstore.manifest import MANIFEST_NAME, digest
from hmsstore.recordings import (
    RECORDINGS_NAME,
    parse_montages,
    read_left_out,
    read_recordings,
    read_warnings,
    write_recordings,
)
from hmsstore.schema import READABLE
from hmsstore.sums import FILES, VERSION, sealed, sums_of
from hmstrain.errors import TrainError
from hmstrain.models.weights import read_origin
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.predictions import read_arrays
from hmstrain.runs.trained import load_trained
from hmstrain.scoring.blending import read_blend
from hmstrain.scoring.calibration import read_calibration
from hmstrain.studies.recipe_file import FOLDER, read_recipe

GOLDEN = Path(__file__).with_name("golden")
PREP, TRAIN = Inside("hmsprep"), Inside("hmstrain")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what earlier versions wrote."""
    folder = tmp_path_factory.mktemp("old")
    for name in ("store-v1", "store-v2", "features-v1", "run-sealed", "run-stopped", "bundle"):
        unpack(GOLDEN / f"{name}.zip", folder)
    return folder


@pytest.fixture
def here(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    shutil.copytree(old, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_store_of_format_version_2_gives_the_very_windows_and_columns(old: Path) -> None:
    then, store = golden("store-v2.json"), Store.open(old / "store-v2.zarr")
    assert store.identity == then["identity"]
    check(then["spec"], store.spec.to_json())
    for name, digest_then in then["columns"].items():
        assert sha256(np.asarray(store.windows[name])) == digest_then
    windows = store.gather(range(len(store)))
    assert {name: sha256(values) for name, values in windows.items()} == then["windows"]
    found = json.loads(PREP.succeed("verify", old / "store-v2.zarr", "--json").stdout)
    assert found["ok"], found["problems"]


def test_a_table_of_features_of_version_1_gives_the_very_values(old: Path) -> None:
    then, table = golden("features-v1.json"), FeatureTable.open(old / "features")
    assert (table.identity, table.version) == (then["identity"], then["version"])
    columns = hashlib.sha256("\n".join(table.columns).encode()).hexdigest()
    assert columns == then["columns"]
    assert sha256(table.values) == then["values"]


@pytest.mark.parametrize("place", ["run-sealed", "bundle/runs/run-sealed"])
def test_a_run_with_checksums_and_its_bundle_test_to_the_figures_they_had(
    here: Path, place: str
) -> None:
    then = json.loads((here / "run-sealed" / "metrics.json").read_text())
    out = here / "out"
    words = ("test", here / place, "--store", "store-v1.zarr", "--out", out, "--device", "cpu")
    tested = json.loads(TRAIN.succeed(*words, "--json").stdout)
    check(then["test"], tested["test"], ROUNDING)
    before = read_arrays(here / "run-sealed" / "predictions.npz")
    (again,) = out.glob("*.npz")
    np.testing.assert_allclose(
        before["prediction"], read_arrays(again)["prediction"], rtol=ROUNDING, atol=ROUNDING
    )


def test_an_interrupted_run_with_checksums_goes_on_to_the_outcome_it_had(here: Path) -> None:
    then = golden("run-stopped.json")
    skip_of_older_torch()
    words = ("--config", "run-stopped/config.json", "--out", "run-stopped", "--resume", "--json")
    outcome = json.loads(TRAIN.succeed("run", "store-v1.zarr", *words).stdout)
    check(then["test"], outcome["test"], ROUNDING)
    check(then["log"], log_lines(here / "run-stopped" / "metrics.jsonl"), ROUNDING)
    config = json.loads((here / "run-stopped" / "last" / "model.json").read_text())
    assert config[VERSION] == 1


def later(path: Path, key: str = VERSION) -> None:
    """Have a sealed JSON file be of the next version."""
    value = json.loads(path.read_text())
    path.write_text(json.dumps(sealed({**value, key: value.get(key, 1) + 1})))


def test_a_store_of_a_later_version_says_upgrade(here: Path) -> None:
    path = here / "store-v2.zarr" / MANIFEST_NAME
    body = json.loads(path.read_text())
    del body["sha256"]
    body["format_version"] = max(READABLE) + 1
    path.write_text(json.dumps(body | {"sha256": digest(body)}))
    for command in ("verify", "info"):
        told = " ".join(PREP.fail(command, "store-v2.zarr").split())
        assert "store-v2.zarr is of format hms-eeg-store version 3; " in told
        assert "Upgrade hms-eeg" in told


def test_a_table_of_features_of_a_later_version_says_upgrade(here: Path) -> None:
    later(here / "features" / "features.json")
    with pytest.raises(NewerStoreError, match=r"features is .* format version 2.* Upgrade hms-eeg"):
        FeatureTable.open(here / "features")


RUN, STOPPED, BUNDLED = "run-sealed", "run-stopped", "bundle/runs/run-sealed"
ANEW = "run store-v1.zarr --model eegnet --out out"
USES = {
    "tested": (RUN, "config.json", f"test {RUN} --store store-v1.zarr --out out"),
    "predicting": (RUN, "best/model.json", f"predict {RUN} store-v1.zarr --out out"),
    "bundled": (RUN, "metrics.json", f"bundle {RUN} out"),
    "reported": (RUN, "metrics.json", f"report {RUN} --store store-v1.zarr --out out"),
    "of a bundle": (BUNDLED, "config.json", f"predict {BUNDLED} store-v1.zarr --out out"),
    "weights of a bundle": (BUNDLED, "best/model.json", f"test {BUNDLED} --store store-v1.zarr"),
    "resumed": (STOPPED, "config.json", f"run store-v1.zarr --out {STOPPED} --resume"),
    "resumed from": (STOPPED, "last/model.json", f"run store-v1.zarr --out {STOPPED} --resume"),
    "settings": (RUN, "config.json", f"run store-v1.zarr --config {RUN}/config.json --out out"),
    "weights": (RUN, "best/model.json", f"{ANEW} --weights {RUN}"),
}
"""Which file is of a later version, and what uses it."""


@pytest.mark.parametrize("use", USES)
def test_a_run_of_a_later_version_says_upgrade(here: Path, use: str) -> None:
    run, name, words = USES[use]
    later(here / run / name)
    before = {path: path.stat().st_mtime_ns for path in (here / run).rglob("*")}
    told = " ".join(TRAIN.fail(*words.split()).split())
    assert f"{run}/{name} is of format version 2; this package reads versions up to 1." in told
    assert "Upgrade hms-eeg." in told
    assert not (here / "out").exists()
    assert {path: path.stat().st_mtime_ns for path in (here / run).rglob("*")} == before


def _arrays(path: Path) -> None:
    """Have the predictions of a run be of the next version, as that would write them."""
    with np.load(path) as arrays:
        found = dict(arrays)
    np.savez(path, **found | {VERSION: np.asarray(int(found.get(VERSION, 1)) + 1)})
    outcome = path.with_name("metrics.json")
    value = json.loads(outcome.read_text())
    outcome.write_text(json.dumps(sealed({**value, FILES: sums_of([path])})))


def _of_next(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(sealed({VERSION: 2, **value})))


READS: dict[str, tuple[str, Callable[[Path], object], Callable[[Path], object]]] = {
    "outcome": (
        f"{RUN}/metrics.json",
        lambda path: later(path, "outcome_version"),
        lambda path: RunFolder(path.parent).outcome(),
    ),
    "predictions": (f"{RUN}/predictions.npz", _arrays, read_arrays),
    "calibration": (
        f"{RUN}/calibration.json",
        lambda path: _of_next(path, {}),
        lambda path: read_calibration(path, ["a"]),
    ),
    "blend": (
        "blend/blend.json", lambda path: _of_next(path, {}), lambda path: read_blend(path.parent)
    ),
    "checkpoint": (
        f"{RUN}/best/model.json", later, lambda path: load_trained(RunFolder(path.parents[1]), CPU)
    ),
    "origin": (f"{RUN}/best/model.json", later, lambda path: read_origin(path.with_name("a"))),
}  # fmt: skip


@pytest.mark.parametrize("what", READS)
def test_a_file_of_a_run_of_a_later_version_says_upgrade(here: Path, what: str) -> None:
    name, make, read = READS[what]
    (here / name).parent.mkdir(exist_ok=True)
    make(here / name)
    with pytest.raises(TrainError, match=rf"{name} is of format version 2; .* Upgrade hms-eeg\."):
        read(here / name)


def test_a_recipe_of_a_later_version_says_upgrade(here: Path) -> None:
    recipe = here / "mine.toml"
    recipe.write_text((FOLDER / "starter.toml").read_text())
    assert read_recipe(recipe).members == read_recipe(FOLDER / "starter.toml").members
    recipe.write_text(recipe.read_text().replace("format_version = 1", "format_version = 2"))
    with pytest.raises(TrainError, match=r"mine\.toml is of format version 2; .* Upgrade hms-eeg"):
        read_recipe(recipe)


def test_what_a_later_version_imported_says_upgrade(tmp_path: Path) -> None:
    write_recordings(tmp_path, (), 10.0)
    path = tmp_path / RECORDINGS_NAME
    content = json.loads(path.read_text())
    for value in (content, {key: content[key] for key in content if key != VERSION}):
        path.write_text(json.dumps(value))
        assert read_recordings(tmp_path) == parse_montages(path.read_bytes(), "").recordings == ()
    path.write_text(json.dumps(content | {VERSION: 2}))
    told = r"recordings\.json is of format version 2; .* Upgrade hms-eeg"
    for read in (read_recordings, read_left_out, read_warnings):
        with pytest.raises(RecordingsError, match=told):
            read(tmp_path)
    with pytest.raises(RecordingsError, match=told):
        parse_montages(path.read_bytes(), str(path))
