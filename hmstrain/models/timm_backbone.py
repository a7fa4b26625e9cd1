"""A timm name and an input -> a trunk that takes such images, or near ones.

Convolutional networks take any size. Networks with a fixed input (vision transformers) are made for
the size at hand, rounded to whole patches, where they allow it: timm resamples their position
embedding. Otherwise the image is resized to what they were trained on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

import timm
import torch
from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
from timm.layers.drop import DropPath
from timm.models import get_deprecated_models
from torch import Tensor, nn

from hmstrain.data.inputs import Input
from hmstrain.data.inputs.image import image_BCHW
from hmstrain.errors import ModelError
from hmstrain.models import MODELS
from hmstrain.models.hub import reachable_or_cached
from hmstrain.models.pooling import pool_by
from hmstrain.models.trunk import image_size

OF_WEIGHTS = {"checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay"}
"""Arguments of `timm.create_model` that say where weights come from. Some of its versions unpickle
what is there, which may run any code; and a run's files may hold arguments."""
CHANNELS = "in_chans"
"""Argument of `timm.create_model` that says how many channels an image has."""
PATCH = 32
"""Sides are rounded to whole multiples of this for networks with patches."""
AVERAGES = ("avg", "fast", "fastavg")
"""What timm calls the mean."""


class TimmTrunk(nn.Module):
    """Images -> features, by a network of timm without its classifier.

    Parameters
    ----------
    backbone : nn.Module
        Takes (B, channels, height, width).
    size : (int, int)
        Height and width that images are resized to.
    channels : int
        Different planes of an image, or equal copies of its only one.
    pooling : str
        'avg': as it pools by itself; else as `replace_mean` says.

    Raises
    ------
    ValueError
        It does not give one row of features for an image.
    ModelError
        It does not pool in this way.
    """

    def __init__(
        self, backbone: Any, size: tuple[int, int], channels: int, pooling: str = "avg"
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.views = 2 if pooling == "catavgmax" else 1
        self.take(backbone)
        self.size = size
        self.channels = channels
        self.maps = nn.Identity()  # where whoever explains an answer finds the last maps
        backbone.eval()
        with torch.no_grad():
            maps = backbone.forward_features(torch.zeros(1, channels, *size))
            features = backbone.forward_head(maps)
        backbone.train()
        if features.dim() != 2:
            raise ValueError(f"it gives {tuple(features.shape)} instead of one row of features")
        self.features = self.views * int(features.shape[1])
        # Tokens, and maps with channels last, are those of transformers; one place tells nothing.
        channels_first = maps.dim() == 4 and maps.shape[1] == backbone.num_features
        self.has_maps = bool(channels_first and max(maps.shape[2:]) > 1)

    def take(self, backbone: Any) -> None:
        """Let this network make the features, pooled as the trunk pools."""
        if self.pooling != "avg":
            replace_mean(backbone, self.pooling)
        self.backbone = backbone

    @property
    def last_map(self) -> nn.Module | None:
        """Module that gives the last feature maps (B, C, h, w), all blocks done; None: tokens."""
        return self.maps if self.has_maps else None

    def forward(self, image_BHW: Tensor) -> Tensor:
        """Features (B, F) of images (B, H, W), or (B, P, H, W) of several planes."""
        image = image_BCHW(image_BHW, self.size, self.channels)
        features: Tensor = self.backbone.forward_head(
            self.maps(self.backbone.forward_features(image))
        )
        return torch.cat(features.chunk(self.views), dim=1)


def build(name: str, seen: Input, **model_args: Any) -> TimmTrunk:
    """Make the trunk of one input of images.

    Parameters
    ----------
    name : str
        In timm.
    seen : Input
        Its configuration says which weights to load.
    **model_args
        As `timm.create_model` takes them.

    Raises
    ------
    ModelError
        There is no such model, it does not take images, or its weights cannot be had or do not fit.
    """
    check_name(name)
    if CHANNELS in model_args:
        raise ModelError(f"{name}: model.{CHANNELS} is not taken: use image_channels.")
    if files := sorted(OF_WEIGHTS & model_args.keys()):
        raise ModelError(
            f"{name}: model.{files[0]} is not taken: use --pretrained, or --weights FILE, which is "
            "read as weights alone and runs no code."
        )
    try:
        native = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        known = ", ".join(timm.list_pretrained(name.split(".")[0])) or "none"
        raise ModelError(f"There are no weights {name!r}. Known are: {known}.") from None
    size = image_size(seen)
    rounded = (_rounded(size[0]), _rounded(size[1]))
    tries: list[tuple[tuple[int, int], dict[str, Any]]] = [(size, {}), (rounded, {})]
    if native is not None and native.fixed_input_size:
        tries = [(rounded, {"img_size": rounded})]
        if native.input_size:
            tries.append(((native.input_size[-2], native.input_size[-1]), {}))
    config, pooling = seen.config, seen.config.pooling
    problem: Exception | None = None
    channels = 1 if seen.planes == 1 and seen.config.image_channels == "one" else 3
    for taken, options in tries:
        options |= model_args | ({"drop_path_rate": config.drop_path} if config.drop_path else {})
        if channels != 3:  # what all of timm's models take unasked
            options[CHANNELS] = channels
        try:
            # First without weights, to tell a size that does not fit from weights that do not.
            backbone = timm.create_model(name, num_classes=0, **options)
            trunk = TimmTrunk(backbone, taken, channels, pooling)
        except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError) as error:
            if config.drop_path and "drop_path" in str(error):
                raise _keeps_paths(name) from None
            problem = error
            continue
        if config.drop_path and not _drops_paths(trunk):
            raise _keeps_paths(name)
        if config.pretrained or config.weights:
            weights = Path(config.weights) if config.weights else None
            trunk.take(_with_weights(name, options, type(backbone), weights))
        return trunk
    given = f" with {model_args}" if model_args else ""
    raise ModelError(f"{name} does not take images of {size[0]} x {size[1]}{given}: {problem}.")


