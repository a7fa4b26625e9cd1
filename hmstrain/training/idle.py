"""A configuration -> its settings that change nothing of what its networks are or see."""

from __future__ import annotations

from collections.abc import Iterable

from hmstrain.config import SETTINGS, Config
from hmstrain.data.inputs import INPUTS
from hmstrain.models import find_model

OF_SIGNAL = {"eeg": ("eeg_seconds", "front_back"), "spectrogram": ("spectrogram_rows",)}
"""Settings that change nothing of inputs without the signal."""
OF_CHANNELS = ("channel_dropout", "channel_dropout_most")
"""Those of inputs without bipolar channels."""
OF_IMAGES = ("mask", "mask_size", "boxes", "box_size", "standardise", "image_size")
"""Those of inputs that are no images."""
OF_DEVIATIONS = ("noise",)
"""Those of inputs in physical units alone."""


def idle_settings(config: Config) -> dict[str, str]:
    """Settings that change nothing, by name, each with what it changes nothing of."""
    kinds = [INPUTS[name] for name in config.encoders]
    models = [find_model(name) for name in (config.model, *config.encoders.values())]
    found: dict[str, str] = {}

    def add(names: Iterable[str], of: str) -> None:
        found.update({name: of for name in names if name not in found})

    inputs = f"--inputs {'+'.join(config.encoders)}"
    for signal, names in OF_SIGNAL.items():
        if not any(signal in kind.signals for kind in kinds):
            add(names, inputs)
    if not any("eeg" in kind.signals and kind.layout != "microvolts" for kind in kinds):
        add(OF_CHANNELS, inputs)
    if not any(kind.layout == "image" for kind in kinds):
        add(OF_IMAGES, inputs)
    if all(kind.layout == "microvolts" for kind in kinds):
        add(OF_DEVIATIONS, inputs)
    if not any(model.pools for model in models):
        add(("image_size",), f"model={config.model}, which sees images in their own size")
    if any(model.whole for model in models):
        add(("drop_rate",), "a network of your own")
    return found


def idle_notices(config: Config) -> list[str]:
    """What to tell the user of settings that were changed and do nothing."""
    return [
        f"{name} changes nothing of {of}."
        for name, of in idle_settings(config).items()
        if getattr(config, name) != SETTINGS[name].default
    ]
