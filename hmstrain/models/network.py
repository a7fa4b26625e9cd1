"""A configuration -> the network: a trunk for each input, features side by side, one head.

`PatternNetwork.forward` takes what `NetworkInputs` prepares, by name, and gives logits (B, classes)
with the embeddings of both signals where a run compares them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from hmsstore import CLASSES
from hmstrain.data.inputs import make_input, make_inputs
from hmstrain.errors import ModelError
from hmstrain.models import Model, find_model
from hmstrain.models.custom import CustomNetwork
from hmstrain.models.populations import Populations
from hmstrain.models.source import use
from hmstrain.models.trunk import Trunk
from hmstrain.models.trust import Trust, refuse_untrusted
from hmstrain.models.weights import find_weights, read_weights, undescribed, unwrapped

if TYPE_CHECKING:
    from hmstrain.config import Config


TEMPERATURE = "log_temperature"
"""Parameter that networks have in pretraining alone."""
LEAST_TEMPERATURE = 0.01
"""That of CLIP: logits are cosines times 100 at most (Radford et al. 2021)."""


class Output(NamedTuple):
    """What a network gives for B windows."""

    logits: Tensor
    """(B, classes)."""
    embeddings: tuple[Tensor, ...] = ()
    """Of both signals, (B, size) of length 1, or none."""
    auxiliary: tuple[Tensor, ...] = ()
    """Logits (B, classes) of each input by itself, or none."""
    temperature: Tensor | None = None
    """Of the embeddings' cosines, () and trained; None where it is set."""


class PatternNetwork(nn.Module):
    """Trunks by the name of what each takes, a head, and projections if embeddings are compared.

    Parameters
    ----------
    auxiliary : bool
        Have a head of each trunk by itself too.
    populations : Populations, optional
        What makes the logits of windows with many votes of those of windows with few.
    temperature : float, optional
        At which that of the embeddings' cosines begins; it is trained, and the head is not: what is
        learned is which embeddings belong together.
    """

    def __init__(
        self,
        trunks: Mapping[str, Trunk],
        drop_rate: float,
        projection_size: int,
        classes: int = len(CLASSES),
        *,
        auxiliary: bool = False,
        populations: Populations | None = None,
        temperature: float | None = None,
    ) -> None:
        super().__init__()
        self.trunks = nn.ModuleDict(cast("Mapping[str, nn.Module]", trunks))
        self.dropout = nn.Dropout(drop_rate)
        self.head = nn.Linear(sum(trunk.features for trunk in trunks.values()), classes)
        self.loaded = False  # whether a file held all its weights, those of the head too
        self.begun: list[str] = []  # what a user should know of that file
        self.projections = nn.ModuleDict()
        if projection_size:
            for name, trunk in trunks.items():
                self.projections[name] = nn.Linear(trunk.features, projection_size)
        self.auxiliary = nn.ModuleDict()
        if auxiliary:
            for name, trunk in trunks.items():
                self.auxiliary[name] = nn.Linear(trunk.features, classes)
        self.populations = populations
        self.log_temperature: nn.Parameter | None = None
        if temperature is not None:
            self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
            self.head.requires_grad_(False)

    @property
    def last_maps(self) -> dict[str, nn.Module | None]:
        """Module of each trunk that gives its last feature maps, if it has any."""
        return {name: cast("Trunk", trunk).last_map for name, trunk in self.trunks.items()}

    @property
    def notices(self) -> list[str]:
        """What a user should know of the weights that it or its trunks began with."""
        of_trunks = (getattr(trunk, "notices", ()) for trunk in self.trunks.values())
        return [*self.begun, *chain(*of_trunks)]

    @property
    def temperature(self) -> Tensor | None:
        """Of the embeddings' cosines, in pretraining."""
        if self.log_temperature is None:
            return None
        return self.log_temperature.exp().clamp_min(LEAST_TEMPERATURE)

    def forward(self, many_B: Tensor | None = None, **prepared: Tensor) -> Output:
        """Logits, of each input by itself too, and embeddings of a prepared batch.

        Parameters
        ----------
        many_B : float32, optional
            As of `Populations`, in training a network that has them.
        """
        features = {name: trunk(prepared[name]) for name, trunk in self.trunks.items()}
        logits = [self.head(self.dropout(torch.cat(list(features.values()), dim=1)))]
        logits += [head(self.dropout(features[name])) for name, head in self.auxiliary.items()]
        if self.populations is not None:
            logits = [self.populations(one, many_B) for one in logits]
        embeddings = tuple(
            functional.normalize(projection(features[name]).float(), dim=1)
            for name, projection in self.projections.items()
        )
        return Output(logits[0], embeddings, tuple(logits[1:]), self.temperature)


