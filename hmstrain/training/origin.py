"""A run that another starts from, or that draws its images -> what it gives, if it may be used.

What a run is judged by must be new to it: a pretraining or a generator that was trained on patients
of its test split, or of the fold that it holds out, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import Store
from hmsstore.json_shapes import ShapeError
from hmsstore.sums import FILES
from hmstrain.config import Config, config_of_run
from hmstrain.data.inputs import Input, Scale, make_input
from hmstrain.data.inputs.physical import on_device
from hmstrain.data.inputs.prepare import Normalisation, check_cleaning
from hmstrain.data.rows import held_out
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.models import find_model
from hmstrain.models.network import make_network
from hmstrain.models.vae import ConditionalVae
from hmstrain.models.weights import DESCRIPTION, find_weights, read_origin
from hmstrain.runs.checkpoint import load_checkpoint
from hmstrain.runs.outcome import StoreId
from hmstrain.scoring.seen import learned_from, origins_of
from hmstrain.words import plural

SEEN = ("eeg_seconds", "spectrogram_rows", "planes", "context")
"""Settings that decide what an encoder or a generator sees of a window."""


@dataclass(frozen=True)
class Origin:
    """Another run, that this one builds upon."""

    file: Path
    """Its weights."""
    config: Config
    store: StoreId
    normalisation: Normalisation
    patients: tuple[int, ...]
    """Whom it was trained on."""
    sha256: str
    """Of its weights."""
    also: tuple[Mapping[str, Any], ...] = ()
    """Identities and patients of other stores that it, or what it started from, learned from."""
    notices: list[str] = field(default_factory=list)
    """What the user should know of it."""

    def to_json(self) -> dict[str, Any]:
        """What a checkpoint says of it."""
        return {
            "path": str(self.file),
            "identity": self.store.identity,
            "patients": list(self.patients),
            "sha256": self.sha256,
            **({"also": list(self.also)} if self.also else {}),
        }

    def kept(self, measured: Normalisation, store: Store) -> Normalisation:
        """Standardise each input with what its encoder was pretrained with.

        Raises
        ------
        DataError
            The store was cleaned in another way.
        """
        check_cleaning(self.normalisation, store)
        theirs = self.normalisation.scales
        scales = {
            name: theirs[name]
            if name in theirs and len(theirs[name].mean) == len(scale.mean)
            else scale
            for name, scale in measured.scales.items()
        }
        return Normalisation(scales, measured.cleaning)


@dataclass(frozen=True)
class Generator:
    """Draws images of a run's input, in the units in which the run standardises them."""

    network: ConditionalVae
    described: dict[str, Any]
    """What a checkpoint says of it."""
    drawn: Input
    """What it draws."""
    scale: tuple[Tensor, Tensor]
    """What the run would measure of what it draws: mean and deviation of each row."""
    notices: list[str]

    def __call__(self, target_BK: Tensor, seed_B: Tensor) -> Tensor:
        """Images (B, H, W) for shares of votes, each by its seed, int64 (B,); not yet completed."""
        images = self.drawn.cropped(self.network.sample(target_BK, seed_B))
        return self.drawn.standardised(images, *self.scale)


def find_origin(config: Config, store: Store) -> Origin | None:
    """Find the run that another starts from; None where it starts from none, or a bare file.

    Raises
    ------
    ModelError, RunError
        The weights are not there, or damaged.
    ConfigError
        They are of a generator.
    DataError
        It was trained, or started from what was trained, on patients by whom this run is judged.
    """
    if not config.weights:
        return None
    file = find_weights(Path(config.weights), config.fold, config.seed)
    described = read_origin(file)
    if not described:
        return None
    own = config_of_run(described["config"])
    if find_model(own.model).generates != find_model(config.model).generates:
        raise ConfigError(
            f"weights: {file} is of a run of {own.model}, and this is one of {config.model}. A "
            "generator is given as generator, with generated, the share of each batch."
        )
    found = _origin(file, described, config, store)
    if not own.pretraining:
        return found
    different = _different(own, config, (*SEEN, "standardise"))
    if different:
        found.notices.append(
            f"The encoders of {config.weights} were pretrained on other views of a window: "
            f"{'; '.join(different)}."
        )
    return found


