"""Rows that several models answered, with their votes; the names of the models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmstrain.scoring.answers.groups import PATIENTS
from hmstrain.scoring.answers.read import Answers, shown
from hmstrain.scoring.answers.rows import Rows
from hmstrain.scoring.answers.truth import Truth
from hmstrain.scoring.formulas import Floats
from hmstrain.scoring.metrics import Judged


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
    def patient(self) -> NDArray[Any] | None:
        """(N,) the patient of each row, by the truth or else a file; None if some are unknown."""
        if self.unit != PATIENTS:
            return None
        if self.truth is not None and self.truth.patient is not None:
            known = (self.truth_row >= 0).all()
            return self.truth.patient[self.truth_row] if known else None
        return next(one.patient for one in self.answers if one.patient is not None)

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


def names_of(answers: Sequence[Answers]) -> tuple[str, ...]:
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
