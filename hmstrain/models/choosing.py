"""A network and some batches of what it sees -> the arithmetic in which it is fastest, near enough.

No rule tells which that is: on one processor bfloat16 doubles the speed of residual networks and
halves that of networks of depthwise convolutions. So a few steps of each kind are timed in turn, on
the machine at hand and the very network, and their answers are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hmstrain.errors import ModelError
from hmstrain.models.arithmetic import Arithmetic

Clock = Callable[[], float]
Used = Callable[[], tuple[float, float]]
"""Gives the seconds for which this process's threads have run, and waited for a processor."""
BATCHES = 3
"""That each arithmetic is tried on: the first warms up, the others are timed."""
MARGIN = 1.1
"""How much faster than one that is nearer to float32 another must be: rates of shared machines vary
by as much from one try to the next."""
HOPELESS = 3.0
"""What takes so many times as long as the network's own on the first batch is not tried on more."""
TICK = 1e-9
"""Seconds: what is faster than that was not timed."""
BUSY = 0.1
"""Share of its threads' time spent waiting for a processor past which a measurement is not kept:
alone on two processors it was 0.00 to 0.05, beside one other program 0.42 to 0.45."""
NEAR, LARGEST = 0.01, 0.03
"""A probability may differ by this much, with few exceptions, and by this much at most."""
NEAR_SHARE, SAME_SHARE = 0.999, 0.995
"""Shares of probabilities that must be near, and of windows whose answer must be the same."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far answers in one arithmetic are from those in another."""

    windows: int
    near: float
    """Share of probabilities within `NEAR`."""
    largest: float
    """Largest difference of a probability."""
    same: float
    """Share of windows whose most probable class is the same."""

    @classmethod
    def between(cls, one_NK: NDArray[np.float64], other_NK: NDArray[np.float64]) -> Parity:
        """Compare probabilities, (N, K) each; what is not a number is as far as can be."""
        apart = np.nan_to_num(np.abs(one_NK - other_NK), nan=1.0)
        same = one_NK.argmax(axis=1) == other_NK.argmax(axis=1)
        return cls(
            len(one_NK), float((apart <= NEAR).mean()), float(apart.max()), float(same.mean())
        )

    @property
    def close(self) -> bool:
        """Whether the probabilities are near enough."""
        return self.near >= NEAR_SHARE and self.largest <= LARGEST

    @property
    def holds(self) -> bool:
        """Whether the answers can stand for each other.

        One window may always have another: of some dozens, it says nothing of a share of 1 in 200.
        """
        others = round((1 - self.same) * self.windows)
        return self.close and others <= max(1, round((1 - SAME_SHARE) * self.windows, 6))

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"of {self.windows:,} windows' probabilities {self.near:.2%} within {NEAR:g}, all "
            f"within {self.largest:.4f}, {self.same:.2%} of answers the same"
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "windows": self.windows,
            "within_0.01": round(self.near, 6),
            "largest": round(self.largest, 6),
            "same_answer": round(self.same, 6),
        }


