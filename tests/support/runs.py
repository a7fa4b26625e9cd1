"""Small runs for tests: in this process, on the CPU, within seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hmsstore import Store
from hmsstore.sums import FILES, SEAL, VERSION
from hmstrain.config import Config
from hmstrain.distributed import World
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.outcome import Outcome
from hmstrain.training.run import run

ALONE = World(0, 1, torch.device("cpu"))
SMALL: dict[str, Any] = {
    "model": "naive_cnn",
    "image_size": 32,
    "epochs": 2,
    "batch_size": 8,
    "validate_every": 3,
    "loader_threads": 1,
    "device": "cpu",
}


class Stopped(Exception):  # noqa: N818 - no error
    """Stands for whatever ends a run before its time."""


def train_small(
    store: Store, path: Path, *, resume: bool = False, stop_at: int | None = None, **settings: Any
) -> Outcome:
    """Run; stop once a log line or a validation of this step or a later one is told."""

    def tell(event: str, values: Mapping[str, Any]) -> None:
        if stop_at is not None and values.get("step", 0) >= stop_at and event != "start":
            raise Stopped

    config = Config(**(SMALL | settings))
    return run(config, store, RunFolder(path), ALONE, tell, resume=resume)


def unsealed(path: Path) -> dict[str, Any]:
    """A JSON file of a run as versions before checksums and format versions wrote it."""
    found: dict[str, Any] = json.loads(path.read_text())
    return {key: value for key, value in found.items() if key not in (FILES, SEAL, VERSION)}
