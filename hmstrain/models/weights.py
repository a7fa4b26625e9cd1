"""A file of weights -> tensors by name."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from hmsstore.sums import damage
from hmstrain.errors import ModelError


def read_weights(file: Path) -> dict[str, Tensor]:
    """Weights from a safetensors file, or from a .pth that holds nothing but weights.

    Raises
    ------
    ModelError
        The file is missing or is neither; or it is of a checkpoint, whose description states
        another checksum of it.
    """
    if problem := damage(file, file.with_name("model.json")):
        raise ModelError(problem)
    try:
        if file.suffix == ".safetensors":
            state: Any = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise ModelError(
            f"{file} holds more than weights, which is not loaded because it could run any code. "
            "Save the state_dict, or as safetensors."
        ) from None
    except Exception as error:  # pickle's other errors have no common class
        text = str(error).strip()
        reason = text.splitlines()[0].rstrip(".") if text else type(error).__name__
        raise ModelError(f"{file} cannot be read as weights: {reason}") from None
    inner = state.get("state_dict", state.get("model", state)) if isinstance(state, dict) else None
    if not isinstance(inner, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in inner.items()
    ):
        raise ModelError(f"{file} does not hold weights by name.")
    floating = [value for value in inner.values() if value.is_floating_point()]
    if not floating:
        raise ModelError(f"{file} does not hold weights in floating point.")
    if not all(bool(torch.isfinite(value).all()) for value in floating):
        raise ModelError(f"{file} holds NaN or infinite values.")
    return inner
