"""A run's own store and others -> batches that have windows of all of them, in fixed shares.

Rows are numbered through: those of the run's own store first, then those of the others, one store
after the other. All windows reach the network in the units of the run's own store, whose statistics
standardise them.

Legend: B windows, T time, C channels or features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import tee
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import Store
from hmstrain.data.apart import APART
from hmstrain.data.inputs.physical import (
    check_reference,
    check_signals,
    on_device,
    physical_scale,
)
from hmstrain.data.inputs.prepare import Normalisation, check_cleaning, cleaning
from hmstrain.data.loader import Batch, Loader, MappedLoader, Request, Wanted
from hmstrain.data.observed import run_key
from hmstrain.data.rows import (
    Epoch,
    Rows,
    epoch_order,
    own_windows,
    training_rows,
    windows_of_others,
)
from hmstrain.data.seeds import Stream, generator
from hmstrain.data.targets import Columns, training_columns
from hmstrain.data.unlabelled import unlabelled
from hmstrain.errors import DataError
from hmstrain.words import plural

if TYPE_CHECKING:
    from hmstrain.config import Config

R = TypeVar("R", bound=Wanted)


@dataclass(frozen=True)
class Mixture:
    """Stores that a run trains on together; its own is the first, which alone it is judged by."""

    config: Config
    stores: tuple[Store, ...]

    @property
    def others(self) -> tuple[Store, ...]:
        """All but the run's own."""
        return self.stores[1:]

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """Number of the first row of each store, and of the one after the last."""
        return np.cumsum([0, *(len(store) for store in self.stores)])

    def refused(self, fold: int | None) -> NDArray[np.int64]:
        """Patients whose windows no other store may give: those that the run is judged by."""
        own = self.stores[0]
        judged = [own.select("test")] + ([] if fold is None else [own.select("valid", fold=fold)])
        if self.config.pretraining:  # without folds it holds out patients of its own choice
            judged.append(unlabelled(self.config, own, fold).held_out)
        return np.unique(own.windows["patient_id"][np.concatenate(judged)])

    def rows(self, other: int, fold: int | None, min_votes: int) -> Rows:
        """Rows of one of the other stores to train on, by its own numbers.

        Raises
        ------
        DataError
            Nothing is left.
        """
        store = self.others[other]
        rows = training_rows(self.config, store, None, min_votes)
        refused = np.isin(store.windows["patient_id"][rows], self.refused(fold))
        if refused.all():
            raise DataError(
                f"All patients of {store.path} are in the test or held-out windows of "
                f"{self.stores[0].path}: name a store of other patients."
            )
        return rows[~refused]

    def patients(self, epochs: Sequence[Epoch]) -> list[NDArray[np.int64]]:
        """Patients of each of the other stores that these epochs train on."""
        stages = {(epoch.fold, epoch.min_votes) for epoch in epochs}
        return [
            np.unique(
                np.concatenate(
                    [
                        store.windows["patient_id"][self.rows(other, fold, min_votes)]
                        for fold, min_votes in stages
                    ]
                )
            )
            for other, store in enumerate(self.others)
        ]

    def of_epoch(self, epoch: Epoch) -> Part:
        """What the other stores give an epoch."""
        return Part(self, epoch)

    def describe(self, epochs: Sequence[Epoch]) -> list[dict[str, Any]]:
        """What a checkpoint says of the other stores: path, identity, share, patients."""
        shares = self.config.others
        return [
            {"path": path, "identity": store.identity, "share": share, "patients": known.tolist()}
            for (path, share), store, known in zip(
                shares.items(), self.others, self.patients(epochs), strict=True
            )
        ]

    def notices(self, epoch: Epoch) -> list[str]:
        """Say what each batch is made of, and what is left out."""
        found = []
        counts = windows_of_others(self.config)
        for other, (store, count) in enumerate(zip(self.others, counts, strict=True)):
            rows = self.rows(other, epoch.fold, epoch.min_votes)
            left = len(training_rows(self.config, store, None, epoch.min_votes)) - len(rows)
            text = (
                f"{count} of {plural(self.config.batch_size, 'window')} in each batch are of "
                f"{store.path}, drawn from {len(rows):,}."
            )
            if left:
                text += (
                    f" {plural(left, 'window')} of it left out: their patients have the numbers "
                    f"of test or held-out patients of {self.stores[0].path}."
                )
            found.append(text)
        return found


class Part:
    """What other stores give the batches of an epoch: rows, targets, weights, patients."""

    def __init__(self, mixture: Mixture, epoch: Epoch) -> None:
        self.mixture = mixture
        config = mixture.config
        rows = [
            mixture.rows(other, epoch.fold, epoch.min_votes) for other in range(len(mixture.others))
        ]
        self.candidates = [
            epoch_order(config, store, some, epoch.number)
            for store, some in zip(mixture.others, rows, strict=True)
        ]
        self.columns = [
            training_columns(config, store, some, epoch.number)
            for store, some in zip(mixture.others, rows, strict=True)
        ]

    def draw(self, number: int, own: int) -> Rows:
        """Rows of the other stores in a batch with so many windows of the run's own.

        Parameters
        ----------
        number : int
            Of the batch, over the whole run.
        """
        config = self.mixture.config
        found = []
        counts = windows_of_others(config)
        for other, (rows, count) in enumerate(zip(self.candidates, counts, strict=True)):
            rng = generator(config.seed, Stream.OTHER_STORES, number, other)
            wanted = max(1, round(count * own / own_windows(config)))
            chosen = rng.choice(len(rows), wanted, replace=wanted > len(rows))
            found.append(rows[chosen] + self.mixture.edges[other + 1])
        return np.concatenate(found)

    def joined(self, own: Columns) -> Columns:
        """Columns of all stores; `own` are those of the run's own."""
        return {
            name: np.concatenate([column, *(other[name] for other in self.columns)])
            for name, column in own.items()
        }


