"""What a caller gives for an option -> that value, checked, or a refusal that names the option."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, nan
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

from hmsprep.errors import ParameterError


def refuse(option: str, expected: str, found: object) -> NoReturn:
    """Raise the error that an option's value is not what it must be.

    Raises
    ------
    ParameterError
        Always.
    """
    shown = f"{found!r:.60}"
    if isinstance(found, tuple) and len(found) == 2:
        shown = " ".join(f"{v:g}" if isinstance(v, float) else f"{v!r:.30}" for v in found)
    raise ParameterError(f"--{option.replace('_', '-')}: expected {expected}, got {shown}.")


def is_number(value: object) -> bool:
    """Whether it is a number, which True and '1' are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def pair(value: Any) -> tuple[float, float]:
    """Two numbers; twice NaN, which lies in no range, where it is something else."""
    try:
        low, high = value
    except (TypeError, ValueError):
        return nan, nan
    return (low, high) if is_number(low) and is_number(high) else (nan, nan)


def word(option: str, value: Any, words: tuple[str, ...]) -> None:
    """Refuse what is not one of some words."""
    if not isinstance(value, str) or value not in words:
        refuse(option, f"one of {', '.join(words)}", value)


def truth(**options: Any) -> None:
    """Refuse options that are neither True nor False: any other word would count as true."""
    for option, value in options.items():
        if not isinstance(value, bool):
            refuse(option, "True or False", value)


def whole(option: str, value: Any, least: int, most: float = inf, expected: str = "") -> int:
    """A whole number from `least` to `most`; `expected` says so in other words."""
    number = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None
    if number is None or not least <= number <= most:
        refuse(option, expected or f"a whole number, {least} or more", value)
    return number


def workers(value: int | None, usual: int) -> int:
    """Number of workers: as many as usual unless the caller says how many."""
    return usual if value is None else whole("workers", value, 1)


def each_of(value: Any) -> list[Any]:
    """Files, folders and the like as a list, with paths as `Path`: a single one is a list of it."""
    alone = isinstance(value, str | PathLike) or not isinstance(value, Iterable)
    each = [value] if alone else list(value)
    return [Path(one) if isinstance(one, str | PathLike) else one for one in each]
