"""Votes -> what a single rater is worth against the others, and a model against the same others.

Leaving out one vote at a time, the rater who cast it is right if his class has the most of the
votes that are left, or is one of several that have; so is the model. It is the average rater: votes
carry no names. Of windows with three votes or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hmstrain.scoring.bootstrap import LEVEL, Span, group_sums, percentiles, resampled_sums
from hmstrain.scoring.formulas import Floats
from hmstrain.scoring.metrics import Judged

FEWEST_VOTES = 3
MARGIN = 0.05
"""By how much a model may be right less often than a rater and still count as not inferior."""


@dataclass(frozen=True, slots=True)
class AmongExperts:
    """A model and the average rater, both against the other raters' majority."""

    windows: int
    rater: float
    """Share of a window's votes that are cast for what most of the others say: mean over windows,
    each of which counts once."""
    model: float
    """How often the model gives the same others' majority, likewise."""
    difference: float
    """Model less rater."""
    interval: Span | None
    """Its 95% interval over patients."""
    margin: float
    not_inferior: bool | None
    """Whether the lower end of that interval lies above -margin."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def among_experts(
    seeds: Sequence[Judged], *, margin: float = MARGIN, seed: int = 0
) -> AmongExperts | None:
    """Compare a model with the average rater; None where no window has three known votes.

    Parameters
    ----------
    seeds : sequence of Judged
        The same windows as networks that differ in their seed judge them; mostly one.
    margin : float
        Of non-inferiority, in shares of answers that are right.
    """
    known = seeds[0].votes >= FEWEST_VOTES  # not where they are unknown
    if not known.any():
        return None
    seen = seeds[0].take(known)
    parts = np.mean([_parts(one.take(known)) for one in seeds], axis=0)
    rater, model, count = parts.sum(axis=0)
    names, group = np.unique(seen.patient, return_inverse=True)
    span = None
    if len(names) > 1:
        sums = resampled_sums(group_sums(parts, group, len(names)), seed=seed)
        span = percentiles((sums[:, 1] - sums[:, 0]) / sums[:, 2], LEVEL)
    return AmongExperts(
        windows=len(seen.target),
        rater=float(rater / count),
        model=float(model / count),
        difference=float((model - rater) / count),
        interval=span,
        margin=margin,
        not_inferior=None if span is None else span[0] > -margin,
    )


def _parts(judged: Judged) -> Floats:
    """Of each window: how often a rater, and how often the model, agrees with the others; 1."""
    counts = np.round(judged.target * judged.votes[:, None])
    rows = np.arange(len(counts))
    rater, model = np.zeros(len(counts)), np.zeros(len(counts))
    for left_out in range(counts.shape[1]):
        others = counts.copy()
        others[:, left_out] -= 1
        most = others.max(axis=1)
        weight = judged.target[:, left_out]  # the share of raters who said so
        rater += weight * (others[:, left_out] == most)
        model += weight * (others[rows, judged.chosen] == most)
    return np.column_stack([rater, model, np.ones(len(counts))])
