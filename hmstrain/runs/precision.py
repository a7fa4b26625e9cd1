"""A run's network and windows -> the arithmetic it computes them in, measured here once and kept.

::

    precision.json   in the run's folder, beside each network: machines, and what was chosen there

What was chosen for a machine is taken again there, so that predictions can be repeated exactly. On
a store where it was not yet, it is first compared with the run's own arithmetic on a few windows.
A choice made while other work had the processors is not kept.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hmsstore import Store
from hmsstore.atomic import refusal
from hmsstore.json_shapes import ShapeError, entry, items, mapping, read_json, texts
from hmstrain.distributed import World
from hmstrain.errors import ConfigError, RunError
from hmstrain.models.arithmetic import AUTO, Arithmetic, check_precision
from hmstrain.models.choosing import (
    BATCHES,
    Forward,
    Tried,
    candidates,
    choose,
    compare,
    too_far,
)
from hmstrain.models.evaluate import Evaluator
from hmstrain.models.tabular.base import TabularModel
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.json_file import check_seal, write_sealed
from hmstrain.runs.trained import Trained

FILE = "precision.json"
SWITCH = "HMS_AUTO_PRECISION"
"""Environment variable that is 'off' where nothing is to be measured."""
NO_CI = ("", "0", "false", "no")
"""What the environment variable CI says outside of CI; systems of CI set it to 'true' or a name."""
LEAST_WINDOWS = 1_000
"""Fewer are predicted before measuring has paid: it takes as long as some 150."""
KEPT_AT_MOST = 100
"""Machines, and stores of each; the oldest give way."""


@dataclass(frozen=True, slots=True)
class Computed:
    """In which arithmetic a network answered, and why."""

    arithmetic: Arithmetic
    why: str
    """'asked', 'own', 'measured' or 'kept'."""
    said: str = ""
    """A sentence, where something was measured."""
    refused: tuple[str, ...] = ()
    """What would have been faster and was not taken, one sentence each."""
    tried: tuple[Tried, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        found: dict[str, Any] = self.arithmetic.to_json() | {"why": self.why}
        if self.said:
            found["said"] = self.said
        if self.refused:
            found["refused"] = list(self.refused)
        if self.tried:
            found["tried"] = [one.to_json() for one in self.tried]
        return found


def sentences(computed: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say what was measured of networks, from what `Computed.to_json` gave."""
    return [f"precision=auto: {one['said']}." for one in computed if "said" in one]


