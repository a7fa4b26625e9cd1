"""What the network is, and what it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hmstrain.errors import ConfigError
from hmstrain.settings.setting import Group, one_of, setting, within


@dataclass(frozen=True)
class ModelSettings(Group):
    """What the network is, and what it starts from."""

    model: str = setting(
        "convnext_tiny",
        "Name from `hmstrain models`, a timm name, or package.module:function for your own.",
    )
    model_args: Mapping[str, Any] = setting(
        dict, "Arguments of the model or of your own function: --set model.width=64."
    )
    eeg_model: str = setting(
        "",
        "Model that encodes the EEG beside another for the spectrogram; unset: the same model, "
        "or resnet1d for raw EEG.",
    )
    pretrained: bool = setting(False, "Start from timm's weights, from its cache or the network.")
    weights: str = setting(
        "",
        "Start from the weights in this file (.safetensors or .pth), or from the encoders of this "
        "run of `hmstrain pretrain`.",
    )
    start_at_prior: bool = setting(
        True,
        "Start with the mean training target as the answer to any input; in a second stage, shift "
        "answers by its change.",
        before=False,
    )
    populations: str = one_of(
        "one",
        "bias",
        "scale",
        meaning="bias: answer windows with second_min_votes votes or more by a second bias of the "
        "last layer, trained in the same stage; scale: by a scale and a bias. Predictions are "
        "those for many votes, or with --population few for few.",
    )
    drop_rate: float = within(0.0, 0, 0.95, "Dropout before the last layer.")
    drop_path: float = within(
        0.0,
        0,
        0.95,
        "Chance of leaving out the last residual branch of timm's models in training; earlier "
        "branches have smaller chances.",
    )
    pooling: str = one_of(
        "avg",
        "gem",
        "catavgmax",
        meaning="How timm's models and naive_cnn pool their last maps: mean; generalised mean with "
        "a trained exponent; mean and maximum, concatenated.",
    )

    def check_together(self) -> None:
        """Refuse weights from two places."""
        if self.pretrained and self.weights:
            raise ConfigError("Give --pretrained or --weights, not both.")
