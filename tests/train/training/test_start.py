"""A run starts with the answer of one who knows nothing but how often each class comes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from support.helpers import build_store
from support.runs import ALONE, SMALL, Stopped, train_small
from torch import nn

import hmstrain
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.rows import plan_epochs, training_rows
from hmstrain.data.steps import steps
from hmstrain.data.targets import mean_target
from hmstrain.data.weights import row_weights
from hmstrain.errors import DataError, ModelError, RunError
from hmstrain.events import silent
from hmstrain.models.head import LEAST_SHARE, begin_head, move_head
from hmstrain.runs.checkpoint import read_description
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.scoring.formulas import kaggle_kl
from hmstrain.scoring.seen import seen_before
from hmstrain.training.train import Run

MODELS: dict[str, dict[str, Any]] = {
    "naive_cnn": {"model": "naive_cnn"},
    "timm": {"model": "resnet10t"},
    "timm, transformer": {"model": "vit_tiny_patch16_224"},
    "raw EEG": {"model": "resnet1d", "eeg_seconds": 10},
    "two trunks": {"model": "naive_cnn", "inputs": "spec+eeg", "contrastive": True},
    "sigmoids": {"model": "naive_cnn", "loss": "bce"},
    "branches": {"model": "naive_cnn", "inputs": "spec+eeg", "auxiliary_weight": 0.5},
    "own": {"model": "support.nets:both", "inputs": "spec+eeg"},
    "own, loud": {"model": "support.nets:loud", "inputs": "spec"},
}


def begun(store: Store, path: Path, **settings: Any) -> Run:
    path.mkdir(exist_ok=True)
    return Run(Config(**(SMALL | settings)), store, RunFolder(path), ALONE, silent)


def kl_at_start(run: Run, rows: np.ndarray) -> tuple[float, float]:
    """KL of the network on these rows, and of the mean training target."""
    prediction, _ = run.evaluator.predict(run.state.kept, rows)
    constant = np.tile(mean_target(run.config, run.store, run.rows), (len(rows), 1))
    target = run.store.windows["target"][rows]
    return kaggle_kl(target, prediction), kaggle_kl(target, constant.clip(LEAST_SHARE))


@pytest.mark.parametrize("name", MODELS)
def test_step_0_scores_as_the_constant_prediction_does(
    store: Store, tmp_path: Path, name: str
) -> None:
    run = begun(store, tmp_path, **MODELS[name])
    try:
        for rows in (run.rows, store.select("valid", fold=0), store.select("test")):
            ours, constant = kl_at_start(run, rows)
            assert ours == pytest.approx(constant, abs=1e-3)
        weights = run.state.network.get_submodule(run.head or "").weight
        assert isinstance(weights, nn.Parameter)
        assert (weights != 0).any(dim=1).all()
    finally:
        run.close()


@pytest.mark.parametrize("name", ["naive_cnn", "timm", "raw EEG", "own", "sigmoids", "branches"])
def test_the_first_kl_in_the_log_is_that_of_the_constant_prediction(
    store: Store, tmp_path: Path, name: str
) -> None:
    """With dropout and batch norm as in training, weights included."""
    settings = MODELS[name] | {"balance": "votes", "steps": 1}
    train_small(store, tmp_path / "run", **settings)
    config = RunFolder(tmp_path / "run").config()
    epoch = plan_epochs(config, store)[0]
    (step,) = steps(config, store, epoch, ALONE, 0)
    rows = training_rows(config, store, 0, 1)
    shares = torch.from_numpy(mean_target(config, store, rows))
    expected = (torch.xlogy(step.target, step.target / shares).sum(dim=1) * step.weight_B).mean()
    first = read_metrics(tmp_path / "run" / "metrics.jsonl", "train")[0]
    assert first["kl"] == pytest.approx(float(expected), abs=1e-3)
    if "auxiliary_weight" in settings:
        assert first["auxiliary"] == pytest.approx(float(expected), abs=1e-3)
        assert first["loss"] == pytest.approx(1.5 * float(expected), abs=2e-3)


def test_without_it_a_network_starts_as_it_was_made(store: Store, tmp_path: Path) -> None:
    run = begun(store, tmp_path, model="naive_cnn", start_at_prior=False)
    ours, constant = kl_at_start(run, run.rows)
    run.close()
    assert ours > constant + 0.01


def test_the_mean_target_is_weighed_as_the_loss_is(store: Store) -> None:
    config = Config(model="naive_cnn", balance="votes", vote_weight="log", sample="votes")
    rows = training_rows(config, store, 0, 1)
    weights = row_weights(config, store, rows)
    _, group, count = np.unique(
        np.column_stack([store.windows["eeg_id"][rows], store.windows["votes"][rows]]),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    each = weights[rows] / count[group.ravel()]
    expected = (store.windows["target"][rows] * each[:, None]).sum(axis=0) / each.sum()
    np.testing.assert_allclose(mean_target(config, store, rows), expected, rtol=1e-5)


def test_pretrained_backbones_start_so_too(store: Store, tmp_path: Path) -> None:
    backbone = timm.create_model("resnet10t", num_classes=0)
    save_file({k: v * 1.5 for k, v in backbone.state_dict().items()}, tmp_path / "w.safetensors")
    run = begun(store, tmp_path / "run", model="resnet10t", weights=str(tmp_path / "w.safetensors"))
    ours, constant = kl_at_start(run, run.rows)
    run.close()
    assert ours == pytest.approx(constant, abs=1e-3)


@pytest.mark.parametrize("model", ["naive_cnn", "support.nets:both"])
def test_weights_of_a_run_keep_their_head(store: Store, tmp_path: Path, model: str) -> None:
    settings = {"model": model, "inputs": "spec+eeg"}
    train_small(store, tmp_path / "first", **settings)
    file = tmp_path / "first" / "best" / "model.safetensors"
    run = begun(store, tmp_path / "second", weights=str(file), **settings)
    run.close()
    for name, value in run.state.network.state_dict().items():
        assert torch.equal(value, load_file(file)[name]), name


def test_a_run_that_holds_out_whom_its_weights_saw_is_refused(store: Store, tmp_path: Path) -> None:
    train_small(store, tmp_path / "first")
    weights = {"weights": str(tmp_path / "first")}
    for fold in ("1", "all"):
        with pytest.raises(DataError, match="Train both with the same --fold"):
            train_small(store, tmp_path / fold, fold=fold, **weights)
        assert not (tmp_path / fold).exists()
    train_small(store, tmp_path / "second", **weights)
    second = read_description(tmp_path / "second" / "best")
    assert second["pretrained"]["identity"] == store.identity
    second["store"]["identity"] = "another"  # as if it had gone on there
    rows = store.select("train", fold=0)
    assert seen_before([second], store, rows).trained.windows == len(rows)
    with pytest.raises(DataError, match="Train both with the same --fold"):
        train_small(store, tmp_path / "third", fold="1", weights=str(tmp_path / "second"))


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "naive_cnn"},
        {"model": "naive_cnn", "inputs": "spec+eeg", "eeg_seconds": 4.0, "pretraining": True},
        {"model": "support.nets:both", "inputs": "spec+eeg", "image_size": 0},
        {"model": "vae", "image_size": 0},
    ],
)
def test_weights_of_a_run_carried_without_its_description_are_warned_of(
    store: Store, tmp_path: Path, settings: dict[str, Any]
) -> None:
    train_small(store, tmp_path / "first", **(settings | {"steps": 1}))
    settings = {key: value for key, value in settings.items() if key != "pretraining"}
    file = tmp_path / "weights.safetensors"
    shutil.copy(tmp_path / "first" / "best" / "model.safetensors", file)
    said = told(store, tmp_path / "second", weights=str(file), **settings)
    assert sum("a run without its model.json" in text for text in said) == 1
    there = str(tmp_path / "first")
    said = told(store, tmp_path / "third", weights=there, **settings)
    assert not any("model.json" in text for text in said)
    shutil.copy(tmp_path / "first" / "best" / "model.json", tmp_path)
    with pytest.raises(RunError, match=r"s\.safetensors is not a file of the model\.json bes"):
        told(store, tmp_path / "fourth", weights=str(file), **settings)


def test_where_patients_leak_anyhow_a_run_starts_from_another(
    store: Store, data: Path, tmp_path: Path
) -> None:
    by_window = build_store(data, tmp_path / "leak.zarr", split_by="window")
    for name, of, fold in (("rotate", store, "rotate"), ("window", by_window, "0")):
        train_small(of, tmp_path / name, fold=fold, steps=1)
        weights = {"weights": str(tmp_path / name)}
        assert train_small(of, tmp_path / f"{name}-again", fold=fold, steps=1, **weights).steps == 1


def test_the_moving_average_starts_so_too(store: Store, tmp_path: Path) -> None:
    run = begun(store, tmp_path, ema=0.99)
    run.close()
    assert run.state.kept is not run.state.network
    for name, value in run.state.network.state_dict().items():
        assert torch.equal(value, run.state.kept.state_dict()[name]), name


def told(store: Store, path: Path, **settings: Any) -> list[str]:
    texts: list[str] = []

    def note(event: str, values: Any) -> None:
        if event == "notice":
            texts.append(values["text"])

    hmstrain.train(store, out=path, events=note, **(SMALL | {"steps": 1} | settings))
    return texts


def test_what_becomes_of_a_network_of_ones_own_is_said(store: Store, tmp_path: Path) -> None:
    whole = {"image_size": 0}
    (own,) = told(store, tmp_path / "a", model="support.nets:both", inputs="spec+eeg", **whole)
    assert "support.nets:both: its last layer, layer, is reset to the mean target" in own
    (other,) = told(store, tmp_path / "b", model="support.nets:no_head", inputs="spec", **whole)
    assert "support.nets:no_head starts as it was made" in other
    assert told(store, tmp_path / "c", model="naive_cnn") == []


@pytest.mark.parametrize("prior", [True, False])
def test_a_network_of_ones_own_that_gives_probabilities_is_refused(
    store: Store, tmp_path: Path, prior: bool
) -> None:
    more: dict[str, Any] = {"inputs": "spec", "start_at_prior": prior}
    for name in ("soft", "soft_in_tests"):
        with pytest.raises(
            ModelError, match=rf"support\.nets:{name} gives probabilities, .* softmax"
        ):
            train_small(store, tmp_path / name, model=f"support.nets:{name}", **more)
    for name in ("log_soft", "level"):
        run = begun(store, tmp_path / name, model=f"support.nets:{name}", **more)
        run.close()


def test_however_large_features_are_the_head_adds_next_to_nothing() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[()]]:
            return self.head(x), ()

    shares = np.array([0.7, 0.3, 0.0])
    for size in (1e-6, 1.0, 1e8):
        network = Network()
        begin_head(network, "head", [{"x": size * torch.randn(20, 5)}], shares)
        found = network(size * torch.randn(20, 5))[0].softmax(dim=1).detach().numpy()
        np.testing.assert_allclose(found, np.tile([0.7, 0.3, 1e-4], (20, 1)), rtol=2e-3)
        assert network.training
        assert (network.head.weight != 0).all()


def test_moving_a_head_of_sigmoids_multiplies_the_odds_of_each_class() -> None:
    network = nn.ModuleDict({"head": nn.Linear(4, 3)})
    before, after = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.3, 0.6])
    x = torch.randn(50, 4)
    old = network["head"](x).detach().numpy()
    move_head(network, "head", before, after, "bce")
    odds = np.exp(network["head"](x).detach().numpy() - old)
    expected = (after / (1 - after)) / (before / (1 - before))
    np.testing.assert_allclose(odds, np.tile(expected, (50, 1)), rtol=1e-4)


def test_moving_the_head_multiplies_the_odds_and_keeps_what_was_learned() -> None:
    network = nn.ModuleDict({"head": nn.Linear(4, 3)})
    head = network["head"]
    x = torch.randn(50, 4)
    before, after = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.3, 0.6])
    old = head(x).softmax(dim=1).detach().numpy()
    move_head(network, "head", before, after)
    new = head(x).softmax(dim=1).detach().numpy()
    expected = old * after / before
    np.testing.assert_allclose(new, expected / expected.sum(axis=1, keepdims=True), rtol=1e-4)


def test_a_second_stage_starts_from_its_own_shares_however_often_it_is_stopped(
    store: Store, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "epochs": 1,
        "second_epochs": 1,
        "second_min_votes": 10,
        "batch_size": 4,
        "validate_every": 1000,
    }
    train_small(store, tmp_path / "whole", **settings)
    first = plan_epochs(Config(**(SMALL | settings)), store)[1].first_step
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        train_small(store, path, stop_at=first + 1, **settings)
    train_small(store, path, resume=True, **settings)
    ours, theirs = (load_file(p / "last/model.safetensors") for p in (path, tmp_path / "whole"))
    for name, value in theirs.items():
        assert torch.equal(value, ours[name]), name
    train_small(store, tmp_path / "before", **settings, start_at_prior=False)
    kls = [
        next(x["kl"] for x in read_metrics(p / "metrics.jsonl", "train") if x["step"] > first)
        for p in (tmp_path / "whole", tmp_path / "before")
    ]
    assert kls[0] < kls[1]
