"""Names of models -> what each takes and how large it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hmstrain.config import RESNET1D, Config
from hmstrain.errors import ModelError

LISTED = (
    "naive_cnn",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "convnext_tiny",
    "convnext_atto",
    "mobilenetv3_small_100",
    "resnet18",
    "vit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
    RESNET1D,
)
"""Models listed without being asked for: the report's, small ones, transformers, raw EEG's."""
MOST = 60
"""Models of timm that are listed at once."""


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model in the list."""

    model: str
    parameters: int | None
    """Trained values at default settings."""
    takes: str

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


def list_models(word: str | None = None) -> list[ModelLine]:
    """Models with their number of parameters and what they take.

    Parameters
    ----------
    word : str, optional
        Only those with this in their name, timm's included.

    Returns
    -------
    list of ModelLine

    Raises
    ------
    ModelError
        No model has the word in its name.

    Examples
    --------
    >>> hmstrain.list_models()[0].parameters  # doctest: +SKIP
    4372006
    """
    import timm

    from hmstrain.models.timm_backbone import ALIASES

    names = list(LISTED)
    if word is not None:
        low = word.lower()
        known = ["naive_cnn", RESNET1D, *ALIASES, *timm.list_models()]
        names = [name for name in known if low in name]
        if not names:
            raise ModelError(f"No model has {word!r} in its name.")
    return [_line(name) for name in names[:MOST]]


def _line(name: str) -> ModelLine:
    import torch

    from hmsstore.montage import PAIRS
    from hmstrain.models.network import (
        ImageTrunk,
        PatternNetwork,
        count_parameters,
        make_network,
    )

    with torch.device("cpu"):
        try:
            network = make_network(Config(model=name, inputs="eeg" if name == RESNET1D else "spec"))
        except Exception as error:
            return ModelLine(name, None, str(error))
    assert isinstance(network, PatternNetwork)
    (trunk,) = network.trunks.values()
    takes = f"raw EEG, {len(PAIRS)} bipolar channels"
    if isinstance(trunk, ImageTrunk):
        takes = f"images 3 x {trunk.size[0]} x {trunk.size[1]}"
    return ModelLine(name, count_parameters(network), takes)
