"""Configurations of runs and rows of a store -> how much of what they look at was observed.

A network that was always shown whole windows has never seen one that is a short recording and its
mirror images: what it says of one cannot be compared with what it says of others.

Legend: N windows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmsstore import Store
from hmstrain.data.inputs import signal_names, spans
from hmstrain.data.observed import LEAST_JUDGED, judged
from hmstrain.words import plural

if TYPE_CHECKING:
    from hmstrain.config import Config

FULL = 0.95
"""A window has full context where at least this share of what a model looks at was observed."""


@dataclass(frozen=True, slots=True)
class Context:
    """What of windows was observed, as some runs look at them."""

    observed: NDArray[np.float64]
    """(N,) share of the part that they look at that was observed: the smallest, over signals and
    runs. NaN: nobody knows, of a store that was built before gaps were kept."""
    judged: NDArray[np.bool_]
    """(N,) whether enough of the judged seconds was recorded for there to be a probability."""
    comparable: NDArray[np.bool_]
    """(N,) whether there is a probability, and each run has seen the like in training: full
    context; or only a part, by a run with `context_dropout` and with the judged seconds in every
    signal that it reads."""

    def take(self, places: NDArray[Any]) -> Context:
        """Some of the windows."""
        return Context(self.observed[places], self.judged[places], self.comparable[places])

    @property
    def warnings(self) -> list[str]:
        """What has to be said wherever predictions of the windows are shown, one sentence each."""
        counts, whole = self.counts(), plural(len(self.judged), "window")
        found = []
        if count := counts["without_probability"]:
            found.append(
                f"{count:,} of {whole} have no probability: more than {1 - LEAST_JUDGED:.0%} of "
                "their judged seconds was not recorded."
            )
        if count := counts["not_comparable"]:
            found.append(
                f"{count:,} of {whole} are not comparable: less than {FULL:.0%} of a run's view "
                "was recorded, and it was not trained on such windows."
            )
        if count := counts["unknown"]:
            found.append(
                f"It is unknown how much of {count:,} of {whole} was recorded: their store was "
                "built before gaps were kept."
            )
        return found

    def counts(self) -> dict[str, int]:
        """How many windows have what, as a JSON object."""
        return {
            "full": int((self.judged & (self.observed >= FULL)).sum()),
            "partial": int((self.judged & (self.observed < FULL)).sum()),
            "unknown": int((self.judged & np.isnan(self.observed)).sum()),
            "not_comparable": int((self.judged & ~self.comparable).sum()),
            "without_probability": int((~self.judged).sum()),
        }


def context_of(configs: Iterable[Config], store: Store, rows: NDArray[np.int64]) -> Context:
    """Tell how much of what runs look at was observed.

    Parameters
    ----------
    configs : iterable of Config
        Of one run or several that answer together.
    rows : int64 (N,)
        Of the store.
    """
    enough = judged(store, rows)
    observed, comparable = np.ones(len(rows)), enough.copy()
    for config in configs:
        for name in signal_names(config):
            share, known = _share(store, rows, name, spans(config)[name])
            observed = np.minimum(observed, share)  # NaN where either is
            seen = ~(share < FULL)
            comparable &= seen | known if config.context_dropout else seen
    return Context(observed, enough, comparable)


def _share(
    store: Store, rows: NDArray[np.int64], name: str, span: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Share of a part of each window that was observed; whether its judged seconds were."""
    if store.gaps is None:
        whole = store.windows[f"{name}_nan_fraction"][rows] == 0
        return np.where(whole, 1.0, np.nan), np.ones(len(rows), bool)
    found = store.observed(rows, name)[name]
    return found.share_of(*span), found.judged >= LEAST_JUDGED - 1e-9


def by_context(observed: ArrayLike) -> dict[str, NDArray[np.int64]]:
    """Split windows by how much of their context was observed.

    Parameters
    ----------
    observed : array (N,)
        Shares, or whether it was observed in full (bool). NaN, not known, belongs to neither.

    Returns
    -------
    dict of int64 (n,)
        Places of the windows with 'full' and 'partial' context, as far as there are any; nothing
        where no window's is partial.
    """
    share = np.asarray(observed, np.float64)
    full, partial = np.flatnonzero(share >= FULL), np.flatnonzero(share < FULL)
    if not len(partial):
        return {}
    return {"full": full, "partial": partial} if len(full) else {"partial": partial}
