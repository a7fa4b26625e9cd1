"""'package.module:function' -> a network of one's own, and what it has to be.

Whatever it does wrong is told in one sentence, with the line of its source.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from hmstrain.data.inputs import INPUTS, Input
from hmstrain.data.inputs.image import image_BCHW
from hmstrain.errors import ModelError

if TYPE_CHECKING:
    from hmstrain.config import Config

NOT_THEIRS = (*{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}, __file__)
"""Where code lies that is not the user's own: Python's, installed packages', this."""


class CustomNetwork(nn.Module):
    """A network of one's own, called with the arguments that its author expects.

    Parameters
    ----------
    network : nn.Module
        Gives logits (B, classes).
    name : str
        To name it by in messages.
    seen : mapping
        Its inputs, by name.
    classes : int
        How many logits are expected.
    """

    def __init__(
        self, network: nn.Module, name: str, seen: Mapping[str, Input], classes: int
    ) -> None:
        super().__init__()
        self.network = network
        self.name = name
        self.arguments = {one.key: one.argument for one in seen.values()}
        self.images = {one.key for which, one in seen.items() if INPUTS[which].layout == "image"}
        self.classes = classes
        self.loaded = False  # whether a file held all its weights
        self.notices: list[str] = []  # what a user should know of that file

    @property
    def last_maps(self) -> dict[str, nn.Module | None]:
        """Modules that give the last feature maps: they are not known."""
        return {}

    def forward(self, **prepared: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits of prepared inputs; images are given as three equal channels. No embeddings.

        Raises
        ------
        ModelError
            The network fails, or does not give logits that can be trained.
        """
        given = {self.arguments[key]: x for key, x in prepared.items()}
        for key in self.images:
            image = prepared[key]
            given[self.arguments[key]] = image_BCHW(image, image.shape[-2:])
        try:
            logits = self.network(**given)
        except Exception as error:
            shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in given.items())
            raise ModelError(f"{self.name} fails on {shapes}: {_told(error)}") from error
        expected = (next(iter(given.values())).shape[0], self.classes)
        if not isinstance(logits, Tensor) or logits.shape != expected:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ModelError(f"{self.name} must give logits {expected}; it gave {got}.")
        if not logits.is_floating_point() or (torch.is_grad_enabled() and not logits.requires_grad):
            raise ModelError(
                f"{self.name} gives logits without a gradient: they must be floating point and "
                "depend on trainable parameters."
            )
        return logits, ()


def build(
    config: Config, seen: Mapping[str, Input], classes: int, **model_args: Any
) -> CustomNetwork:
    """Make the network that the configuration's 'package.module:function' names.

    Parameters
    ----------
    config : Config
        Of the run.
    seen : mapping
        The run's inputs by name.
    classes : int
        How many logits the network must give.
    **model_args
        Arguments of the function.

    Raises
    ------
    ModelError
        There is none, or it cannot be trained on the run's inputs.
    """
    name = config.model
    module, _, function = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise ModelError(
            f"{name} is not package.module:function, such as mine:network for the function "
            "network() of mine.py in the working folder."
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        network = getattr(importlib.import_module(module), function)(**model_args)
    except ModuleNotFoundError as error:
        hint = "it must lie in the working folder or be installed"
        if error.name not in (module, module.split(".")[0]):
            hint = f"{module} imports it"
        raise ModelError(f"{name}: there is no module {error.name!r}; {hint}.") from None
    except (Exception, SystemExit) as error:
        raise ModelError(f"{name} does not give a network: {_told(error)}") from error
    if not isinstance(network, nn.Module):
        raise ModelError(f"{name} must give a torch.nn.Module; it gave {type(network).__name__}.")
    parameters = list(network.parameters())
    if not any(parameter.requires_grad for parameter in parameters):
        raise ModelError(f"{name} does not have parameters that are trained.")
    if any(isinstance(parameter, UninitializedParameter) for parameter in parameters):
        raise ModelError(f"{name} has lazy layers: give them their sizes.")
    arguments = [one.argument for one in seen.values()]
    try:
        inspect.signature(network.forward).bind(**dict.fromkeys(arguments))
    except TypeError as error:
        raise ModelError(
            f"{name}: with --inputs {config.inputs} its forward is called with "
            f"{' and '.join(arguments)}: {error}."
        ) from None
    return CustomNetwork(network, name, seen, classes)


def _told(error: BaseException) -> str:
    """What went wrong in somebody's own code, and the last line of it that led there."""
    text = str(error).strip().splitlines() or ["no message"]
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(NOT_THEIRS)
    ]
    where = ""
    if theirs:
        frame = theirs[-1]
        where = f" ({Path(frame.filename).name}, line {frame.lineno}: {frame.line})"
    return f"{type(error).__name__}: {text[0].rstrip('.')}{where}."
