"""Somebody's own network, named 'package.module:function', and what it has to be.

Whatever it does wrong is told in one sentence, with the line of its source.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from hmsstore import CLASSES
from hmstrain.config import Config
from hmstrain.data.inputs.prepare import image_BCHW, signals
from hmstrain.errors import ModelError


class OwnNetwork(nn.Module):
    """Somebody's own network, called with the arguments that its author expects."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network = network
        self.name = name

    def forward(self, **prepared: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits of `eeg_BTC` (B, T, 20) in microvolts and/or `image_BCHW` (B, 3, 400, rows)."""
        given: dict[str, Tensor] = {}
        if "eeg_uv_BTC" in prepared:
            given["eeg_BTC"] = prepared["eeg_uv_BTC"]
        if "spectrogram_BHW" in prepared:
            image = prepared["spectrogram_BHW"]
            given["image_BCHW"] = image_BCHW(image, (image.shape[1], image.shape[2]))
        try:
            logits = self.network(**given)
        except Exception as error:
            shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in given.items())
            raise ModelError(f"{self.name} fails on {shapes}: {_told(error)}") from error
        count = next(iter(given.values())).shape[0]
        if not isinstance(logits, Tensor) or logits.shape != (count, len(CLASSES)):
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ModelError(f"{self.name} must give logits ({count}, 6); it gave {found}.")
        if not logits.is_floating_point() or (torch.is_grad_enabled() and not logits.requires_grad):
            raise ModelError(
                f"{self.name} gives logits that no gradient goes back from: they must be floating "
                "point and depend on parameters that are trained."
            )
        return logits, ()


def own_network(config: Config) -> OwnNetwork:
    """Make the network that 'package.module:function' names.

    Raises
    ------
    ModelError
        There is none, or it is not one that can be trained on the run's inputs.
    """
    module, _, function = config.model.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise ModelError(
            f"{config.model} is not package.module:function, such as mine:network for the function "
            "network() of mine.py in the working folder."
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        network = getattr(importlib.import_module(module), function)()
    except ModuleNotFoundError as error:
        hint = "it must lie in the working folder or be installed"
        if error.name not in (module, module.split(".")[0]):
            hint = f"{module} imports it"
        raise ModelError(f"{config.model}: there is no module {error.name!r}; {hint}.") from None
    except (Exception, SystemExit) as error:
        raise ModelError(f"{config.model} gives no network: {_told(error)}") from error
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"{config.model} must give a torch.nn.Module; it gave {type(network).__name__}."
        )
    parameters = list(network.parameters())
    if not any(parameter.requires_grad for parameter in parameters):
        raise ModelError(f"{config.model} has no parameters that are trained.")
    if any(isinstance(parameter, UninitializedParameter) for parameter in parameters):
        raise ModelError(f"{config.model} has lazy layers: give them their sizes.")
    names = {"spectrogram": "image_BCHW", "eeg": "eeg_BTC"}
    given = [names[name] for name in signals(config)]
    try:
        inspect.signature(network.forward).bind(**dict.fromkeys(given))
    except TypeError as error:
        raise ModelError(
            f"{config.model}: with --inputs {config.inputs} its forward is called with "
            f"{' and '.join(given)}: {error}."
        ) from None
    return OwnNetwork(network, config.model)


def _told(error: BaseException) -> str:
    """What went wrong in somebody's own code, and where."""
    text = str(error).strip().splitlines() or ["no message"]
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = ""
    if frame.filename != __file__:
        where = f" ({Path(frame.filename).name}, line {frame.lineno})"
    return f"{type(error).__name__}: {text[0].rstrip('.')}{where}."
