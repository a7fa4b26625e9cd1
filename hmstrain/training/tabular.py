"""A configuration and a store's table of features -> a fitted, tested model in its run.

Rows, folds, weights and scores are those of networks. A window with votes for several classes
becomes a row of each, weighed by its share of the votes: so what is minimised is the KL divergence
from the votes, as for networks. Where an epoch has one window of several at random, all of them
take part, weighed by their number. What counts as a step, and which of them is kept by validation,
each kind says.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hmsstore import Store
from hmstrain.config import OF_TABLES, SETTINGS, Config
from hmstrain.data.context import context_of
from hmstrain.data.inputs.prepare import Normalisation, cleaning
from hmstrain.data.rows import (
    group_sizes,
    left_out,
    plan_epochs,
    split_rows,
    training_rows,
)
from hmstrain.data.table import TableRows, fitted_to, older_notices, open_table
from hmstrain.data.targets import targets
from hmstrain.data.validation import judges
from hmstrain.data.weights import row_weights
from hmstrain.distributed import World
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.events import Events
from hmstrain.models.tabular.base import KINDS, TabularModel, all_classes, probabilities
from hmstrain.models.tabular.linear import Linear, measure_scale, standardised
from hmstrain.models.tabular.trees import from_sklearn
from hmstrain.runs.checkpoint import read_description, save_checkpoint
from hmstrain.runs.folder import RunFolder, versions
from hmstrain.runs.log import LOG, MetricsLog
from hmstrain.runs.outcome import Outcome, StoreId
from hmstrain.runs.plots import draw_run
from hmstrain.runs.predictions import OUT_OF_FOLD, TESTED, write_predictions
from hmstrain.scoring.formulas import kaggle_kl
from hmstrain.scoring.metrics import scores
from hmstrain.scoring.scores import FinalTest, final_test, validation
from hmstrain.training.importance import write_importances
from hmstrain.training.state import Progress

ARGUMENTS: dict[str, dict[str, tuple[type, float, float]]] = {
    "linear": {"l2": (float, 1e-9, 1e9)},
    "boosted": {
        "iterations": (int, 1, 100_000),
        "learning_rate": (float, 1e-6, 1.0),
        "leaves": (int, 2, 1024),
        "l2": (float, 0.0, 1e9),
    },
}
"""Of each kind, the arguments that it takes: type, lowest and highest value."""
PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
"""Penalties that the linear model is fitted with, if none is given; each begins at the last."""
USUAL = 0.3
"""The penalty, where nothing is held out to choose one by."""
ITERATIONS, SHRINKAGE, LEAVES, LEAF_ROWS, L2 = 100, 0.1, 15, 20, 1.0
COLUMNS_PER_SPLIT = 0.1
"""Share of the columns, at random, that a split chooses among: they are many and alike."""
STAGES = 20
"""Validations of the boosted model, at most."""
MOST_TRAINING = 2_000
"""Training windows, at most, that a stage's training KL is of."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stage:
    """A model at some point of its fit."""

    step: int
    model: TabularModel | None
    """None: `Fit.at` makes it."""
    about: Mapping[str, float]
    """What it is fitted with, for the log."""


def check_settings(config: Config, world: World) -> None:
    """Refuse settings that would do nothing.

    Raises
    ------
    ConfigError
        Naming all of them.
    """
    usual = Config(model=config.model)
    idle = [
        name
        for name, known in SETTINGS.items()
        if name not in OF_TABLES
        and not known.machine_only
        and getattr(config, name) != getattr(usual, name)
    ]
    if idle:
        raise ConfigError(
            f"model={config.model} is fitted to a table, without steps or augmentation, so "
            f"{', '.join(idle)} would do nothing: leave {'it' if len(idle) == 1 else 'them'} out."
        )
    if config.fold == "rotate":
        raise ConfigError("model=features has no epochs to rotate folds over: use --fold 0 or all.")
    if world.size > 1:
        raise ConfigError("model=features is fitted by one process: start it without torchrun.")
    arguments(config)


