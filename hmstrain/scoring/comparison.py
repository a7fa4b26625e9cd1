"""Predictions of several models on the same rows -> their scores, differences and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import HMS, Store
from hmstrain.data.context import by_context
from hmstrain.errors import ConfigError, RunError
from hmstrain.runs.outcome import Scores
from hmstrain.scoring.answers.matching import Matched, match, members_of
from hmstrain.scoring.answers.read import Answers, read_answers
from hmstrain.scoring.answers.truth import Truth, read_truth
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
from hmstrain.scoring.experts import MARGIN, AmongExperts, among_experts
from hmstrain.scoring.formulas import Floats, entropy_of, mean
from hmstrain.scoring.metrics import (
    SCORES,
    VOTE_GROUPS,
    Judged,
    Parts,
    Score,
    grouped_parts,
    kl_of,
    scores_of,
    split_parts,
)

ROWS = ("all", "typical")
BEST_OF = 3
"""From so many models on, the best one's score is too good by having been chosen."""
SEED_STREAM = 1
"""Draws of seeds, beside those of patients."""


@dataclass(frozen=True, slots=True)
class Part:
    """A model's KL on some of the rows: those of a class, or of a number of votes."""

    rows: int
    groups: int
    entropy: float | None
    """Of the votes there: levels of KL do not compare where it differs."""
    kl: float | None
    accuracy: float | None
    interval: Span | None
    """95% interval of the KL."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model's scores, over the rows that all models share."""

    name: str
    path: str
    seeds: int
    """How many networks that differ in their seed alone; their scores are averaged."""
    scores: Scores
    by_class: Mapping[str, Part]
    """Rows by expert consensus."""
    by_votes: Mapping[str, Part]
    """Rows by number of votes."""
    by_context: Mapping[str, Part]
    """Rows of which all that a model looks at was recorded, and others; nothing without such."""
    experts: AmongExperts | None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, each score under its own key."""
        return {
            **self.scores.to_json(),
            "path": self.path,
            "seeds": self.seeds,
            "by_class": {key: asdict(part) for key, part in self.by_class.items()},
            "by_votes": {key: asdict(part) for key, part in self.by_votes.items()},
            "by_context": {key: asdict(part) for key, part in self.by_context.items()},
            "experts": None if self.experts is None else self.experts.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """A score of one model less that of the reference, on the same rows."""

    difference: float
    interval: Span | None
    """95% interval by itself."""
    simultaneous: Span | None
    """95% interval that holds for all models at once; None if there is only one difference."""
    share_better: float | None
    """Share of the resamples in which the model is better: that, and not a probability of being
    better."""
    sign_flip_p: float | None
    """P value of a paired sign-flip test, where there are few patients."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Population:
    """The rows that scores of a kind are over."""

    rows: int
    groups: int
    """Patients, or what else was resampled."""
    entropy: float | None
    """Mean entropy of the votes in nats."""
    weighting: str
    """Which rows count, each once, in words."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What models are worth on the same rows."""

    rows: int
    unit: str
    """What was resampled: 'patients', 'EEGs' or 'patterns of votes'."""
    groups: int
    populations: Mapping[str, Population]
    """Of 'kl' (all rows; accuracy and the rest are over them too), 'kl_votes' and 'kl_hi'."""
    rows_are: str
    """'all', or 'typical': `kl_hi` over one row of each EEG."""
    models: Mapping[str, Model]
    reference: str
    """The model that differences are to."""
    differences: Mapping[str, Mapping[str, Difference]]
    """Of each other model, of each score."""
    replicates: int
    seed: int
    seeds_resampled: bool
    classes_missing: int
    """Resamples that lack a class, which balanced accuracy and F1 then leave out."""
    notes: tuple[str, ...]
    """What the reader has to know."""
    warnings: tuple[str, ...]
    """What speaks against the figures."""

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "rows": self.rows,
            "resampled": {"unit": self.unit, "groups": self.groups},
            "rows_are": self.rows_are,
            "populations": {key: asdict(one) for key, one in self.populations.items()},
            "models": {name: one.to_json() for name, one in self.models.items()},
            "reference": self.reference,
            "differences": {
                name: {key: one.to_json() for key, one in found.items()}
                for name, found in self.differences.items()
            },
            "bootstrap": {
                "replicates": self.replicates,
                "seed": self.seed,
                "seeds_resampled": self.seeds_resampled,
                "resamples_without_a_class": self.classes_missing,
            },
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def compare(
    models: Sequence[Path | str] | Path | str,
    *,
    truth: Store | Path | str | None = None,
    to: str | None = None,
    rows: str = "all",
    split: str | None = None,
    id_column: str | None = None,
    patient_column: str | None = None,
    group_seeds: bool = False,
    different_folds: bool = False,
    scale: bool = False,
    margin: float = MARGIN,
    seed: int = 0,
) -> Comparison:
    """Score models on the rows that all share, and say which is better, by how much, how surely.

    Parameters
    ----------
    models : path or sequence of paths
        Finished runs, folders of predictions or blends, `.npz`, CSV or parquet.
    truth : Store or path, optional
        A store, or a table with ids and votes such as train.csv. By default, the files' own votes.
    to : str, optional
        Name of the model that differences are to. By default the first.
    rows : str
        'all': every row counts once; 'typical': `kl_hi` over one row of each EEG, as in a run's
        own scores.
    split : str, optional
        Of runs: 'test', or 'valid' for predictions out of fold.
    id_column, patient_column : str, optional
        Columns of files that identify a row, and what is resampled.
    group_seeds : bool
        Count models that differ in their seed alone as one, and resample seeds too.
    different_folds : bool
        Compare runs that held out different folds all the same.
    scale : bool
        Scale probabilities that do not sum to 1.
    margin : float
        Of non-inferiority to the average rater.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Comparison

    Raises
    ------
    StoreError
        The store cannot be opened.
    TrainError
        A file cannot be read or is not of probabilities, rows cannot be matched, or runs held out
        different folds.

    Examples
    --------
    >>> found = hmstrain.compare(["a.csv", "b.csv"], truth="train.csv")  # doctest: +SKIP
    >>> found.differences["b"]["kl_hi"].interval  # doctest: +SKIP
    (-0.0224, -0.0138)
    """
    matched = matched_answers(
        models,
        truth=truth,
        rows=rows,
        split=split,
        id_column=id_column,
        patient_column=patient_column,
        different_folds=different_folds,
        scale=scale,
    )
    return compare_matched(
        matched, to=to, rows=rows, group_seeds=group_seeds, margin=margin, seed=seed
    )


