"""A word -> the models whose names hold it, with their parameters and what they see.

Those of `MODELS` are known without PyTorch or timm; others are timm's, and are made to be counted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hmstrain.errors import ModelError
from hmstrain.models import BRAINDECODE, MODELS, Model

MOST = 60
"""Models of timm that are counted, at most."""
RAW, TABLE = "raw EEG, 18 bipolar channels", "hand features of the EEG"


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the list."""

    model: str
    parameters: int | None
    """Trained values; None if that cannot be told."""
    takes: str
    """What it sees, or why it cannot be made."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


def list_models(word: str | None = None) -> tuple[list[Listed], int | None]:
    """List built-in models, or those of timm too that have a word in their name.

    Parameters
    ----------
    word : str, optional
        Only those with this in their name.

    Returns
    -------
    list of Listed
        In the order of `MODELS`, then by name; at the end, what stands for those of
        braindecode and for one's own network.
    int or None
        How many more have that word; None without a word.

    Raises
    ------
    ModelError
        There is none.

    Examples
    --------
    >>> models, _ = list_models()
    >>> models[0].model, models[0].parameters
    ('naive_cnn', 4372006)
    """
    rows = [
        Listed(
            name,
            model.parameters,
            _seen(model),
        )
        for name, model in MODELS.items()
        if (word.lower() in name if word else model.listed)
    ]
    more = None
    if word:
        import timm

        others = [name for name in timm.list_models() if word.lower() in name]
        others = [name for name in others if name not in MODELS]
        if not rows and not others:
            raise ModelError(f"No model has {word!r} in its name.")
        rows += [_made(name) for name in others[:MOST]]
        more = len(others[MOST:])
    rows.append(Listed(f"{BRAINDECODE}NAME", None, "EEG; needs the extra braindecode"))
    return [*rows, Listed("package.module:function", None, "your own network")], more


def _seen(model: Model) -> str:
    """What a built-in model sees, in words."""
    if model.table:
        return TABLE
    if model.size is None:
        return RAW
    return f"images {model.size[0]} x {model.size[1]}{'; draws them' * model.generates}"


def _made(name: str) -> Listed:
    """Count a network of timm's: made without its values, which takes a tenth of the time."""
    import torch

    from hmstrain import Config
    from hmstrain.models.network import count_parameters, make_network
    from hmstrain.models.timm_backbone import TimmTrunk

    try:
        with torch.device("meta"):
            network = make_network(Config(model=name))
        trunk = next(module for module in network.modules() if isinstance(module, TimmTrunk))
    except Exception as error:  # whatever a model of timm's may stumble on
        return Listed(name, None, str(error))
    takes = f"images {trunk.size[0]} x {trunk.size[1]}"
    return Listed(name, count_parameters(network), takes)
