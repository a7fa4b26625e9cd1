"""A configuration -> the network: one trunk per signal, features side by side, one head.

`PatternNetwork.forward` takes what `NetworkInputs` prepares, by name, and gives logits (B, 6) with
the embeddings of both signals where a run compares them.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from hmsstore import CLASSES
from hmsstore.montage import PAIRS
from hmstrain.config import RESNET1D, Config
from hmstrain.data.inputs.prepare import FULL_IMAGE, image_BCHW, image_shape, signals
from hmstrain.errors import ModelError
from hmstrain.models.custom import own_network
from hmstrain.models.naive_cnn import NARROWEST, NaiveCNN
from hmstrain.models.resnet1d import ResNet1D
from hmstrain.models.timm_backbone import full_name, make_backbone
from hmstrain.runs.checkpoint import read_weights

Output = tuple[Tensor, tuple[Tensor, ...]]
"""Logits (B, 6); embeddings of spectrogram and EEG, (B, size) of length 1, or none."""


class ImageTrunk(nn.Module):
    """Mono images -> features, by a network for images of three channels."""

    def __init__(self, backbone: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.backbone = backbone
        self.size = size

    def forward(self, image_BHW: Tensor) -> Tensor:
        """Features (B, F)."""
        features: Tensor = self.backbone(image_BCHW(image_BHW, self.size))
        return features


class PatternNetwork(nn.Module):
    """Trunks by the name of what each takes, a head, and projections if embeddings are compared."""

    def __init__(
        self, trunks: dict[str, tuple[nn.Module, int]], drop_rate: float, projection_size: int
    ) -> None:
        super().__init__()
        self.trunks = nn.ModuleDict({name: trunk for name, (trunk, _) in trunks.items()})
        width = sum(features for _, features in trunks.values())
        self.dropout = nn.Dropout(drop_rate)
        self.head = nn.Linear(width, len(CLASSES))
        self.projections = nn.ModuleDict()
        if projection_size:
            for name, (_, features) in trunks.items():
                self.projections[name] = nn.Linear(features, projection_size)

    def forward(self, **prepared: Tensor) -> Output:
        """Logits and embeddings of a prepared batch."""
        features = {name: trunk(prepared[name]) for name, trunk in self.trunks.items()}
        logits = self.head(self.dropout(torch.cat(list(features.values()), dim=1)))
        embeddings = tuple(
            functional.normalize(projection(features[name]).float(), dim=1)
            for name, projection in self.projections.items()
        )
        return logits, embeddings


def make_network(config: Config, *, start: bool = True) -> nn.Module:
    """Make the network of a run.

    Parameters
    ----------
    start : bool
        Load the weights that training starts from; not wanted where a checkpoint follows.

    Raises
    ------
    ModelError
        The model does not exist, does not fit its inputs, or its weights do not fit it.
    """
    file = Path(config.weights) if start and config.weights else None
    state = {} if file is None else read_weights(file)
    if ":" in config.model:
        if config.contrastive:
            raise ModelError(
                "--contrastive needs a model of two trunks, not a network of your own."
            )
        if config.pretrained:
            raise ModelError(
                "--pretrained is for timm's models; give your own weights a --weights."
            )
        network: nn.Module = own_network(config)
        if file is not None:
            same = state.keys() == network.state_dict().keys()  # as a run of it saves them
            _load_whole(network if same else network.get_submodule("network"), state, file)
        return network
    whole = any(key.startswith("trunks.") for key in state)  # as a run saves them
    projection = config.projection_size if config.contrastive else 0
    trunks = _trunks(config, start and config.pretrained, None if whole else file)
    network = PatternNetwork(trunks, config.drop_rate, projection)
    if whole and file is not None:
        _load_whole(network, state, file)
    return network


def _trunks(
    config: Config, pretrained: bool, weights: Path | None
) -> dict[str, tuple[nn.Module, int]]:
    timms = config.model not in ("naive_cnn", RESNET1D)
    if timms:
        full_name(config.model)
    if (pretrained or weights is not None) and not timms:
        raise ModelError(
            f"{config.model} takes no pretrained weights: those are timm's, of image models. "
            "--weights takes a file of a run of the same network."
        )
    trunks: dict[str, tuple[nn.Module, int]] = {}
    for name in signals(config):
        if name == "eeg" and config.raw_eeg:
            encoder = ResNet1D(len(PAIRS))
            trunks["eeg_raw_BPT"] = (encoder, encoder.num_features)
            continue
        key = "spectrogram_BHW" if name == "spectrogram" else "eeg_image_BHW"
        size = image_shape(config, name)
        if config.image_size:
            size = (config.image_size, config.image_size)
        elif config.model == "naive_cnn" and name == "eeg":
            size = FULL_IMAGE
        if config.model == "naive_cnn":
            if min(size) < NARROWEST:
                raise ModelError(f"naive_cnn needs images of {NARROWEST} x {NARROWEST} or more.")
            naive = NaiveCNN(size)
            trunks[key] = (ImageTrunk(naive, size), naive.num_features)
            continue
        backbone, taken, features = make_backbone(
            config.model, size, pretrained=pretrained, weights=weights
        )
        trunks[key] = (ImageTrunk(backbone, taken), features)
    return trunks


def _load_whole(network: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Load weights saved from the very same network, such as a run's."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise ModelError(f"{file} does not fit the model: {lines[0] if lines else error}") from None


def count_parameters(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
