"""The best checkpoint of a run -> its network, ready for windows of its own store or another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from hmsstore import Store
from hmstrain.config import Config, config_of_run
from hmstrain.data.inputs import signal_names
from hmstrain.data.inputs.prepare import NetworkInputs, Normalisation, check_cleaning
from hmstrain.data.loader import make_loader
from hmstrain.distributed import World
from hmstrain.models.custom import CustomNetwork
from hmstrain.models.evaluate import Evaluator
from hmstrain.models.network import PatternNetwork, make_network
from hmstrain.runs.checkpoint import load_checkpoint, read_description
from hmstrain.runs.folder import RunFolder

LOADER_THREADS = 2


@dataclass(frozen=True, slots=True)
class Trained:
    """A network in evaluation mode, with what its inputs are made with."""

    config: Config
    normalisation: Normalisation
    network: PatternNetwork | CustomNetwork
    device: torch.device
    described: dict[str, Any]
    """The checkpoint's own description: store, patients, versions."""

    def inputs(self, store: Store, *, mirror: bool = False) -> NetworkInputs:
        """What turns windows of a store, or their mirror images, into this network's inputs.

        Raises
        ------
        DataError
            The store was cleaned differently from the one trained on.
        """
        check_cleaning(self.normalisation, store)
        return NetworkInputs(self.config, self.normalisation, store, self.device, mirror=mirror)

    @contextmanager
    def evaluator(
        self, store: Store, world: World, *, mirror: bool = False, batch_size: int = 1
    ) -> Iterator[Evaluator]:
        """What predicts windows of a store, in batches of the run's size or this, if larger.

        Raises
        ------
        DataError
            The store was cleaned differently from the one trained on.
        """
        config = replace(self.config, batch_size=max(batch_size, self.config.batch_size))
        prepare = self.inputs(store, mirror=mirror)
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


def load_trained(folder: RunFolder, device: torch.device) -> Trained:
    """Load the best checkpoint of a run of one fold.

    Raises
    ------
    RunError
        The folder holds no checkpoint.
    """
    described = read_description(folder.best)
    config = config_of_run(described["config"])
    network = make_network(config, start=False)
    load_checkpoint(folder.best, network)
    normalisation = Normalisation.from_json(described["normalisation"])
    return Trained(config, normalisation, network.to(device).eval(), device, described)
