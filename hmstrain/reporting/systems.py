"""Names of systems -> models with their inputs, and what a student report published of nine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hmstrain.config import Config
from hmstrain.data.inputs import INPUTS
from hmstrain.errors import ConfigError
from hmstrain.models import find_model
from hmstrain.models.encoders import EEG

CONTRASTIVE = "-contrastive"
"""Ends the name of a system whose embeddings of EEG and spectrogram are pulled together."""


@dataclass(frozen=True, slots=True)
class System:
    """A model with its inputs; what the report published of it, if it did."""

    model: str
    inputs: str
    contrastive: bool
    kl: float | None = None
    accuracy: float | None = None
    f1: float | None = None

    @property
    def published(self) -> dict[str, float]:
        """What the report published of it, by key of the score that it compares with."""
        found = {"kl_votes": self.kl, "accuracy": self.accuracy, "f1_macro": self.f1}
        return {key: value for key, value in found.items() if value is not None}

    @property
    def title_of_inputs(self) -> str:
        """Inputs, and whether their embeddings are pulled together."""
        return f"{self.inputs} contrastive" if self.contrastive else self.inputs

    @property
    def name(self) -> str:
        """Short name, which its folder has too."""
        model = self.model.replace(":", ".")
        return f"{model}-{self.inputs}{CONTRASTIVE * self.contrastive}"

    def of(self, config: Config) -> Config:
        """Give a study's common configuration the model and inputs of this system."""
        return replace(
            config,
            model=self.model,
            inputs=self.inputs,
            contrastive=self.contrastive,
            pretrained=config.pretrained and find_model(self.model).pretrained,
        )


SYSTEMS = (
    System("naive_cnn", "spec", False, 0.966, 0.490, 0.555),
    System("efficientnet_b0", "spec", False, 0.895, 0.596, 0.625),
    System("efficientnet_v2_s", "spec", False, 0.871, 0.597, 0.633),
    System("convnext_tiny", "spec", False, 0.910, 0.617, 0.644),
    System("naive_cnn", "spec+eeg", False, 0.805, 0.601, 0.621),
    System("efficientnet_b0", "spec+eeg", False, 0.754, 0.612, 0.625),
    System("efficientnet_v2_s", "spec+eeg", False, 0.712, 0.621, 0.633),
    System("convnext_tiny", "spec+eeg", False, 0.730, 0.640, 0.685),
    System("naive_cnn", "spec+eeg", True),
)
"""Results of a student report on a random split of windows, in which patients leak. Its contrastive
model was never finished, and it has its own formulas for accuracy and F1."""


def choose(names: Sequence[str] | str | None) -> list[System]:
    """Systems of these names, MODEL-INPUTS or MODEL-INPUTS-contrastive; the report's if none.

    Raises
    ------
    ConfigError
        A name has another form.
    """
    known = {system.name: system for system in SYSTEMS}
    each = [names] if isinstance(names, str) else names or ()
    chosen = [known.get(name) or _parse(name) for name in each]
    return list(dict.fromkeys(chosen)) or list(SYSTEMS)


def _parse(name: str) -> System:
    model, _, inputs = name.removesuffix(CONTRASTIVE).partition("-")
    if not model or not all(word in (EEG, *INPUTS) for word in inputs.split("+")):
        raise ConfigError(
            f"There is no system {name!r}: the report has "
            f"{', '.join(system.name for system in SYSTEMS)}; others are MODEL-INPUTS, such as "
            "MODEL-spec, MODEL-eeg or MODEL-spec+eeg."
        )
    return System(model, inputs, name.endswith(CONTRASTIVE))
