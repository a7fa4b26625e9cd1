"""'3/16' -> a share of a build: which of the shards are its own, and what all shares agree on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from hmsprep.errors import ParameterError
from hmsprep.planning.choices import Missing
from hmsprep.planning.parameters import Parameters

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Share:
    """One of several equal parts of a build.

    Raises
    ------
    ParameterError
        There is no such part.
    """

    number: int
    """From 1."""
    of: int
    """How many there are."""

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ParameterError(_expected(str(self)))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, word: str) -> Share:
        """Read '3/16'."""
        if not (found := re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", word)):
            raise ParameterError(_expected(word))
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of_pair(cls, pair: tuple[int, int]) -> Share:
        """Take (3, 16)."""
        if not (isinstance(pair, tuple | list) and [type(one) for one in pair] == [int, int]):
            raise ParameterError(_expected(repr(pair)))
        return cls(*pair)

    def part(self, items: Sequence[T]) -> Sequence[T]:
        """Every so many-th item, so that parts are alike although items are not."""
        return items[self.number - 1 :: self.of]


def _expected(found: str) -> str:
    return f"--share: expected N/OF, with N from 1 to OF, such as 3/16, got {found}."


@dataclass(frozen=True, slots=True)
class Division:
    """What the shares of a build are shares of."""

    of: int
    data: Path
    part: str
    missing: Missing
    parameters: Parameters
    plan: str
    """The plan's hash."""
    table: Path | None = None
    """Table of the windows in place of the data set's own."""
    stated: Mapping[str, Any] = field(default_factory=dict)
    """The parameters as the build's description has them, of one that is read from there."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value, without what any build's description has."""
        return {
            "shares": self.of,
            "data": str(self.data),
            "part": self.part,
            "missing": self.missing,
            **({} if self.table is None else {"table": str(self.table)}),
        }


def ranges(numbers: Iterable[int]) -> str:
    """Write ascending numbers as SLURM's --array takes them: '1-3,7'."""
    runs = groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    ends = ([number for _, number in run] for _, run in runs)
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in ends)