def make_network(
    config: Config,
    *,
    start: bool = True,
    classes: int = len(CLASSES),
    trust: Trust = False,
    source: Mapping[str, Path] | None = None,
) -> PatternNetwork | CustomNetwork:
    """Make the network of a run.

    Parameters
    ----------
    start : bool
        Load the weights that training starts from; not wanted where a checkpoint follows.
    classes : int
        How many logits it gives.
    trust : bool, str or sequence of str
        Whose code may be imported: True if the user wrote the configuration himself.
    source : mapping of str to Path, optional
        Modules of a network of one's own and the files to import them from; others are imported
        from the working folder or from where they are installed.

    Raises
    ------
    ModelError
        The model does not exist, is not to be imported, does not fit its inputs, or its weights do
        not fit it.
    """
    for name in (config.model, *config.encoders.values()):
        refuse_untrusted(name, trust)
    if find_model(config.model).whole:
        use(source or {})
    if find_model(config.model).table:
        no_network()
    if not start:
        config = replace(config, pretrained=False, weights="")
    file = find_weights(Path(config.weights), config.fold, config.seed) if config.weights else None
    if find_model(config.model).whole:
        return _whole(config, file, classes)
    state = {} if file is None else read_weights(file)
    if find_model(config.model).generates:
        (seen,) = make_inputs(config).values()
        generator = _made(config.model, find_model(config.model), config.model_args, seen, classes)
        if file is not None:
            _load_whole(generator, state, file)
            generator.notices += undescribed(file)
        return cast("PatternNetwork", generator)
    saved_by_run = any(key.startswith("trunks.") for key in state)
    config = replace(config, weights="" if saved_by_run or file is None else str(file))
    trunks = dict(_trunk(config, name, encoder) for name, encoder in config.encoders.items())
    compares = config.contrastive or config.pretraining
    projection = config.projection_size if compares else 0
    populations = None
    if config.populations != "one":
        populations = Populations(classes, scaled=config.populations == "scale")
    network = PatternNetwork(
        trunks,
        config.drop_rate,
        projection,
        classes,
        auxiliary=config.auxiliary_weight > 0,
        populations=populations,
        temperature=config.contrastive_temperature if config.pretraining else None,
    )
    if file is not None and TEMPERATURE in state:  # of a pretraining
        _load_trunks(network, state, file)
    elif file is not None and saved_by_run:
        _load_whole(network, state, file)
        network.loaded = True
    if file is not None and saved_by_run:
        network.begun += undescribed(file)
    return network


def _trunk(config: Config, name: str, encoder: str) -> tuple[str, Trunk]:
    """Make the trunk of an input, and tell the name under which the input is prepared."""
    model = find_model(encoder)
    arguments: Mapping[str, Any] = {}
    if encoder == config.model:
        arguments = config.model_args
        if (config.pretrained and not model.pretrained) or (
            config.weights and not (model.pretrained or model.takes_file)
        ):
            raise ModelError(
                f"{encoder} does not take pretrained weights: those are timm's, of image models. "
                "--weights takes a file of a run of the same network."
            )
    else:  # a file of weights is the model's, not its companion's
        config = replace(config, weights="", pretrained=config.pretrained and model.pretrained)
    seen = make_input(name, config)
    return seen.key, _made(encoder, model, arguments, seen)


def _whole(config: Config, file: Path | None, classes: int) -> CustomNetwork:
    """Make a network that takes all inputs by itself, and load its weights if there are any."""
    if config.contrastive:
        raise ModelError("--contrastive needs a model of two trunks, not a network of your own.")
    if config.pretrained:
        raise ModelError("--pretrained is for timm's models; give your own weights as --weights.")
    model, seen = find_model(config.model), make_inputs(config)
    network: CustomNetwork = _made(config.model, model, config.model_args, config, seen, classes)
    if file is not None:
        state = read_weights(file)
        same = state.keys() == network.state_dict().keys()  # as a run of it saves them
        inner = network if same else network.network
        _load_whole(inner, unwrapped(state, inner.state_dict()), file)
        network.loaded = True
        network.notices += undescribed(file) if same else []
    return network


def _made(name: str, model: Model, arguments: Mapping[str, Any], *given: Any) -> Any:
    """Call a model's `build`.

    Raises
    ------
    ModelError
        It does not take these arguments.
    """
    try:
        return model.build(*given, **arguments)
    except TypeError as error:
        if not arguments:
            raise
        raise ModelError(f"{name} does not take model_args {dict(arguments)}: {error}.") from error


def _load_whole(network: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Load weights saved from the very same network, such as a run's."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        told = (lines[0] if lines else str(error)).rstrip(".")
        raise ModelError(f"{file} does not fit the model: {told}.{_hint(network, state)}") from None


def _load_trunks(network: PatternNetwork, state: Mapping[str, Tensor], file: Path) -> None:
    """Load the encoders of a pretraining, for each input that a network has."""
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        kind, _, rest = key.partition(".")
        if kind == "trunks":
            name, _, inner = rest.partition(".")
            parts.setdefault(name, {})[inner] = value
    for name, trunk in network.trunks.items():
        if name not in parts:
            raise ModelError(
                f"{file} was pretrained on {' and '.join(parts)}, and holds no encoder of {name}: "
                "choose other inputs, or pretrain on these."
            )
        _load_whole(trunk, parts[name], file)


def _hint(network: nn.Module, state: Mapping[str, Tensor]) -> str:
    """Name the setting, where stems take one channel in a file and three in a network, or so."""
    for name, ours in network.state_dict().items():
        theirs = state.get(name, ours)
        if theirs.dim() == ours.dim() == 4 and {theirs.shape[1], ours.shape[1]} == {1, 3}:
            return f" Use --set image_channels={'one' if theirs.shape[1] == 1 else 'three'}."
    return ""


def no_network(*_: Any, **__: Any) -> Any:
    """Refuse to make a network of what is none.

    Raises
    ------
    ModelError
        In any case.
    """
    raise ModelError("A model of hand features is not a network: this is for networks alone.")


def count_parameters(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
