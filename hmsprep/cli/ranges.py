"""Words on the command line -> one number, a pair of numbers, or none."""

from __future__ import annotations

from math import exp
from typing import Any

import typer
from typer.core import TyperCommand


class RangeCommand(TyperCommand):
    """A command whose two-valued options also take the single word 'none'."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write 'none' twice where it stands for both values."""
        pairs = {name for p in self.params if p.nargs == 2 for name in p.opts}
        spelled: list[str] = []
        for word in args:
            name, equals, value = word.partition("=")
            spelled += [name, value] if equals and name in pairs else [word]
            if spelled[-1] == "none" and spelled[-2:-1] and spelled[-2] in pairs:
                spelled.append("none")
        return super().parse_args(ctx, spelled)


def parse_number(option: str, word: str) -> float:
    """Read a number, also as a power of e: 'e^-4'."""
    try:
        return exp(float(word[2:])) if word.startswith("e^") else float(word)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{option} takes numbers or 'none', not {word!r}") from None


def parse_range(option: str, words: tuple[str, str]) -> tuple[float, float] | None:
    """Read two numbers; None if both words are 'none'."""
    if words == ("none", "none"):
        return None
    return parse_number(option, words[0]), parse_number(option, words[1])