def arguments(config: Config) -> tuple[str, dict[str, Any]]:
    """Kind of the model, and its arguments.

    Raises
    ------
    ConfigError
        There is no such kind, or it takes no such argument or value.
    """
    given = dict(config.model_args)
    kind = given.pop("kind", "boosted")
    if kind not in KINDS:
        raise ConfigError(f"model.kind must be {' or '.join(KINDS)}; got {kind}.")
    known = ARGUMENTS[kind]
    for name, value in given.items():
        if name not in known:
            raise ConfigError(
                f"model.kind={kind} takes {', '.join(known)}; got model.{name}={value}."
            )
        type_, low, high = known[name]
        right = isinstance(value, int) or (type_ is float and isinstance(value, float))
        if isinstance(value, bool) or not right or not low <= value <= high:
            noun = "a whole number" if type_ is int else "a number"
            raise ConfigError(f"model.{name} must be {noun} from {low:g} to {high:g}; got {value}.")
    return kind, given


def check_version(config: Config, store: Store, networks: Sequence[RunFolder]) -> None:
    """Refuse to train the rest of a run's networks on another version of the features.

    Raises
    ------
    RunError
        Networks that are finished were trained on another than the table has.
    """
    finished = [one for one in networks if one.finished]
    if not finished or len(finished) == len(networks):
        return
    table = open_table(config, store)
    for one in finished:
        version, _ = fitted_to(read_description(one.best))
        if version != table.version:
            raise RunError(
                f"{one.path} was trained on features of version {version}, and {table.path} now "
                f"holds version {table.version}: name another --out to train all networks of the "
                "run on these."
            )


def train(
    config: Config,
    store: Store,
    folder: RunFolder,
    world: World,
    events: Events,
    *,
    out_of_fold: bool = False,
) -> None:
    """Fit, validate and test one model of a store's table of features.

    Parameters and what the folder holds afterwards are as of `training.train.train`, with
    `importances.csv` and `importances.png` besides, and without `last`: a fit that is stopped
    begins anew.

    Raises
    ------
    TrainError
        Bad settings or rows, or there is no table.
    StoreError
        The table is damaged, or of another store.
    """
    check_settings(config, world)
    epoch = plan_epochs(config, store)[0]
    judge = judges(config, store, [epoch])[0]
    rows = training_rows(config, store, epoch.fold, epoch.min_votes)
    tested = split_rows(config, store, "test")
    table = open_table(config, store)
    values = TableRows(table, table.columns)
    kind, given = arguments(config)
    fit = (_Linear if kind == "linear" else _Boosted)(config, store, rows, values(rows), given)
    notices = [judge.notice] if judge.notice else []
    notices += left_out(config, store)
    notices += older_notices(table, store)
    if not table.observed_known:
        notices.append(f"{table.path} measures what fills gaps, too: its store keeps no gaps.")
    log = MetricsLog(folder.path / LOG, until_step=0, tensorboard=config.tensorboard)
    try:
        begun = {
            "model": f"{config.model}, {kind}", "columns": len(table.columns),
            "train": len(rows), "valid": len(judge.rows), "sampled": judge.by.startswith("kl_"),
            "test": len(tested), "steps": fit.steps(len(judge.rows) > 0), "epochs": 1, "step": 0,
            "device": "cpu", "random": False, "rotating": False,
        }  # fmt: skip
        events("start", begun)
        for notice in notices:
            events("notice", {"text": notice})
        progress = Progress()
        held_out = values(judge.rows)
        best: Stage | None = None
        stage = None
        for stage, training_kl, prediction in fit.stages(held_out, events):
            progress.step = stage.step
            line = {"epoch": 0, "loss": training_kl, "kl": training_kl, **stage.about}
            log.add("train", stage.step, line)
            by: dict[str, Any] = {}
            if len(judge.rows):
                by = validation(config, store, _Known(prediction), nn.Identity(), judge)
            better = progress.judge(judge.by, judge.stage, by)
            best = stage if better else best
            if by:
                told = {"epoch": 0, **by, "best_by": judge.by, "best": better}
                log.add("valid", stage.step, told)
                events("valid", {"step": stage.step, **told})
        assert stage is not None
        assert best is not None
    finally:
        log.close()
    model, last = fit.at(best), fit.at(stage)
    description = {
        "config": config.to_json(),
        "store": StoreId.of(store).to_json(),
        "normalisation": Normalisation({}, cleaning(store)).to_json(),
        "versions": versions(),
        "patients": np.unique(store.windows["patient_id"][store.select("train")]).tolist(),
        "progress": asdict(progress),
        "kind": kind,
        "columns": list(table.columns),
        "features_version": table.version,
    }
    save_checkpoint(folder.best, model, description)
    write_importances(folder.path, config, store, model, table, values, judge)
    _finish(
        config, store, folder, values, model, last, progress, description,
        tested, epoch.fold if out_of_fold else None,
    )  # fmt: skip


