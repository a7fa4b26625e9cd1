"""Rows of models and of the truth -> whose they are: what is resampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmstrain.errors import DataError
from hmstrain.scoring.answers import columns as named
from hmstrain.scoring.answers.read import Answers
from hmstrain.scoring.answers.rows import Rows, codes_of
from hmstrain.scoring.answers.truth import Truth
from hmstrain.scoring.answers.votes import pattern_of
from hmstrain.scoring.formulas import Floats
from hmstrain.words import plural

PATIENTS, EEGS, PATTERNS = "patients", "EEGs", "patterns of votes"


def groups_of(
    answers: Sequence[Answers],
    truth: Truth | None,
    row: Rows,
    eeg: NDArray[Any] | None,
    shares: Floats,
    counts: Floats,
    patient_column: str | None,
    notes: list[str],
) -> tuple[Rows, str]:
    """What is resampled: patients; EEGs where they are unknown; rows of equal votes without."""
    pattern = np.unique(pattern_of(shares, counts), axis=0, return_inverse=True)[1].ravel()
    of = None if patient_column is None else f"values of {patient_column}"
    there = truth is not None and truth.patient is not None
    if of is not None and not there and all(one.patient is None for one in answers):
        raise DataError(f"--patient {patient_column}: no file of answers or votes has that column.")
    patient, known = _patients(answers, truth, row, eeg, notes)
    if known.all():
        return np.unique(patient, return_inverse=True)[1].ravel(), of or PATIENTS
    fallback = pattern if eeg is None else np.unique(eeg, return_inverse=True)[1].ravel()
    instead = PATTERNS if eeg is None else EEGS
    what = "rows of equal votes are" if eeg is None else "each EEG is"
    count = "" if not known.any() else f" of {plural(int((~known).sum()), 'row')}"
    notes.append(f"Patients{count} are unknown: {what} resampled as one.")
    if not known.any():
        return fallback, instead
    both = np.column_stack([known, np.where(known, patient, fallback)])
    return np.unique(both, axis=0, return_inverse=True)[1].ravel(), of or PATIENTS


def _patients(
    answers: Sequence[Answers],
    truth: Truth | None,
    row: Rows,
    eeg: NDArray[Any] | None,
    notes: list[str],
) -> tuple[Rows, NDArray[np.bool_]]:
    """Number of each row's patient, and whether it is known: by its row, or by its EEG."""
    nobody = np.zeros(len(row), np.int64), np.zeros(len(row), bool)
    if truth is not None and truth.patient is not None:
        _, code = np.unique(truth.patient, return_inverse=True)
        named_there = _is_known(truth.patient)
        known = (row >= 0) & named_there[row]
        found = np.where(known, code[row], 0)
        if eeg is not None and named.EEG in truth.ids and not known.all():
            ours, theirs = codes_of([{named.EEG: eeg}, truth.ids], (named.EEG,))
            order = np.argsort(theirs, kind="stable")
            place = np.minimum(np.searchsorted(theirs[order], ours), len(order) - 1)
            by_eeg = order[place]
            same = ~known & (theirs[by_eeg] == ours) & named_there[by_eeg]
            found, known = np.where(same, code[by_eeg], found), known | same
        return found, known
    given = [(one, one.patient) for one in answers if one.patient is not None]
    if not given:
        return nobody
    codes = [np.unique(patient, return_inverse=True)[1].ravel() for _, patient in given]
    for (other, _), code in zip(given[1:], codes[1:], strict=True):
        both = np.unique(np.column_stack([codes[0], code]), axis=0)
        if not len(both) == codes[0].max() + 1 == code.max() + 1:
            notes.append(
                f"{given[0][0].path} and {other.path} tell patients apart differently: the former "
                "count."
            )
    return codes[0], _is_known(given[0][1])


def _is_known(patient: NDArray[Any]) -> NDArray[np.bool_]:
    """(N,) whether there is a patient: not '' and no number below 0."""
    known: NDArray[np.bool_] = patient != "" if patient.dtype.kind == "U" else patient >= 0
    return known