@dataclass(frozen=True, slots=True)
class Tried:
    """One arithmetic, beside the network's own."""

    arithmetic: Arithmetic
    speed: float
    """Times that of its own; 0 where it cannot compute so."""
    parity: Parity | None = None
    """With the answers of its own; None where there are none to compare."""
    reason: str = ""
    """A sentence, where it cannot be taken whatever its speed."""
    seconds: float | None = None
    """That a batch took; None where none was timed."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        parity = {} if self.parity is None else {"parity": self.parity.to_json()}
        reason = {"reason": self.reason} if self.reason else {}
        seconds = {} if self.seconds is None else {"seconds": round(self.seconds, 6)}
        found = self.arithmetic.to_json() | {"speed": round(self.speed, 3)}
        return found | seconds | parity | reason


@dataclass(frozen=True, slots=True)
class Choice:
    """What was tried, the network's own arithmetic first, and what was taken of it."""

    taken: Tried
    tried: tuple[Tried, ...]
    unmeasured: str = ""
    """Why nothing was measured, as the end of a sentence."""
    waited: float = 0.0
    """Share of the threads' time spent waiting for a processor that other work had."""

    @classmethod
    def unmade(cls, own: Arithmetic, why: str) -> Choice:
        """Stay with an arithmetic, since nothing is measured for this reason."""
        only = Tried(own, 1.0)
        return cls(only, (only,), why)

    @classmethod
    def among(cls, tried: Sequence[Tried], waited: float = 0.0) -> Choice:
        """Take the fastest, but of two that hardly differ the one that was tried first."""
        taken = tried[0]
        for one in tried[1:]:
            if not one.reason and one.speed >= MARGIN * taken.speed:
                taken = one
        return cls(taken, tuple(tried), waited=waited)

    @property
    def arithmetic(self) -> Arithmetic:
        """What to compute in."""
        return self.taken.arithmetic

    @property
    def lasting(self) -> bool:
        """Whether the speeds are the machine's, not those that other work left."""
        return self.waited <= BUSY

    @property
    def refused(self) -> list[str]:
        """What would have been faster and was not taken, one sentence each."""
        return [
            one.reason
            for one in self.tried
            if one.reason and (one.speed >= MARGIN * self.taken.speed or not one.speed)
        ]

    @property
    def notices(self) -> list[str]:
        """What to tell the user of it, in sentences."""
        return [f"precision=auto: {self}.", *self.refused]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"said": str(self), "tried": [one.to_json() for one in self.tried]}

    def __str__(self) -> str:
        """Say it in one sentence, without its full stop."""
        own, *others = self.tried
        if not others:
            because = f", since nothing is measured {self.unmeasured}" if self.unmeasured else ""
            return f"{own.arithmetic}{because}"
        rates = ", ".join(
            f"{one.arithmetic} {one.speed:.2f}" for one in others if one is not self.taken
        )
        beside = f" ({rates})" if rates else ""
        busy = f"; its threads waited for a processor {self.waited:.0%} of the time"
        busy = "" if self.lasting else f"{busy}, so an idle machine may differ"
        if self.taken is own:
            return f"{own.arithmetic}: nothing else is {MARGIN:g} times as fast here{beside}{busy}"
        near = "" if self.taken.parity is None else f"; {self.taken.parity}"
        took = ""
        if self.taken.seconds is not None and own.seconds is not None:
            took = f", {self.taken.seconds:.3g} s a batch instead of {own.seconds:.3g}"
        return (
            f"{self.arithmetic}: {self.taken.speed:.2f} times as fast as {own.arithmetic} "
            f"here{beside}{took}{near}{busy}"
        )


class Subject(Protocol):
    """A network that is tried."""

    @property
    def batches(self) -> int:
        """Number of batches that there are; the first warms up."""

    def lay_out(self, arithmetic: Arithmetic) -> None:
        """Prepare the network for an arithmetic."""

    def step(self, arithmetic: Arithmetic, number: int) -> None:
        """Do what is timed, on the batch of this number."""

    def answers(self, arithmetic: Arithmetic, number: int) -> NDArray[np.float64]:
        """Probabilities (B, K) of that batch's windows, after its step."""


def candidates(own: Arithmetic, network: nn.Module) -> list[Arithmetic]:
    """What is worth trying, nearest to a network's own arithmetic first, which comes first."""
    images = any(isinstance(module, nn.Conv2d) for module in network.modules())
    precisions = [own.precision] + ["bfloat16"] * (own.precision == "float32")
    found = [own]
    if images:
        found += [Arithmetic(precision, channels_last=True) for precision in precisions]
    else:
        found += [Arithmetic(precision, own.channels_last) for precision in precisions]
    return list(dict.fromkeys(found))


def of_threads() -> tuple[float, float]:
    """Seconds that this process's threads have run, and waited for a processor; 0 if not known."""
    found = np.zeros(2)
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError, ValueError):  # a thread that just ended, another kernel
            found += [int(ns) for ns in path.read_text().split()[:2]]
    ran_s, waited_s = (found / 1e9).tolist()
    return ran_s, waited_s


