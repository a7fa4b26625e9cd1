"""Networks of runs, loaded while their input is prepared, and a store -> one answer.

Loading takes as long as importing a recording of an hour: importing timm alone takes more than a
second. So a thread loads while another process prepares the windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmstrain.distributed import World, join_world
from hmstrain.errors import ConfigError, DataError
from hmstrain.events import Progress
from hmstrain.models.arithmetic import check_precision
from hmstrain.models.trust import Trust
from hmstrain.prediction.demo import called
from hmstrain.prediction.ensemble import (
    AVERAGES,
    Member,
    fit_weights,
    in_precision,
    load_members,
    predict_rows,
)
from hmstrain.prediction.given import Given
from hmstrain.runs.trained import Views


@dataclass(frozen=True, slots=True)
class How:
    """How several networks make one answer, and where they run."""

    average: str = "arithmetic"
    swap: bool = False
    device: str = "auto"
    trust: Trust = False
    reverse: bool = False
    population: str | None = None
    precision: str | None = None
    """None: as each run says."""

    @property
    def views(self) -> Views:
        """What each network's answers are averaged over."""
        return Views(self.swap, self.reverse)

    def __post_init__(self) -> None:
        if self.average not in AVERAGES:
            raise ConfigError(f"There is no average {self.average!r}: use {', '.join(AVERAGES)}.")
        if self.precision is not None:
            check_precision(self.precision)


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks of runs that are being loaded, and how they make one answer."""

    given: Given
    how: How
    world: World
    loading: Future[list[Member]]
    pool: ThreadPoolExecutor
    """Of the thread that loads."""

    def answer(
        self, store: Store, rows: NDArray[np.int64], progress: Progress
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Averaged probabilities of rows (N,), float64 (N, classes), and what they come from.

        Raises
        ------
        TrainError
            A run is not finished, or does not fit the others or the store.
        """
        given, how = self.given, self.how
        # The thread that loads has started threads of OpenMP for itself. While it lives, there are
        # more of these than processors, and all sleep at every barrier: networks take half as long
        # again.
        self.pool.shutdown()
        if not len(rows):
            raise DataError(f"{store.path} holds no windows.")
        if given.blend is not None and how.average != AVERAGES[0]:
            raise ConfigError(
                f"--average {how.average}: {given.folder} is a blend, which defines how its runs "
                "are averaged: leave --average out."
            )
        weights = fit_weights(given.runs) if how.average == "fitted" else None
        members, computed = in_precision(
            self.loading.result(), store, rows, self.world, how.precision, how.views
        )
        found = predict_rows(members, store, rows, self.world, views=how.views, progress=progress)
        weight_of = given.weights(weights)
        made_of: dict[str, Any] = {
            "runs": [
                {
                    "path": called(member.folder.path),
                    "networks": len(member.networks),
                    "trained_on": member.networks[0].described["store"]["identity"],
                    "weight": None if weight is None else round(weight, 6),
                    "arithmetic": [one.to_json() for one in of_networks],
                }
                for member, weight, of_networks in zip(members, weight_of, computed, strict=True)
            ],
            "average": how.average if given.blend is None else given.blend.how,
            "swap": how.swap,
            "reverse": how.reverse,
            "population": next(
                (t.population for m in members for t in m.networks if t.population), None
            ),
            "device": str(self.world.device),
        }
        return given.combine(found, how.average, weights), made_of


@contextmanager
def loading(given: Given, how: How, *also: str) -> Iterator[Networks]:
    """Load the networks of runs on their device in a thread, while something else is done.

    Parameters
    ----------
    given : Given
        The runs.
    how : How
        How they make one answer, and on which device.
    also : str
        Modules to import afterwards, which will be wanted later.
    """
    with join_world(how.device) as world, ThreadPoolExecutor(1 + len(also)) as pool:
        members = pool.submit(
            load_members, given.runs, world, trust=how.trust, population=how.population
        )
        for name in also:
            pool.submit(import_module, name)
        yield Networks(given, how, world, members, pool)
