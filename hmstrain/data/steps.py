"""An epoch -> its steps and their batches, each with all that it draws from the run's seed.

So a run that is resumed, or shared out over another number of processes, sees the same windows,
changed in the same ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import Store
from hmstrain.data.augment import Draws, draw, generated, mixed, network_seed, shifts
from hmstrain.data.rows import Epoch, Rows, batches, epoch_order, training_rows
from hmstrain.data.targets import training_columns
from hmstrain.distributed import World

if TYPE_CHECKING:
    from hmstrain.config import Config
    from hmstrain.data.mixture import Mixture


@dataclass(frozen=True, slots=True)
class Step:
    """One batch of a step of training: B windows of this process, out of those of all processes.

    As what a loader is asked for, it has their rows and shifts.
    """

    number: int
    """Of the step, from 0, over the whole run."""
    windows: Rows
    """Of the run's own store, of all batches of the step and all processes."""
    part: float
    """Share of these that the batch has: 1 where nothing is accumulated."""
    last: bool
    """Whether the weights change after this batch."""
    rows: Rows
    """Of this process, int64 (B,)."""
    share: float
    """What the mean over this process's windows is multiplied by, so that the mean over processes
    is that over the whole batch: 1 where all have equally many."""
    shift: NDArray[np.int64] | None
    """Samples that each window is moved by, as far as there is room."""
    draws: Draws
    """How each window is augmented."""
    target: Tensor
    """float32 (B, classes), mixed as the windows are."""
    weight_B: Tensor
    """float32, of each window in the loss, mixed too."""
    many_B: Tensor
    """float32: 1 for windows with many votes, 0 for others, mixed too."""
    patient_BK: Tensor
    """int64: whose windows they are; both patients (K = 2) of mixed windows."""
    seed: int
    """Of what the network itself draws, such as dropout."""

    def to(self, device: torch.device) -> Step:
        """On another device."""
        return replace(
            self,
            draws=self.draws.to(device),
            target=self.target.to(device, non_blocking=True),
            weight_B=self.weight_B.to(device, non_blocking=True),
            many_B=self.many_B.to(device, non_blocking=True),
            patient_BK=self.patient_BK.to(device, non_blocking=True),
        )


def steps(
    config: Config,
    store: Store,
    epoch: Epoch,
    world: World,
    first: int = 0,
    *,
    mixture: Mixture | None = None,
) -> Iterator[Step]:
    """Yield the batches of an epoch's steps from one on, as one process takes its part in them.

    Parameters
    ----------
    epoch : Epoch
        With the number of its own first step.
    world : World
        The processes that share each batch: this one takes every `world.size`-th window of it.
    first : int
        Number of the step to begin with; those before it are left out, and change nothing.
    mixture : Mixture, optional
        Other stores that give each batch their share, in whose numbers rows then are.
    """
    candidates = training_rows(config, store, epoch.fold, epoch.min_votes)
    order = batches(epoch, epoch_order(config, store, candidates, epoch.number))
    columns = training_columns(config, store, candidates, epoch.number)
    others = None if mixture is None else mixture.of_epoch(epoch)
    if others is not None:
        columns = others.joined(columns)
    numbered = (
        (number, part, own)
        for number in range(max(first, epoch.first_step), epoch.first_step + epoch.steps)
        for part, own in enumerate(np.array_split(order[number - epoch.first_step], epoch.parts))
    )
    for number, part, own in numbered:
        drawn = number * config.accumulate + part  # no two batches of a run draw the same
        batch = own
        if others is not None:
            batch = np.concatenate([own, others.draw(drawn, len(own))])
        rows: Rows = world.own(batch)
        shift = shifts(config, drawn, len(batch))
        draws = draw(config, drawn, len(batch), world)
        target, weight_B, many_B, patient_B = (
            torch.from_numpy(columns[name][rows])
            for name in ("target", "weight", "many", "patient_id")
        )
        patient_BK = patient_B[:, None]
        draws = replace(draws, generated=generated(config, drawn, len(batch), world, target))
        if draws.mix != 1:
            target, weight_B, many_B = (mixed(x, draws) for x in (target, weight_B, many_B))
            patient_BK = torch.cat([patient_BK, patient_BK[draws.partner_B]], dim=1)
        yield Step(
            number,
            order[number - epoch.first_step],
            len(own) / epoch.windows,
            part == epoch.parts - 1,
            rows,
            len(rows) * world.size / len(batch),
            None if shift is None else world.own(shift),
            draws,
            target,
            weight_B,
            many_B,
            patient_BK,
            network_seed(config, drawn, world.rank),
        )
