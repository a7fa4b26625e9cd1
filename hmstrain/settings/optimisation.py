"""How long and how fast the weights change."""

from __future__ import annotations

from dataclasses import dataclass

from hmstrain.errors import ConfigError
from hmstrain.settings.setting import Group, one_of, refuse, setting, within


@dataclass(frozen=True)
class OptimisationSettings(Group):
    """How long and how fast the weights change."""

    epochs: int = within(5, 1, 10_000, "Passes over the training windows.")
    batch_size: int = within(32, 1, 65_536, "Windows in a batch, over all processes.")
    accumulate: int = within(
        1,
        1,
        1024,
        "Batches per step: their gradients are added up before the weights change, as if they were "
        "one batch, for machines without the memory for it.",
    )
    steps: int = within(
        0, 0, 10**9, "Stop after this many steps, with the schedule ending there; 0: all epochs."
    )
    optimiser: str = one_of(
        "adam",
        "adamw",
        meaning="adam: weight decay is part of the gradient; adamw: it is applied to the weights "
        "directly, and not to norms and biases.",
    )
    schedule: str = one_of(
        "onecycle",
        "cosine",
        meaning="onecycle: the learning rate rises to its peak over three tenths of the steps and "
        "falls again; cosine: it rises over the share given by warmup and falls to 0.",
    )
    warmup: float = within(
        0.0, 0, 0.9, "Share of each stage's steps over which a cosine schedule rises to its peak."
    )
    learning_rate: float = within(1e-3, 1e-9, 100, "Peak of the schedule.")
    backbone_learning_rate: float = within(
        0.0,
        0,
        100,
        "Peak for everything before the last layer; 0: the same. In a second stage it keeps its "
        "proportion to the other.",
    )
    weight_decay: float = within(1e-4, 0, 10, "Weight decay of the optimiser.")
    clip_gradient: float = within(0.0, 0, 1e9, "Largest norm of the gradient; 0: no limit.")
    second_epochs: int = within(
        0, 0, 10_000, "Epochs of a second stage, on windows with many votes; 0: no such stage."
    )
    second_learning_rate: float = within(1e-4, 1e-9, 100, "Peak of the second stage's schedule.")
    ema: float = within(
        0.0,
        0,
        0.999999,
        "Decay of a moving average of the weights, which is then validated and kept; 0: none.",
    )
    norm_windows: int = within(
        0,
        0,
        10**6,
        "Training windows to measure batch norm on before each validation; 0: as gathered in "
        "training.",
    )
    extended: tuple[int, ...] = setting(
        (),
        "Epochs appended to the last stage, each time with a new schedule from the last rate; "
        "written by --resume --epochs N.",
    )

    def check_together(self) -> None:
        """Refuse extensions without epochs, and a warm-up that would not be."""
        if any(epochs < 1 for epochs in self.extended):
            refuse("extended", "numbers of epochs from 1", list(self.extended))
        if self.warmup and self.schedule != "cosine":
            raise ConfigError("warmup needs schedule=cosine: onecycle rises in its own way.")
