"""A network and shares of its classes -> its last layer, begun at these or moved to them.

Without knowing anything, the best answer is how often each class comes; a network that begins with
random logits is worse than that, and spends its first steps on unlearning them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hmstrain.models.custom import CustomNetwork
from hmstrain.models.network import PatternNetwork
from hmstrain.models.populations import Populations

LEAST_SHARE = 1e-4
"""Share that a class without votes is given, since its logarithm must be finite."""
LARGEST_LOGIT = 1e-4
"""What the weights of a layer that begins add to a logit at most: too little to change a score, and
yet gradients reach the layers before it from the first step on."""

ADDS_UP_WITHIN = 1e-3
"""How near to 1 the sum of probabilities is; that of logits is not, for all windows of a batch."""


@torch.no_grad()
def find_head(network: PatternNetwork | CustomNetwork, prepared: dict[str, Tensor]) -> str | None:
    """Name the module whose output the logits are.

    Of a network of one's own, it is the linear layer with a bias that is trained and whose very
    output the network returns, if there is one.

    Parameters
    ----------
    prepared : dict of str to Tensor
        A batch of the network's inputs.
    """
    if isinstance(network, PatternNetwork):
        return "head"
    gave: list[tuple[str, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: gave.append((name, out)))
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and module.bias is not None and module.bias.requires_grad
    ]
    logits = _forward(network, prepared, hooks)
    return next((name for name, out in gave if out is logits), None)


@torch.no_grad()
def gives_probabilities(network: nn.Module, prepared: dict[str, Tensor]) -> bool:
    """Whether a network gives shares that add up to 1 for each window of a batch, not logits."""
    given = _forward(network, prepared, []).float()
    return bool((given >= 0).all() and ((given.sum(dim=1) - 1).abs() < ADDS_UP_WITHIN).all())


@torch.no_grad()
def begin_head(
    network: nn.Module,
    name: str,
    batches: Iterable[dict[str, Tensor]],
    shares: NDArray[np.float64],
    loss: str = "kl",
) -> None:
    """Let a network answer these shares, whatever it sees.

    The bias of its last layer becomes their logarithm (or logit, with binary cross entropy); its
    weights are scaled down until they add no more than `LARGEST_LOGIT` to any logit of these
    batches, however large the features are.

    Parameters
    ----------
    name : str
        Of its last layer.
    batches : iterable of dict of str to Tensor
        The network's inputs.
    shares : float64 (K,)
        Shares of the classes, which add up to 1.
    loss : str
        By which the network is trained.
    """
    head = _linear(network, name)
    given: list[Tensor] = []
    for prepared in batches:
        hook = head.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
        _forward(network, prepared, [hook])
    added = torch.cat([functional.linear(features.float(), head.weight) for features in given])
    head.weight *= LARGEST_LOGIT / max(1.0, float(torch.nan_to_num(added).abs().max()))
    head.bias.copy_(_logits(shares, loss))


@torch.no_grad()
def move_head(
    network: nn.Module,
    name: str,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    loss: str = "kl",
) -> None:
    """Tell a network that the shares of the classes have changed, and nothing else.

    Adding log(after / before) to the bias multiplies its odds by what Bayes' rule asks for (Saerens
    et al. 2002, Adjusting the Outputs of a Classifier to New a Priori Probabilities); what it
    learned stays. With binary cross entropy that holds for each class against all others.
    """
    bias = _linear(network, name).bias
    bias.add_((_logits(after, loss) - _logits(before, loss)).to(bias))


@torch.no_grad()
def begin_populations(
    populations: Populations,
    few: NDArray[np.float64],
    many: NDArray[np.float64],
    loss: str = "kl",
) -> None:
    """Let a network whose last layer begins at the shares of few votes begin at those of many."""
    populations.shift.copy_(_logits(many, loss) - _logits(few, loss))


def _logits(shares: NDArray[np.float64], loss: str) -> Tensor:
    """Logits with which a network trained by a loss answers these shares."""
    clipped = np.maximum(shares, LEAST_SHARE)
    clipped = clipped / clipped.sum()
    return torch.from_numpy(np.log(clipped if loss == "kl" else clipped / (1 - clipped)))


def _linear(network: nn.Module, name: str) -> nn.Linear:
    found = network.get_submodule(name)
    assert isinstance(found, nn.Linear)
    return found


def _forward(network: nn.Module, prepared: dict[str, Tensor], hooks: list[Any]) -> Tensor:
    """Logits of a batch, as when the network is tested; hooks are taken off afterwards."""
    was_training = network.training
    network.eval()
    try:
        logits: Tensor = network(**prepared)[0]
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return logits