def check_name(name: str) -> None:
    """Check that timm has a model.

    Raises
    ------
    ModelError
        It has none of this name; with the new name of a former one, or the nearest names.
    """
    former, arch = get_deprecated_models(), name.partition(".")[0]
    if arch in former:
        now = f"timm calls it {former[arch]} now" if former[arch] else "timm has removed it"
        raise ModelError(f"There is no model {arch!r} any more: {now}.")
    if timm.is_model(name):
        return
    near = get_close_matches(name, {*timm.list_models(), *MODELS}, n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    raise ModelError(
        f"There is no model {name!r}.{hint} `hmstrain models` lists them; "
        "package.module:function names a network of your own."
    )


def _rounded(side: int) -> int:
    return max(PATCH, round(side / PATCH) * PATCH)


def _drops_paths(trunk: TimmTrunk) -> bool:
    return any(isinstance(m, DropPath) and (m.drop_prob or 0) > 0 for m in trunk.modules())


def _keeps_paths(name: str) -> ModelError:
    return ModelError(f"{name} does not take drop_path: it has no residual branches to leave out.")


def _with_weights(
    name: str, options: dict[str, Any], kind: type[nn.Module], file: Path | None
) -> nn.Module:
    """The same backbone with weights, of this class; timm fits their position embedding and so on.

    timm passes over names that it does not find, on either side: they are compared here.
    """
    overlay = None if file is None else {"file": str(file)}
    try:
        with reachable_or_cached() if file is None else _comparing(kind) as differing:
            loaded: list[nn.Module] = [
                timm.create_model(
                    name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay, **options
                )
                # Files are loaded twice: a seed's later draws are what they were in all versions.
                for _ in range(1 if file is None else 2)
            ]
    except Exception as error:
        if file is not None:
            raise ModelError(f"{file} does not fit {name}: {_reason(error)}") from None
        raise ModelError(
            f"The pretrained weights of {name} are not in timm's cache and cannot be downloaded "
            "here. Give a file with --weights (in a recipe: --set weights=FILE), or start from "
            "random weights, without --pretrained (in a recipe: --set pretrained=false). "
            f"({shorten(_reason(error), 200, placeholder=' ...')})"
        ) from None
    if differing is None:
        return loaded[0]
    ours = loaded[0].state_dict()
    missing = [key for key in differing.missing if ours[key].is_floating_point()]
    if missing:
        raise ModelError(f"{file} does not fit {name}: it holds no {missing[0]}{_more(missing)}.")
    if differing.left_over:
        with torch.random.fork_rng(devices=[]):
            classifying = timm.create_model(name, **options).state_dict()
        if left_over := [key for key in differing.left_over if key not in classifying]:
            raise ModelError(
                f"{file} does not fit {name}: it holds {left_over[0]}{_more(left_over)}, which "
                f"{name} does not have."
            )
    return loaded[0]


@dataclass
class _Differing:
    """Names of weights that only a network has, or only the file that it loads."""

    missing: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)


@contextmanager
def _comparing(kind: type[nn.Module]) -> Iterator[_Differing]:
    """Within it, networks of a class say what differs when they load weights, and timm does not."""
    differing, log = _Differing(), logging.getLogger("timm")
    level, load = log.level, kind.load_state_dict

    def loads(network: nn.Module, state: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        found = load(network, state, *args, **kwargs)
        differing.missing = list(found.missing_keys)
        differing.left_over = [
            key for key in found.unexpected_keys if state[key].is_floating_point()
        ]
        return found

    log.setLevel(logging.ERROR)
    setattr(kind, "load_state_dict", loads)  # noqa: B010 - of a class that is not known
    try:
        yield differing
    finally:
        log.setLevel(level)
        setattr(kind, "load_state_dict", load)  # noqa: B010


def _reason(error: Exception) -> str:
    """Its first line that says something: of PyTorch's, the second names the weight."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[min(1, len(lines) - 1)].strip() if lines[0].endswith(":") else lines[0]


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1:,} more" if len(names) > 1 else ""


def replace_mean(backbone: nn.Module, kind: str) -> None:
    """Let a network of timm pool its last maps in this way, with all that follows as it was.

    With 'catavgmax' its rows are twice as many from there on: those of the mean, then those of the
    maximum, so that what follows sees either as it would see the mean alone.

    Raises
    ------
    ModelError
        It does not take the mean of its last maps.
    """
    found = [module for module in backbone.modules() if isinstance(module, SelectAdaptivePool2d)]
    if len(found) != 1 or found[0].pool_type not in AVERAGES:
        raise ModelError(
            f"pooling={kind} needs a network that takes the mean of its last maps, which "
            f"{type(backbone).__name__} does not: use pooling=avg."
        )
    (select,) = found
    # Whichever of timm's two kinds it is: one squeezes by itself, and knows where channels are.
    axes = getattr(select.pool, "dim", (2, 3))
    kept = not getattr(select.pool, "flatten", False)
    mean, maximum = (partial(f, dim=axes, keepdim=kept) for f in (torch.mean, torch.amax))
    setattr(select, "pool", pool_by(kind, mean, maximum, axis=0))  # noqa: B010 - of any type