def not_taken(computed: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say what would have been faster and was not taken, from what `Computed.to_json` gave."""
    return [text for one in computed for text in one.get("refused", ())]


def may_measure(device: torch.device) -> bool:
    """Whether speeds may decide: on CPUs, outside of CI, unless the environment says no.

    Raises
    ------
    ConfigError
        The variable says something else.
    """
    return not why_unmeasured(device)


def why_unmeasured(device: torch.device) -> str:
    """Say why speeds may not decide, as the end of a sentence; nothing where they may.

    Raises
    ------
    ConfigError
        The environment variable is neither 'on' nor 'off'.
    """
    word = os.environ.get(SWITCH, "")
    if word not in ("", "on", "off"):
        raise ConfigError(f"{SWITCH}={word}: expected on or off.")
    if device.type != "cpu":
        return f"on {device.type}"
    if word == "off":
        return f"where {SWITCH}=off"
    in_ci = os.environ.get("CI", "").lower() not in NO_CI
    return f"in CI without {SWITCH}=on" if in_ci and word != "on" else ""


def machine() -> dict[str, Any]:
    """What speeds depend on: the processor, what PyTorch uses of it, its threads and version."""
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def in_precision(
    trained: Trained,
    folder: RunFolder,
    store: Store,
    rows: NDArray[np.int64],
    world: World,
    precision: str | None,
    *,
    views: int = 1,
    batch_size: int = 16,
) -> tuple[Trained, Computed]:
    """Let a network compute in the precision that is asked for.

    Parameters
    ----------
    folder : RunFolder
        Of the network, where a choice is kept.
    rows : int64 (N,)
        Windows of the store that it will be asked for.
    precision : str, optional
        'float32', 'bfloat16' or 'float16'; 'auto': the fastest whose answers are near enough, by
        measuring on these windows; None: as the run says.
    views : int
        How often each window will be looked at.
    batch_size : int
        Windows that are tried at once, at least.

    Raises
    ------
    ConfigError
        There is no such precision.
    RunError
        What the folder keeps is damaged.
    """
    if precision is not None:
        check_precision(precision)
    own = Arithmetic.of(trained.config)
    if precision is None or isinstance(trained.network, TabularModel):
        return trained, Computed(own, "own")
    if precision != AUTO:
        asked = replace(own, precision=precision)
        return trained.computing(asked), Computed(asked, "asked")
    few = len(rows) * views < LEAST_WINDOWS or len(rows) < BATCHES
    if few or world.size > 1 or not may_measure(world.device):
        return trained, Computed(own, "own")
    machines, here, identity = _read(folder.path), machine(), store.identity
    known = next((one for one in machines if one.machine == here), None)
    others = [one for one in machines if one is not known]
    if known is not None and (known.arithmetic == own or identity in known.near_on):
        return trained.computing(known.arithmetic), Computed(
            known.arithmetic, "kept", f"{known.arithmetic}, as was chosen on this machine"
        )
    with trained.evaluator(store, world, rows=rows, batch_size=batch_size) as evaluator:
        assert isinstance(evaluator, Evaluator)
        subject = subject_of(trained.network, evaluator, rows)
    if known is None:
        choice = choose(subject, candidates(own, trained.network))
        taken = choice.arithmetic
        if choice.lasting:
            _keep(folder.path, [*others, Chosen(here, taken, choice.tried, (identity,))])
        found = Computed(taken, "measured", str(choice), tuple(choice.refused), choice.tried)
    else:
        taken, parity = known.arithmetic, compare(subject, own, known.arithmetic)
        found = Computed(taken, "kept", f"{taken}, as was chosen on this machine; {parity}")
        if parity.holds:
            near_on = (*known.near_on, identity)[-KEPT_AT_MOST:]
            _keep(folder.path, [*others, replace(known, near_on=near_on)])
        else:
            found = Computed(own, "own", refused=(too_far(taken, own, parity),))
    return trained.computing(found.arithmetic), found


def subject_of(
    network: nn.Module, evaluator: Evaluator, rows: NDArray[np.int64], batches: int = BATCHES
) -> Forward:
    """Let a network be tried on batches of these windows (N,), spread evenly over them."""
    config = evaluator.config
    given = [
        {name: values.clone() for name, values in one.items()}
        for one in evaluator.some_of(rows, batches)
    ]

    def answer(arithmetic: Arithmetic, prepared: dict[str, Tensor]) -> NDArray[np.float64]:
        evaluator.config = arithmetic.within(config)
        return evaluator.probabilities(network, prepared)

    return Forward(network, given, answer)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen on a machine."""

    machine: dict[str, Any]
    arithmetic: Arithmetic
    tried: Sequence[Tried | dict[str, Any]]
    near_on: tuple[str, ...] = ()
    """Stores on whose windows its answers were near enough."""

    @classmethod
    def from_json(cls, value: object) -> Chosen:
        """From what `to_json` gave; raises ShapeError for something else."""
        tried = [mapping(one) for one in entry(value, "tried", items)]
        arithmetic = entry(value, "arithmetic", Arithmetic.from_json)
        near_on = entry(value, "near_on", texts)
        return cls(entry(value, "machine", mapping), arithmetic, tried, near_on)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        tried = [one.to_json() if isinstance(one, Tried) else one for one in self.tried]
        return {
            "machine": self.machine,
            "arithmetic": self.arithmetic.to_json(),
            "tried": tried,
            "near_on": list(self.near_on),
        }


def _read(folder: Path) -> list[Chosen]:
    """What was chosen on machines so far, the oldest first."""
    path = folder / FILE
    try:
        value = read_json(path)
        found = [Chosen.from_json(one) for one in entry(value, "machines", items)]
    except FileNotFoundError:
        return []
    except ShapeError as error:
        raise RunError(
            f"{path} is damaged: {error}. Remove it; it is then measured again."
        ) from None
    check_seal(path, value)
    return found


def _keep(folder: Path, machines: Sequence[Chosen]) -> None:
    """Keep what was chosen, where the run's folder can be written into."""
    if not refusal(folder):
        kept = [one.to_json() for one in machines[-KEPT_AT_MOST:]]
        write_sealed(folder / FILE, {"machines": kept})


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
