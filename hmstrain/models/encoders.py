"""A model and the words of `--inputs` -> the inputs by name, and the model that encodes each."""

from __future__ import annotations

from hmstrain.data.inputs import INPUTS
from hmstrain.errors import ConfigError
from hmstrain.models import ENCODERS, find_model

EEG = "eeg"
"""Word of `--inputs` that stands for the EEG as its model takes it."""


def default_inputs(model: str) -> str:
    """What a model sees if nothing is said: EEG if it takes no images, else the spectrogram."""
    return EEG if find_model(model).takes in ("raw", "microvolts", "features") else "spec"


def assign(model: str, inputs: str, eeg_as: str, eeg_model: str) -> dict[str, str]:
    """Tell which model encodes which input.

    Parameters
    ----------
    model : str
        Name of the model.
    inputs : str
        Names from `INPUTS`, or `eeg`, joined by +.
    eeg_as : str
        'raw': `eeg` stands for raw EEG even if the model takes images.
    eeg_model : str
        Name of a model for the EEG, beside one for the spectrogram; empty: the model's own, or
        that of `ENCODERS`.

    Returns
    -------
    dict
        Each input's name -> its model's name, in the order of the words.

    Raises
    ------
    ConfigError
        An input does not exist, or no model takes it; or nothing is left for a model.
    """
    if find_model(model).table:
        if inputs != EEG or eeg_model:
            raise ConfigError(
                f"{model} sees the hand features of the EEG and nothing else: leave out --inputs "
                "and eeg_model."
            )
        return {"microvolts": model}
    words = inputs.split("+")
    for word in words:
        if word != EEG and word not in INPUTS:
            known = ", ".join((EEG, *INPUTS))
            raise ConfigError(f"inputs must be {known}, or several joined by +; got {inputs}.")
    if eeg_as == "raw" and eeg_model and find_model(eeg_model).takes != "raw":
        raise ConfigError(f"eeg_as=raw: eeg_model={eeg_model} does not take raw EEG.")
    whole = find_model(model).whole
    if eeg_model and (whole or find_model(eeg_model).whole):
        raise ConfigError(f"eeg_model={eeg_model}: a network of your own takes all inputs itself.")
    names = [_eeg(model, eeg_as, eeg_model) if word == EEG else word for word in words]
    if len(set(names)) < len(names):
        raise ConfigError(f"inputs must differ from each other; got {inputs}.")
    if whole:
        return dict.fromkeys(names, model)
    found = {name: _encoder(name, model, eeg_model) for name in names}
    for name, encoder in found.items():
        if find_model(encoder).takes != INPUTS[name].layout:
            if INPUTS[name].layout == "image" and find_model(model).takes == "raw":
                raise ConfigError(
                    f"{model} takes raw EEG alone, so it needs --inputs eeg; got {inputs}. "
                    f"To encode the EEG beside another model's spectrogram, use eeg_model={model}."
                )
            raise ConfigError(f"{encoder} does not take the input {name}.")
    if model not in found.values():
        raise ConfigError(
            f"With --inputs {inputs} and eeg_as={eeg_as} nothing is left for {model}: "
            f"use --model {next(iter(found.values()))}."
        )
    if eeg_model and eeg_model not in found.values():
        raise ConfigError(f"eeg_model={eeg_model} needs EEG among the inputs; got {inputs}.")
    return found


def _eeg(model: str, eeg_as: str, eeg_model: str) -> str:
    """Name of the input that `eeg` stands for."""
    if find_model(model).whole:
        return "microvolts"
    layout = "raw" if eeg_as == "raw" else find_model(eeg_model or model).takes
    return next(
        name for name, kind in INPUTS.items() if (kind.signal, kind.layout) == ("eeg", layout)
    )


def _encoder(name: str, model: str, eeg_model: str) -> str:
    """Name of the model that an input is for."""
    kind = INPUTS[name]
    if kind.signal == "eeg" and eeg_model:
        return eeg_model
    if kind.layout == find_model(model).takes:
        return model
    return ENCODERS.get(kind.layout, model)
