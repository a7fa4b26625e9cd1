"""A configuration -> one run, or one of each fold with their predictions put together."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np

from hmsstore import Store
from hmsstore.view.saving import save
from hmstrain.config import Config
from hmstrain.data.rows import plan_epochs
from hmstrain.distributed import World
from hmstrain.errors import DataError
from hmstrain.runs.folder import RunFolder, versions
from hmstrain.runs.outcome import FoldScores, Outcome, Scores, Spread
from hmstrain.runs.plots import confusion
from hmstrain.runs.predictions import OUT_OF_FOLD, TESTED, read_file, write_predictions
from hmstrain.scoring.metrics import scores, shown_in
from hmstrain.scoring.scores import constant
from hmstrain.training.step_log import Tell
from hmstrain.training.train import train


def run(
    config: Config, store: Store, folder: RunFolder, world: World, tell: Tell, *, resume: bool
) -> Outcome:
    """Train what the configuration says; return what it came to.

    Parameters
    ----------
    resume : bool
        Go on with the run that the folder holds; a finished one is left as it is.

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
                _every_fold(config, store, folder, world, tell)
            else:
                train(config, store, folder, world, tell)
            world.wait()
    return folder.outcome()


def _every_fold(config: Config, store: Store, folder: RunFolder, world: World, tell: Tell) -> None:
    if store.folds < 2:
        raise DataError(f"{store.path} has too few patients for folds: leave --fold out.")
    for fold in range(store.folds):
        plan_epochs(replace(config, fold=str(fold)), store)  # refuses now what would stop later
    found = []
    for fold in range(store.folds):
        inner = RunFolder(folder.path / f"fold{fold}")
        one = replace(config, fold=str(fold))
        if world.main:
            tell("fold", {"fold": fold, "folds": store.folds})
        begin = partial(inner.begin, one, store, processes=world.size, resume=True)
        world.main_does(begin)
        if not inner.finished:
            train(one, store, inner, world, tell, out_of_fold=True)
        world.wait()
        found.append(inner.outcome())
    if world.main:
        outcome = _together(store, folder, found)
        assert outcome.out_of_fold is not None
        figure = confusion(outcome.out_of_fold.confusion, outcome.store.class_titles)
        save(figure, folder.path / "confusion.png", dpi=110)
        folder.write_outcome(outcome)


def _together(store: Store, folder: RunFolder, found: list[Outcome]) -> Outcome:
    """Score the out-of-fold and the averaged test predictions; mean and spread of single folds.

    Each fold chose its checkpoint by validations on the rows that it predicts here, so scores out
    of fold are a little too good; those of the test split are not.
    """
    held_out = [read_file(folder.path / f"fold{n}" / OUT_OF_FOLD, store) for n in range(len(found))]
    order = np.argsort(np.concatenate([one.rows for one in held_out]))
    rows = np.concatenate([one.rows for one in held_out])[order]
    prediction = np.concatenate([one.prediction for one in held_out])[order]
    write_predictions(folder.path / OUT_OF_FOLD, store, rows, prediction)
    outcome = Outcome(
        store=found[0].store,
        versions=versions(),
        leaks=store.leaks,
        out_of_fold=scores(store, rows, prediction),
        folds=[FoldScores(_valid(one), one.test) for one in found],
        valid_of_single_folds=_spreads([_valid(one) for one in found]),
    )
    tests = [one.test for one in found if one.test is not None]
    if not tests:
        return outcome
    tested = [read_file(folder.path / f"fold{n}" / TESTED, store) for n in range(len(found))]
    averaged = np.mean([one.prediction for one in tested], axis=0)
    write_predictions(folder.path / TESTED, store, tested[0].rows, averaged)
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
