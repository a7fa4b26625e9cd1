"""Several models and their truth -> rows that all share, by id, and what is resampled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.windows import MANY_VOTES, most_overlapping
from hmstrain.errors import DataError
from hmstrain.scoring.answers import columns as named
from hmstrain.scoring.answers.read import Answers, shown
from hmstrain.scoring.answers.truth import SUM_OF_SHARES, Truth, Votes
from hmstrain.scoring.formulas import Floats
from hmstrain.scoring.metrics import Judged
from hmstrain.words import plural

UNCLEAR = -2
"""Stands for the row of an EEG whose windows carry different votes."""
STEPS = 1e6
"""Shares of votes are equal if they are in millionths."""
PATIENTS, EEGS, PATTERNS = "patients", "EEGs", "patterns of votes"

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Matched:
    """Rows that all models answered, with their votes."""

    names: tuple[str, ...]
    """Of the models, each different."""
    answers: tuple[Answers, ...]
    """Of each model, in the order of these rows."""
    shares: Floats
    """(N, K) votes over their sum."""
    counts: Floats
    """(N,) how many voted; NaN where only shares are known."""
    consensus: Rows
    """(N,) the class with the most votes; of several tied, the one that the truth names."""
    group: Rows
    """(N,) what is resampled."""
    unit: str
    """What that is: 'patients', 'EEGs' or 'patterns of votes'."""
    eeg: NDArray[Any] | None
    typical: dict[str, Rows]
    """Positions of the rows that scores over 'votes' and 'hi' are of."""
    weighting: dict[str, str]
    """Of 'all', 'votes' and 'hi': which rows count, in words."""
    truth: Truth | None = None
    truth_row: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    """(N,) row of the truth, -1 where it has none."""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.shares)

    @property
    def observed(self) -> Floats:
        """(N,) share of what a model looks at that was recorded: the least of those known."""
        known = [one.observed for one in self.answers if one.observed is not None]
        if not known:
            return np.full(len(self), np.nan)
        return np.fmin.reduce(known)

    @property
    def parts(self) -> dict[str, Rows]:
        """Positions of the rows that scores over 'all', 'votes' and 'hi' are of."""
        return {"all": np.arange(len(self)), **self.typical}

    def judged(self, model: int, prediction: Floats | None = None) -> Judged:
        """What a model, or another prediction (N, K) of its rows, says of them."""
        given = self.answers[model].prediction if prediction is None else prediction
        return Judged(self.shares, self.counts, given, self.consensus, self.group)

    def row_name(self, row: int) -> str:
        """Ids of a row in words."""
        ids = self.answers[0].ids
        return ", ".join(f"{name} {values[row]}" for name, values in ids.items())

    def take(self, rows: Rows) -> Matched:
        """Some of the rows; of the typical ones, those that are left."""
        kept = np.full(len(self), -1)
        kept[rows] = np.arange(len(rows))
        return Matched(
            self.names,
            tuple(one.take(rows) for one in self.answers),
            self.shares[rows],
            self.counts[rows],
            self.consensus[rows],
            np.unique(self.group[rows], return_inverse=True)[1],
            self.unit,
            None if self.eeg is None else self.eeg[rows],
            {over: kept[part][kept[part] >= 0] for over, part in self.typical.items()},
            self.weighting,
            self.truth,
            self.truth_row[rows],
            self.notes,
            self.warnings,
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
        Rows cannot be identified, are doubled, are shared by no two, or have no votes.
    """
    notes = [note for one in answers for note in one.notes]
    warnings = [text for one in answers for text in one.warnings]
    warnings += truth.warnings if truth is not None else []
    names = _names(answers)
    keys = [(id_column,)] if id_column else list(named.KEYS)
    together = [
        _once(_with_ids(one, name, notes), name, notes)
        for one, name in zip(answers, names, strict=True)
    ]
    together = _shared(together, names, truth, keys, notes)
    found_row = np.full(len(together[0].prediction), -1)
    if truth is not None:
        found_row = _rows_in_truth(together[0], truth, keys)
        word = " and ".join(_truth_key(together[0], truth, keys) or ())
        _refuse_other_eegs(together[0], truth.path, truth.ids, found_row, word)
    votes = _votes(together, names, truth, found_row, notes)
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
    group, unit = _groups(together, truth, found_row, eeg, shares, counts, patient_column, notes)
    offset = _offsets(together, truth, found_row)
    typical, weighting = _typical(eeg, shares, counts, offset, thin=thin)
    return Matched(
        names,
        tuple(together),
        shares,
        counts,
        _consensus(truth, found_row, shares),
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


def _names(answers: Sequence[Answers]) -> tuple[str, ...]:
    """Names of models: those that several have with their folder, and with a number if need be."""
    alone = [one.name for one in answers]
    return unique(
        f"{shown(one.path.resolve().parent.name)}/{one.name}"
        if alone.count(one.name) > 1
        else one.name
        for one in answers
    )


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Tell equal names apart by a number that no other name has."""
    wanted = list(names)
    found: list[str] = []
    for name in wanted:
        free, number = name, 2
        while free in found or (free != name and free in wanted):
            free, number = f"{name} ({number})", number + 1
        found.append(free)
    return tuple(found)


def members_of(answers: Sequence[Answers], names: Sequence[str]) -> dict[str, list[int]]:
    """Places of the answers of each model, those that differ in their seed alone together."""
    by_model: dict[str, list[int]] = {}
    for place, one in enumerate(answers):
        by_model.setdefault(one.model, []).append(place)
    labels = unique(
        names[places[0]]
        if len(places) == 1
        else f"{answers[places[0]].without_seed} ({len(places)} seeds)"
        for places in by_model.values()
    )
    return dict(zip(labels, by_model.values(), strict=True))


def _key_of(ids: dict[str, NDArray[Any]], keys: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Keys that some ids make up."""
    return [key for key in keys if all(name in ids for name in key)]


def _codes(
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


def _with_ids(one: Answers, name: str, notes: list[str]) -> Answers:
    """Leave out rows that lack an id which others have."""
    missing = np.zeros(len(one.prediction), bool)
    for values in one.ids.values():
        if values.dtype.kind == "U" and not (values == "").all():
            missing |= values == ""
    if not missing.any():
        return one
    notes.append(f"{name}: {plural(int(missing.sum()), 'row')} without an id left out.")
    return one.take(np.flatnonzero(~missing))


def _once(one: Answers, name: str, notes: list[str]) -> Answers:
    """Leave out rows that stand twice with the same answer; refuse those with different ones."""
    keys = _key_of(one.ids, [tuple(one.ids)] if one.ids else [])
    if not keys:
        return one
    (code,) = _codes([one.ids], keys[0])
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


def _shared(
    answers: Sequence[Answers],
    names: Sequence[str],
    truth: Truth | None,
    keys: Sequence[tuple[str, ...]],
    notes: list[str],
) -> list[Answers]:
    """Bring the rows that all models have into the order of the first."""
    if len(answers) == 1:
        return list(answers)
    common = [key for key in keys if all(_key_of(one.ids, [key]) for one in answers)]
    if common:
        codes = _codes([one.ids for one in answers], common[0])
        word = " and ".join(common[0])
    elif truth is not None and all(_truth_key(one, truth, keys) for one in answers):
        codes = [_rows_in_truth(one, truth, keys) for one in answers]
        word = "the rows of the truth"
    else:
        first = set(_key_of(answers[0].ids, keys))
        odd = next(
            (one for one in answers if not set(_key_of(one.ids, keys)) & first),
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
        _refuse_other_eegs(found[0], one.path, one.ids, np.arange(len(everywhere)), word)
    return found


def _refuse_other_eegs(
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


def _truth_key(
    one: Answers, truth: Truth, keys: Sequence[tuple[str, ...]]
) -> tuple[str, ...] | None:
    return next((key for key in _key_of(one.ids, keys) if _key_of(truth.ids, [key])), None)


def _rows_in_truth(one: Answers, truth: Truth, keys: Sequence[tuple[str, ...]]) -> Rows:
    """Row of the truth of each row of a model's, -1 where there is none.

    By `eeg_id` alone, an EEG whose windows carry different votes has `UNCLEAR`: which are meant?
    """
    key = _truth_key(one, truth, keys)
    if key is None:
        raise DataError(
            f"{one.path} and {truth.path} have no columns in common that identify a row: one has "
            f"{', '.join(one.ids) or 'no ids'}, the other {', '.join(truth.ids) or 'no ids'}."
        )
    ours, theirs = _codes([one.ids, truth.ids], key)
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


def _votes(
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
    counts[found] = truth.votes.counts[row[found]]
    for lacking, word in (
        (row == -1, f"not in {truth.path}"),
        (row == UNCLEAR, f"of an EEG whose windows carry different votes in {truth.path}"),
    ):
        for part, done in ((own, "kept, with the votes of the file"), (~own, "left out")):
            number = int((lacking & part).sum())
            if number:
                notes.append(f"{plural(number, 'row')} {word}: {done}.")
    return Votes(shares, counts)


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


def _consensus(truth: Truth | None, row: Rows, shares: Floats) -> Rows:
    """The class with most votes; among several tied, the one that the truth names."""
    chosen = shares.argmax(axis=1)
    if truth is None or truth.consensus is None:
        return chosen
    said = np.where(row >= 0, truth.consensus[row], -1)
    leads = shares[np.arange(len(shares)), np.maximum(said, 0)] >= shares.max(axis=1) - 1 / STEPS
    return np.where((said >= 0) & leads, said, chosen)


def _groups(
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
    pattern = np.unique(_pattern(shares, counts), axis=0, return_inverse=True)[1].ravel()
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
            ours, theirs = _codes([{named.EEG: eeg}, truth.ids], (named.EEG,))
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


def _offsets(answers: Sequence[Answers], truth: Truth | None, row: Rows) -> Floats:
    """Start of each row in its recording in seconds; else its number there, else 0."""
    sub = next((one.ids[named.SUB] for one in answers if named.SUB in one.ids), None)
    found = np.zeros(len(row)) if sub is None or sub.dtype.kind not in "iu" else sub.astype(float)
    if truth is not None and truth.offset_s is not None:
        found = np.where(row >= 0, truth.offset_s[row], found)
    return np.asarray(np.nan_to_num(found), np.float64)


def _pattern(shares: Floats, counts: Floats) -> Rows:
    """Votes as whole numbers (N, K + 1): equal where they are."""
    whole = np.round(shares * STEPS).astype(np.int64)
    return np.column_stack([np.nan_to_num(counts, nan=-1).astype(np.int64), whole])


def _typical(
    eeg: NDArray[Any] | None, shares: Floats, counts: Floats, offset: Floats, *, thin: bool
) -> tuple[dict[str, Rows], dict[str, str]]:
    """Rows that scores over 'votes' and 'hi' are of, and which these are in words."""
    many = np.flatnonzero(counts >= MANY_VOTES)  # never where they are unknown
    words = {"all": "every row", "votes": "one row of each EEG and votes"}
    if eeg is None:
        none = np.empty(0, np.int64)
        return {"votes": none, "hi": many}, words | {"hi": "every row with ten votes or more"}
    number = np.unique(eeg, return_inverse=True)[1].ravel()
    votes = most_overlapping([number, _pattern(shares, counts)], offset)
    if not thin:
        return {"votes": votes, "hi": many}, words | {"hi": "every row with ten votes or more"}
    hi = many[most_overlapping([number[many]], offset[many])] if len(many) else many
    return {"votes": votes, "hi": hi}, words | {"hi": "one row of each EEG with ten votes or more"}
