"""A network in training <-> folders `best` and `last` of a run.

::

    best/  model.safetensors   weights of the best validation so far
           model.json          configuration, store, normalisation, versions, step
    last/  model.safetensors   weights to go on from
           model.json
           average.safetensors the moving average, if there is one
           training.pt         optimiser and schedule

A folder is written under another name and renamed when it is whole, so one of them always is.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hmstrain.errors import ModelError, RunError

WEIGHTS, DESCRIPTION, AVERAGE, TRAINING = (
    "model.safetensors",
    "model.json",
    "average.safetensors",
    "training.pt",
)


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    description: Mapping[str, Any],
    *,
    average: nn.Module | None = None,
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint; what stood there before is replaced once the new one is whole."""
    partial, old = (
        folder.with_name(f"{folder.name}.partial"),
        folder.with_name(f"{folder.name}.old"),
    )
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _save_weights(network, partial / WEIGHTS)
    if average is not None:
        _save_weights(average, partial / AVERAGE)
    if training is not None:
        torch.save(dict(training), partial / TRAINING)
    (partial / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n")
    for file in partial.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def find_checkpoint(folder: Path) -> Path | None:
    """The whole checkpoint of this name: the folder, or what a killed replacement left of it."""
    for found in (folder, folder.with_name(f"{folder.name}.old")):
        if (found / DESCRIPTION).is_file():
            return found
    return None


def read_description(folder: Path) -> dict[str, Any]:
    """Configuration, store, normalisation and versions of a checkpoint.

    Raises
    ------
    RunError
        There is no checkpoint.
    """
    found = find_checkpoint(folder)
    if found is None:
        raise RunError(
            f"{folder} holds no checkpoint: the run has not come to its first validation."
        )
    description: dict[str, Any] = json.loads((found / DESCRIPTION).read_text())
    return description


def load_checkpoint(
    folder: Path, network: nn.Module, *, average: nn.Module | None = None
) -> dict[str, Any]:
    """Load weights into a network; return what else the checkpoint holds for training, if anything.

    Raises
    ------
    RunError
        There is no checkpoint, or its files are damaged.
    """
    found = find_checkpoint(folder)
    if found is None:
        raise RunError(
            f"{folder} holds no checkpoint: the run has not come to its first validation."
        )
    try:
        network.load_state_dict(load_file(found / WEIGHTS))
        if average is not None:
            average.load_state_dict(load_file(found / AVERAGE))
        training = found / TRAINING
        state: dict[str, Any] = {}
        if training.exists():
            state = torch.load(training, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise RunError(f"{found} cannot be loaded: {str(error).splitlines()[0]}") from None
    return state


def read_weights(file: Path) -> dict[str, Tensor]:
    """Weights from a safetensors file, or from a .pth that holds nothing but weights.

    Raises
    ------
    ModelError
        The file is missing or is neither.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError) as error:
        raise ModelError(f"{file} holds no weights that can be read: {error}") from None
    except Exception as error:  # pickle's own errors have no common class
        raise ModelError(f"{file} is not a file of weights alone: {error}") from None
    inner = state.get("state_dict", state.get("model", state)) if isinstance(state, dict) else None
    if not isinstance(inner, dict) or not all(isinstance(v, Tensor) for v in inner.values()):
        raise ModelError(f"{file} holds no weights by name.")
    return inner


def _save_weights(network: nn.Module, file: Path) -> None:
    state = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }
    save_file(state, file)
