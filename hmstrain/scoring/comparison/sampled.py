"""Judged rows of several models -> every score in each resample, and their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmstrain.scoring.answers.matched import Matched
from hmstrain.scoring.bootstrap import (
    FEW_PATIENTS,
    REPLICATES,
    Span,
    group_sums,
    percentiles,
    resampled_sums,
    sign_flip,
    simultaneous,
)
from hmstrain.scoring.comparison.results import Difference
from hmstrain.scoring.formulas import Floats
from hmstrain.scoring.metrics import SCORES, Judged, Parts, Score, grouped_parts, split_parts

SEED_STREAM = 1
"""Draws of seeds, beside those of patients."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A score of one model, and the same in each resample of patients (and seeds)."""

    score: Score
    point: float | None
    values: Floats
    """(R,); empty where there are fewer than two patients."""
    sums: tuple[Floats, ...] = ()
    """(G, P) of each seed's network: the score's parts, summed over patients."""

    def of(self, sums: Floats) -> Floats:
        """The score of summed parts (..., seeds * P), the mean over seeds."""
        each = np.split(sums, len(self.sums), axis=-1)
        return np.asarray(np.mean([self.score.value(one) for one in each], axis=0))


def sample(
    matched: Matched, judged: Sequence[Judged], members: Mapping[str, Sequence[int]], seed: int
) -> dict[str, dict[str, Sampled]]:
    """Compute every score of every model, and resample: the same patients for all models."""
    found: dict[str, dict[str, Sampled]] = {name: {} for name in members}
    for over, part in matched.parts.items():
        shown = [score for score in SCORES if score.over == over]
        names, group = np.unique(matched.group[part], return_inverse=True)
        seen = [one.take(part) for one in judged]
        grouped = [grouped_parts(one, shown, group, len(names)) for one in seen]
        values = _values(shown, grouped, seed)
        for number, (name, places) in enumerate(members.items()):
            weights = _seed_weights(len(places), number, seed)
            for score in shown:
                points = [score.of(seen[place]) for place in places]
                known = [point for point in points if point is not None]
                found[name][score.key] = Sampled(
                    score,
                    float(np.mean(known)) if len(known) == len(points) else None,
                    _mixed(weights, [values[place][score.key] for place in places]),
                    tuple(grouped[place][score.parts] for place in places),
                )
    return found


def _mixed(weights: Floats, values: Sequence[Floats]) -> Floats:
    """Mean over drawn seeds in each resample; empty where nothing was resampled."""
    stacked = np.stack(values)
    return (weights * stacked).sum(axis=0) if stacked.size else np.empty(0)


def _values(
    shown: Sequence[Score], grouped: Sequence[Mapping[Parts, Floats]], seed: int
) -> list[dict[str, Floats]]:
    """Each model's scores in each resample, (R,): the same patients for all; empty of one."""
    if len(next(iter(grouped[0].values()))) < 2:
        return [{score.key: np.empty(0) for score in shown} for _ in grouped]
    joined = [np.hstack(list(parts.values())) for parts in grouped]
    drawn = resampled_sums(np.hstack(joined), seed=seed)
    each = np.split(drawn, np.cumsum([one.shape[1] for one in joined])[:-1], axis=1)
    found = []
    for sums, parts in zip(each, grouped, strict=True):
        by_parts = split_parts(sums, parts)
        found.append({score.key: score.value(by_parts[score.parts]) for score in shown})
    return found


def _seed_weights(seeds: int, model: int, seed: int) -> Floats:
    """Share of each of a model's seeds in each resample, (seeds, R) or (1, 1) of a single one."""
    if seeds == 1:
        return np.ones((1, 1))
    rng = np.random.default_rng([seed, SEED_STREAM, model])
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=REPLICATES)
    return np.asarray(drawn.T / seeds, np.float64)


def differences(
    sampled: Mapping[str, Mapping[str, Sampled]], reference: str, seed: int
) -> dict[str, dict[str, Difference]]:
    """Each score of each other model less the reference's, where both have it."""
    others = [name for name in sampled if name != reference]
    found: dict[str, dict[str, Difference]] = {name: {} for name in others}
    for key, base in sampled[reference].items():
        points, values = {}, {}
        for name in others:
            one = sampled[name][key]
            if one.point is not None and base.point is not None:
                points[name], values[name] = one.point - base.point, one.values - base.values
        known = [name for name in points if len(values[name])]
        together: dict[str, Span | None] = {}
        if len(known) > 1:
            spans = simultaneous([points[n] for n in known], [values[n] for n in known])
            together = dict(zip(known, spans, strict=True))
        for name, point in points.items():
            drawn = values[name][np.isfinite(values[name])]
            found[name][key] = Difference(
                difference=point,
                interval=percentiles(drawn),
                simultaneous=together.get(name),
                share_better=float(base.score.better(drawn).mean()) if len(drawn) else None,
                sign_flip_p=_sign_flip(sampled[name][key], base, seed),
            )
    return found


def _sign_flip(one: Sampled, base: Sampled, seed: int) -> float | None:
    """P value of the test, where there are at least two patients and few."""
    groups = len(one.sums[0])
    if not 2 <= groups < FEW_PATIENTS or len(one.sums) != len(base.sums):
        return None
    found = sign_flip(np.hstack(one.sums), np.hstack(base.sums), base.of, seed=seed)
    return found if np.isfinite(found) else None


def resamples_without_a_class(judged: Judged, seed: int) -> int:
    """Resamples that lack a class which the rows have."""
    names, group = np.unique(judged.patient, return_inverse=True)
    leading = judged.leading.astype(np.float64)
    leading = leading[:, leading.any(axis=0)]
    drawn = resampled_sums(group_sums(leading, group, len(names)), seed=seed)
    return int((drawn == 0).any(axis=1).sum())