def matched_answers(
    models: Sequence[Path | str] | Path | str,
    *,
    truth: Store | Path | str | None = None,
    rows: str = "all",
    split: str | None = None,
    id_column: str | None = None,
    patient_column: str | None = None,
    different_folds: bool = False,
    scale: bool = False,
) -> Matched:
    """Read models' predictions and bring the rows that all share together: see `compare`."""
    paths = [models] if isinstance(models, str | Path) else list(models)
    if not paths:
        raise ConfigError("Name at least one run or file of predictions.")
    if rows not in ROWS:
        raise ConfigError(f"--rows {rows}: expected {' or '.join(ROWS)}.")
    found = None
    if truth is not None:
        found = read_truth(truth, id_column=id_column, patient_column=patient_column)
    keys = _class_keys(found)
    answers = [
        read_answers(
            path,
            class_keys=keys,
            split=split,
            id_column=id_column,
            patient_column=patient_column,
            scale=scale,
        )
        for path in paths
    ]
    if split is not None and not any(one.split for one in answers):
        raise ConfigError(f"--split {split}: none of the models is a run, which alone has splits.")
    _refuse_different_runs(answers, allowed=different_folds)
    return match(
        answers,
        found,
        thin=rows == "typical",
        id_column=id_column,
        patient_column=patient_column,
    )


def compare_matched(
    matched: Matched,
    *,
    to: str | None = None,
    rows: str = "all",
    group_seeds: bool = False,
    margin: float = MARGIN,
    seed: int = 0,
) -> Comparison:
    """Compare models whose rows are matched: see `compare`."""
    if not 0 <= margin < 1:
        raise ConfigError(f"--margin {margin:g}: expected a share from 0 to 1.")
    check_seed(seed)
    members = _members(matched, group_seeds=group_seeds)
    names = list(members)
    reference = names[0] if to is None else to
    if reference not in members:
        raise ConfigError(f"--to {to}: expected one of {', '.join(names)}.")
    judged = [matched.judged(place) for place in range(len(matched.answers))]
    sampled = _sample(matched, judged, members, seed)
    by_model = {name: [judged[place] for place in places] for name, places in members.items()}
    one = judged[0]
    by_class = {
        key: _parts(by_model, one.truth == place, seed)
        for place, key in enumerate(matched.answers[0].class_keys)
    }
    by_votes = {
        word: _parts(by_model, (one.votes >= low) & (one.votes <= high), seed)
        for word, (low, high) in VOTE_GROUPS.items()
    }
    contexts = {
        word: _parts(by_model, np.isin(np.arange(len(matched)), places), seed)
        for word, places in by_context(matched.observed).items()
    }
    models = {
        name: _model(
            matched,
            name,
            matched.answers[places[0]].path,
            by_model[name],
            sampled[name],
            by_class,
            by_votes,
            contexts,
            margin,
            seed,
        )
        for name, places in members.items()
    }
    entropy = models[reference].scores.entropy
    return Comparison(
        rows=len(matched),
        unit=matched.unit,
        groups=len(np.unique(matched.group)),
        populations={
            key: Population(
                rows=len(matched.parts[over]),
                groups=len(np.unique(matched.group[matched.parts[over]])),
                entropy=entropy[over],
                weighting=matched.weighting[over],
            )
            for key, over in (("kl", "all"), ("kl_votes", "votes"), ("kl_hi", "hi"))
        },
        rows_are=rows,
        models=models,
        reference=reference,
        differences=_differences(sampled, reference, seed),
        replicates=REPLICATES,
        seed=seed,
        seeds_resampled=any(len(places) > 1 for places in members.values()),
        classes_missing=_without_a_class(judged[0], seed),
        notes=tuple(matched.notes),
        warnings=tuple(_warnings(matched, members)),
    )


