"""A store and settings -> one run, or one of each fold and seed with their mean predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.view.saving import save
from hmstrain.config import Config, completed, given_settings, pretraining_config, run_name
from hmstrain.data.rows import plan_epochs
from hmstrain.data.validation import judges
from hmstrain.distributed import World, join_world
from hmstrain.errors import DataError, RunError
from hmstrain.events import Events, silent
from hmstrain.models import find_model
from hmstrain.models.arithmetic import AUTO, Arithmetic
from hmstrain.runs.checkpoint import is_file
from hmstrain.runs.folder import CONFIG, RunFolder, versions
from hmstrain.runs.outcome import FoldScores, Outcome, Scores, SeedScores, Spread
from hmstrain.runs.plots import confusion
from hmstrain.runs.predictions import (
    OUT_OF_FOLD,
    TESTED,
    Predicted,
    read_file,
    write_predictions,
)
from hmstrain.scoring.metrics import scores, shown_in
from hmstrain.scoring.scores import constant
from hmstrain.training import tabular
from hmstrain.training.generating import Generating
from hmstrain.training.matching import Pretraining
from hmstrain.training.origin import find_origin
from hmstrain.training.train import train as train_network
from hmstrain.training.trial import begun_in

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def train(
    store: Store | Path | str,
    *,
    out: Path | str | None = None,
    config: Path | str | None = None,
    resume: bool = False,
    events: Events = silent,
    **settings: Any,
) -> Outcome:
    """Train one model, choose its best checkpoint by validation, and test that.

    Parameters
    ----------
    store : Store or path
        What to train on.
    out : path, optional
        Folder of the run; by default `default_out` of its settings.
    config : path, optional
        A file of settings: JSON, TOML, or a run's `config.json`.
    resume : bool
        Resume the run that the folder holds, if it holds one, with its own settings where none
        are given; a finished one is left as it is, or extended where `epochs` is larger than its
        own.
    events : callable, optional
        Called with what happens while training runs: see `hmstrain.events.Events`.
    **settings
        Any that `hmstrain.list_settings()` names: `model="resnet18", epochs=3, mixup=0.4`.

    Returns
    -------
    Outcome
        What `metrics.json` holds: `kept`, which checkpoint is the best and why; `valid_kl_votes` of
        it, `test` with its scores, and more.

    Raises
    ------
    StoreError
        The store cannot be opened.
    TrainError
        The folder, the settings or the store do not fit; or training diverged.
    KeyboardInterrupt
        Ctrl-C, or TERM, USR1 or HUP where nothing else handles them; the run is saved at the step
        it was at. Other threads than the main one get no signals.

    Examples
    --------
    >>> outcome = hmstrain.train(
    ...     "hms.zarr", model="resnet18", inputs="spec+eeg", epochs=3, out="runs/first"
    ... )  # doctest: +SKIP
    >>> outcome.test["kl_votes"]  # doctest: +SKIP
    0.71
    """
    given = given_settings(None if config is None else Path(config), settings)
    folder = RunFolder(default_out(completed(given)) if out is None else Path(out))
    chosen = resumed(folder, given) if resume else completed(given)
    opened = store if isinstance(store, Store) else Store.open(store)
    with join_world(chosen.device) as world:
        return run(chosen, opened, folder, world, events, resume=resume)


def pretrain(
    store: Store | Path | str,
    *,
    out: Path | str | None = None,
    config: Path | str | None = None,
    resume: bool = False,
    events: Events = silent,
    **settings: Any,
) -> Outcome:
    """Pretrain the encoders of a network on windows without votes.

    They learn which EEG and which spectrogram are of one window. Patients of the test split and of
    the fold that is held out are left out; with `weights=OUT`, `train` starts from the encoders.
    Parameters and errors are those of `train`.

    Returns
    -------
    Outcome
        `alignment`: how well the embeddings of held-out patients match, and how often a spectrogram
        finds its own EEG among theirs, beside chance.

    Examples
    --------
    >>> found = hmstrain.pretrain("hms.zarr", model="resnet18", out="runs/pre")  # doctest: +SKIP
    >>> found.alignment.retrieval_at_1, found.alignment.chance  # doctest: +SKIP
    (0.12, 0.01)
    """
    given = given_settings(None if config is None else Path(config), settings)
    chosen = pretraining_config(given)
    folder = RunFolder(default_out(chosen) if out is None else Path(out))
    if resume:
        chosen = resumed(folder, {**given, "pretraining": True})
    opened = store if isinstance(store, Store) else Store.open(store)
    with join_world(chosen.device) as world:
        return run(chosen, opened, folder, world, events, resume=resume)


def default_out(config: Config) -> Path:
    """Folder of a run that was given none: runs/MODEL-INPUTS-foldK-seedS ..."""
    return Path("runs") / run_name(config)


def resumed(folder: RunFolder, given: Mapping[str, Any]) -> Config:
    """Settings with which the run in a folder is resumed: its own, but for those that are given.

    More epochs than it has are appended to its last stage.

    Raises
    ------
    RunError
        Fewer epochs are given than it has.
    """
    if not is_file(folder.path / CONFIG):
        return completed(given)
    own = folder.config()
    wanted = given.get("epochs", own.epochs)
    more = wanted - own.total_epochs
    if more > 0:
        own = replace(own, extended=(*own.extended, more))
    elif wanted not in (own.epochs, own.total_epochs):
        raise RunError(
            f"{folder.path} has {own.total_epochs} epochs, more than --epochs {wanted}. Give more "
            "to extend it, or name another --out."
        )
    return completed({k: v for k, v in given.items() if k != "epochs"}, own)


def run(
    config: Config,
    store: Store,
    folder: RunFolder,
    world: World,
    events: Events,
    *,
    resume: bool,
    out_of_fold: bool = False,
) -> Outcome:
    """Train what the configuration says; return what it came to.

    Parameters
    ----------
    resume : bool
        Resume the run that the folder holds; a finished one is left as it is.
    out_of_fold : bool
        Keep a single network's predictions of the fold that it holds out, too: those of several
        always are.

    Raises
    ------
    TrainError
        The folder, the settings or the store do not fit; or training went wrong.
    """
    if find_model(config.model).table:
        tabular.check_settings(config, world)
    with ExitStack() as held:
        world.main_does(lambda: held.enter_context(folder.claimed()))
        world.main_does(partial(folder.begin, config, store, processes=world.size, resume=resume))
        if not folder.finished:
            if config.several:
                _every_network(config, store, folder, world, events)
            else:
                _train_one(config, store, folder, world, events, out_of_fold=out_of_fold)
            world.wait()
    return folder.outcome()


def _train_one(
    config: Config,
    store: Store,
    folder: RunFolder,
    world: World,
    events: Events,
    *,
    out_of_fold: bool,
    computing: Arithmetic | None = None,
) -> None:
    model = find_model(config.model)
    if model.table:
        tabular.train(config, store, folder, world, events, out_of_fold=out_of_fold)
        return
    kind = Generating if model.generates else Pretraining if config.pretraining else None
    train_network(
        config,
        store,
        folder,
        world,
        events,
        out_of_fold=out_of_fold,
        kind=kind,
        computing=computing,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One network of a run of several."""

    config: Config
    name: str
    """Of its folder."""


