"""Rows of several files, each with its ids -> the same rows of all, and their rows in the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmstrain.errors import DataError
from hmstrain.scoring.answers import columns as named
from hmstrain.scoring.answers.read import Answers
from hmstrain.scoring.answers.truth import SUM_OF_SHARES, Truth
from hmstrain.words import plural

UNCLEAR = -2
"""Stands for the row of an EEG whose windows carry different votes."""
Rows = NDArray[np.int64]


def with_ids(one: Answers, name: str, notes: list[str]) -> Answers:
    """Leave out rows that lack an id which others have."""
    missing = np.zeros(len(one.prediction), bool)
    for values in one.ids.values():
        if values.dtype.kind == "U" and not (values == "").all():
            missing |= values == ""
    if not missing.any():
        return one
    notes.append(f"{name}: {plural(int(missing.sum()), 'row')} without an id left out.")
    return one.take(np.flatnonzero(~missing))


def without_doubles(one: Answers, name: str, notes: list[str]) -> Answers:
    """Leave out rows that stand twice with the same answer; refuse those with different ones."""
    keys = keys_of(one.ids, [tuple(one.ids)] if one.ids else [])
    if not keys:
        return one
    (code,) = codes_of([one.ids], keys[0])
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    if len(first) == len(code):
        return one
    differs = (np.abs(one.prediction - one.prediction[first][group]) > 1e-9).any(axis=1)
    if differs.any():
        row = int(np.flatnonzero(differs)[0])
        ids = ", ".join(f"{column} {values[row]}" for column, values in one.ids.items())
        raise DataError(
            f"{one.path}: {plural(int(differs.sum()), 'row')} of an id that another row has with "
            f"another answer, the first with {ids}. Name the column that identifies a row with "
            "--id, or leave one of them."
        )
    notes.append(f"{name}: {plural(len(code) - len(first), 'doubled row')} left out.")
    return one.take(np.sort(first))


def shared_rows(
    answers: Sequence[Answers],
    names: Sequence[str],
    truth: Truth | None,
    keys: Sequence[tuple[str, ...]],
    notes: list[str],
) -> list[Answers]:
    """Bring the rows that all models have into the order of the first."""
    if len(answers) == 1:
        return list(answers)
    common = [key for key in keys if all(keys_of(one.ids, [key]) for one in answers)]
    if common:
        codes = codes_of([one.ids for one in answers], common[0])
        word = " and ".join(common[0])
    elif truth is not None and all(truth_key(one, truth, keys) for one in answers):
        codes = [rows_in_truth(one, truth, keys) for one in answers]
        word = "the rows of the truth"
    else:
        first = set(keys_of(answers[0].ids, keys))
        odd = next(
            (one for one in answers if not set(keys_of(one.ids, keys)) & first),
            answers[-1],
        )
        raise DataError(
            f"{answers[0].path} and {odd.path} have no columns in common that identify "
            f"a row: expected {named.LABEL}, or {named.EEG} and {named.SUB}, or {named.EEG}. Name "
            "one that both have with --id."
        )
    for one, code in zip(answers, codes, strict=True):
        _refuse_ambiguous(one, code, word)
    everywhere = codes[0][codes[0] >= 0]
    for code in codes[1:]:
        everywhere = everywhere[np.isin(everywhere, code)]
    if not len(everywhere):
        raise DataError(
            f"{' and '.join(str(one.path) for one in answers)} share no row by {word}: they are of "
            "different windows."
        )
    found = []
    for one, name, code in zip(answers, names, codes, strict=True):
        order = np.argsort(code, kind="stable")
        rows = order[np.searchsorted(code[order], everywhere)]
        if len(rows) < len(code):
            lost = plural(len(code) - len(rows), "row")
            notes.append(f"{name}: {lost} of {len(code):,} that not all have left out.")
        found.append(one.take(rows))
    for one in found[1:]:
        refuse_other_eegs(found[0], one.path, one.ids, np.arange(len(everywhere)), word)
    return found


def rows_in_truth(one: Answers, truth: Truth, keys: Sequence[tuple[str, ...]]) -> Rows:
    """Row of the truth of each row of a model's, -1 where there is none.

    By `eeg_id` alone, an EEG whose windows carry different votes has `UNCLEAR`: which are meant?
    """
    key = truth_key(one, truth, keys)
    if key is None:
        raise DataError(
            f"{one.path} and {truth.path} have no columns in common that identify a row: one has "
            f"{', '.join(one.ids) or 'no ids'}, the other {', '.join(truth.ids) or 'no ids'}."
        )
    ours, theirs = codes_of([one.ids, truth.ids], key)
    order = np.argsort(theirs, kind="stable")
    place = np.searchsorted(theirs[order], ours)
    inside = place < len(order)
    row = np.full(len(ours), -1)
    row[inside] = order[place[inside]]
    row[inside] = np.where(theirs[row[inside]] == ours[inside], row[inside], -1)
    sorted_code = theirs[order]
    again = np.flatnonzero(sorted_code[1:] == sorted_code[:-1])
    if not len(again):
        return row
    before, after = order[again], order[again + 1]
    shares = np.nan_to_num(truth.votes.shares, nan=-1)
    counts = np.nan_to_num(truth.votes.counts, nan=-1)
    differs = (np.abs(shares[before] - shares[after]) > SUM_OF_SHARES).any(axis=1)
    differs |= counts[before] != counts[after]
    if truth.patient is not None and key != (named.EEG,):
        differs |= truth.patient[before] != truth.patient[after]
    if key != (named.EEG,) and differs.any():
        raise DataError(
            f"{truth.path} has several rows with the same {' and '.join(key)} and different "
            f"votes or patients, the first is row {int(after[differs][0]) + 1}."
        )
    row[np.isin(ours, sorted_code[again[differs]]) & (row >= 0)] = UNCLEAR
    return row


def note_unanswered(
    one: Answers,
    models: int,
    truth: Truth,
    keys: Sequence[tuple[str, ...]],
    notes: list[str],
) -> None:
    """Count the labelled windows of the truth that are not among the rows that models share.

    By `eeg_id` alone, an EEG's answer is that of all its windows.
    """
    key = truth_key(one, truth, keys)
    assert key is not None
    ours, theirs = codes_of([one.ids, truth.ids], key)
    labelled = truth.votes.labelled
    lacking = int((labelled & ~np.isin(theirs, ours)).sum())
    if lacking:
        of = "" if models == 1 else " of every model"
        notes.append(
            f"{lacking:,} of {plural(int(labelled.sum()), 'labelled window')} of {truth.path} "
            f"without an answer{of}: left out."
        )


def refuse_other_eegs(
    one: Answers, path: object, others: dict[str, NDArray[Any]], row: Rows, word: str
) -> None:
    """Refuse rows that have the same id and are of different EEGs: others count anew from 0.

    `row` is that of the others for each row, below 0 where there is none.
    """
    if named.EEG not in one.ids or named.EEG not in others:
        return
    at = np.flatnonzero(row >= 0)
    ours, theirs = one.ids[named.EEG][at].astype(str), others[named.EEG][row[at]].astype(str)
    if (ours != theirs).any():
        first = int(np.flatnonzero(ours != theirs)[0])
        raise DataError(
            f"{one.path} and {path} give the same {word} to different EEGs, the first of them "
            f"{ours[first]} and {theirs[first]}: expected answers and votes of the same windows. "
            f"Leave out {word} to match by {named.EEG} and {named.SUB}."
        )


def _refuse_ambiguous(one: Answers, code: Rows, word: str) -> None:
    known = code[code >= 0]
    _, count = np.unique(known, return_counts=True)
    if (count > 1).any():
        raise DataError(
            f"{one.path} has {plural(int((count > 1).sum()), 'id')} in several rows by {word}: "
            "give all files columns that tell their rows apart, or name one with --id."
        )


def truth_key(
    one: Answers, truth: Truth, keys: Sequence[tuple[str, ...]]
) -> tuple[str, ...] | None:
    """The first key that both have; None if there is none."""
    return next((key for key in keys_of(one.ids, keys) if keys_of(truth.ids, [key])), None)


def keys_of(ids: dict[str, NDArray[Any]], keys: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Keys that some ids make up."""
    return [key for key in keys if all(name in ids for name in key)]


def codes_of(
    sides: Sequence[dict[str, NDArray[Any]]], key: tuple[str, ...]
) -> list[NDArray[np.int64]]:
    """Number the values of a key alike on several sides: equal numbers are equal ids."""
    lengths = [len(side[key[0]]) for side in sides]
    found = np.zeros(sum(lengths), np.int64)
    for name in key:
        values = [side[name] for side in sides]
        if len({one.dtype.kind for one in values}) > 1:
            values = [one.astype(str) for one in values]
        _, code = np.unique(np.concatenate(values), return_inverse=True)
        found = found * (int(code.max(initial=0)) + 1) + code
        _, found = np.unique(found, return_inverse=True)
    return np.split(found, np.cumsum(lengths)[:-1])
