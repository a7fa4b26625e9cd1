"""A JSON file -> its value -> the text, number, list or object that it should be, or what it is."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import NoReturn, TypeVar

LARGEST_JSON = 64 << 20
"""Bytes: the manifest of a store of 500,000 files is smaller."""
DEEPEST = 64
"""Lists and objects within each other: no file of this package has more than a dozen."""

T = TypeVar("T")


class ShapeError(ValueError):
    """A JSON value is of another type than expected; says where, what was expected and got."""


class AccessError(ShapeError):
    """A file may not be read by this user, whatever it holds."""


def read_json(path: Path, *, largest: int = LARGEST_JSON, finite: bool = False) -> object:
    """Read a JSON file, which anybody may have written.

    Parameters
    ----------
    path : Path
        The file.
    largest : int
        Bytes; a larger file is not read.
    finite : bool
        Refuse NaN and infinite numbers.

    Raises
    ------
    FileNotFoundError
        There is nothing of this name.
    ShapeError
        It is a folder, a pipe or a device, larger than `largest`, not readable, or not JSON.
        `AccessError`: this user may not read it.
    """
    return parse_json(read_bytes(path, largest), finite=finite)


def read_bytes(path: Path, largest: int) -> bytes:
    """Content of a regular file of at most so many bytes; raises as `read_json`."""
    try:
        # Opening a pipe would wait for somebody who writes to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise AccessError(error.strerror or str(error)) from None
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise ShapeError(getattr(error, "strerror", None) or str(error)) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            folder = stat.S_ISDIR(status.st_mode)
            raise ShapeError(f"expected a file, got {'a folder' if folder else 'a pipe or device'}")
        if status.st_size > largest:
            raise ShapeError(f"expected at most {largest:,} bytes, got {status.st_size:,}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(largest)
    except OSError as error:
        raise ShapeError(error.strerror or str(error)) from None
    finally:
        os.close(descriptor)


def parse_json(content: bytes | str, *, finite: bool = False) -> object:
    """Value of a JSON text; raises ShapeError for another text, or one nested too deep."""

    def refuse(word: str) -> NoReturn:
        raise ShapeError(f"expected finite numbers, got {word}")

    def finite_float(word: str) -> float:
        return found if isfinite(found := float(word)) else refuse(word)

    hooks = {"parse_constant": refuse, "parse_float": finite_float} if finite else {}
    try:
        found: object = json.loads(content, **hooks)  # type: ignore[arg-type]
    except ShapeError:
        raise
    except ValueError as error:  # UnicodeDecodeError is one
        raise ShapeError(f"not JSON ({error})") from None
    except RecursionError:
        raise ShapeError(f"nested deeper than {DEEPEST} levels") from None
    level = [found]
    for _ in range(DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return found
    raise ShapeError(f"nested deeper than {DEEPEST} levels")


def text(value: object) -> str:
    """Take a text."""
    if not isinstance(value, str):
        raise ShapeError(f"expected a text, got {_kind(value)}")
    return value


def number(value: object) -> float:
    """Take a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ShapeError(f"expected a number, got {_kind(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ShapeError("expected a number, got one of over 308 digits") from None


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
