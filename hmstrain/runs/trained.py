"""The best checkpoint of a run -> its network, ready for windows of its own store or another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hmsstore import PatternClass, Store
from hmsstore.json_shapes import ShapeError, entry
from hmstrain.config import Config, config_of_run
from hmstrain.data.inputs import signal_names
from hmstrain.data.inputs.prepare import NetworkInputs, Normalisation, check_cleaning
from hmstrain.data.loader import make_loader
from hmstrain.data.table import TableRows, fitted_to, open_table
from hmstrain.distributed import World
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.models import find_model
from hmstrain.models.arithmetic import AUTO, Arithmetic
from hmstrain.models.custom import CustomNetwork
from hmstrain.models.evaluate import Evaluator, Predictor
from hmstrain.models.network import PatternNetwork, make_network
from hmstrain.models.populations import FEW, MANY
from hmstrain.models.tabular.base import TabularModel, probabilities, restored
from hmstrain.models.trust import Trust, check_names, refuse_untrusted
from hmstrain.runs.checkpoint import load_arrays, load_checkpoint, read_description
from hmstrain.runs.folder import RunFolder, refuse_unanswering
from hmstrain.runs.outcome import StoreId
from hmstrain.runs.source import to_import

LOADER_THREADS = 2


@dataclass(frozen=True, slots=True)
class Trained:
    """A network in evaluation mode, with what its inputs are made with."""

    config: Config
    normalisation: Normalisation
    network: PatternNetwork | CustomNetwork | TabularModel
    device: torch.device
    described: dict[str, Any]
    """The checkpoint's own description: store, patients, versions."""
    trained_on: StoreId

    @property
    def classes(self) -> tuple[PatternClass, ...]:
        """What the network tells apart, in the order of its logits."""
        return self.trained_on.classes

    @property
    def population(self) -> str | None:
        """Number of votes, 'few' or 'many', that its answers are for; None: all alike."""
        found = getattr(self.network, "populations", None)
        return None if found is None else str(found.answers)

    def computing(self, arithmetic: Arithmetic) -> Trained:
        """Let the network compute in another arithmetic; it is laid out anew for it."""
        arithmetic.lay_out(self.network)
        return replace(self, config=arithmetic.within(self.config))

    def check(self, store: Store) -> None:
        """Refuse a store that the network's answers would not fit.

        Raises
        ------
        DataError
            It has other classes than the store trained on, or was cleaned in another way.
        """
        if self.classes != store.spec.classes:
            raise DataError(
                f"{store.path} has the classes {', '.join(store.spec.class_titles)}, but this run "
                f"was trained on {', '.join(self.trained_on.class_titles)}: name a store of the "
                "same classes."
            )
        check_cleaning(self.normalisation, store)

    def inputs(
        self,
        store: Store,
        *,
        mirror: bool = False,
        reverse: bool = False,
        rows: NDArray[np.int64] | None = None,
    ) -> NetworkInputs:
        """What turns windows of a store, mirrored or reversed, into this network's inputs.

        Raises
        ------
        DataError
            The store has other classes than the one trained on, or was cleaned differently.
        """
        self.check(store)
        return NetworkInputs(
            self.config,
            self.normalisation,
            store,
            self.device,
            mirror=mirror,
            reverse=reverse,
            rows=rows,
        )

    @contextmanager
    def evaluator(
        self,
        store: Store,
        world: World,
        *,
        mirror: bool = False,
        reverse: bool = False,
        rows: NDArray[np.int64] | None = None,
        batch_size: int = 1,
    ) -> Iterator[Predictor]:
        """What predicts windows of a store, in batches of the run's size or this, if larger.

        `rows` are those that it will be asked for, by default any.

        Raises
        ------
        DataError
            The store has other classes than the one trained on, was cleaned differently, or has
            no table of the features that the model takes.
        """
        if isinstance(self.network, TabularModel):
            if mirror or reverse:
                raise ConfigError(
                    "Features of mirrored or reversed windows are not computed: leave out --swap "
                    "and --reverse."
                )
            self.check(store)
            yield TablePredictor(self.config, store, self.described)
            return
        config = replace(self.config, batch_size=max(batch_size, self.config.batch_size))
        prepare = self.inputs(store, mirror=mirror, reverse=reverse, rows=rows)
        largest = min(config.batch_size, len(store))
        loader = make_loader(
            store,
            signal_names(config),
            largest,
            self.device,
            resident=False,
            threads=LOADER_THREADS,
        )
        try:
            yield Evaluator(config, prepare, loader, world)
        finally:
            loader.close()