class _Known:
    """Stands for an evaluator, with an answer that is known already."""

    def __init__(self, prediction: Floats) -> None:
        self.prediction = prediction

    def predict(
        self, _network: nn.Module, _rows: NDArray[np.int64], /
    ) -> tuple[Floats, list[NDArray[np.float32]]]:
        return self.prediction, []


class _Fit:
    """Training rows of a model of features: a row of each class that a window has votes for."""

    def __init__(
        self,
        config: Config,
        store: Store,
        rows: NDArray[np.int64],
        values: NDArray[np.float32],
        given: Mapping[str, Any],
    ) -> None:
        self.config, self.given, self.values = config, given, values
        self.classes = len(store.spec.classes)
        self.target = targets(config, store, rows)[rows].astype(np.float64)
        weight = row_weights(config, store, rows)[rows] / group_sizes(config, store, rows)
        self.window, label = np.nonzero(self.target)
        self.known = np.unique(label).tolist()
        if len(self.known) < 2:
            raise DataError(
                f"All votes of the {len(rows):,} training windows are for one class: there is "
                "nothing to tell apart."
            )
        self.label = np.searchsorted(self.known, label)
        self.weight = (self.target * weight[:, None])[self.window, label]
        self.weight *= len(rows) / self.weight.sum()
        some = np.linspace(0, len(rows) - 1, min(len(rows), MOST_TRAINING)).astype(np.int64)
        self.some = np.unique(some)

    def kl(self, prediction: Floats) -> float:
        """KL divergence of the training windows that are looked at."""
        return float(kaggle_kl(self.target[self.some], prediction))


class _Linear(_Fit):
    """Multinomial logistic regression; a step is a fit with a weaker penalty."""

    def penalties(self, held_out: bool) -> tuple[float, ...]:
        """Penalties to fit with, the strongest first."""
        if "l2" in self.given:
            return (float(self.given["l2"]),)
        return PENALTIES if held_out else (USUAL,)

    def steps(self, held_out: bool) -> int:
        """How many fits there are."""
        return len(self.penalties(held_out))

    def stages(
        self, held_out: NDArray[np.float32], events: Events
    ) -> Iterator[tuple[Stage, float, Floats]]:
        """Each fit, its training KL, and its probabilities of the windows that are held out."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        middle, spread = measure_scale(self.values)
        standard = standardised(self.values, middle, spread)[self.window]
        fitted = LogisticRegression(max_iter=300, warm_start=True, tol=1e-4)
        for number, l2 in enumerate(self.penalties(len(held_out) > 0)):
            fitted.C = 1 / (l2 * self.weight.sum())
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ConvergenceWarning)
                fitted.fit(standard, self.label, sample_weight=self.weight)
            if any(issubclass(one.category, ConvergenceWarning) for one in caught):
                events(
                    "notice", {"text": f"l2={l2:g}: the fit had not converged after 300 rounds."}
                )
            weight, bias = fitted.coef_, fitted.intercept_
            if len(self.known) == 2:  # the odds of the second class alone
                weight, bias = (np.concatenate([0 * one, one]) for one in (weight, bias))
            arrays = (middle, spread, *self._of_all_classes(weight, bias))
            model = Linear(*(torch.from_numpy(np.ascontiguousarray(one)) for one in arrays))
            kl = self.kl(probabilities(model, self.values[self.some]))
            yield Stage(number + 1, model, {"l2": l2}), kl, probabilities(model, held_out)

    def _of_all_classes(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Add classes without votes: no weights, and a bias that makes them rare."""
        if len(self.known) == self.classes:
            return weight, bias
        whole = np.zeros((self.classes, weight.shape[1]))
        whole[self.known] = weight - weight.mean(axis=0)
        return whole, all_classes(bias - bias.mean(), self.known, self.classes)

    def at(self, stage: Stage) -> TabularModel:
        """The model of a stage."""
        assert stage.model is not None
        return stage.model


