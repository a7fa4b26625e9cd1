"""Checkpoints and labelled windows of a store -> how many of them are of patients seen before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.json_shapes import entry, mapping, whole
from hmstrain.config import config_of_run
from hmstrain.data.rows import plan_epochs, training_rows
from hmstrain.words import plural

Patients = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the windows that are scored, and how many patients they are of."""

    windows: int
    patients: int

    def of(self, whole: Part) -> str:
        """In words: '20 of 90 windows, of 3 of 12 patients,'."""
        return (
            f"{self.windows:,} of {plural(whole.windows, 'window')}, of {self.patients:,} of "
            f"{plural(whole.patients, 'patient')},"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Windows that are scored, and those of them that runs know already: each counts once."""

    scored: Part
    trained: Part
    """Of patients that a network was trained or pretrained on, or learned from by its generator, in
    this very store."""
    chosen_by: Part
    """Of patients that were held out, and by whom a checkpoint was chosen; of this store too."""
    elsewhere: Part
    """Of patients with the numbers of patients that a network was trained or validated on in
    another store: whether they are the same, numbers do not tell."""

    @property
    def warnings(self) -> list[str]:
        """What has to be said wherever the scores are shown, one sentence each."""
        found = []
        if self.trained.windows:
            found.append(
                f"{self.trained.of(self.scored)} are of patients that were trained on: scores with "
                "them are optimistic."
            )
        if self.chosen_by.windows:
            found.append(
                f"{self.chosen_by.of(self.scored)} were held out to choose a checkpoint by: scores "
                "with them are a little optimistic."
            )
        if self.elsewhere.windows:
            found.append(
                f"{self.elsewhere.of(self.scored)} have the numbers of patients that a run was "
                "trained or validated on in another store: if they are the same, these scores are "
                "too good."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what `to_json` gives; raises ShapeError."""
        parts = (entry(value, name, mapping) for name in cls.__slots__)
        return cls(
            **{
                name: Part(entry(part, "windows", whole), entry(part, "patients", whole))
                for name, part in zip(cls.__slots__, parts, strict=True)
            }
        )


def seen_before(
    described: Iterable[Mapping[str, Any]], store: Store, rows: NDArray[np.int64]
) -> Seen:
    """Count the windows of patients whom networks were trained on or chosen by.

    Patients count, not windows: windows of a patient resemble each other, whether a run used all
    of them or not.

    Parameters
    ----------
    described : iterable of mapping
        What the networks' checkpoints say of themselves (`read_description`).
    store : Store
        Of the windows.
    rows : int64 (N,)
        Windows that are scored.
    """
    trained, validated, elsewhere = (np.empty(0, np.int64) for _ in range(3))
    for one in described:
        here, others = learned_from(one, store)
        trained, elsewhere = np.union1d(trained, here), np.union1d(elsewhere, others)
        if one["store"]["identity"] == store.identity:
            validated = np.union1d(validated, np.asarray(one["patients"], np.int64))
    patients = store.windows["patient_id"][rows]
    left = np.ones(len(rows), bool)
    parts = []
    for group in (trained, validated, elsewhere):
        found = left & np.isin(patients, group)
        left &= ~found
        parts.append(_part(patients[found]))
    return Seen(scored=_part(patients), trained=parts[0], chosen_by=parts[1], elsewhere=parts[2])


def can_compare(store: Store) -> bool:
    """Whether there are training windows, each with votes, whose mean is a constant prediction."""
    training = store.select("train")
    return bool(len(training) and (store.windows["votes"][training].sum(axis=1) > 0).all())


def origins_of(described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a checkpoint says of others that its network learned from, and of theirs.

    Other stores that it trained on too, the run that it started from, and its generator; each has
    the identity of a store and patients of it.
    """
    own = [*described.get("also", ()), described.get("pretrained"), described.get("generator")]
    return [each for one in filter(None, own) for each in (one, *one.get("also", ()))]


def learned_from(described: Mapping[str, Any], store: Store) -> tuple[Patients, Patients]:
    """Patients of this store whom a network or what it started from learned from; of other stores.

    Of other stores those are among them by whom a checkpoint was chosen.
    """
    here: list[Any] = []
    elsewhere: list[Any] = []
    for one in origins_of(described):
        (here if one["identity"] == store.identity else elsewhere).append(one["patients"])
    if described["store"]["identity"] == store.identity:
        here.append(trained_on(described, store))
    else:
        elsewhere.append(described["patients"])
    found = [np.unique(np.asarray([*chain(*of)], np.int64)) for of in (here, elsewhere)]
    return found[0], found[1]


def trained_on(described: Mapping[str, Any], store: Store) -> Patients:
    """Patients of all windows that a network took steps on, in the store that it has."""
    config = config_of_run(described["config"])
    stages = {(epoch.fold, epoch.min_votes) for epoch in plan_epochs(config, store)}
    rows = [training_rows(config, store, fold, min_votes) for fold, min_votes in stages]
    return np.unique(store.windows["patient_id"][np.concatenate(rows)]).astype(np.int64)


def _part(patients: NDArray[Any]) -> Part:
    return Part(len(patients), len(np.unique(patients)))
