"""A run about to begin -> the arithmetic of its steps, by trying the first on a copied network.

What is timed is all of a step but the change of the weights, which costs the same in each
arithmetic. Answers are compared as of a validation.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsstore.json_shapes import ShapeError, entry
from hmstrain.data.loader import Batch
from hmstrain.data.steps import Step, steps
from hmstrain.errors import RunError
from hmstrain.models.arithmetic import Arithmetic
from hmstrain.models.choosing import BATCHES, Choice, candidates, choose
from hmstrain.models.evaluate import Evaluator
from hmstrain.runs.checkpoint import DESCRIPTION, read_description
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.precision import why_unmeasured

if TYPE_CHECKING:
    from hmstrain.training.train import Run

LEAST_STEPS = 200
"""A shorter run is over before measuring has paid: it takes as long as some 16 steps."""


def try_steps(run: Run) -> Choice:
    """Choose among arithmetics by the first steps of a run; float32 where nothing is measured."""
    last = run.epochs[-1]
    own = Arithmetic()
    if why := why_unmeasured(run.device):
        return Choice.unmade(own, why)
    if last.first_step + last.steps < LEAST_STEPS:
        return Choice.unmade(own, f"for fewer than {LEAST_STEPS} steps")
    trial = Trial(run)
    return choose(trial, candidates(own, trial.network), learned=False)


def begun_in(folder: RunFolder) -> Arithmetic:
    """Read which arithmetic was chosen for a finished run.

    Raises
    ------
    RunError
        Its best checkpoint does not say.
    """
    try:
        return entry(read_description(folder.best), "arithmetic", Arithmetic.from_json)
    except ShapeError as error:
        raise RunError(f"{folder.best / DESCRIPTION} is damaged: {error}.") from None


class Trial:
    """Forward and backward passes of a copy of a run's network, on the run's first batches.

    Parameters
    ----------
    run : Run
        Not begun yet: what it computes with is the copy until it is set anew.
    """

    def __init__(self, run: Run, batches: int = BATCHES) -> None:
        coming = steps(run.config, run.store, run.epochs[0], run.world, 0, mixture=run.mixture)
        loader = run.mixed_loader or run.loader
        self.given: list[tuple[Step, Batch]] = [
            (step.to(run.device), {name: values.clone() for name, values in batch.items()})
            for step, batch in loader.load(islice(coming, batches))
        ]
        self.run = run
        self.network = deepcopy(run.state.network)
        self.begun = dict(run.state.network.named_buffers())
        self.evaluator = Evaluator(run.config, run.prepare, run.loader, run.world)
        run.stepper = self.network

    @property
    def batches(self) -> int:
        """Number of batches."""
        return len(self.given)

    def lay_out(self, arithmetic: Arithmetic) -> None:
        """Prepare the network for an arithmetic."""
        self.network.zero_grad(set_to_none=True)
        for name, statistics in self.network.named_buffers():
            statistics.copy_(self.begun[name])  # which each step changes
        arithmetic.lay_out(self.network)
        self.run.computing = self.evaluator.config = arithmetic.within(self.run.config)

    def step(self, arithmetic: Arithmetic, number: int) -> None:  # noqa: ARG002
        """Find the gradient of a batch."""
        self.run.losses(*self.given[number])["loss"].backward()

    def answers(self, arithmetic: Arithmetic, number: int) -> NDArray[np.float64]:  # noqa: ARG002
        """Probabilities (B, K) of its windows."""
        self.network.eval()
        prepared = self.run.prepare(self.given[number][1], None)
        found = self.evaluator.probabilities(self.network, prepared)
        self.network.train()
        return found
