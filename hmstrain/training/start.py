"""A network and the mean training target -> last layers that begin there, and move with it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.rows import Epoch, Rows, has_many, training_rows
from hmstrain.data.targets import mean_target
from hmstrain.errors import ModelError
from hmstrain.models.custom import CustomNetwork
from hmstrain.models.evaluate import Evaluator
from hmstrain.models.head import (
    begin_head,
    begin_populations,
    find_head,
    gives_probabilities,
    move_head,
)
from hmstrain.training.state import TrainingState


def refuse_probabilities(
    config: Config, rows: Rows, state: TrainingState, evaluator: Evaluator
) -> None:
    """Refuse a network of one's own that ends in a softmax, where it begins: two cap its answers.

    Raises
    ------
    ModelError
        All that it gives for a batch are probabilities.
    """
    network = state.network
    if state.progress.step or not isinstance(network, CustomNetwork):
        return
    if all(gives_probabilities(network, prepared) for prepared in evaluator.some_of(rows)):
        raise ModelError(
            f"{config.model} gives probabilities, which add up to 1, not logits: leave out its "
            "softmax."
        )


def begin_at_prior(
    config: Config, store: Store, rows: Rows, state: TrainingState, evaluator: Evaluator
) -> tuple[str | None, list[str]]:
    """Find a network's last layer; begin it at the mean target, if it knows nothing yet.

    Returns
    -------
    head : str or None
        Name of the last layer; None where none is known, or it is to be left alone.
    notices : list of str
        What the user should know of a network of their own.
    """
    network, batches = state.network, list(evaluator.some_of(rows))
    head = find_head(network, batches[0])
    if state.progress.step or network.loaded:
        return head, []
    if head is None:
        return None, [
            f"{config.model} starts as it was made, not at the mean target: its logits are not "
            "the output of a linear layer with a bias."
        ]
    populations = getattr(network, "populations", None)
    many = has_many(config, store, rows)
    shares = mean_target(config, store, rows, among=None if populations is None else ~many)
    for name in _last_layers(network, head):
        begin_head(network, name, batches, shares, config.loss)
    if populations is not None:
        of_many = mean_target(config, store, rows, among=many)
        begin_populations(populations, shares, of_many, config.loss)
    if state.average is not None:
        state.average.module.load_state_dict(network.state_dict())
    if not isinstance(network, CustomNetwork):
        return head, []
    return head, [
        f"{config.model}: its last layer, {head.removeprefix('network.')}, is reset to the mean "
        "target; start_at_prior=false leaves it as it was made."
    ]


def move_to_prior(
    config: Config,
    store: Store,
    state: TrainingState,
    head: str,
    epochs: Sequence[Epoch],
    epoch: Epoch,
) -> None:
    """Shift answers by how the mean target changes to an epoch from the one before it."""
    before = epochs[max(0, epoch.number - 1)]
    if epoch.min_votes == before.min_votes:
        return
    old, new = (
        mean_target(config, store, training_rows(config, store, epoch.fold, votes), number)
        for votes, number in ((before.min_votes, before.number), (epoch.min_votes, epoch.number))
    )
    average = [] if state.average is None else [state.average.module]
    for network in (state.network, *average):
        for name in _last_layers(network, head):
            move_head(network, name, old, new, config.loss)


def _last_layers(network: nn.Module, head: str) -> list[str]:
    """Names of the last layer, and of those that see one input each."""
    return [head, *(f"auxiliary.{name}" for name in getattr(network, "auxiliary", {}))]
