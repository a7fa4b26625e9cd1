"""A base of an ablation -> the pretraining and the generator that some of its rows build upon.

A row names them as `@pretraining` and `@generator`; the ablation makes them first, in the base's
seeds, in folders of these names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from hmstrain.config import OF_VOTES, SETTINGS, USELESS, Config
from hmstrain.data.inputs import INPUTS
from hmstrain.errors import ConfigError
from hmstrain.models import VAE, find_model
from hmstrain.settings.inputs import InputSettings
from hmstrain.settings.machine import MachineSettings

MARK = "@"
OTHER = {"eeg": "spec", "spectrogram": "eeg"}
"""Signal of a base of one input -> what its encoder is matched with."""
PARTNER = "naive_cnn"
"""Model of the spectrogram beside one that takes raw EEG alone."""
TURNED = ("flip", "swap", "front_back", "permute_chains", "shift_s", "stretch")
"""Changes of training windows that leave them as real ones look: a generator learns these too."""
LENGTH = ("fold", "seed", "seeds", "fraction", "epochs", "batch_size", "steps", "validate_every")
MIXED = ("mixup", "mixup_p", "mixup_clip", "generator", "weights", "best_by")


def pretraining_of(base: Config) -> Config:
    """The configuration with which the encoders of a base are pretrained.

    All training patients take part, whatever `fraction` of their votes the base is trained on. The
    encoder of a base of one signal is matched with that of the other.

    Raises
    ------
    ConfigError
        The base has other inputs than of one signal each.
    """
    usual = {name: SETTINGS[name].default for name in (*USELESS, *OF_VOTES, *MIXED)}
    sample = "eeg" if base.sample == "votes" else base.sample
    config = replace(base, **usual, sample=sample, fraction=1.0)
    if len(base.encoders) == 1:
        (name,) = base.encoders
        if INPUTS[name].signal not in OTHER:
            raise ConfigError(f"nothing is left to match the input {name} with.")
        config = _with_partner(config, name, OTHER[INPUTS[name].signal])
    return replace(config, pretraining=True)


def _with_partner(config: Config, name: str, other: str) -> Config:
    """Add an input of the other signal."""
    if INPUTS[name].layout == "image":
        return replace(config, inputs=f"{name}+{other}")
    if find_model(config.model).whole or config.model_args:
        raise ConfigError("a network of your own, or with arguments, has no partner to match with.")
    return replace(config, model=PARTNER, eeg_model=config.model, inputs=f"{name}+{other}")


def generator_of(base: Config) -> Config:
    """The configuration of a generator of a base's images.

    Raises
    ------
    ConfigError
        The base sees something else than one image.
    """
    groups = {item.name for group in (InputSettings, MachineSettings) for item in fields(group)}
    kept = groups | {*TURNED, *LENGTH, "min_votes"}
    given = {name: getattr(base, name) for name in kept - {"standardise", "eeg_as", "image_size"}}
    return Config(**(given | {"model": VAE, "inputs": "+".join(base.encoders)}))


MADE: dict[str, Callable[[Config], Config]] = {
    "pretraining": pretraining_of,
    "generator": generator_of,
}
"""What an ablation makes, by the name of its folder: a base -> its configuration."""


def named_in(config: Config) -> list[str]:
    """Names of `MADE` that a row refers to.

    Raises
    ------
    ConfigError
        It refers to something else.
    """
    words = [config.weights, config.generator]
    found = [word.removeprefix(MARK) for word in words if word.startswith(MARK)]
    for name in found:
        if name not in MADE:
            raise ConfigError(f"{MARK}{name}: expected {' or '.join(MARK + one for one in MADE)}.")
    return found


def with_folders(config: Config, out: Path) -> Config:
    """A row's configuration with the folders that its words stand for."""
    paths: dict[str, Any] = {
        name: str(out / value.removeprefix(MARK))
        for name in ("weights", "generator")
        if (value := getattr(config, name)).startswith(MARK)
    }
    return replace(config, **paths)
