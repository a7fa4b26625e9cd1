"""A network and all that its next step depends on: begun from a configuration or a checkpoint.

No random state is part of it: every step draws from the run's seed and its own number.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hmsstore import Store
from hmsstore.json_shapes import ShapeError
from hmstrain.config import Config
from hmstrain.data.inputs.prepare import Normalisation, measure_normalisation
from hmstrain.data.rows import held_out
from hmstrain.data.unlabelled import unlabelled
from hmstrain.errors import RunError
from hmstrain.models.arithmetic import AUTO, Arithmetic
from hmstrain.models.network import make_network
from hmstrain.runs.checkpoint import (
    DESCRIPTION,
    TRAINING,
    check_checkpoint,
    find_checkpoint,
    load_checkpoint,
    read_description,
    save_checkpoint,
)
from hmstrain.runs.folder import RunFolder, versions
from hmstrain.runs.outcome import StoreId
from hmstrain.training.optimiser import make_optimiser
from hmstrain.training.origin import find_origin
from hmstrain.training.schedule import make_schedule

SAVE_EVERY_S = 300.0
"""Seconds after which a run is saved between validations: about what a kill may cost."""


@dataclass
class Progress:
    """Where a run stands, and which of its validations was the best."""

    step: int = 0
    best_kl: float | None = None
    """kl_votes of the best."""
    best_step: int = 0
    best_by: str = "kl_votes"
    """Score by which it is the best; 'last' if it is the latest."""
    best_value: float | None = None
    """That score of it."""
    best_stage: int = 0
    """`Judge.stage` of the validations that it is the best of."""
    tests: list[dict[str, Any]] = field(default_factory=list)
    """Test figures after each epoch."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what a checkpoint holds; those before `best_by` were judged by kl_votes."""
        found = cls(**value)
        if "best_by" not in value:
            found.best_value = found.best_kl
        return found

    def judge(self, by: str, stage: int, values: Mapping[str, Any]) -> bool:
        """Take note of a validation's scores if it is the best so far; say whether it is.

        The first of a stage always is: scores of another stage may be over other windows.
        """
        value = None if by == "last" else values[by]
        before = self.best_value if (by, stage) == (self.best_by, self.best_stage) else None
        if value is not None and before is not None and value >= before:
            return False
        self.best_by, self.best_value, self.best_stage = by, value, stage
        self.best_kl, self.best_step = values.get("kl_votes"), self.step
        return True


