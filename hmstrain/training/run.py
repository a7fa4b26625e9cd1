"""A configuration -> one run, or one of each fold with their predictions put together."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from hmsstore import Store
from hmsstore.view.saving import save
from hmstrain.config import Config
from hmstrain.data.rows import plan_epochs
from hmstrain.distributed import World
from hmstrain.errors import DataError
from hmstrain.runs.folder import (
    OUTCOME,
    RunFolder,
    versions,
    write_json,
)
from hmstrain.runs.plots import confusion
from hmstrain.runs.predictions import OUT_OF_FOLD, TESTED, read_file, write_predictions
from hmstrain.scoring.metrics import scores
from hmstrain.scoring.scores import constant
from hmstrain.training.step_log import Tell
from hmstrain.training.train import train

SPREAD = ("kl", "kl_votes", "kl_hi", "accuracy", "balanced_accuracy", "f1_macro", "report_accuracy")


def run(
    config: Config, store: Store, folder: RunFolder, world: World, tell: Tell, *, resume: bool
) -> dict[str, Any]:
    """Train what the configuration says; return the content of its `metrics.json`.

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
    return folder.read(OUTCOME)


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
        found.append(inner.read(OUTCOME))
    if world.main:
        outcome = _together(store, folder, found)
        figure = confusion(outcome["out_of_fold"]["confusion"])
        save(figure, folder.path / "confusion.png", dpi=110)
        write_json(folder.path / OUTCOME, outcome)


def _together(store: Store, folder: RunFolder, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Scores of the out-of-fold and of the averaged test predictions; mean and spread of folds.

    Each fold chose its checkpoint by validations on the rows that it predicts here, so scores out
    of fold are a little too good; those of the test split are not.
    """
    rows, predictions = [], []
    tests = []
    for fold in range(len(found)):
        inner = folder.path / f"fold{fold}"
        held_out = read_file(inner / OUT_OF_FOLD, store)
        rows.append(held_out.rows)
        predictions.append(held_out.prediction)
        if found[fold]["test"] is not None:
            tested = read_file(inner / TESTED, store)
            test_rows = tested.rows
            tests.append(tested.prediction)
    order = np.argsort(np.concatenate(rows))
    all_rows = np.concatenate(rows)[order]
    prediction = np.concatenate(predictions)[order]
    write_predictions(folder.path / OUT_OF_FOLD, store, all_rows, prediction)
    outcome = {
        "store": found[0]["store"],
        "versions": versions(),
        "leaks": store.leaks,
        "out_of_fold": scores(store.windows, all_rows, prediction),
        "test": None,
        "folds": [{"valid": one["valid"], "test": one["test"]} for one in found],
    }
    if tests:
        averaged = np.mean(tests, axis=0)
        write_predictions(folder.path / TESTED, store, test_rows, averaged)
        outcome["test"] = scores(store.windows, test_rows, averaged)
        outcome["constant"] = constant(store, test_rows, averaged)
        outcome["test_of_single_folds"] = {
            key: _spread([one["test"][key] for one in found]) for key in SPREAD
        }
    outcome["valid_of_single_folds"] = {
        key: _spread([one["valid"][key] for one in found]) for key in SPREAD
    }
    return outcome


def _spread(values: list[float | None]) -> dict[str, float] | None:
    """Mean and standard deviation (of a sample) over folds."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"mean": float(np.mean(known)), "std": float(np.std(known, ddof=min(1, len(known) - 1)))}