def _parts(config: Config, store: Store) -> list[_Part]:
    """Networks of a run of several, seed by seed."""
    every = config.fold == "all"
    if every and store.folds < 2:
        raise DataError(f"{store.path} has too few patients for folds: leave out --fold.")
    folds = [str(fold) for fold in range(store.folds)] if every else [config.fold]
    found = []
    for seed in range(config.seed, config.seed + config.seeds):
        for fold in folds:
            words = [f"fold{fold}"] * every + [f"seed{seed}"] * (config.seeds > 1)
            one = replace(config, fold=fold, seed=seed, seeds=1)
            found.append(_Part(one, "-".join(words)))
    return found


def _every_network(
    config: Config, store: Store, folder: RunFolder, world: World, events: Events
) -> None:
    parts = _parts(config, store)
    if find_model(config.model).table:
        networks = [RunFolder(folder.path / part.name) for part in parts]
        tabular.check_version(config, store, networks)
    for part in parts:
        judges(part.config, store, plan_epochs(part.config, store))  # refuses what would stop later
        if not (folder.path / part.name).exists():
            find_origin(part.config, store)
    found, computing = [], None
    for number, part in enumerate(parts):
        inner = RunFolder(folder.path / part.name)
        named = {"fold": part.config.fold, "seed": part.config.seed, "name": part.name}
        if world.main:
            events("network", {**named, "number": number, "networks": len(parts)})
        begin = partial(inner.begin, part.config, store, processes=world.size, resume=True)
        world.main_does(begin)
        if not inner.finished:
            _train_one(
                part.config, store, inner, world, events, out_of_fold=True, computing=computing
            )
        world.wait()
        if computing is None and config.precision == AUTO:
            computing = begun_in(inner)
        found.append(inner.outcome())
        if world.main:
            events("kept", {**named, "text": found[-1].kept})
    if world.main:
        outcome = _together(config, store, folder, parts, found)
        if (shown := outcome.out_of_fold or outcome.test) is not None:
            figure = confusion(shown.confusion, outcome.store.class_titles)
            save(figure, folder.path / "confusion.png", dpi=110)
        folder.write_outcome(outcome)


