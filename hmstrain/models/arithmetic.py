"""Precision and layout: in which arithmetic a network computes, as a configuration or a run says.

The layout of images is channels first, (B, C, H, W) in memory, or channels last, (B, H, W, C),
which convolutions of some processors read faster. Both give the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn

from hmsstore.json_shapes import ShapeError
from hmstrain.errors import ConfigError

if TYPE_CHECKING:
    from hmstrain.config import Config

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""What convolutions and products of matrices compute in; all else stays in float32 (autocast)."""
AUTO = "auto"
"""Chosen by measuring."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How a network computes."""

    precision: str = "float32"
    channels_last: bool = False

    @classmethod
    def of(cls, config: Config) -> Self:
        """What a configuration says that leaves nothing to be measured."""
        return cls(config.precision, config.channels_last)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """From what `to_json` gave.

        Raises
        ------
        ShapeError
            It is something else.
        """
        if not isinstance(value, Mapping) or value.keys() != set(cls.__slots__):
            raise ShapeError(f"expected precision and channels_last, got {value!r:.80}")
        found = cls(**value)
        if found.precision not in PRECISIONS or not isinstance(found.channels_last, bool):
            raise ShapeError(f"expected a precision and true or false, got {value!r:.80}")
        return found

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)

    def __str__(self) -> str:
        """Say it in words: 'bfloat16, channels last'."""
        return f"{self.precision}, channels last" if self.channels_last else self.precision

    def within(self, config: Config) -> Config:
        """Give a configuration this arithmetic, whatever it said before."""
        return replace(config, precision=self.precision, channels_last=self.channels_last)

    def lay_out(self, network: nn.Module) -> None:
        """Lay the kernels of a network's convolutions out in this way; their values stay."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        network.to(memory_format=layout)


def autocast(config: Config, device: torch.device) -> AbstractContextManager[object]:
    """Where a network computes in less precision, if the configuration asks for it."""
    dtype = PRECISIONS[config.precision]
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def check_precision(word: str) -> None:
    """Refuse a precision that there is not.

    Raises
    ------
    ConfigError
        With those that there are.
    """
    if word != AUTO and word not in PRECISIONS:
        known = ", ".join((AUTO, *PRECISIONS))
        raise ConfigError(f"--precision {word}: expected one of {known}.")
