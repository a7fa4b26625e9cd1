"""Predictions of several models on the same rows -> their scores, differences and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hmsstore import Store
from hmstrain.data.context import by_context
from hmstrain.errors import ConfigError
from hmstrain.scoring.answers.matched import Matched, members_of
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.bootstrap import FEW_PATIENTS, REPLICATES, check_seed
from hmstrain.scoring.comparison.models import model_of, parts_of
from hmstrain.scoring.comparison.results import Comparison, Population
from hmstrain.scoring.comparison.sampled import differences, resamples_without_a_class, sample
from hmstrain.scoring.experts import MARGIN
from hmstrain.scoring.metrics import VOTE_GROUPS

BEST_OF = 3
"""From so many models on, the best one's score is too good by having been chosen."""


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
    sampled = sample(matched, judged, members, seed)
    by_model = {name: [judged[place] for place in places] for name, places in members.items()}
    one = judged[0]
    by_class = {
        key: parts_of(by_model, one.truth == place, seed)
        for place, key in enumerate(matched.answers[0].class_keys)
    }
    by_votes = {
        word: parts_of(by_model, (one.votes >= low) & (one.votes <= high), seed)
        for word, (low, high) in VOTE_GROUPS.items()
    }
    contexts = {
        word: parts_of(by_model, np.isin(np.arange(len(matched)), places), seed)
        for word, places in by_context(matched.observed).items()
    }
    models = {
        name: model_of(
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
        differences=differences(sampled, reference, seed),
        replicates=REPLICATES,
        seed=seed,
        seeds_resampled=any(len(places) > 1 for places in members.values()),
        classes_missing=resamples_without_a_class(judged[0], seed),
        notes=tuple(matched.notes),
        warnings=tuple(_warnings(matched, members)),
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
