"""Settings that change nothing of a run are named, and change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.inside import Inside
from support.runs import ALONE, SMALL

import hmstrain
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.inputs import signal_names
from hmstrain.data.inputs.prepare import NetworkInputs, measure_normalisation
from hmstrain.data.loader import stored_batch
from hmstrain.data.rows import plan_epochs
from hmstrain.data.steps import steps
from hmstrain.training.idle import idle_notices, idle_settings

CPU = torch.device("cpu")
CHANGED: dict[str, Any] = {
    "eeg_seconds": 20.0, "front_back": 1.0, "spectrogram_rows": (100, 200), "noise": 0.5,
    "channel_dropout": 0.5, "channel_dropout_most": 4, "mask": 2, "mask_size": 0.5, "boxes": 2,
    "box_size": 0.5, "standardise": "window", "image_size": 64, "drop_rate": 0.5,
}  # fmt: skip
IMAGES = {"mask", "mask_size", "boxes", "box_size", "standardise", "image_size"}
CHANNELS = {"channel_dropout", "channel_dropout_most"}
OWN = "support.nets:both"


@pytest.mark.parametrize(
    ("model", "inputs", "idle"),
    [
        ("naive_cnn", "spec", {"eeg_seconds", "front_back"} | CHANNELS),
        ("naive_cnn", "eeg", {"spectrogram_rows"}),
        ("naive_cnn", "side-by-side", set()),
        ("naive_cnn", "spec+raw", set()),
        ("resnet1d", "eeg", {"spectrogram_rows"} | IMAGES),
        (OWN, "microvolts", {"spectrogram_rows", "noise", "drop_rate"} | CHANNELS | IMAGES),
        (OWN, "spec+eeg", {"drop_rate", "image_size"} | CHANNELS),
        ("vae", "spec", {"eeg_seconds", "front_back", "image_size"} | CHANNELS),
    ],
)
def test_idle_settings_are_told_where_they_are_changed_and_change_nothing_that_is_seen(
    store: Store, model: str, inputs: str, idle: set[str]
) -> None:
    plain = Config(**(SMALL | {"model": model, "inputs": inputs, "image_size": 0}))
    assert idle_settings(plain).keys() == idle
    assert idle_notices(plain) == []
    changed = Config(**(plain.to_json() | {name: CHANGED[name] for name in idle}))
    told = idle_notices(changed)
    assert sorted(text.partition(" changes nothing of ")[0] for text in told) == sorted(idle)
    rows = store.select("train", fold=0)[:8]
    scales = measure_normalisation(plain, store, rows, CPU)
    seen = []
    for config in (plain, changed):
        step = next(steps(config, store, plan_epochs(config, store)[0], ALONE))
        batch = stored_batch(store, step.rows, signal_names(config), CPU)
        seen.append(NetworkInputs(config, scales, store, CPU)(batch, step.draws))
    torch.testing.assert_close(*seen, rtol=0, atol=0)


def test_a_run_and_a_dry_run_say_what_changes_nothing(store: Store, tmp_path: Path) -> None:
    told: list[str] = []
    hmstrain.train(
        store,
        out=tmp_path / "run",
        events=lambda event, values: told.append(values["text"]) if event == "notice" else None,
        **(SMALL | {"steps": 1, "epochs": 1, "channel_dropout": 0.1}),
    )
    assert "channel_dropout changes nothing of --inputs spec." in told
    words = ["--model", "resnet1d", "--set", "mask=2", "--dry-run"]
    done = Inside("hmstrain").succeed("run", store.path, *words)
    assert json.loads(done.stdout)["mask"] == 2
    assert done.stderr == "mask changes nothing of --inputs raw.\n"
