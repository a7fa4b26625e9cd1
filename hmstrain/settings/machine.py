"""Where and in what precision a run computes."""

from __future__ import annotations

from dataclasses import dataclass

from hmstrain.errors import ConfigError
from hmstrain.settings.setting import Group, one_of, setting, within


@dataclass(frozen=True)
class MachineSettings(Group):
    """Where and in what precision a run computes."""

    device: str = setting("auto", "auto, cpu, cuda, cuda:1, mps.", machine_only=True)
    data: str = one_of(
        "map",
        "device",
        meaning="Map the store, or hold the signals of the run in the device's memory.",
        machine_only=True,
    )
    loader_threads: int = within(2, 1, 256, "Threads that gather batches.", machine_only=True)
    precision: str = one_of(
        "float32",
        "bfloat16",
        "float16",
        "auto",
        meaning="Precision of arithmetic (autocast); auto: on CPUs, the fastest of float32 and "
        "bfloat16, with channels_last or without, by timing a few steps; the choice stays with "
        "the run.",
    )
    channels_last: bool = setting(False, "Lay images out channels last.")
    compile: bool = setting(False, "Compile the network (torch.compile).")
    tensorboard: bool = setting(False, "Write TensorBoard events too.", machine_only=True)

    def check_together(self) -> None:
        """Refuse to set what `auto` chooses, or cannot time."""
        if self.precision == "auto" and self.channels_last:
            raise ConfigError("precision=auto chooses channels_last: leave it out.")
        if self.precision == "auto" and self.compile:
            raise ConfigError(
                "precision=auto times networks that are not compiled: leave compile out, or name "
                "a precision."
            )