class _Boosted(_Fit):
    """Gradient-boosted trees; a step is an iteration, a tree of each class."""

    fitted: Any

    def steps(self, _held_out: bool) -> int:
        """How many iterations there are."""
        return int(self.given.get("iterations", ITERATIONS))

    def stages(
        self, held_out: NDArray[np.float32], _events: Events
    ) -> Iterator[tuple[Stage, float, Floats]]:
        """Some iterations, their training KL, and their probabilities of what is held out."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        iterations = self.steps(True)
        rate = float(self.given.get("learning_rate", SHRINKAGE))
        self.fitted = HistGradientBoostingClassifier(
            max_iter=iterations,
            learning_rate=rate,
            max_leaf_nodes=int(self.given.get("leaves", LEAVES)),
            min_samples_leaf=LEAF_ROWS,
            l2_regularization=float(self.given.get("l2", L2)),
            max_features=COLUMNS_PER_SPLIT,
            early_stopping=False,
            random_state=self.config.seed,
        ).fit(self.values[self.window], self.label, sample_weight=self.weight)
        model = self._trees(iterations)
        every = -(-iterations // STAGES)
        ends = sorted({*range(every, iterations + 1, every), iterations})
        trained, shown = (model.staged(one, ends) for one in (self.values[self.some], held_out))
        for end, training, prediction in zip(ends, trained, shown, strict=True):
            yield Stage(end, None, {"learning_rate": rate}), self.kl(training), prediction

    def at(self, stage: Stage) -> TabularModel:
        """The model of a stage."""
        return self._trees(stage.step)

    def _trees(self, iterations: int) -> Any:
        columns = self.values.shape[1]
        return from_sklearn(self.fitted, self.known, columns, self.classes, iterations)


def _finish(
    config: Config,
    store: Store,
    folder: RunFolder,
    values: TableRows,
    model: TabularModel,
    last: TabularModel,
    progress: Progress,
    description: Mapping[str, Any],
    tested: NDArray[np.int64],
    held_out: int | None,
) -> None:
    """Test the last model and the best, and write the outcome."""

    def predict(network: TabularModel, rows: NDArray[np.int64]) -> Floats:
        return probabilities(network, values(rows))

    def write(name: str, rows: NDArray[np.int64], prediction: Floats) -> None:
        observed = context_of([config], store, rows).observed
        write_predictions(folder.path / name, store, rows, prediction, observed)

    found: FinalTest | None = None
    of_last: FinalTest | None = None
    if len(tested):
        found, of_last = (
            final_test(config, store, _Known(predict(one, tested)), nn.Identity(), tested)
            for one in (model, last)
        )
        write(TESTED, tested, found.prediction)
    valid = None
    if held_out is not None:
        rows = split_rows(config, store, "valid", held_out)
        prediction = predict(model, rows)
        valid = scores(store, rows, prediction)
        write(OUT_OF_FOLD, rows, prediction)
    outcome = Outcome(
        store=StoreId.of(store),
        versions=description["versions"],
        leaks=store.leaks,
        test=None if found is None else found.scores,
        constant=None if found is None else found.constant,
        best_step=progress.best_step,
        steps=progress.step,
        best_by=progress.best_by,
        best_value=progress.best_value,
        best_stage=progress.best_stage,
        valid_kl_votes=progress.best_kl,
        test_last=None if of_last is None else of_last.scores,
        valid=valid,
    )
    draw_run(folder.path, outcome)
    folder.write_outcome(outcome)