def open_generator(
    config: Config,
    store: Store,
    normalisation: Normalisation,
    before: Mapping[str, Any] | None,
    device: torch.device,
) -> Generator | None:
    """Open the generator of some of a run's images; None where it has none.

    Parameters
    ----------
    normalisation : Normalisation
        The run's.
    before : mapping, optional
        What the checkpoint says of the generator, of a run that is resumed.

    Raises
    ------
    ModelError, RunError
        It is not there, damaged, or another one than before.
    ConfigError
        It draws another input, or is no generator.
    DataError
        It was trained on patients by whom this run is judged, or on a store of other classes.
    """
    if not config.generator:
        return None
    file = find_weights(Path(config.generator), config.fold, config.seed)
    described = read_origin(file)
    if not described or not find_model(described["config"]["model"]).generates:
        raise ConfigError(
            f"generator: {config.generator} is not a run of model=vae: train one with hmstrain run "
            "--model vae."
        )
    own = config_of_run(described["config"])
    different = _different(own, config, SEEN)
    if list(own.encoders) != list(config.encoders):
        different.insert(0, f"inputs {own.inputs}, here {config.inputs}")
    if different:
        raise ConfigError(
            f"generator: {config.generator} draws other images than this run sees: "
            f"{'; '.join(different)}. Train one with the same settings."
        )
    found = _origin(file, described, config, store)
    if found.store.classes != store.spec.classes:
        raise DataError(f"generator: {config.generator} was trained on a store of other classes.")
    if before is not None and before["sha256"] != found.sha256:
        raise RunError(
            f"generator: {config.generator} is not the one that the run started with: restore that "
            "to resume it."
        )
    check_cleaning(found.normalisation, store)
    network = make_network(own, start=False, classes=len(store.spec.classes))
    load_checkpoint(file.parent, network)
    assert isinstance(network, ConditionalVae)
    (name,) = config.encoders
    return Generator(
        network.to(device).eval().requires_grad_(False),
        dict(before or found.to_json()),
        make_input(name, config),
        rescaled(found.normalisation.scales[name], normalisation.scales[name], device),
        found.notices,
    )


def judged_patients(config: Config, store: Store) -> NDArray[np.int64]:
    """Patients by whom a run is judged: of the test split, and of the fold that it holds out.

    Where that leaks anyhow and says so, nobody is: with folds that rotate, each is trained on too,
    and a store that was split by window has the same patients in training and test.
    """
    rows = [] if store.leaks else [store.select("test")]
    folds: Iterable[int | None] = range(store.folds) if config.fold == "all" else ()
    if config.fold not in ("all", "rotate"):
        folds = (held_out(config, store, 0),)
    rows += [store.select("valid", fold=fold) for fold in folds if fold is not None]
    return np.unique(store.windows["patient_id"][np.concatenate([np.empty(0, np.int64), *rows])])


def _origin(file: Path, described: Mapping[str, Any], config: Config, store: Store) -> Origin:
    """Read what a checkpoint says of itself; refuse one that knows whom this run is judged by."""
    try:
        trained = StoreId.from_json(described["store"])
        own = config_of_run(described["config"])
        here, elsewhere = learned_from(described, store)
        sums = described.get(FILES)  # which runs of earlier versions lack
        if sums is not None and file.name not in sums:
            raise RunError(
                f"{file} is not a file of the {DESCRIPTION} beside it, which states "
                f"{', '.join(sums)}: give it its own name again, or move it elsewhere."
            )
        sha256 = "" if sums is None else sums[file.name]["sha256"]
        normalisation = Normalisation.from_json(described["normalisation"])
    except (ShapeError, KeyError, TypeError) as error:
        raise RunError(f"{file.with_name(DESCRIPTION)} is damaged: {error}.") from None
    judged = judged_patients(config, store)
    if len(common := np.intersect1d(here, judged)):
        raise DataError(
            f"{file} was trained on {plural(len(common), 'patient')} that this run is scored on: "
            f"it held out fold {own.fold}, and this run holds out fold {config.fold}. Train both "
            "with the same --fold."
        )
    known = here if trained.identity == store.identity else elsewhere
    also = tuple(
        {"identity": one["identity"], "patients": list(one["patients"])}
        for one in origins_of(described)
        if one["identity"] != trained.identity
    )
    found = Origin(file, own, trained, normalisation, tuple(known.tolist()), sha256, also)
    if not len(common := np.intersect1d(elsewhere, judged)):
        return found
    found.notices.append(
        f"{file} was trained on another store, {trained.path}: {plural(len(common), 'patient')} of "
        "it have the numbers of patients that this run is scored on. If they are the same, its "
        "scores are too good."
    )
    return found


def _different(theirs: Config, ours: Config, names: Sequence[str]) -> list[str]:
    """Name settings of what is seen of a window in which two runs differ."""
    before, now = theirs.to_json(), ours.to_json()
    return [
        f"{name} {before[name]}, here {now[name]}" for name in names if before[name] != now[name]
    ]


def rescaled(theirs: Scale, ours: Scale, device: torch.device) -> tuple[Tensor, Tensor]:
    """What turns values standardised as theirs into those standardised as ours: mean, deviation."""
    (mean, std), (own_mean, own_std) = (on_device(*one, device) for one in (theirs, ours))
    return (own_mean - mean) / std, own_std / std
