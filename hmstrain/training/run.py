"""A store and settings -> one run, or one of each fold with their predictions put together."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hmsstore import Store
from hmsstore.view.saving import save
from hmstrain.config import Config, completed, given_settings, run_name
from hmstrain.data.rows import plan_epochs
from hmstrain.data.validation import judges
from hmstrain.distributed import World, join_world
from hmstrain.errors import DataError, RunError
from hmstrain.events import Events, silent
from hmstrain.runs.folder import CONFIG, RunFolder, versions
from hmstrain.runs.outcome import FoldScores, Outcome, Scores, Spread
from hmstrain.runs.plots import confusion
from hmstrain.runs.predictions import OUT_OF_FOLD, TESTED, read_file, write_predictions
from hmstrain.scoring.metrics import scores, shown_in
from hmstrain.scoring.scores import constant
from hmstrain.training.train import train as train_network


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
    if not (folder.path / CONFIG).is_file():
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
    config: Config, store: Store, folder: RunFolder, world: World, events: Events, *, resume: bool
) -> Outcome:
    """Train what the configuration says; return what it came to.

    Parameters
    ----------
    resume : bool
        Resume the run that the folder holds; a finished one is left as it is.

    Raises
    ------
    TrainError
        The folder, the settings or the store do not fit; or training went wrong.
    """
    with ExitStack() as held:
        world.main_does(lambda: held.enter_context(folder.claimed()))
        world.main_does(partial(folder.begin, config, store, processes=world.size, resume=resume))
        if not folder.finished:
            if config.fold == "all":
                _every_fold(config, store, folder, world, events)
            else:
                train_network(config, store, folder, world, events)
            world.wait()
    return folder.outcome()


def _every_fold(
    config: Config, store: Store, folder: RunFolder, world: World, events: Events
) -> None:
    if store.folds < 2:
        raise DataError(f"{store.path} has too few patients for folds: leave out --fold.")
    for fold in range(store.folds):
        one = replace(config, fold=str(fold))
        judges(one, store, plan_epochs(one, store))  # refuses now what would stop later
    found = []
    for fold in range(store.folds):
        inner = RunFolder(folder.path / f"fold{fold}")
        one = replace(config, fold=str(fold))
        if world.main:
            events("fold", {"fold": fold, "folds": store.folds})
        begin = partial(inner.begin, one, store, processes=world.size, resume=True)
        world.main_does(begin)
        if not inner.finished:
            train_network(one, store, inner, world, events, out_of_fold=True)
        world.wait()
        found.append(inner.outcome())
        if world.main:
            events("kept", {"fold": fold, "text": found[-1].kept})
    if world.main:
        outcome = _together(store, folder, found, config.extended)
        assert outcome.out_of_fold is not None
        figure = confusion(outcome.out_of_fold.confusion, outcome.store.class_titles)
        save(figure, folder.path / "confusion.png", dpi=110)
        folder.write_outcome(outcome)


def _together(
    store: Store, folder: RunFolder, found: list[Outcome], extended: tuple[int, ...]
) -> Outcome:
    """Score the out-of-fold and the averaged test predictions; mean and spread of single folds.

    Each fold chose its checkpoint by validations on the rows that it predicts here, so scores out
    of fold are a little too good; those of the test split are not.
    """
    held_out = [read_file(folder.path / f"fold{n}" / OUT_OF_FOLD, store) for n in range(len(found))]
    order = np.argsort(np.concatenate([one.rows for one in held_out]))
    rows = np.concatenate([one.rows for one in held_out])[order]
    prediction = np.concatenate([one.prediction for one in held_out])[order]
    observed = np.concatenate([one.observed for one in held_out])[order]
    write_predictions(folder.path / OUT_OF_FOLD, store, rows, prediction, observed)
    outcome = Outcome(
        store=found[0].store,
        versions=versions(),
        leaks=store.leaks,
        extended=extended,
        out_of_fold=scores(store, rows, prediction),
        folds=[FoldScores(_valid(one), one.test) for one in found],
        valid_of_single_folds=_spreads([_valid(one) for one in found]),
    )
    tests = [one.test for one in found if one.test is not None]
    if not tests:
        return outcome
    tested = [read_file(folder.path / f"fold{n}" / TESTED, store) for n in range(len(found))]
    averaged = np.mean([one.prediction for one in tested], axis=0)
    first = tested[0]
    write_predictions(folder.path / TESTED, store, first.rows, averaged, first.observed)
    return replace(
        outcome,
        test=scores(store, tested[0].rows, averaged),
        constant=constant(store, tested[0].rows, averaged),
        test_of_single_folds=_spreads(tests),
    )


def _valid(outcome: Outcome) -> Scores:
    """Scores of the fold that was held out, which each network of a run of all folds has."""
    assert outcome.valid is not None
    return outcome.valid


def _spreads(found: list[Scores]) -> dict[str, Spread | None]:
    """Mean and spread over folds of each score that is shown so."""
    return {s.key: _spread([one.get(s.key) for one in found]) for s in shown_in("spread")}


def _spread(values: list[float | None]) -> Spread | None:
    """Mean and standard deviation (of a sample) over folds."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(float(np.mean(known)), float(np.std(known, ddof=min(1, len(known) - 1))))