class TablePredictor:
    """Predicts rows of a store by the table of its features, with a model of such.

    Raises
    ------
    DataError
        The store has no table, or one of another version of the features.
    """

    def __init__(self, config: Config, store: Store, described: Mapping[str, Any]) -> None:
        table = open_table(config, store)
        version, columns = fitted_to(described)
        if table.version != version:
            todo = (
                f"run `{table.measuring(store.path)}`"
                if table.version < version
                else f"train the run again on features of version {table.version}"
            )
            raise DataError(
                f"{table.path} holds features of version {table.version}, and the run was trained "
                f"on version {version}: {todo}."
            )
        self.values = TableRows(table, columns)

    def predict(
        self, network: nn.Module, rows: NDArray[np.int64], /
    ) -> tuple[NDArray[np.float64], list[NDArray[np.float32]]]:
        """Probabilities, float64 (N, classes), and no embeddings."""
        assert isinstance(network, TabularModel)
        return probabilities(network, self.values(rows)), []


@dataclass(frozen=True, slots=True)
class Views:
    """How windows are looked at; answers to all these are averaged, as probabilities.

    Each option doubles their number: both make four.
    """

    swap: bool = False
    """Left and right exchanged, too."""
    reverse: bool = False
    """Time reversed, too."""

    def __iter__(self) -> Iterator[dict[str, bool]]:
        """Arguments of `Trained.evaluator`, the windows as they are first."""
        for reverse in (False, True)[: 1 + self.reverse]:
            for mirror in (False, True)[: 1 + self.swap]:
                yield {"mirror": mirror, "reverse": reverse}

    def __len__(self) -> int:
        """Number of views."""
        return 2**self.swap * 2**self.reverse

    def warnings(self, folders: Sequence[RunFolder]) -> list[str]:
        """Say which runs never saw such windows, one sentence each."""
        if not self.reverse:
            return []
        return [
            f"{folder.path} was trained without time reversal (flip=0): its answers to reversed "
            "windows may be poor."
            for folder in folders
            if not folder.config().flip
        ]


AS_THEY_ARE = Views()


def check_trust(folders: Sequence[RunFolder], trust: Trust) -> None:
    """Refuse, before any work, runs that `load_trained` would not load.

    Raises
    ------
    ModelError
        A run names a network of its own, and the user has not.
    ConfigError
        The user has named a network, and no run has.
    RunError
        A folder is not a run, or one of a network that gives no probabilities.
    """
    for folder in folders:
        refuse_unanswering(folder.path, folder.config())
    models = [folder.config().model for folder in folders]
    check_names(models, trust)
    for model in models:
        refuse_untrusted(model, trust)


def check_population(folders: Sequence[RunFolder], population: str | None) -> None:
    """Refuse, before any work, a population of votes that runs have no answer of their own for.

    Raises
    ------
    ConfigError
        There is no such population, or a run answers all windows alike.
    RunError
        A folder is not a run.
    """
    if population is None:
        return
    if population not in (FEW, MANY):
        raise ConfigError(f"--population {population}: expected {FEW} or {MANY}.")
    for folder in folders:
        if folder.config().populations == "one":
            raise ConfigError(
                f"--population {population}: {folder.path} answers windows with few and many "
                "votes alike, as it was trained without populations=bias or scale. Leave out "
                "--population."
            )


def load_trained(
    folder: RunFolder,
    device: torch.device,
    *,
    trust: Trust = False,
    population: str | None = None,
) -> Trained:
    """Load the best checkpoint of a run of one fold.

    Parameters
    ----------
    trust : bool, str or sequence of str
        Which networks of its own may be imported: True for whatever the checkpoint names.
    population : str, optional
        'few' or 'many': the number of votes for which a run with two answers gives its own; by
        default many.

    Raises
    ------
    ConfigError
        The run answers all windows alike, and a population is named.
    RunError
        The folder holds no checkpoint, or one of a network that gives no probabilities.
    ModelError
        Its network is not to be imported.
    """
    check_population([folder], population)
    described = read_description(folder.best)
    config = config_of_run(described["config"])
    refuse_unanswering(folder.path, config)
    try:
        trained_on = entry(described, "store", StoreId.from_json)
        if config.precision == AUTO:
            config = entry(described, "arithmetic", Arithmetic.from_json).within(config)
    except ShapeError as error:
        raise RunError(f"{folder.best} is damaged: {error}.") from None
    classes = len(trained_on.classes)
    normalisation = Normalisation.from_json(described["normalisation"])
    if find_model(config.model).table:
        model = restored(described.get("kind"), load_arrays(folder.best), folder.best)
        if (model.classes, model.columns) != (classes, len(described.get("columns", ()))):
            raise RunError(f"{folder.best} is damaged: its model has other columns or classes.")
        return Trained(config, normalisation, model, torch.device("cpu"), described, trained_on)
    network: PatternNetwork | CustomNetwork = make_network(
        config,
        start=False,
        classes=classes,
        trust=trust,
        source=to_import(folder.path, config.model),
    )
    load_checkpoint(folder.best, network)
    if isinstance(network, PatternNetwork) and network.populations is not None:
        network.populations.answers = population or MANY
    network = network.to(device).eval()
    if config.channels_last:
        Arithmetic.of(config).lay_out(network)
    return Trained(config, normalisation, network, device, described, trained_on)
