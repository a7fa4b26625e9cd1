"""To add a model or an input takes one file and one line, and then it does all that others do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.runs import train_small

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.inputs import INPUTS, InputKind
from hmstrain.errors import ConfigError, ModelError
from hmstrain.models import MODELS, Model, lazy
from hmstrain.models.catalogue import list_models
from hmstrain.models.network import count_parameters, make_network
from hmstrain.reporting.attribution import as_importance, explain_window
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.trained import load_trained

CPU = torch.device("cpu")


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two lines."""
    monkeypatch.setitem(MODELS, "means", Model(lazy("support.added:build"), "raw", 1_000))
    monkeypatch.setitem(MODELS, "rows", Model(lazy("support.added:build"), "image"))
    monkeypatch.setitem(INPUTS, "envelope", InputKind("eeg", "image", "support.added:Envelope"))


@pytest.mark.usefixtures("added")
def test_a_model_of_one_file_and_one_line_trains_resumes_and_is_explained(
    store: Store, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"model": "means", "model_args": {"width": 5}, "eeg_seconds": 10.0}
    outcome = train_small(store, tmp_path / "run", steps=4, **settings)
    assert outcome.test is not None
    assert outcome.test.windows == len(store.select("test"))
    config = RunFolder(tmp_path / "run").config()
    assert (config.inputs, config.encoders) == ("eeg", {"raw": "means"})
    trained = load_trained(RunFolder(tmp_path / "run"), CPU)
    assert count_parameters(trained.network) == 5 * 19 + 6 * 6
    found = explain_window(trained, store, 3)
    assert found.method == "gradcam"
    assert found.maps["raw"].shape == (18, 2000)
    assert "means" in [row.model for row in list_models()[0]]


@pytest.mark.usefixtures("added")
def test_a_model_may_encode_the_eeg_beside_anothers_spectrogram(
    store: Store, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"inputs": "spec+eeg", "eeg_model": "means", "contrastive": True}
    train_small(store, tmp_path / "run", steps=2, **settings)
    names = load_file(tmp_path / "run" / "last" / "model.safetensors").keys()
    assert {name.split(".")[1] for name in names if name.startswith("trunks.")} == {
        "spectrogram_BHW",
        "eeg_raw_BPT",
    }
    assert "trunks.eeg_raw_BPT.rows.weight" in names


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize("inputs", ["envelope", "spec+envelope"])
def test_an_input_of_one_file_and_one_line_trains_and_is_explained(
    store: Store, tmp_path: Path, inputs: str
) -> None:
    augmented: dict[str, Any] = {"mask": 1, "noise": 0.1, "mixup": 0.4, "swap": 0.5}
    train_small(store, tmp_path / "run", steps=4, inputs=inputs, **augmented)
    described = json.loads((tmp_path / "run" / "best" / "model.json").read_text())
    assert len(described["normalisation"]["scales"]["envelope"]["mean"]) == 20
    trained = load_trained(RunFolder(tmp_path / "run"), CPU)
    trained_on = store.select("train", fold=0)
    batch = {n: torch.from_numpy(x) for n, x in store.gather(trained_on).items()}
    seen = trained.inputs(store)(batch, None)["envelope_BHW"]
    np.testing.assert_allclose(seen.mean((0, 2)), 0, atol=0.2)
    for method in ("gradcam", "gradients"):
        found = explain_window(trained, store, 3, method)
        assert found.maps["envelope"].shape == (20, 100)
        assert tuple(as_importance(found, trained).traces) == ("Fp1-F7",)
        assert set(found.shares) == {"spec+envelope": {"spectrogram", "EEG"}}.get(inputs, {"EEG"})


@pytest.mark.usefixtures("added")
def test_an_input_is_only_for_models_that_take_it() -> None:
    assert Config(model="rows", inputs="envelope").encoders == {"envelope": "rows"}
    with pytest.raises(ConfigError, match="means takes raw EEG alone"):
        Config(model="means", inputs="envelope")
    with pytest.raises(ModelError, match=r"means does not take model_args \{'height': 3\}"):
        make_network(Config(model="means", model_args={"height": 3}))


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if not model.table])
def test_the_parameters_that_are_told_of_a_built_in_model_are_its_own(name: str) -> None:
    network = make_network(Config(model=name))
    assert count_parameters(network) == MODELS[name].parameters
    if MODELS[name].generates:
        assert network.shape == MODELS[name].size
        return
    (trunk,) = network.trunks.values()
    assert getattr(trunk, "size", None) == MODELS[name].size


def test_arguments_reach_each_kind_of_model() -> None:
    small = make_network(Config(model="naive_cnn", model_args={"features": 16}, image_size=32))
    assert small.head.weight.shape == (6, 16)
    narrow = make_network(Config(model="resnet1d", model_args={"widths": [8, 16], "kernel": 5}))
    assert narrow.head.weight.shape == (6, 16)
    flat = make_network(Config(model="convnext_atto", model_args={"depths": [1, 1, 1, 1]}))
    assert count_parameters(flat) < MODELS["convnext_atto"].parameters
    with pytest.raises(ModelError, match=r"convnext_atto .* with \{'depth': 3\}.*'depth'"):
        make_network(Config(model="convnext_atto", model_args={"depth": 3}))
    own = Config(model="support.nets:Both", inputs="spec+eeg", model_args={"width": 6})
    assert make_network(own, trust=True).network.layer.weight.shape == (6, 420)


def test_models_are_listed_without_torch_or_timm() -> None:
    script = """
import sys
from hmstrain.cli import app
try:
    app(["models"])
except SystemExit:
    pass
print(sorted({"torch", "timm"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"
    assert set(MODELS) <= set(done.stdout.split())
