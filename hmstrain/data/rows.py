"""Configuration and window table -> the rows of each epoch and their order.

Everything is drawn from the run's seed and the epoch's number, so that any epoch can be had again
without the ones before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.windows import typical_rows
from hmstrain.data.observed import LEAST_JUDGED, judged
from hmstrain.data.seeds import Stream, generator
from hmstrain.data.unlabelled import unlabelled
from hmstrain.errors import DataError
from hmstrain.words import plural

if TYPE_CHECKING:
    from hmstrain.config import Config

Rows = NDArray[np.int64]
EXTENDED = 2
"""Stage of the first extension; both before it are cut off by `steps`."""

MOSTLY = 0.5
"""Share of pairs of one patient above which comparing embeddings teaches little."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training rows."""

    number: int
    """From 0, over both stages."""
    stage: int
    """0, 1, then one for each extension."""
    fold: int | None
    """Fold that is held out; None where the store has none."""
    min_votes: int
    windows: int
    """Per step, of the run's own store: as many as configured, or all there are."""
    parts: int
    """Batches in which those pass through the network."""
    first_step: int
    steps: int


def held_out(config: Config, store: Store, epoch: int) -> int | None:
    """Fold that an epoch does not train on.

    Raises
    ------
    DataError
        The store has no such fold.
    """
    if store.folds == 0:
        if config.fold in ("all", "rotate"):
            raise DataError(f"{store.path} has too few patients for folds: leave out --fold.")
        if config.fold != "0":
            raise DataError(f"There is no fold {config.fold}: {store.path} has none.")
        return None
    if config.fold == "rotate":
        return int(generator(config.seed, Stream.HELD_OUT_FOLD, epoch).integers(store.folds))
    fold = int(config.fold)
    if fold >= store.folds:
        raise DataError(f"There is no fold {fold}: {store.path} has folds 0 to {store.folds - 1}.")
    return fold


def split_rows(config: Config, store: Store, split: str, fold: int | None = None) -> Rows:
    """Rows of a split but those whose judged seconds were not recorded: they have no probability.

    Runs that are older than this rule keep them (`context=filled`). Parameters are those of
    `Store.select`.
    """
    rows = store.select(split, fold=fold)
    return rows if config.context == "filled" else rows[judged(store, rows)]


def left_out(config: Config, store: Store) -> list[str]:
    """Say how many windows `split_rows` leaves out, if any."""
    both = ("train", "test")
    whole = sum(len(store.select(split)) for split in both)
    left = sum(len(split_rows(config, store, split)) for split in both)
    if left == whole:
        return []
    return [
        f"{whole - left:,} of {plural(whole, 'window')} are left out: more than "
        f"{1 - LEAST_JUDGED:.0%} of their judged seconds was not recorded."
    ]


def training_rows(config: Config, store: Store, fold: int | None, min_votes: int) -> Rows:
    """Rows to train on: without the fold, with enough votes, of the chosen share of patients.

    Raises
    ------
    DataError
        Nothing is left.
    """
    if config.pretraining:
        return _pretraining_rows(config, store, fold)
    rows = split_rows(config, store, "train", fold)
    rows = _of_fraction(config, store, rows, store.select("train"))
    rows = rows[store.windows["votes"][rows].sum(axis=1) >= min_votes]
    if not len(rows):
        if not (store.windows["votes"][store.select("train")].sum(axis=1) > 0).any():
            raise DataError(
                f"{store.path} has no training windows with votes: it is a test-only store."
            )
        held = "" if fold is None else f"fold {fold} held out, "
        raise DataError(
            f"No training window of {store.path} is left with {held}at least "
            f"{plural(min_votes, 'vote')} and fraction {config.fraction:g}."
        )
    return rows


def _pretraining_rows(config: Config, store: Store, fold: int | None) -> Rows:
    rows = unlabelled(config, store, fold).training
    rows = _of_fraction(config, store, rows, rows)
    if not len(rows):
        raise DataError(
            f"{store.path} has no windows to pretrain on: all are of patients of its test split, "
            "or of those held out to score it."
        )
    if not config.others and len(np.unique(store.windows["patient_id"][rows])) == 1:
        raise DataError(
            f"{store.path} has windows of one patient to pretrain on: pretraining tells patients "
            "apart, so it needs two or more."
        )
    return rows


def pairs_alike(config: Config, store: Store, rows: Rows) -> list[str]:
    """Say where most pairs of windows in a batch are of one patient, if embeddings are compared."""
    if not (config.contrastive or config.pretraining) or config.others:
        return []
    _, patient = np.unique(store.windows["patient_id"][rows], return_inverse=True)
    share = np.bincount(patient, 1 / group_sizes(config, store, rows))
    alike = float(np.square(share / share.sum()).sum())
    if round(alike, 6) <= MOSTLY:
        return []
    return [
        f"{alike:.0%} of the pairs of windows in a batch are of one patient, which embeddings are "
        "not compared by: train on more patients, or with sample=eeg where some have many windows."
    ]


def _of_fraction(config: Config, store: Store, rows: Rows, among: Rows) -> Rows:
    """Those of the chosen share of the patients of other rows."""
    if config.fraction == 1:
        return rows
    patients = np.unique(store.windows["patient_id"][among])
    order = generator(config.seed, Stream.PATIENTS).permutation(patients)
    chosen = order[: max(1, round(config.fraction * len(order)))]
    return rows[np.isin(store.windows["patient_id"][rows], chosen)]


