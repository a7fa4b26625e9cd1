"""A run's files may name code; it is imported only on the word of the user."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.helpers import build_store, write_pair
from support.inside import Inside
from support.runs import train_small, unsealed

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.errors import ModelError, TrainError
from hmstrain.models.network import make_network
from hmstrain.models.timm_backbone import OF_WEIGHTS
from hmstrain.prediction import bundle as bundling
from hmstrain.reporting.browse.browser import open_browser
from hmstrain.reporting.browse.serve import explainer
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.trained import load_trained

PROGRAM = Inside("hmstrain")
MODULE = "visitor"
OWN = f"{MODULE}:network"
SOURCE = """
from pathlib import Path

import torch

(Path(__file__).parent / "imported").write_text("")


class Means(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(400, 6)

    def forward(self, image_BCHW):
        return self.layer(image_BCHW[:, 0].mean(dim=2))


def network():
    return Means()
"""
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def sent(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a stranger sent: a run, and the module that its files name, in one folder."""
    folder = tmp_path_factory.mktemp("sent")
    (folder / f"{MODULE}.py").write_text(SOURCE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        train_small(store, folder / "run", model=OWN, epochs=1, steps=2)
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of one window, of which a submission can be made."""
    folder = tmp_path_factory.mktemp("one")
    return build_store(write_pair(folder / "data", [{}]), folder / "one.zarr", split_by="all")


@pytest.fixture
def imported(sent: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Stand in the stranger's folder, with nothing imported yet; tell whether that changed."""
    monkeypatch.chdir(sent)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    (sent / "imported").unlink(missing_ok=True)

    def told() -> bool:
        assert (MODULE in sys.modules) == (sent / "imported").exists()
        return MODULE in sys.modules

    assert not told()
    return told


def words(command: str, store: Store, one: Store, out: Path) -> list[Any]:
    """A command on the run in the working folder."""
    return {
        "test": ["test", "run", "--store", store.path],
        "explain": ["explain", "run", 3, "--store", store.path, "--out", out / "e.png"],
        "predict": ["predict", "run", store.path, "--out", out / "p"],
        "submission": ["submission", "run", one.path, "--out", out / "s.csv"],
        "bundle": ["bundle", "run", out / "b"],
    }[command]


COMMANDS = ("test", "explain", "predict", "submission", "bundle")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_network_that_only_a_file_names_is_imported_on_the_users_word_alone(
    store: Store,
    one: Store,
    tmp_path: Path,
    imported: Callable[[], bool],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.setattr(bundling, "_download", lambda *_: None)
    given = words(command, store, one, tmp_path)
    told = PROGRAM.fail(*given)
    assert told.startswith(f"hmstrain: The run's files name {OWN} as their model, which is code")
    assert told.endswith(f"If you trust it, add --model {OWN} or --trust.\n")
    assert told.count("\n") == 1
    assert not imported()
    assert list(tmp_path.iterdir()) == []
    other = PROGRAM.fail(*given, "--model", "resnet18")
    assert f"--model resnet18: the run does not name this network. Expected {OWN}" in other
    assert not imported()
    PROGRAM.succeed(*given, "--model", OWN)
    assert imported() == (command != "bundle")  # which only copies


@pytest.mark.parametrize("command", COMMANDS)
def test_trusting_imports_whatever_is_named(
    store: Store,
    one: Store,
    tmp_path: Path,
    imported: Callable[[], bool],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.setattr(bundling, "_download", lambda *_: None)
    PROGRAM.succeed(*words(command, store, one, tmp_path), "--trust")
    assert imported() == (command != "bundle")


def test_calibrating_predicts_a_held_out_fold_on_the_users_word_alone(
    sent: Path, store: Store, tmp_path: Path, imported: Callable[[], bool]
) -> None:
    shutil.copytree(sent / "run", tmp_path / "run")
    given = ["calibrate", tmp_path / "run", "--votes", "all"]
    assert f"add --model {OWN} or --trust" in PROGRAM.fail(*given)
    assert not imported()
    told = PROGRAM.fail(*given, "--model", OWN)
    assert "expected at least 50 windows" in told  # a fold of this store is too small to fit on
    assert imported()


def test_a_bundles_cell_passes_the_users_word_on(
    sent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundling, "_download", lambda *_: None)
    bundling.bundle(sent / "run", tmp_path / "b", trust=OWN)
    cell = (tmp_path / "b" / "cell.py").read_text()
    assert f"own = ['--model', '{OWN}']" in cell
    compile(cell, "cell.py", "exec")


@pytest.fixture
def aborting(sent: Path, tmp_path: Path) -> Path:
    """A run whose configuration is innocent, and whose checkpoint would end the process."""
    path = tmp_path / "aborting"
    shutil.copytree(sent / "run", path)
    for file, model in (("config.json", "naive_cnn"), ("best/model.json", "os:abort")):
        content = unsealed(path / file)
        content["config"]["model"] = model
        (path / file).write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("command", ["test", "explain", "predict", "submission"])
def test_what_the_checkpoint_names_counts_whatever_the_configuration_says(
    store: Store,
    one: Store,
    aborting: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    aborting.rename(tmp_path / "run")
    out = tmp_path / "out"
    out.mkdir()
    told = PROGRAM.fail(*words(command, store, one, out))
    assert "name os:abort as their model, which is code" in told
    assert "add --model os:abort or --trust" in told


def test_a_page_to_browse_explains_nothing_with_code_that_nobody_vouched_for(
    sent: Path, store: Store, imported: Callable[[], bool]
) -> None:
    opened = open_browser(sent / "run", store.path)
    untrusted, trusted = explainer(opened), explainer(opened, OWN)
    assert untrusted is not None
    assert trusted is not None
    with pytest.raises(ModelError, match=f"add --model {OWN} or --trust"):
        untrusted(3)
    assert not imported()
    trusted(3)
    assert imported()
    told = PROGRAM.fail("view", sent / "run", "--store", store.path, "--model", "mine:network")
    assert "--model mine:network: the run does not name" in told


def test_a_report_imports_nothing(
    sent: Path, store: Store, tmp_path: Path, imported: Callable[[], bool]
) -> None:
    PROGRAM.succeed("report", sent / "run", "--store", store.path, "--out", tmp_path / "r.html")
    assert not imported()


@pytest.mark.parametrize("key", ["model", "eeg_model"])
def test_a_study_imports_only_what_its_command_line_names(
    store: Store, tmp_path: Path, imported: Callable[[], bool], key: str
) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({key: OWN, "steps": 1, "image_size": 32}))
    PROGRAM.fail("study", store.path, "--config", file, "--out", tmp_path / "study")
    assert not imported()
    named = [*("--system", f"{OWN}-spec", "--steps", 1), "--out", tmp_path / "study"]
    PROGRAM.succeed("study", store.path, *named)
    assert imported()


def test_training_takes_what_the_user_wrote(
    sent: Path, store: Store, tmp_path: Path, imported: Callable[[], bool]
) -> None:
    """On the command line, in a file that he names, and in his own run that he resumes."""
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"model": OWN}))
    short = ["--steps", 1, "--epochs", 1, "--image-size", 32]
    for number, how in enumerate((["--model", OWN], ["--set", f"model={OWN}"], ["--config", file])):
        PROGRAM.succeed("run", store.path, *how, *short, "--out", tmp_path / str(number))
    assert imported()
    more = ["--epochs", 2, "--resume"]
    PROGRAM.succeed("run", store.path, "--out", tmp_path / "0", *more)


def test_the_library_imports_nothing_that_was_not_named(
    sent: Path, imported: Callable[[], bool]
) -> None:
    folder = RunFolder(sent / "run")
    for trust in (False, "", "visitor", "visitor:", ["mine:network"], []):
        with pytest.raises(ModelError, match="which is code"):
            load_trained(folder, CPU, trust=trust)
    with pytest.raises(ModelError, match="which is code"):
        make_network(Config(model="os:abort"))
    assert not imported()
    load_trained(folder, CPU, trust=[OWN])
    assert imported()


@pytest.mark.parametrize("argument", sorted(OF_WEIGHTS))
def test_arguments_in_a_runs_files_do_not_load_weights(tmp_path: Path, argument: str) -> None:
    """timm would unpickle them; pickled here is what writes a file."""
    target = tmp_path / "ran"
    file = tmp_path / "weights.pth"
    torch.save(_Writes(target), file)
    value: Any = {"file": str(file)} if "cfg" in argument else str(file)
    config = Config(model="resnet10t", image_size=32, model_args={argument: value})
    with pytest.raises(TrainError, match=f"model.{argument} is not taken"):
        make_network(config, start=False)
    assert not target.exists()


def test_predictions_that_could_run_code_are_not_loaded(
    sent: Path, store: Store, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(sent / "run", copy)
    with np.load(copy / "predictions.npz") as found:
        arrays = dict(found)
    target = tmp_path / "ran"
    arrays["prediction"] = np.asarray([_Writes(target)], object)
    np.savez(copy / "predictions.npz", **arrays)
    (copy / "metrics.json").write_text(json.dumps(unsealed(copy / "metrics.json")))
    told = PROGRAM.fail("report", copy, "--store", store.path)
    assert "predictions.npz is damaged, or not of a run" in told
    assert not target.exists()


class _Writes:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "ran")