def check_seed(seed: int) -> None:
    """Refuse a seed that nothing can be drawn by."""
    if seed < 0:
        raise ConfigError(f"--seed {seed}: expected 0 or more.")


# What is compared


def _class_keys(truth: Truth | None) -> tuple[str, ...]:
    classes = HMS.classes if truth is None else truth.classes
    return tuple(one.key for one in classes)


def _refuse_different_runs(answers: Sequence[Answers], *, allowed: bool) -> None:
    """Runs compare where they held out the same patients of the same store.

    No run trains on the test split, whichever fold it held out.
    """
    runs = [one for one in answers if one.config is not None]
    for one in runs[1:]:
        first = runs[0]
        assert first.config is not None
        assert one.config is not None
        if one.split != first.split:
            raise RunError(
                f"{first.path} is of {first.split} windows and {one.path} of {one.split} windows: "
                "name which with --split."
            )
        differs = None
        if one.split != "test" and one.config["fold"] != first.config["fold"]:
            differs = f"held out fold {first.config['fold']} and fold {one.config['fold']}"
        elif one.identity != first.identity:
            differs = "are of different stores, whose folds may hold different patients"
        if differs and not allowed:
            raise RunError(
                f"{first.path.parent} and {one.path.parent} {differs}: one may have trained on "
                "windows that the other is scored on. Add --different-folds to compare them all "
                "the same."
            )


def _members(matched: Matched, *, group_seeds: bool) -> dict[str, list[int]]:
    """Places of the answers of each model."""
    if not group_seeds:
        return {name: [place] for place, name in enumerate(matched.names)}
    return members_of(matched.answers, matched.names)


def _warnings(matched: Matched, members: Mapping[str, Sequence[int]]) -> list[str]:
    found = list(dict.fromkeys(matched.warnings))
    if len(members) >= BEST_OF:
        found.append(
            f"The best of {len(members)} models is chosen on these very rows, so its score is too "
            "good: judge it on rows that it was not chosen by."
        )
    if all(len(places) == 1 for places in members.values()):
        found.append("Seeds are not in the intervals: another seed of a model may differ more.")
    groups = len(np.unique(matched.group))
    if 2 <= groups < FEW_PATIENTS:
        found.append(
            f"Only {groups} {matched.unit}: intervals are too short; the p value of a paired "
            "sign-flip test stands beside each difference."
        )
    if groups < 2:
        found.append("All rows are of one patient: there are no intervals.")
    return found


# Scores and their resamples


@dataclass(frozen=True, slots=True)
class _Sampled:
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


def _sample(
    matched: Matched, judged: Sequence[Judged], members: Mapping[str, Sequence[int]], seed: int
) -> dict[str, dict[str, _Sampled]]:
    """Compute every score of every model, and resample: the same patients for all models."""
    found: dict[str, dict[str, _Sampled]] = {name: {} for name in members}
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
                found[name][score.key] = _Sampled(
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


def _model(
    matched: Matched,
    name: str,
    path: Path,
    judged: Sequence[Judged],
    sampled: Mapping[str, _Sampled],
    by_class: Mapping[str, Mapping[str, Part]],
    by_votes: Mapping[str, Mapping[str, Part]],
    contexts: Mapping[str, Mapping[str, Part]],
    margin: float,
    seed: int,
) -> Model:
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


def _parts(
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


def _differences(
    sampled: Mapping[str, Mapping[str, _Sampled]], reference: str, seed: int
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


def _sign_flip(one: _Sampled, base: _Sampled, seed: int) -> float | None:
    """P value of the test, where there are at least two patients and few."""
    groups = len(one.sums[0])
    if not 2 <= groups < FEW_PATIENTS or len(one.sums) != len(base.sums):
        return None
    found = sign_flip(np.hstack(one.sums), np.hstack(base.sums), base.of, seed=seed)
    return found if np.isfinite(found) else None


def _without_a_class(judged: Judged, seed: int) -> int:
    """Resamples that lack a class which the rows have."""
    names, group = np.unique(judged.patient, return_inverse=True)
    leading = judged.leading.astype(np.float64)
    leading = leading[:, leading.any(axis=0)]
    drawn = resampled_sums(group_sums(leading, group, len(names)), seed=seed)
    return int((drawn == 0).any(axis=1).sum())


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