def tested_rows(config: Config, store: Store) -> Rows:
    """Rows that a run is tested on: none where its network gives no probabilities."""
    return split_rows(config, store, "test") if config.answers else np.empty(0, np.int64)


def has_many(config: Config, store: Store, rows: Rows) -> NDArray[np.bool_]:
    """Whether rows have as many votes as a second stage, or population, is of."""
    many: NDArray[np.bool_] = store.windows["votes"][rows].sum(axis=1) >= config.second_min_votes
    return many


def check_populations(config: Config, store: Store, rows: Rows) -> None:
    """Refuse to learn two answers from rows that are all of one population.

    Raises
    ------
    DataError
        None, or all, have as many votes as the second population's.
    """
    if config.populations == "one":
        return
    many = int(has_many(config, store, rows).sum())
    if many in (0, len(rows)):
        raise DataError(
            f"populations={config.populations} needs windows with few and many votes: of the "
            f"{plural(len(rows), 'training window')} of {store.path}, {many:,} have "
            f"{config.second_min_votes} votes or more. Choose another second_min_votes."
        )


def validation_rows(store: Store, rows: Rows) -> tuple[Rows, dict[str, Rows]]:
    """Rows of a fold that `kl_votes` and `kl_hi` are over; a full pass would tell no more.

    Parameters
    ----------
    rows : int64
        All of the fold.

    Returns
    -------
    rows : int64 (N,)
        Rows of either.
    typical : dict
        Positions within them of 'votes' and 'hi', found among all of the fold.
    """
    typical = typical_rows(store.windows, rows)
    chosen = np.union1d(typical["votes"], typical["hi"])
    return rows[chosen], {name: np.searchsorted(chosen, part) for name, part in typical.items()}


def epoch_order(config: Config, store: Store, rows: Rows, epoch: int) -> Rows:
    """Rows of one epoch in their order: all, or one at random of each group, shuffled."""
    rng = generator(config.seed, Stream.ORDER, epoch)
    shuffled = rng.permutation(rows)
    if config.sample == "window":
        return shuffled
    _, first = np.unique(_groups(config, store, shuffled), axis=0, return_index=True)
    return rng.permutation(shuffled[first])


def norm_rows(config: Config, store: Store, rows: Rows) -> Rows:
    """Training rows that batch norm's statistics are measured on, of the first epoch's kind."""
    return epoch_order(config, store, rows, 0)[: config.norm_windows]


def windows_of_others(config: Config) -> tuple[int, ...]:
    """Windows of each other store in a whole batch."""
    return tuple(round(share * config.batch_size) for share in config.others.values())


def own_windows(config: Config) -> int:
    """Windows of the run's own store in a whole batch."""
    return config.batch_size - sum(windows_of_others(config))


def batches(epoch: Epoch, order: Rows) -> list[Rows]:
    """Cut an epoch's order into the windows of its steps; what is left waits for another epoch."""
    size = epoch.windows
    return list(order[: len(order) // size * size].reshape(-1, size))


def plan_epochs(config: Config, store: Store) -> list[Epoch]:
    """All epochs of both stages, cut off where `steps` says, and those of each extension."""
    planned: list[Epoch] = []
    windows: dict[tuple[int | None, int], int] = {}
    first = 0
    stages = [(config.epochs, config.min_votes), (config.second_epochs, config.second_min_votes)]
    last_votes = config.second_min_votes if config.second_epochs else config.min_votes
    stages += [(epochs, last_votes) for epochs in config.extended]
    for stage, (epochs, min_votes) in enumerate(stages):
        for _ in range(epochs):
            if config.steps and first == config.steps and stage < EXTENDED:
                break
            number = len(planned)
            fold = held_out(config, store, number)
            if (fold, min_votes) not in windows:
                rows = training_rows(config, store, fold, min_votes)
                check_populations(config, store, rows)
                windows[fold, min_votes] = _epoch_windows(config, store, rows)
            own = own_windows(config)
            size = min(own * config.accumulate, windows[fold, min_votes])
            parts = -(-size // own)
            steps = windows[fold, min_votes] // size
            if config.steps and stage < EXTENDED:
                steps = min(steps, config.steps - first)
            planned.append(Epoch(number, stage, fold, min_votes, size, parts, first, steps))
            first += steps
    return planned


def group_sizes(config: Config, store: Store, rows: Rows) -> NDArray[np.int64]:
    """How many of the rows share their place in an epoch with each: 1 where all take part."""
    if config.sample == "window":
        return np.ones(len(rows), np.int64)
    _, group, count = np.unique(
        _groups(config, store, rows), axis=0, return_inverse=True, return_counts=True
    )
    sizes: NDArray[np.int64] = count[group.ravel()]
    return sizes


def _epoch_windows(config: Config, store: Store, rows: Rows) -> int:
    """How many windows an epoch of these rows has."""
    if config.sample == "window":
        return len(rows)
    return len(np.unique(_groups(config, store, rows), axis=0))


def _groups(config: Config, store: Store, rows: Rows) -> NDArray[np.int64]:
    """What an epoch has one window of each of: EEG, or EEG and votes, int64 (N, n)."""
    columns = [store.windows["eeg_id"][rows]]
    if config.sample == "votes":
        columns += list(store.windows["votes"][rows].T)
    return np.column_stack(columns).astype(np.int64)
