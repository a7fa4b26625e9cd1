"""Recipes small enough for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hmstrain.config import Config
from hmstrain.models import find_model

TOY: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 8,
    "fraction": 0.5,
    "image_size": 32,
    "fold": "0",
    "seeds": 1,
    "norm_windows": 0,
    "pretrained": False,
    "loader_threads": 1,
    "device": "cpu",
}
"""What makes any recipe a matter of seconds."""
SMALL = """
title = "Two small networks"
source = "These tests"
about = "What the engine does, in seconds."
needs = "Nothing to speak of."
reach = "Nothing."

[every]
image_size = 32
epochs = 1
batch_size = 8
validate_every = 3
fraction = 0.5
loader_threads = 1
device = "cpu"

[members.spec]
model = "naive_cnn"

[members.both]
model = "naive_cnn"
inputs = "spec+eeg"
seeds = 2

[answer]
blend = "logits"
calibrate = true
views = ["swap"]
"""


def write_small(folder: Path, text: str = SMALL) -> Path:
    """Write the small recipe, or a variant of it, into a folder."""
    path = folder / "small.toml"
    path.write_text(text)
    return path


def light(configs: dict[str, Config]) -> list[str]:
    """Words that give each of timm's models in a recipe a small one's place."""
    return [
        f"{name}.model=resnet10t"
        for name, config in configs.items()
        if find_model(config.model).pretrained
    ]