class TrainingState:
    """Network, moving average, optimiser, schedule and progress of a run.

    Parameters
    ----------
    rows : int64 (N,)
        Training rows, on which a new run measures its normalisation.
    folder : RunFolder
        If it holds a checkpoint, the state is that one's.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        rows: NDArray[np.int64],
        folder: RunFolder,
        device: torch.device,
    ) -> None:
        self.config, self.folder = config, folder
        resuming = folder.can_resume()
        origin = None if resuming else find_origin(config, store)
        torch.manual_seed(config.seed)
        classes = len(store.spec.classes)
        network = make_network(config, start=not resuming, classes=classes, trust=True)
        self.network = network.to(device)
        self.average: AveragedModel | None = None
        if config.ema:
            decay = get_ema_multi_avg_fn(config.ema)
            self.average = AveragedModel(self.network, multi_avg_fn=decay, use_buffers=True)
        self.optimiser = make_optimiser(config, self.network)
        self.shares = [group["lr"] / config.learning_rate for group in self.optimiser.param_groups]
        self.arithmetic = None if config.precision == AUTO else Arithmetic.of(config)
        """None where it is still to be chosen: `compute_in` sets it."""
        self.why_chosen: dict[str, Any] | None = None
        """What was measured before it was chosen, and where."""
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
        self.schedule: LRScheduler | None = None
        self.stage = -1
        self.progress = Progress()
        self.others: list[dict[str, Any]] = []
        """What the checkpoint says of other stores that the run trains on."""
        self.pretrained: dict[str, Any] | None = None
        """What the checkpoint says of the run that the network started from, if it is from one."""
        self.generator: dict[str, Any] | None = None
        """What it says of the generator of some of its images."""
        self.notices: list[str] = []
        self._before: dict[str, Any] = {}
        self._saved = time.monotonic()
        self.saved_step: int | None = None
        self._best_is_due = False
        if resuming:
            described = read_description(folder.last)
            try:
                self.progress = Progress.from_json(described["progress"])
                self.normalisation = Normalisation.from_json(described["normalisation"])
                if config.precision == AUTO:
                    self.arithmetic = Arithmetic.from_json(described["arithmetic"])
                    self.why_chosen = described.get("why_arithmetic")
            except (TypeError, KeyError, ShapeError) as error:
                raise RunError(f"{folder.last / DESCRIPTION} is damaged: {error}.") from None
            self.others = described.get("also", [])
            self.pretrained = described.get("pretrained")
            self.generator = described.get("generator")
            self.saved_step = self.progress.step
            self._best_is_due = self._compare_best(described["progress"])
            self._before = load_checkpoint(folder.last, self.network, average=self.average)
            self._restore(optimiser=self.optimiser, scaler=self.scaler)
        else:
            self.normalisation = measure_normalisation(config, store, rows, device)
            if origin is not None:
                self.pretrained, self.notices = origin.to_json(), origin.notices
                if origin.config.pretraining:
                    self.normalisation = origin.kept(self.normalisation, store)
        if self.arithmetic is not None:
            self.compute_in(self.arithmetic)

    def compute_in(self, arithmetic: Arithmetic) -> None:
        """Lay the network out for this arithmetic, with its moving average."""
        self.arithmetic = arithmetic
        if arithmetic.channels_last:
            for network in (self.network, self.average):
                if network is not None:
                    arithmetic.lay_out(network)

    @property
    def kept(self) -> nn.Module:
        """What is validated and kept: the moving average if there is one, else the network."""
        if self.average is None:
            return self.network
        averaged: nn.Module = self.average.module
        return averaged

    def describe(self, store: Store) -> dict[str, Any]:
        """What a checkpoint says of itself, but for its progress.

        `patients` are those trained on, or validated on: of the training split, or of pretraining.
        """
        if self.config.pretraining:
            chosen = unlabelled(self.config, store, held_out(self.config, store, 0))
            rows = np.concatenate(chosen)
        else:
            rows = store.select("train")
        origins = {"pretrained": self.pretrained, "generator": self.generator}
        return {
            "config": self.config.to_json(),
            "store": StoreId.of(store).to_json(),
            "normalisation": self.normalisation.to_json(),
            "versions": versions(),
            "patients": np.unique(store.windows["patient_id"][rows]).tolist(),
            **{name: origin for name, origin in origins.items() if origin is not None},
            **self.chosen,
        }

    @property
    def chosen(self) -> dict[str, Any]:
        """What a checkpoint says of the arithmetic that was chosen, if it was."""
        if self.config.precision != AUTO or self.arithmetic is None:
            return {}
        why = {} if self.why_chosen is None else {"why_arithmetic": self.why_chosen}
        return {"arithmetic": self.arithmetic.to_json(), **why}

    def begin_stage(self, stage: int, steps: int) -> bool:
        """Begin the schedule of a stage of so many steps, or go on with it.

        Returns
        -------
        bool
            Whether none of the stage's steps was taken yet.
        """
        if stage == self.stage:
            return False
        self.schedule = make_schedule(self.config, self.optimiser, self.shares, stage, steps)
        self.stage = stage
        if self._before.get("stage") == stage:
            # The new schedule has just set its first rate; put back the one it was at.
            self._restore(optimiser=self.optimiser, schedule=self.schedule)
            return False
        return True

    def _restore(self, **parts: Any) -> None:
        """Put these parts back to what the checkpoint has of them."""
        try:
            for name, part in parts.items():
                part.load_state_dict(self._before[name])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            damaged = self.folder.last / TRAINING
            raise RunError(f"{damaged} is damaged: {type(error).__name__}, {error}.") from None

    def add_gradient(self, loss: Tensor) -> None:
        """Add the gradient of a batch's share of the loss to that of the step."""
        self.scaler.scale(loss).backward()

    def advance(self) -> float:
        """Take one step down the gradient; return the learning rate of the step."""
        assert self.schedule is not None
        if self.config.clip_gradient:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_gradient)
        rate = float(self.schedule.get_last_lr()[0])
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        if self.scaler.get_scale() >= scale:  # else the scaler found infinities and took no step
            self.schedule.step()
            if self.average is not None:
                self.average.update_parameters(self.network)
        self.progress.step += 1
        return rate

    def save_between(self, description: Mapping[str, Any], *, now: bool = False) -> None:
        """Save between validations, now or if it is long ago, and if the weights are numbers."""
        if (now or time.monotonic() - self._saved > SAVE_EVERY_S) and all(
            bool(torch.isfinite(values).all()) for values in self.network.parameters()
        ):
            self.save(description, improved=False)

    def save(self, description: Mapping[str, Any], *, improved: bool) -> None:
        """Write the checkpoint to resume from; then the best one too if this is it.

        In this order, since `best` can be made of `last`: see `complete`.
        """
        assert self.schedule is not None
        described = self._with_progress(description)
        training = {
            "stage": self.stage,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        save_checkpoint(
            self.folder.last, self.network, described, average=self.average, training=training
        )
        if improved:
            save_checkpoint(self.folder.best, self.kept, described)
        self._saved, self.saved_step = time.monotonic(), self.progress.step

    def complete(self, description: Mapping[str, Any]) -> None:
        """Write the best checkpoint, if the run was stopped after `last` and before `best`."""
        if self._best_is_due:
            save_checkpoint(self.folder.best, self.kept, self._with_progress(description))
            self._best_is_due = False

    def _with_progress(self, description: Mapping[str, Any]) -> dict[str, Any]:
        return dict(description) | {"progress": asdict(self.progress)}

    def _compare_best(self, of_last: Mapping[str, Any]) -> bool:
        """Whether `best` is still to be made of `last`; refuses what the run's end would lack.

        Earlier versions wrote `best` first, so it may be of a later step than `last`: then it
        stands for what the steps in between came to, which are taken again.
        """
        progress, best = self.progress, self.folder.best
        if not progress.best_step:
            return False
        of_itself = progress.best_step == progress.step
        if of_itself and not best.exists() and find_checkpoint(best) is None:
            return True
        check_checkpoint(best)  # now, not when it is loaded at the end
        of_best = read_description(best)["progress"]
        if of_best["step"] > progress.step:
            theirs = Progress.from_json(of_best)
            for name in vars(theirs):
                if name.startswith("best_"):
                    setattr(progress, name, getattr(theirs, name))
            return False
        return of_itself and of_best != of_last
