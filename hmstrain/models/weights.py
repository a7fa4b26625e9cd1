"""A file of weights, or the folder of a run -> tensors by name, and what the run says of them."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Collection
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeGuard

import torch
from safetensors.torch import load_file
from torch import Tensor

from hmsstore.json_shapes import ShapeError, read_json
from hmsstore.reading.zip_members import ZipMembers
from hmsstore.sums import broken_seal, damage, newer
from hmstrain.errors import ModelError

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
"""What a checkpoint of a run holds."""
WRAPPERS = ("module.", "_orig_mod.")
"""What PyTorch's parallel and compiled networks put before the names of weights."""


def find_weights(path: Path, fold: str, seed: int) -> Path:
    """Find the file of weights that a path stands for.

    Parameters
    ----------
    path : Path
        A file; or a checkpoint; or a run, whose best checkpoint it stands for; of a run of several
        networks, that of this fold and seed, else of this fold or seed alone.

    Raises
    ------
    ModelError
        A folder holds no such checkpoint.
    """
    if not path.is_dir():
        return path
    names = ("", "best", f"fold{fold}-seed{seed}/best", f"fold{fold}/best", f"seed{seed}/best")
    for name in names:
        if (path / name / DESCRIPTION).is_file():
            return path / name / WEIGHTS
    inside = sorted(one.parent.name for one in path.glob("*/best") if one.is_dir())
    if inside:
        raise ModelError(
            f"{path} holds {', '.join(inside)}, and nothing for fold {fold} and seed {seed}: name "
            "one of them."
        )
    raise ModelError(
        f"{path} is a folder without the checkpoint of a run: expected best/{WEIGHTS}."
    )


def read_origin(file: Path) -> dict[str, Any]:
    """What the checkpoint that a file of weights belongs to says of itself; nothing without one.

    Raises
    ------
    ModelError
        Its description is damaged.
    """
    path = file.with_name(DESCRIPTION)
    if not path.is_file():
        return {}
    try:
        found = read_json(path)
    except (OSError, ShapeError) as error:
        raise ModelError(f"{path} is damaged: {error}.") from None
    if problem := broken_seal(path, found) or newer(path, found):
        raise ModelError(problem)
    return found if isinstance(found, dict) and isinstance(found.get("config"), dict) else {}


def undescribed(file: Path) -> list[str]:
    """What a user should know of a run's weights: nothing, where its description is beside them."""
    if read_origin(file):
        return []
    return [
        f"{file} holds weights of a run without its {DESCRIPTION}, so whom they were trained on is "
        "not known: if this run is scored on any of them, its scores are too good. Keep "
        f"{DESCRIPTION} beside them."
    ]


def read_weights(file: Path) -> dict[str, Tensor]:
    """Weights from a safetensors file, or from a .pth that holds nothing but weights.

    Raises
    ------
    ModelError
        The file is missing or is neither; or it is of a checkpoint, whose description states
        another checksum of it.
    """
    if problem := damage(file, file.with_name(DESCRIPTION)):
        raise ModelError(problem)
    if not file.is_file():
        found = "a folder" if file.is_dir() else "a pipe or device" if file.exists() else "nothing"
        raise ModelError(f"{file} cannot be read as weights: expected a file, found {found}.")
    try:
        if file.suffix == ".safetensors":
            state: Any = load_file(file)
        else:
            _refuse_packed(file)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of sparse tensors, which are refused below
                state = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise ModelError(
            f"{file} holds more than weights, which is not loaded because it could run any code. "
            "Save the state_dict, or as safetensors."
        ) from None
    except (MemoryError, ModelError):
        raise
    except Exception as error:  # pickle's other errors have no common class
        text = str(error).strip()
        reason = text.splitlines()[0].rstrip(".") if text else type(error).__name__
        raise ModelError(f"{file} cannot be read as weights: {reason}") from None
    inner = state.get("state_dict", state.get("model", state)) if isinstance(state, dict) else None
    if not _by_name(inner):
        raise ModelError(f"{file} does not hold weights by name{_where(state)}.")
    floating = [value for value in inner.values() if value.is_floating_point()]
    if not floating:
        raise ModelError(f"{file} does not hold weights in floating point.")
    nbytes = file.stat().st_size
    for name, value in inner.items():
        if value.layout != torch.strided or value.is_meta or value.is_nested:
            kind = "without values (meta)" if value.is_meta else f"of layout {value.layout}"
            raise ModelError(
                f"{file}: {name} is a tensor {kind}: save dense tensors, as of a state_dict."
            )
        if value.numel() * value.element_size() > nbytes:  # a view that repeats what is stored
            raise ModelError(
                f"{file}: {name} claims {value.numel():,} values, in {nbytes:,} bytes: save what "
                "it holds, not a view of it."
            )
    if not all(bool(torch.isfinite(value).all()) for value in floating):
        raise ModelError(f"{file} holds NaN or infinite values.")
    return inner


def unwrapped(state: dict[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """Weights under the names of a network, where `WRAPPERS` put something before each."""
    for prefix in WRAPPERS * 2:  # one may be in the other
        if state and all(name.startswith(prefix) and name not in names for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _by_name(value: object) -> TypeGuard[dict[str, Tensor]]:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(one, Tensor) for name, one in value.items()
    )


def _where(state: object) -> str:
    """Say under which keys of a training's checkpoint weights lie."""
    inside = state.items() if isinstance(state, dict) else ()
    keys = [repr(key) for key, value in inside if value and _by_name(value)]
    return f", but under {' and '.join(keys)}: save that alone" if keys else ""


def _refuse_packed(file: Path) -> None:
    """Refuse a .pth that would be larger in memory than it is: PyTorch packs nothing."""
    if not zipfile.is_zipfile(file):
        return  # of versions before 1.6, which packed nothing either
    with ZipMembers(file) as archive:
        total, nbytes = sum(map(archive.size, archive.names())), file.stat().st_size
    if total > nbytes:
        raise ModelError(f"{file} claims {total:,} bytes of weights, in {nbytes:,}: save it again.")
