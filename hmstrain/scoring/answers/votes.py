"""Rows of models and of the truth -> their votes, and which of them are typical."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.windows import MANY_VOTES, most_overlapping
from hmstrain.errors import DataError
from hmstrain.scoring.answers import columns as named
from hmstrain.scoring.answers.read import Answers
from hmstrain.scoring.answers.rows import UNCLEAR, Rows
from hmstrain.scoring.answers.truth import SUM_OF_SHARES, Truth, Votes
from hmstrain.scoring.formulas import Floats
from hmstrain.words import plural

STEPS = 1e6
"""Shares of votes are equal if they are in millionths."""
CLOSE = 0.01
"""Probabilities within this much of the shares of votes are these, rounded."""
SEVERAL = 10
"""Rows with split votes; from so many on, no model answers nearly all as they were voted."""
NEARLY_ALL = 0.95


def votes_of(
    answers: Sequence[Answers],
    names: Sequence[str],
    truth: Truth | None,
    row: Rows,
    notes: list[str],
) -> Votes:
    """Votes of each row: of the truth, else of the first file that has them."""
    count, classes = answers[0].prediction.shape
    shares, counts = np.full((count, classes), np.nan), np.full(count, np.nan)
    giver = np.full(count, -1)
    for place, (one, name) in enumerate(zip(answers, names, strict=True)):
        if one.votes is None:
            continue
        theirs = one.votes
        apart = np.nan_to_num(np.abs(theirs.shares - shares).max(axis=1)) > SUM_OF_SHARES
        known = np.isfinite(counts) & np.isfinite(theirs.counts) & (counts > 0)
        apart |= known & (theirs.counts > 0) & (counts != theirs.counts)
        if truth is None and apart.any():
            first = names[giver[np.flatnonzero(apart)[0]]]
            raise DataError(
                f"{first} and {name} have different votes in {plural(int(apart.sum()), 'row')}, "
                f"the first with {_ids_text(one, apart)}: name the right ones with --truth."
            )
        fresh = np.isnan(shares).any(axis=1) & theirs.labelled
        shares[fresh], giver[fresh] = theirs.shares[fresh], place
        numbered = np.isnan(counts) & np.isfinite(theirs.counts) & theirs.labelled
        counts[numbered] = theirs.counts[numbered]
    own = np.isfinite(shares).all(axis=1)
    if truth is None:
        if not own.any() and all(one.votes is None for one in answers):
            raise DataError(
                f"{answers[0].path} has no votes: name the store or the table that has them with "
                "--truth."
            )
        return Votes(shares, counts)
    found = row >= 0
    if not found.any():
        raise DataError(_nothing_found(answers[0], truth, bool((row == UNCLEAR).any())))
    apart = np.zeros(count, bool)
    apart[found] = (
        np.nan_to_num(np.abs(truth.votes.shares[row[found]] - shares[found]).max(axis=1))
        > SUM_OF_SHARES
    )
    if apart.any():
        first_file = next(one for one in answers if one.votes is not None)
        notes.append(
            f"Votes in the files differ from those of {truth.path} in "
            f"{plural(int(apart.sum()), 'row')}, the first with {_ids_text(first_file, apart)}: "
            "the latter count."
        )
    shares[found] = truth.votes.shares[row[found]]
    told = truth.votes.counts[row[found]]  # unknown where the truth has shares alone
    counts[found] = np.where(np.isnan(told) & ~apart[found], counts[found], told)
    for lacking, word in (
        (row == -1, f"not in {truth.path}"),
        (row == UNCLEAR, f"of an EEG whose windows carry different votes in {truth.path}"),
    ):
        for part, done in ((own, "kept, with the votes of the file"), (~own, "left out")):
            number = int((lacking & part).sum())
            if number:
                notes.append(f"{plural(number, 'row')} {word}: {done}.")
    return Votes(shares, counts)


def refuse_votes(one: Answers, shares: Floats) -> None:
    """Refuse votes that are given as a model's answers.

    Parameters
    ----------
    one : Answers
    shares : (N, K) float64
        Votes of its rows over their sum.

    Raises
    ------
    DataError
        In nearly all rows with split votes the probabilities are the shares. Where all voted alike,
        or split in one way only, a model may give just these.
    """
    split = shares.max(axis=1) < 1 - SUM_OF_SHARES
    same = split & (np.abs(one.prediction - shares).max(axis=1) <= CLOSE)
    if same.sum() < max(SEVERAL, NEARLY_ALL * split.sum()):
        return
    if len(np.unique(np.round(shares[same] * STEPS), axis=0)) > 1:
        raise DataError(
            f"{one.path}: in {same.sum():,} of {plural(int(split.sum()), 'row')} with split votes "
            "the probabilities are the shares of the votes. Give a model's answers, in columns "
            f"such as {one.class_keys[0]}_vote_prediction."
        )


def _nothing_found(one: Answers, truth: Truth, unclear: bool) -> str:
    """Say that no row was found, and why, or with an id of either side."""
    if unclear:
        return (
            f"{one.path} has a row per EEG, and in {truth.path} the windows of each of these EEGs "
            "carry different votes: give it a row per window, or votes of its own."
        )
    both = [name for name in one.ids if name in truth.ids]
    ids = ", ".join(f"{name} {one.ids[name][0]!s} and {truth.ids[name][0]!s}" for name in both)
    return f"No row of {one.path} is in {truth.path}: the first of each have {ids}."


def _ids_text(one: Answers, where: NDArray[np.bool_]) -> str:
    row = int(np.flatnonzero(where)[0])
    return ", ".join(f"{name} {values[row]}" for name, values in one.ids.items()) or f"row {row}"


def consensus_of(truth: Truth | None, row: Rows, shares: Floats) -> Rows:
    """The class with most votes; among several tied, the one that the truth names."""
    chosen = shares.argmax(axis=1)
    if truth is None or truth.consensus is None:
        return chosen
    said = np.where(row >= 0, truth.consensus[row], -1)
    leads = shares[np.arange(len(shares)), np.maximum(said, 0)] >= shares.max(axis=1) - 1 / STEPS
    return np.where((said >= 0) & leads, said, chosen)


def offsets_of(answers: Sequence[Answers], truth: Truth | None, row: Rows) -> Floats:
    """Start of each row in its recording in seconds; else its number there, else 0."""
    sub = next((one.ids[named.SUB] for one in answers if named.SUB in one.ids), None)
    found = np.zeros(len(row)) if sub is None or sub.dtype.kind not in "iu" else sub.astype(float)
    if truth is not None and truth.offset_s is not None:
        found = np.where(row >= 0, truth.offset_s[row], found)
    return np.asarray(np.nan_to_num(found), np.float64)


def pattern_of(shares: Floats, counts: Floats) -> Rows:
    """Votes as whole numbers (N, K + 1): equal where they are."""
    whole = np.round(shares * STEPS).astype(np.int64)
    return np.column_stack([np.nan_to_num(counts, nan=-1).astype(np.int64), whole])


def typical_rows(
    eeg: NDArray[Any] | None, shares: Floats, counts: Floats, offset: Floats, *, thin: bool
) -> tuple[dict[str, Rows], dict[str, str]]:
    """Rows that scores over 'votes' and 'hi' are of, and which these are in words."""
    many = np.flatnonzero(counts >= MANY_VOTES)  # never where they are unknown
    words = {"all": "every row", "votes": "one row of each EEG and votes"}
    if eeg is None:
        none = np.empty(0, np.int64)
        return {"votes": none, "hi": many}, words | {"hi": "every row with ten votes or more"}
    number = np.unique(eeg, return_inverse=True)[1].ravel()
    votes = most_overlapping([number, pattern_of(shares, counts)], offset)
    if not thin:
        return {"votes": votes, "hi": many}, words | {"hi": "every row with ten votes or more"}
    hi = many[most_overlapping([number[many]], offset[many])] if len(many) else many
    return {"votes": votes, "hi": hi}, words | {"hi": "one row of each EEG with ten votes or more"}
