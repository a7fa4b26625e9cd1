"""How raters vote on a stretch of EEG -> what must be in it for them to vote so.

The six classes are places on a continuum: how far a pattern reaches over the head tells LPD from
GPD and LRDA from GRDA; whether there is quiet between its waves tells periodic from rhythmic; how
fast it is and whether it evolves tells seizures from both; how clear it is tells all of them from
'other' (the ictal-interictal continuum of Hirsch et al. 2021). Each is an axis from 0 to 1. Raters
put their threshold somewhere near its middle, normally distributed, so the share of raters that
sees the upper kind tells where on the axis the stretch lies: a psychometric function, inverted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import CLASSES

SEIZURE, LPD, GPD, LRDA, GRDA, OTHER = range(len(CLASSES))
SCATTER = 0.2
"""Deviation of the raters' thresholds: 84% agree 0.2 away from the middle of an axis."""
SURE = 0.97
"""Where so many agree, a stretch may lie anywhere beyond."""
KNOWN = 0.1
"""Share of votes from which on an axis is known by them; else it is free."""


@dataclass(frozen=True, slots=True)
class Traits:
    """Places on the axes, each from 0 to 1."""

    visible: float
    """0: none of the patterns; 1: one of them beyond doubt."""
    general: float
    """0: one side; 1: both alike."""
    rhythmic: float
    """0: discharges with quiet between them; 1: waves without interval."""
    ictal: float
    """0: slow and steady; 1: fast or evolving."""


def draw_traits(rng: np.random.Generator, truth: NDArray[np.float64]) -> Traits:
    """Draw traits for which raters vote by this distribution.

    Parameters
    ----------
    truth : float64 (6,)
        Distribution of the votes.
    """
    patterns = truth[:OTHER] / max(truth[:OTHER].sum(), 1e-9)
    slow = patterns[[LPD, GPD, LRDA, GRDA]].sum()
    general = rhythmic = float(rng.random())
    if slow > KNOWN:
        general = place(rng, (patterns[GPD] + patterns[GRDA]) / slow)
        rhythmic = place(rng, (patterns[LRDA] + patterns[GRDA]) / slow)
    return Traits(
        visible=place(rng, 1 - truth[OTHER]),
        general=general,
        rhythmic=rhythmic,
        ictal=place(rng, patterns[SEIZURE]),
    )


def place(rng: np.random.Generator, share: float) -> float:
    """Where on an axis a stretch lies of which this share of raters says that it is beyond."""
    from scipy.special import ndtri

    sure = 0.5 + SCATTER * float(ndtri(SURE))
    if share >= SURE:
        return float(rng.uniform(sure, 1))
    if share <= 1 - SURE:
        return float(rng.uniform(0, 1 - sure))
    return 0.5 + SCATTER * float(ndtri(share))
