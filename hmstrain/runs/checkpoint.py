"""A network in training <-> folders `best` and `last` of a run.

::

    best/  model.safetensors   weights of the best validation so far
           model.json          configuration, store, normalisation, versions, step; size and
                               SHA-256 of each other file, and of itself
    last/  model.safetensors   weights to resume from
           model.json
           average.safetensors the moving average, if there is one
           training.pt         optimiser and schedule

A folder is written under another name and renamed when it is whole, so one of them always is. One
that is replaced while it is read is read again.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hmsstore.atomic import previous, read_whole, whole_file, whole_folder
from hmsstore.json_shapes import ShapeError, entry, items, mapping, read_json, whole
from hmsstore.sums import FILES, damage, sums_of
from hmstrain.errors import RunError
from hmstrain.runs.json_file import check_seal, write_sealed

WEIGHTS, DESCRIPTION, AVERAGE, TRAINING = (
    "model.safetensors",
    "model.json",
    "average.safetensors",
    "training.pt",
)


def _ids(value: object) -> list[int]:
    found = [whole(one) for one in items(value)]
    if any(not -(2**63) <= one < 2**63 for one in found):
        raise ShapeError("expected numbers of 64 bits")
    return found


DESCRIBED: dict[str, Callable[[object], object]] = {
    "config": mapping,
    "store": mapping,
    "normalisation": mapping,
    "progress": mapping,
    "patients": _ids,
}
"""What `model.json` must hold."""


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    description: Mapping[str, Any],
    *,
    average: nn.Module | None = None,
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint; the one before is replaced once the new one is whole.

    Raises
    ------
    RunError
        It cannot be written. The one before is kept.
    """
    try:
        with whole_folder(folder, replace=True) as partial:
            _save_weights(network, partial / WEIGHTS)
            if average is not None:
                _save_weights(average, partial / AVERAGE)
            if training is not None:
                torch.save(dict(training), partial / TRAINING)
            sums = sums_of(sorted(partial.iterdir()))
            write_sealed(partial / DESCRIPTION, {**description, FILES: sums})
    except (OSError, RuntimeError, SafetensorError) as error:  # a full disk comes as any of them
        free = shutil.disk_usage(folder.parent).free / 1e6
        raise RunError(
            f"The checkpoint {folder} cannot be written, with {free:,.0f} MB free: "
            f"{_first_line(error)}. Earlier ones are kept: make room and resume with --resume."
        ) from None


def find_checkpoint(folder: Path) -> Path | None:
    """The whole checkpoint of this name: the folder, or what a killed replacement left of it.

    Earlier versions left it under NAME.old.

    Raises
    ------
    RunError
        It cannot be found out whether there is one.
    """
    for found in (folder, previous(folder), folder.with_name(f"{folder.name}.old")):
        if is_file(found / DESCRIPTION):
            return found
    return None


def is_file(path: Path) -> bool:
    """Whether a file of a run is there; raises RunError where its folder cannot be looked into.

    `Path.is_file` answers no to that, from Python 3.14 on: a run would begin anew over another.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}.") from None


def read_description(folder: Path) -> dict[str, Any]:
    """Configuration, store, normalisation and versions of a checkpoint.

    Raises
    ------
    RunError
        There is no checkpoint, or its description is damaged or of a later version.
    """
    return read_whole(folder, lambda: _described(_existing(folder)), RunError)


def _described(found: Path) -> dict[str, Any]:
    try:
        description: dict[str, Any] = mapping(read_json(found / DESCRIPTION))
        check_seal(found / DESCRIPTION, description)
        missing = DESCRIBED.keys() - description.keys()
        for key, read in DESCRIBED.items():
            if key in description:
                entry(description, key, read)
    except (OSError, ShapeError) as error:
        raise RunError(f"{found / DESCRIPTION} is damaged: {_first_line(error)}.") from None
    if missing:
        raise RunError(f"{found / DESCRIPTION} is damaged: it lacks {', '.join(sorted(missing))}.")
    return description


def check_checkpoint(folder: Path) -> Path:
    """Compare every file of a checkpoint with its description; return where the checkpoint is.

    Files that it lacks are not missed: only resuming takes all.

    Raises
    ------
    RunError
        There is no checkpoint, or a file is damaged.
    """
    found = _existing(folder)
    _described(found)
    for file in sorted(found.iterdir()):
        _check_sum(file)
    return found


def load_arrays(folder: Path) -> dict[str, Tensor]:
    """Weights of a checkpoint by name, whatever they are of.

    Raises
    ------
    RunError
        There is no checkpoint, or its files are damaged.
    """
    return read_whole(folder, lambda: _arrays(_existing(folder)), RunError)


def _arrays(found: Path) -> dict[str, Tensor]:
    try:
        _check_sum(found / WEIGHTS)
        return load_file(found / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise RunError(f"{found} is damaged: {_first_line(error)}") from None


def load_checkpoint(
    folder: Path, network: nn.Module, *, average: nn.Module | None = None
) -> dict[str, Any]:
    """Load weights into a network; return what else the checkpoint holds for training, if anything.

    Raises
    ------
    RunError
        There is no checkpoint, or its files are damaged.
    """
    return read_whole(folder, lambda: _loaded(_existing(folder), network, average), RunError)


def _loaded(found: Path, network: nn.Module, average: nn.Module | None) -> dict[str, Any]:
    training = found / TRAINING
    state: dict[str, Any] = {}
    try:
        _check_sum(found / WEIGHTS)
        network.load_state_dict(load_file(found / WEIGHTS))
        if average is not None:
            _check_sum(found / AVERAGE)
            average.load_state_dict(load_file(found / AVERAGE))
        if training.exists():
            _check_sum(training)
            state = torch.load(training, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise RunError(f"{found} is damaged: {_first_line(error)}") from None
    if not isinstance(state, dict):
        raise RunError(f"{training} is damaged: expected a dict, got {type(state).__name__}.")
    return state


def _check_sum(file: Path) -> None:
    if problem := damage(file, file.with_name(DESCRIPTION)):
        raise RunError(problem)


def _existing(folder: Path) -> Path:
    """Where the whole checkpoint of this name lies; refuses a name without one."""
    found = find_checkpoint(folder)
    if found is not None:
        return found
    if folder.exists():
        raise RunError(f"{folder} is damaged: it holds no {DESCRIPTION}.")
    raise RunError(
        f"There is no {folder}: the run has not reached its first validation, or it was deleted."
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def _save_weights(network: nn.Module, file: Path) -> None:
    state = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }
    with whole_file(file) as partial:  # safetensors alone makes it readable to its owner alone
        save_file(state, partial)