class MixedLoader:
    """Gives batches of windows of several stores, each gathered by a loader of its own.

    Parameters
    ----------
    own : Loader
        Of the run's own store.
    processes : int
        That share each batch.
    """

    def __init__(
        self,
        mixture: Mixture,
        own: Loader,
        signals: tuple[str, ...],
        device: torch.device,
        *,
        processes: int = 1,
    ) -> None:
        self.mixture, self.signals = mixture, signals
        counts = windows_of_others(mixture.config)
        self.others = [
            MappedLoader(store, signals, -(-count // processes), device, threads=1)
            for store, count in zip(mixture.others, counts, strict=True)
        ]
        self.loaders: list[Loader] = [own, *self.others]
        self.scales = [
            {name: on_device(*physical_scale(store, name), device) for name in signals}
            for store in mixture.stores
        ]

    @property
    def waited_s(self) -> float:
        """Seconds that the caller has spent waiting for batches."""
        return sum(loader.waited_s for loader in self.loaders)

    @waited_s.setter
    def waited_s(self, value: float) -> None:
        for loader in self.loaders:
            loader.waited_s = value

    def load(self, requests: Iterable[R]) -> Iterator[tuple[R, Batch]]:
        """Yield requests with their batches, each valid until the next one is asked for."""
        *copies, own = tee(requests, len(self.loaders) + 1)  # each loader reads ahead by itself
        streams = [
            loader.load(self._of_store(place, copy))
            for place, (loader, copy) in enumerate(zip(self.loaders, copies, strict=True))
        ]
        for request, *found in zip(own, *streams, strict=True):
            yield request, self._joined([batch for _, batch in found])

    def close(self) -> None:
        """Stop the loaders of the other stores."""
        for loader in self.others:
            loader.close()

    def _of_store(self, place: int, requests: Iterable[R]) -> Iterator[Request]:
        first, stop = self.mixture.edges[place : place + 2]
        for request in requests:
            here = (request.rows >= first) & (request.rows < stop)
            shift = None if request.shift is None else request.shift[here]
            yield Request(request.rows[here] - first, shift)

    def _joined(self, batches: Sequence[Batch]) -> Batch:
        """One batch of the windows of all stores, in the units of the first."""
        found: Batch = {}
        counts = [len(batch[self.signals[0]]) for batch in batches]
        for name in self.signals:
            parts = [
                self._converted(name, place, batch[name]) for place, batch in enumerate(batches)
            ]
            found[name] = torch.cat(parts)
            key, rows = run_key(name), found[name].shape[1]
            if any(key in batch for batch in batches):
                whole = torch.tensor([[0, rows]], device=found[name].device)
                found[key] = torch.cat(
                    [
                        batch.get(key, whole.expand(count, 2))
                        for batch, count in zip(batches, counts, strict=True)
                    ]
                )
        same = batches[0].keys() - found.keys() - {APART}
        for key in same:  # what all have, such as the labels' centres
            found[key] = torch.cat([batch[key] for batch in batches])
        return found

    def _converted(self, name: str, place: int, stored_BTC: Tensor) -> Tensor:
        """Values in the units of the first store, float16 as they are stored."""
        (mean, std), (own_mean, own_std) = self.scales[place][name], self.scales[0][name]
        if torch.equal(mean, own_mean) and torch.equal(std, own_std):
            return stored_BTC
        return ((stored_BTC.float() * std + mean - own_mean) / own_std).half()


def open_mixture(config: Config, store: Store) -> Mixture | None:
    """Open the other stores that a run trains on; None where there are none.

    Raises
    ------
    StoreError
        One cannot be opened.
    DataError
        One is the run's own, is named twice, has other classes or signals, was cleaned in another
        way, or has bipolar recordings where an input needs single electrodes.
    """
    if not config.others:
        return None
    stores = [store]
    for path in config.others:
        other = Store.open(path)
        for known in stores:
            if other.identity == known.identity:
                raise DataError(f"{path} holds the same windows as {known.path}: name another.")
        if other.spec.classes != store.spec.classes:
            raise DataError(
                f"{path} has the classes {', '.join(other.spec.class_titles)}, but {store.path} "
                f"has {', '.join(store.spec.class_titles)}: name a store of the same classes."
            )
        check_signals(other)
        every = np.arange(len(other)) if config.pretraining else other.select("train")
        check_reference(config, other, every)
        check_cleaning(Normalisation({}, cleaning(store)), other)
        stores.append(other)
    return Mixture(config, tuple(stores))


def check_others(described: Sequence[dict[str, Any]], mixture: Mixture) -> None:
    """Refuse to resume a run with other stores beside its own than it began with.

    Parameters
    ----------
    described : sequence of dict
        What `Mixture.describe` said of them.

    Raises
    ------
    DataError
        Naming the store.
    """
    for before, store in zip(described, mixture.others, strict=True):
        if before["identity"] != store.identity:
            raise DataError(
                f"{store.path} is store {store.identity[:12]}, but the run started with store "
                f"{before['identity'][:12]}: restore that to resume it."
            )