def choose(
    subject: Subject,
    tried: Sequence[Arithmetic],
    *,
    learned: bool = True,
    clock: Clock = time.perf_counter,
    used: Used = of_threads,
) -> Choice:
    """Time steps in each arithmetic, in turn, compare their answers, and choose.

    Parameters
    ----------
    tried : sequence of Arithmetic
        The network's own first; the others are compared with it.
    learned : bool
        Whether the network tells windows apart. Which class is the most probable does not count
        before, since all are about as probable.
    clock : callable
        Gives seconds.
    used : callable
        Gives the seconds for which threads have run and waited.
    """
    own = tried[0]
    ran_s, waited_s = used()
    seconds: dict[Arithmetic, list[float]] = {one: [] for one in tried}
    found: dict[Arithmetic, list[NDArray[np.float64]]] = {one: [] for one in tried}
    fails: dict[Arithmetic, str] = {}
    going = list(tried)
    for number in range(subject.batches):
        for one in tuple(going):
            subject.lay_out(one)
            try:
                begun = clock()
                subject.step(one, number)
                seconds[one].append(clock() - begun)
                found[one].append(subject.answers(one, number))
            except (RuntimeError, TypeError, ModelError) as error:
                if one == own:
                    raise
                said = str(error).strip().splitlines() or [type(error).__name__]
                fails[one] = f"{one} was not taken: the network does not compute in it here"
                fails[one] += f" ({said[0]:.200})."
                going.remove(one)
        if number == 0:
            limit = HOPELESS * seconds[own][0]
            going = [one for one in going if seconds[one][0] <= limit]
    ran_s, waited_s = (
        max(0.0, now - then) for now, then in zip(used(), (ran_s, waited_s), strict=True)
    )
    compared = [
        Tried(one, 0.0, reason=fails[one])
        if one in fails
        else _compared(one, own, seconds, found, learned=learned)
        for one in tried[1:]
    ]
    first = Tried(own, 1.0, seconds=median(seconds[own][1:] or seconds[own]))
    return Choice.among([first, *compared], waited_s / max(ran_s + waited_s, TICK))


def compare(subject: Subject, own: Arithmetic, other: Arithmetic) -> Parity:
    """Compare answers in two arithmetics, on the batches on which they would be tried."""
    found: dict[Arithmetic, list[NDArray[np.float64]]] = {own: [], other: []}
    for one, answers in found.items():
        subject.lay_out(one)
        for number in range(subject.batches):
            subject.step(one, number)
            answers.append(subject.answers(one, number))
    return Parity.between(np.concatenate(found[own]), np.concatenate(found[other]))


def too_far(one: Arithmetic, own: Arithmetic, parity: Parity) -> str:
    """Say why an arithmetic was not taken."""
    return f"{one} was not taken: its answers are too far from those in {own} ({parity})."


def _compared(
    one: Arithmetic,
    own: Arithmetic,
    seconds: Mapping[Arithmetic, Sequence[float]],
    found: Mapping[Arithmetic, Sequence[NDArray[np.float64]]],
    *,
    learned: bool,
) -> Tried:
    pairs = list(zip(seconds[own], seconds[one], strict=False))
    speed = median(before / max(after, TICK) for before, after in (pairs[1:] or pairs))
    answers = np.concatenate(found[one])
    parity = Parity.between(np.concatenate(found[own])[: len(answers)], answers)
    near = parity.holds if learned else parity.close
    took = median(after for _, after in (pairs[1:] or pairs))
    return Tried(one, speed, parity, "" if near else too_far(one, own, parity), took)


class Forward:
    """A network that answers, tried on batches as it is given them.

    Parameters
    ----------
    answer : callable
        The probabilities (B, K) of a prepared batch, in an arithmetic.
    """

    def __init__(
        self,
        network: nn.Module,
        batches: Sequence[dict[str, torch.Tensor]],
        answer: Callable[[Arithmetic, dict[str, torch.Tensor]], NDArray[np.float64]],
    ) -> None:
        self.network, self.given, self.answer = network, batches, answer
        self.last: NDArray[np.float64] = np.empty((0, 0))

    @property
    def batches(self) -> int:
        """Number of batches."""
        return len(self.given)

    def lay_out(self, arithmetic: Arithmetic) -> None:
        """Prepare the network for an arithmetic."""
        arithmetic.lay_out(self.network)

    def step(self, arithmetic: Arithmetic, number: int) -> None:
        """Answer a batch."""
        self.last = self.answer(arithmetic, self.given[number])

    def answers(self, arithmetic: Arithmetic, number: int) -> NDArray[np.float64]:  # noqa: ARG002
        """What it just answered."""
        return self.last
