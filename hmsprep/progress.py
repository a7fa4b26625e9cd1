"""How long work tells how far it is, without knowing who listens."""

from collections.abc import Callable

Progress = Callable[[str, int, int], object]
"""Told of a stage by its name: how much is done, how much there is in all."""


def untold(stage: str, done: int, total: int) -> None:
    """Listen to nothing."""
