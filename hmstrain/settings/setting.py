"""One setting: default, meaning and range -> a dataclass field, its value read from text, its line.

`config.Config` is made of groups of such fields. Each one's meaning stands in its field and nowhere
else: the command `hmstrain settings`, the error messages and the documentation read it there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field
from os import PathLike, fspath
from typing import Any, NoReturn

from hmstrain.errors import ConfigError

LONGEST_SHOWN = 40
"""Characters of a wrong value that a message repeats."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What one setting is called, means and may be."""

    name: str
    default: Any
    meaning: str
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    machine_only: bool = False
    """Whether it changes nothing about a run's outcome beyond rounding."""
    before: Any = None
    """What its absence from the configuration of an older run means; by default, the default."""

    @property
    def range(self) -> str:
        """What it may be, in words: '0 to 1', 'none|votes', 'true|false'."""
        if self.choices:
            return "|".join(self.choices)
        if self.bounds is not None:
            return f"{_plain(self.bounds[0])} to {_plain(self.bounds[1])}"
        return {bool: "true|false", dict: "NAME=VALUE pairs"}.get(type(self.default), "")

    @property
    def default_text(self) -> str:
        """The default as one would write it; empty where there is none."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        if isinstance(self.default, tuple):
            return ",".join(map(str, self.default))
        return "" if self.default == {} else f"{self.default}"

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        default = list(self.default) if isinstance(self.default, tuple) else self.default
        return {
            "name": self.name,
            "default": default,
            "choices": list(self.choices) or None,
            "range": None if self.bounds is None else list(self.bounds),
            "meaning": self.meaning,
        }

    def typed(self, value: Any) -> Any:
        """Turn a value from a file, an option or a word into this setting's type.

        Raises
        ------
        ConfigError
            It is of another type.
        """
        read, expected = READERS[type(self.default)]
        try:
            return read(value)
        except (ValueError, KeyError, TypeError, OverflowError):
            shown = repr(value)
            if len(shown) >= LONGEST_SHOWN:
                shown = f"{shown[:LONGEST_SHOWN]}..."
            raise ConfigError(f"{self.name} takes {expected}; got {shown}.") from None

    def check(self, value: Any) -> None:
        """Refuse a value out of range.

        Raises
        ------
        ConfigError
            It is not one of the choices, or beyond the bounds.
        """
        if self.choices and value not in self.choices:
            expected = ", ".join(self.choices)
            raise ConfigError(f"{self.name} must be one of {expected}; got {value}.")
        if self.bounds is not None and not self.bounds[0] <= value <= self.bounds[1]:
            raise ConfigError(f"{self.name} must be from {self.range}; got {value}.")


class Group:
    """Settings of one kind: a frozen dataclass of fields made by `setting`, and what they refuse.

    `config.Config` inherits from every group, so its settings stay flat.
    """

    def check_together(self) -> None:
        """Refuse values that make no sense together, or that no range tells.

        Raises
        ------
        ConfigError
            What is wrong, in one sentence.
        """


def setting(
    default: Any,
    meaning: str,
    *,
    choices: tuple[str, ...] = (),
    bounds: tuple[float, float] | None = None,
    machine_only: bool = False,
    before: Any = None,
) -> Any:
    """A dataclass field with what `Setting` says of it; `dict` stands for an empty one."""
    metadata = {
        "meaning": meaning,
        "choices": choices,
        "bounds": bounds,
        "machine_only": machine_only,
        "before": before,
    }
    if default is dict:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def one_of(default: str, *others: str, meaning: str, **more: Any) -> Any:
    """A setting that is one of some words; the first is the default."""
    return setting(default, meaning, choices=(default, *others), **more)


def within(default: Any, low: float, high: float, meaning: str, **more: Any) -> Any:
    """A number from `low` to `high`."""
    return setting(default, meaning, bounds=(low, high), **more)


def refuse(name: str, expected: str, got: object) -> NoReturn:
    """Raise the error that a setting is not what it must be.

    Raises
    ------
    ConfigError
        Always.
    """
    raise ConfigError(f"{name} must be {expected}; got {got}.")


def described(item: Field[Any]) -> Setting:
    """The setting that a field made by `setting` describes."""
    default = {} if item.default is MISSING else item.default
    return Setting(item.name, default, **item.metadata)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]


def _int(value: Any) -> int:
    number = float(value)
    if number != int(number) or isinstance(value, bool):
        raise ValueError
    return int(number)


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def _str(value: Any) -> str:
    if isinstance(value, PathLike):
        return str(fspath(value))
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return str(value)


def _ints(value: Any) -> tuple[int, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(_int(part) for part in parts)


def _dict(value: Any) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise TypeError
    plain: dict[str, Any] = json.loads(json.dumps(dict(found)))
    return plain


READERS: dict[type, tuple[Callable[[Any], Any], str]] = {
    bool: (_bool, "true or false"),
    int: (_int, "a whole number"),
    float: (_float, "a number"),
    str: (_str, "a word"),
    tuple: (_ints, "whole numbers, such as 138,162"),
    dict: (_dict, 'a JSON object, such as {"width": 64}'),
}
"""Type of a setting's default -> how a value becomes one, and what it takes in words."""


def word_value(text: str) -> Any:
    """Value of KEY=VALUE for a model's argument: JSON where it is, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e12 else f"{value:g}"
