"""A configuration and a network -> its optimiser, with a group for each rate and each decay."""

from __future__ import annotations

from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from hmstrain.config import Config

BACKBONE = "trunks."
"""Where the names of the parameters that turn inputs into features begin; the rest is the head."""


def make_optimiser(config: Config, network: nn.Module) -> Optimizer:
    """Make the optimiser of a run, each group at the peak of its rate.

    AdamW (Loshchilov and Hutter 2019) takes its decay off the weights themselves, and none off
    parameters of one dimension: those of norms, and biases. Adam adds the decay of every parameter
    to its gradient.

    The head's groups come first, so that the rate of the first is `learning_rate`.
    """
    head_first: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    two_rates, two_decays = config.backbone_learning_rate > 0, config.optimiser == "adamw"
    for name, parameter in network.named_parameters():
        backbone = two_rates and name.startswith(BACKBONE)
        exempt = two_decays and parameter.ndim < 2
        head_first.setdefault((backbone, exempt), []).append(parameter)
    groups = [
        {
            "params": head_first[backbone, exempt],
            "lr": config.backbone_learning_rate if backbone else config.learning_rate,
            "weight_decay": 0.0 if exempt else config.weight_decay,
        }
        for backbone, exempt in sorted(head_first)
    ]
    return AdamW(groups) if config.optimiser == "adamw" else Adam(groups)
