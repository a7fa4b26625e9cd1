"""A timm name and an image size -> a backbone that takes such images, or near ones.

Convolutional networks take any size. Networks with a fixed input (vision transformers) are made for
the size at hand, rounded to whole patches, where they allow it: timm resamples their position
embedding. Otherwise the image is resized to what they were trained on.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from hmstrain.config import RESNET1D
from hmstrain.errors import ModelError

ALIASES = {"efficientnet_v2_s": "tf_efficientnetv2_s"}
"""Names that people use -> timm's."""
PATCH = 32
"""Sides are rounded to whole multiples of this for networks with patches."""


def full_name(name: str) -> str:
    """Name of a model in timm.

    Raises
    ------
    ModelError
        There is no such model; with the nearest names.
    """
    found = ALIASES.get(name, name)
    if not timm.is_model(found):
        known = [*timm.list_models(), *ALIASES, "naive_cnn", RESNET1D]
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise ModelError(
            f"There is no model {name!r}.{hint} `hmstrain models` lists them; "
            "package.module:function names a network of your own."
        )
    return found


def make_backbone(
    name: str, size: tuple[int, int], *, pretrained: bool, weights: Path | None
) -> tuple[nn.Module, tuple[int, int], int]:
    """Make a backbone without classifier.

    Parameters
    ----------
    name : str
        A timm name, or one of `ALIASES`.
    size : (int, int)
        Height and width of the images at hand.
    pretrained : bool
        Load timm's weights, from its cache or the network.
    weights : Path, optional
        Load these instead.

    Returns
    -------
    backbone : nn.Module
        Takes (B, 3, height, width), gives (B, features).
    size : (int, int)
        The size it takes.
    features : int
        How many features it gives.

    Raises
    ------
    ModelError
        The model does not exist or takes no images, or its weights cannot be had or do not fit.
    """
    name = full_name(name)
    try:
        native = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        known = ", ".join(timm.list_pretrained(name.split(".")[0])) or "none"
        raise ModelError(f"There are no weights {name!r}. Known are: {known}.") from None
    fixed = native is not None and native.fixed_input_size
    rounded = (_rounded(size[0]), _rounded(size[1]))
    tries: list[tuple[tuple[int, int], dict[str, Any]]] = [(size, {})]
    if fixed:
        tries = [(rounded, {"img_size": rounded})]
        if native is not None and native.input_size:
            tries.append(((native.input_size[-2], native.input_size[-1]), {}))
    else:
        tries.append((rounded, {}))
    problem: Exception | None = None
    for taken, options in tries:
        try:
            # First without weights, to tell a size that does not fit from weights that do not.
            backbone = timm.create_model(name, num_classes=0, **options)
            features = _features(backbone, taken)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            problem = error
            continue
        if pretrained or weights is not None:
            backbone = _with_weights(name, options, weights)
        return backbone, taken, features
    raise ModelError(f"{name} takes no images of {size[0]} x {size[1]}: {problem}.")


def _rounded(side: int) -> int:
    return max(PATCH, round(side / PATCH) * PATCH)


def _features(backbone: nn.Module, size: tuple[int, int]) -> int:
    """Number of features that a backbone gives of an image of this size."""
    backbone.eval()
    with torch.no_grad():
        shape = backbone(torch.zeros(1, 3, *size)).shape
    backbone.train()
    if len(shape) != 2:
        raise ValueError(f"it gives {tuple(shape)} instead of one row of features")
    return int(shape[1])


def _with_weights(name: str, options: dict[str, Any], weights: Path | None) -> nn.Module:
    """The same backbone with weights; timm fits their position embedding and first layer.

    timm passes over names that it does not find. So the weights are loaded into two networks that
    began differently: what differs afterwards was not in the file.
    """
    overlay = None if weights is None else {"file": str(weights)}
    try:
        loaded: list[nn.Module] = [
            timm.create_model(
                name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay, **options
            )
            for _ in range(1 if weights is None else 2)
        ]
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if weights is not None:
            raise ModelError(f"{weights} does not fit {name}: {reason}") from None
        raise ModelError(
            f"The pretrained weights of {name} are neither in timm's cache nor to be had from the "
            "network here. Give a file with --weights, or leave --pretrained out to start from "
            f"random weights. ({reason[:200]})"
        ) from None
    first, second = loaded[0].state_dict(), loaded[-1].state_dict()
    missing = [key for key, value in first.items() if not torch.equal(value, second[key])]
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise ModelError(f"{weights} does not fit {name}: it holds no {missing[0]}{more}.")
    return loaded[0]
