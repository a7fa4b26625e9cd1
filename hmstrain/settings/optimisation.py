"""How long and how fast the weights change."""

from __future__ import annotations

from dataclasses import dataclass

from hmstrain.settings.setting import Group, refuse, setting, within


@dataclass(frozen=True)
class OptimisationSettings(Group):
    """How long and how fast the weights change."""

    epochs: int = within(5, 1, 10_000, "Passes over the training windows.")
    batch_size: int = within(32, 1, 65_536, "Windows per step, over all processes.")
    steps: int = within(
        0, 0, 10**9, "Stop after this many steps, with the schedule ending there; 0: all epochs."
    )
    learning_rate: float = within(1e-3, 1e-9, 100, "Peak of the OneCycle schedule.")
    weight_decay: float = within(1e-4, 0, 10, "Adam's weight decay.")
    clip_gradient: float = within(0.0, 0, 1e9, "Largest norm of the gradient; 0: no limit.")
    second_epochs: int = within(
        0, 0, 10_000, "Epochs of a second stage, on windows with many votes; 0: no such stage."
    )
    second_learning_rate: float = within(
        1e-4, 1e-9, 100, "Peak of the second stage's OneCycle schedule."
    )
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
        "Epochs appended to the last stage, each time with a schedule of their own from the last "
        "rate; written by --resume --epochs N.",
    )

    def check_together(self) -> None:
        """Refuse extensions without epochs."""
        if any(epochs < 1 for epochs in self.extended):
            refuse("extended", "numbers of epochs from 1", list(self.extended))
