"""Several models and their truth -> rows that all share, by id, and what is resampled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hmsstore import HMS, Store
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.scoring.answers import columns as named
from hmstrain.scoring.answers.groups import groups_of
from hmstrain.scoring.answers.matched import Matched, names_of
from hmstrain.scoring.answers.read import CONFIG, Answers, read_answers
from hmstrain.scoring.answers.rows import (
    note_unanswered,
    refuse_other_eegs,
    rows_in_truth,
    shared_rows,
    truth_key,
    with_ids,
    without_doubles,
)
from hmstrain.scoring.answers.truth import Truth, read_truth
from hmstrain.scoring.answers.votes import (
    consensus_of,
    offsets_of,
    refuse_votes,
    typical_rows,
    votes_of,
)
from hmstrain.words import plural

ROWS = ("all", "typical")


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
    class_keys: tuple[str, ...] | None = None,
) -> Matched:
    """Read models' predictions and bring the rows that all share together: see `compare`.

    `class_keys` are those of files that do not name them; by default those of the truth, of a run
    among the models, or HMS's.
    """
    paths = [models] if isinstance(models, str | Path) else list(models)
    if not paths:
        raise ConfigError("Name at least one run or file of predictions.")
    if rows not in ROWS:
        raise ConfigError(f"--rows {rows}: expected {' or '.join(ROWS)}.")
    found = None
    if truth is not None:
        found = read_truth(truth, id_column=id_column, patient_column=patient_column)
    keys = class_keys or _class_keys(found, [Path(path) for path in paths])
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
    if split is not None and all(one.config is None for one in answers):
        raise ConfigError(f"--split {split}: none of the models is a run, which alone has splits.")
    _refuse_different_runs(answers, allowed=different_folds)
    return match(
        answers,
        found,
        thin=rows == "typical",
        id_column=id_column,
        patient_column=patient_column,
    )


def match(
    answers: Sequence[Answers],
    truth: Truth | None = None,
    *,
    thin: bool = False,
    id_column: str | None = None,
    patient_column: str | None = None,
) -> Matched:
    """Match models' rows with each other and with their votes.

    Parameters
    ----------
    answers : sequence of Answers
        Of each model.
    truth : Truth, optional
        Votes by id; by default, those in the files.
    thin : bool
        `kl_hi` over one window of each EEG, as a store's scores are, not over all rows.
    id_column, patient_column : str, optional
        Columns that identify a row and a patient.

    Raises
    ------
    DataError
        Rows cannot be identified, are doubled, are shared by no two, or have no votes; or answers
        are the votes themselves.
    """
    notes = [note for one in answers for note in one.notes]
    warnings = [text for one in answers for text in one.warnings]
    warnings += truth.warnings if truth is not None else []
    names = names_of(answers)
    keys = [(id_column,)] if id_column else list(named.KEYS)
    together = [
        without_doubles(with_ids(one, name, notes), name, notes)
        for one, name in zip(answers, names, strict=True)
    ]
    together = shared_rows(together, names, truth, keys, notes)
    found_row = np.full(len(together[0].prediction), -1)
    if truth is not None:
        found_row = rows_in_truth(together[0], truth, keys)
        word = " and ".join(truth_key(together[0], truth, keys) or ())
        refuse_other_eegs(together[0], truth.path, truth.ids, found_row, word)
        if all(one.identity is None and one.split is None for one in answers):  # not of a run
            note_unanswered(together[0], len(together), truth, keys, notes)
    votes = votes_of(together, names, truth, found_row, notes)
    found_row = np.maximum(found_row, -1)
    kept = np.flatnonzero(votes.labelled)
    if not len(kept):
        raise DataError(
            f"None of the {plural(len(votes.counts), 'row')} has votes: name a store or a table "
            "with --truth."
        )
    unlabelled = int((~votes.labelled & ((found_row >= 0) | (truth is None))).sum())
    if unlabelled:
        notes.append(f"{plural(unlabelled, 'row')} without votes left out.")
    together = [one.take(kept) for one in together]
    shares, counts, found_row = votes.shares[kept], votes.counts[kept], found_row[kept]
    for one in together:
        refuse_votes(one, shares)
    unknown = int(np.isnan(counts).sum())
    if unknown:
        what = "The number of votes is not known"
        if unknown < len(counts):
            notes.append(
                f"{what} of {unknown:,} of {len(counts):,} rows: they count in kl, and in no score "
                "by number of votes."
            )
        else:
            notes.append(
                f"{what}: there are no scores by number of votes. Name a store or a table with "
                "--truth."
            )
    eeg = next((one.ids[named.EEG] for one in together if named.EEG in one.ids), None)
    if eeg is None and truth is not None and named.EEG in truth.ids and (found_row >= 0).all():
        eeg = truth.ids[named.EEG][found_row]
    group, unit = groups_of(together, truth, found_row, eeg, shares, counts, patient_column, notes)
    offset = offsets_of(together, truth, found_row)
    typical, weighting = typical_rows(eeg, shares, counts, offset, thin=thin)
    return Matched(
        names,
        tuple(together),
        shares,
        counts,
        consensus_of(truth, found_row, shares),
        group,
        unit,
        eeg,
        typical,
        weighting,
        truth,
        found_row,
        notes,
        warnings,
    )


def _class_keys(truth: Truth | None, paths: Sequence[Path]) -> tuple[str, ...]:
    """Names of the classes: those of the truth and of runs, which must agree; else HMS's."""
    from hmstrain.runs.folder import RunFolder

    known = {} if truth is None else {tuple(one.key for one in truth.classes): truth.path}
    for path in paths:
        if (path / CONFIG).is_file():
            known.setdefault(tuple(one.key for one in RunFolder(path).store().classes), path)
    if len(known) > 1:
        (keys, one), (others, other) = list(known.items())[:2]
        raise RunError(
            f"{one} is of the classes {', '.join(keys)}, and {other} of {', '.join(others)}: "
            "expected the same."
        )
    return next(iter(known), HMS.class_keys)


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
