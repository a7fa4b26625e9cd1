"""Judged rows and resampled scores -> what one model is worth, overall and on parts of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmstrain.scoring.answers.matched import Matched
from hmstrain.scoring.bootstrap import Span, group_sums, percentiles, resampled_sums
from hmstrain.scoring.comparison.results import Model, Part
from hmstrain.scoring.comparison.sampled import Sampled
from hmstrain.scoring.experts import among_experts
from hmstrain.scoring.formulas import entropy_of, mean
from hmstrain.scoring.metrics import SCORES, Judged, kl_of, scores_of


def model_of(
    matched: Matched,
    name: str,
    path: Path,
    judged: Sequence[Judged],
    sampled: Mapping[str, Sampled],
    by_class: Mapping[str, Mapping[str, Part]],
    by_votes: Mapping[str, Mapping[str, Part]],
    contexts: Mapping[str, Mapping[str, Part]],
    margin: float,
    seed: int,
) -> Model:
    """Score one model, the mean over its seeds."""
    keys = matched.answers[0].class_keys
    each = [scores_of(one, matched.typical, keys, intervals=False) for one in judged]
    first = each[0]
    scores = replace(
        first,
        values={score.key: sampled[score.key].point for score in SCORES},
        intervals={score.key: percentiles(sampled[score.key].values) for score in SCORES},
        kl_per_class={key: _mean([one.kl_per_class[key] for one in each]) or 0.0 for key in keys},
        kl_per_votes={
            word: _mean([one.kl_per_votes[word] for one in each]) for word in first.kl_per_votes
        },
        confusion=np.sum([one.confusion for one in each], axis=0).tolist(),
    )
    return Model(
        name=name,
        path=str(path),
        seeds=len(judged),
        scores=scores,
        by_class={key: found[name] for key, found in by_class.items()},
        by_votes={word: found[name] for word, found in by_votes.items()},
        by_context={word: found[name] for word, found in contexts.items()},
        experts=among_experts(judged, margin=margin, seed=seed),
    )


def parts_of(
    judged: Mapping[str, Sequence[Judged]], which: NDArray[np.bool_], seed: int
) -> dict[str, Part]:
    """Score some of the rows, of each model the mean over its seeds: the same resamples for all."""
    seen = {name: [one.take(which) for one in seeds] for name, seeds in judged.items()}
    first = next(iter(seen.values()))[0]
    names, group = np.unique(first.patient, return_inverse=True)
    divergence = {
        name: np.mean([kl_of(one) for one in seeds], axis=0) for name, seeds in seen.items()
    }
    spans: dict[str, Span | None] = dict.fromkeys(seen)
    if len(names) > 1:
        columns = np.column_stack([*divergence.values(), np.ones(len(group))])
        sums = resampled_sums(group_sums(columns, group, len(names)), seed=seed)
        for place, name in enumerate(seen):
            spans[name] = percentiles(sums[:, place] / sums[:, -1])
    return {
        name: Part(
            rows=len(group),
            groups=len(names),
            entropy=mean(entropy_of(first.target)),
            kl=mean(divergence[name]),
            accuracy=mean(np.mean([one.right for one in seeds], axis=0)),
            interval=spans[name],
        )
        for name, seeds in seen.items()
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
