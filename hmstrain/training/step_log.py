"""Losses and times of some steps -> lines of the log; stops a run whose loss diverged."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from hmsstore import Store
from hmstrain.data.rows import Epoch
from hmstrain.data.steps import Step
from hmstrain.distributed import World
from hmstrain.errors import DivergedError
from hmstrain.events import Events
from hmstrain.runs.log import MetricsLog

LOG_EVERY = 10
"""Steps between log lines; losses are looked at then, so that a GPU need not wait in between."""
PATIENCE_S = 10.0
"""Seconds after which one process by itself logs earlier: steps of large networks on a CPU."""


class StepLog:
    """Collects losses and times over some steps, and logs them together."""

    def __init__(
        self,
        world: World,
        log: MetricsLog | None,
        events: Events,
        epoch: Epoch,
        store: Store,
    ) -> None:
        self.world, self.log, self.events, self.epoch = world, log, events, epoch
        self.store = store
        self.steps: list[Step] = []
        self.names: tuple[str, ...] = ()
        self.losses: list[Tensor] = []
        self.rate = 0.0
        self.start, self.waited = time.perf_counter(), 0.0

    def add(self, step: Step, losses: Mapping[str, Tensor], rate: float, waited_s: float) -> None:
        """Note a step that was taken, by its last batch; log once it is time to."""
        self.steps.append(step)
        self.names = tuple(losses)
        self.losses.append(torch.stack(list(losses.values())))
        self.rate = rate
        slow = self.world.size == 1 and time.perf_counter() - self.start > PATIENCE_S
        if slow or len(self.losses) == LOG_EVERY:
            self.flush(waited_s)

    def flush(self, waited_s: float) -> None:
        """Log what was collected.

        Raises
        ------
        DivergedError
            A loss is NaN or infinite.
        """
        if not self.losses:
            return
        losses = self.world.mean(torch.stack(self.losses)).cpu().double().numpy()
        bad = np.flatnonzero(~np.isfinite(losses).all(axis=1))
        if len(bad):
            first = self.steps[int(bad[0])]
            labels = self.store.windows["label_id"][first.windows].tolist()
            raise DivergedError(
                f"The loss became NaN or infinite at step {first.number + 1}. Earlier checkpoints "
                f"are kept. Its batch: rows {first.windows.tolist()}, label_id {labels}. A lower "
                "learning_rate, clip_gradient=1 or precision=float32 may help."
            )
        seconds = time.perf_counter() - self.start
        windows = sum(len(step.windows) for step in self.steps)
        step = self.steps[-1].number + 1
        values = {
            "epoch": self.epoch.number,
            **dict(zip(self.names, losses.mean(axis=0).tolist(), strict=True)),
            "learning_rate": self.rate,
            "windows_per_s": windows / seconds,
            "waiting": (waited_s - self.waited) / seconds,
        }
        if self.log is not None:
            self.log.add("train", step, values)
            self.events("train", {"step": step, **values})
        self.steps, self.losses = [], []
        self.start, self.waited = time.perf_counter(), waited_s
