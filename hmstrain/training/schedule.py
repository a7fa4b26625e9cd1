"""An optimiser and a stage -> the learning rate of each of its steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from hmstrain.config import Config
from hmstrain.data.rows import EXTENDED

RISE, FALL = 25.0, 1e4
"""OneCycle: the peak over the first rate, and the first rate over the last."""


def make_schedule(
    config: Config, optimiser: Optimizer, shares: Sequence[float], stage: int, steps: int
) -> LRScheduler:
    """Make the schedule of a stage of so many steps.

    OneCycle (Smith and Topin 2018) rises to the peak and falls again; by which a run was extended
    begins at the rate it ended with, and ends there again. Cosine (Loshchilov and Hutter 2017,
    SGDR) rises linearly over a share of the steps and falls to 0; an extension is a warm restart.

    Parameters
    ----------
    shares : sequence of float
        Peak of each group of the optimiser, as a multiple of the first group's.
    """
    second = stage == 1 or (stage >= EXTENDED and config.second_epochs > 0)
    peak = config.second_learning_rate if second else config.learning_rate
    peaks = [peak * share for share in shares]
    if config.schedule == "onecycle":
        rise, fall = RISE, FALL
        if stage >= EXTENDED:
            rise, fall = peaks[0] / float(optimiser.param_groups[0]["lr"]), 1.0
        return OneCycleLR(
            optimiser, peaks, total_steps=steps + 1, div_factor=rise, final_div_factor=fall
        )
    for group, rate in zip(optimiser.param_groups, peaks, strict=True):
        group["lr"] = group["initial_lr"] = rate
    rising = round(config.warmup * steps)
    return LambdaLR(optimiser, lambda step: cosine(step, rising, steps))


def cosine(step: int, rising: int, steps: int) -> float:
    """Share of the peak at a step, from 0, of a stage that rises over its first `rising` steps."""
    if step < rising:
        return (step + 1) / (rising + 1)
    return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2
