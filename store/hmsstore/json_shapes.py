"""A JSON value -> the text, number, list or object that it should be, or what it is instead."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import TypeVar

T = TypeVar("T")


class ShapeError(ValueError):
    """A JSON value is of another type than expected; says where, what was expected and got."""


def text(value: object) -> str:
    """Take a text."""
    if not isinstance(value, str):
        raise ShapeError(f"expected a text, got {_kind(value)}")
    return value


def number(value: object) -> float:
    """Take a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ShapeError(f"expected a number, got {_kind(value)}")
    return float(value)


def finite(value: object) -> float:
    """Take a number that is neither NaN nor infinite."""
    found = number(value)
    if not isfinite(found):
        raise ShapeError(f"expected a finite number, got {found}")
    return found


def whole(value: object) -> int:
    """Take a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ShapeError(f"expected a whole number, got {_kind(value)}")
    return value


def truth(value: object) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise ShapeError(f"expected true or false, got {_kind(value)}")
    return value


def items(value: object) -> list[object]:
    """Take a list of anything."""
    if not isinstance(value, list):
        raise ShapeError(f"expected a list, got {_kind(value)}")
    return value


def mapping(value: object) -> dict[str, object]:
    """Take an object."""
    if not isinstance(value, dict):
        raise ShapeError(f"expected an object, got {_kind(value)}")
    return value


def texts(value: object) -> tuple[str, ...]:
    """Take a list of texts."""
    return tuple(text(one) for one in items(value))


def optional(read: Callable[[object], T]) -> Callable[[object], T | None]:
    """Take what `read` takes, or null."""
    return lambda value: None if value is None else read(value)


def entry(value: object, key: str, read: Callable[[object], T]) -> T:
    """Take the value of one key of an object; a problem with it names the key."""
    found = mapping(value)
    if key not in found:
        raise ShapeError(f"{key}: expected a value, got none")
    try:
        return read(found[key])
    except ShapeError as error:
        raise ShapeError(f"{key}: {error}") from None


def entry_or(value: object, key: str, read: Callable[[object], T], default: T) -> T:
    """Take the value of one key of an object, or the default where there is no such key."""
    return entry(value, key, read) if key in mapping(value) else default


def one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    """Take one of these words."""

    def read(value: object) -> str:
        found = text(value)
        if found not in words:
            raise ShapeError(f"expected {' or '.join(words)}, got {found!r}")
        return found

    return read


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null"}
    return names.get(type(value), repr(value))