def _together(
    config: Config,
    store: Store,
    folder: RunFolder,
    parts: Sequence[_Part],
    found: Sequence[Outcome],
) -> Outcome:
    """Score the out-of-fold and the averaged test predictions; mean and spread of folds and seeds.

    Each network chose its checkpoint by validations on the rows that it predicts here, so scores
    out of fold are a little too good; those of the test split are not.
    """
    outcome = Outcome(
        store=found[0].store,
        versions=versions(),
        leaks=store.leaks,
        extended=config.extended,
        validation_leaks=config.fold == "rotate",
    )
    if not config.answers:
        return outcome
    places = range(len(parts))
    held_out = _Held.read(folder, store, parts) if found[0].valid is not None else None
    if held_out is not None:
        rows, prediction, observed = held_out.of(places)
        write_predictions(folder.path / OUT_OF_FOLD, store, rows, prediction, observed)
        outcome = replace(outcome, out_of_fold=scores(store, rows, prediction))
    tested = None
    if found[0].test is not None:
        tested = [read_file(folder.path / part.name / TESTED, store) for part in parts]
        rows = tested[0].rows
        averaged = np.mean([one.prediction for one in tested], axis=0)
        write_predictions(folder.path / TESTED, store, rows, averaged, tested[0].observed)
        outcome = replace(
            outcome,
            test=scores(store, rows, averaged),
            constant=constant(store, rows, averaged),
        )

    def valid_of(some: Sequence[int]) -> Scores | None:
        if len(some) == 1 or held_out is None:
            return found[some[0]].valid
        rows, prediction, _ = held_out.of(some)
        return scores(store, rows, prediction)

    def test_of(some: Sequence[int]) -> Scores | None:
        if len(some) == 1 or tested is None:
            return found[some[0]].test
        mean = np.mean([tested[place].prediction for place in some], axis=0)
        return scores(store, tested[0].rows, mean)

    if config.fold == "all":
        by_fold = [
            [place for place in places if parts[place].config.fold == str(fold)]
            for fold in range(store.folds)
        ]
        folds = []
        for some in by_fold:
            valid = valid_of(some)
            assert valid is not None  # each network of a run of all folds holds one out
            folds.append(FoldScores(valid, test_of(some)))
        outcome = replace(
            outcome,
            folds=folds,
            valid_of_single_folds=_spreads([one.valid for one in folds]),
            test_of_single_folds=_spreads([one.test for one in folds]),
        )
    if config.seeds > 1:
        seeds = []
        for seed in range(config.seed, config.seed + config.seeds):
            some = [place for place in places if parts[place].config.seed == seed]
            seeds.append(SeedScores(seed, valid_of(some), test_of(some)))
        outcome = replace(
            outcome,
            seeds=seeds,
            valid_of_single_seeds=_spreads([one.valid for one in seeds]),
            test_of_single_seeds=_spreads([one.test for one in seeds]),
        )
    return outcome


@dataclass(frozen=True, slots=True)
class _Held:
    """What each network says of the rows that it held out."""

    parts: Sequence[_Part]
    predicted: Sequence[Predicted]

    @classmethod
    def read(cls, folder: RunFolder, store: Store, parts: Sequence[_Part]) -> _Held:
        return cls(
            parts, [read_file(folder.path / part.name / OUT_OF_FOLD, store) for part in parts]
        )

    def of(self, places: Sequence[int]) -> tuple[Rows, Floats, Floats]:
        """Rows that some of the networks held out, (N,); their mean, (N, K); what was observed."""
        by_fold: dict[str, list[Predicted]] = {}
        for place in places:
            by_fold.setdefault(self.parts[place].config.fold, []).append(self.predicted[place])
        groups = list(by_fold.values())
        rows = np.concatenate([group[0].rows for group in groups])
        means = [np.mean([one.prediction for one in group], axis=0) for group in groups]
        observed = np.concatenate([group[0].observed for group in groups])
        order = np.argsort(rows)
        return rows[order], np.concatenate(means)[order], observed[order]


def _spreads(found: Sequence[Scores | None]) -> dict[str, Spread | None]:
    """Mean and spread of each score that is shown so; nothing where there are no scores."""
    known = [one for one in found if one is not None]
    if not known:
        return {}
    return {s.key: _spread([one.get(s.key) for one in known]) for s in shown_in("spread")}


def _spread(values: list[float | None]) -> Spread | None:
    """Mean and standard deviation (of a sample)."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(float(np.mean(known)), float(np.std(known, ddof=min(1, len(known) - 1))))
