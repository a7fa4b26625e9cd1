"""A finished run and a store, its own or another -> its scores there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsstore import SPLITS, Store
from hmstrain.data.context import context_of
from hmstrain.data.observed import LEAST_JUDGED
from hmstrain.distributed import World, join_world
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.models.arithmetic import check_precision
from hmstrain.models.evaluate import embedding_alignment, one_per_patient
from hmstrain.models.populations import FEW
from hmstrain.models.trust import Trust
from hmstrain.runs.checkpoint import read_description
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.outcome import Alignment, StoreId
from hmstrain.runs.precision import in_precision
from hmstrain.runs.trained import (
    AS_THEY_ARE,
    Trained,
    Views,
    check_population,
    check_trust,
    load_trained,
)
from hmstrain.scoring.calibration import FILE, Calibration, read_calibration
from hmstrain.scoring.metrics import scores
from hmstrain.scoring.scores import constant, scores_by_context
from hmstrain.scoring.seen import can_compare, seen_before
from hmstrain.scoring.tested import ALL, SCORED, Tested, check_out, write_tested
from hmstrain.words import plural


def test(
    run: Path | str,
    *,
    store: Store | Path | str | None = None,
    split: str = "test",
    out: Path | str | None = None,
    device: str = "auto",
    precision: str = "auto",
    trust: Trust = False,
    calibrated: bool = False,
    swap: bool = False,
    reverse: bool = False,
    population: str | None = None,
) -> Tested:
    """Score a run's best checkpoint, on its own store or on another.

    Scores and predictions are also written, as SPLIT-IDENTITY.json and .npz, with words before
    the identity for what was asked of the predictions.

    Parameters
    ----------
    run : path
        Folder of a run.
    store : Store or path, optional
        By default, the one that it was trained on.
    split : str
        'test', 'train', 'predict'; 'valid': the fold that the run held out; 'all': every labelled
        window but those that were dropped. The result says how many windows are of patients that
        the run was trained on.
    out : path, optional
        Folder to write into; by default the run's. It is made, or holds earlier scores of the run.
    device : str
        'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
    precision : str
        As of `hmstrain.predict`.
    trust : bool, str or sequence of str
        As of `hmstrain.predict`.
    calibrated : bool
        Apply the run's calibration.json.
    swap, reverse : bool
        Average with left-right mirrored input, with time-reversed input, or over all four views.
    population : str, optional
        As of `hmstrain.predict`.

    Returns
    -------
    Tested

    Raises
    ------
    StoreError
        The store cannot be opened.
    DataError
        The store has other classes, was cleaned differently, or holds no such windows.
    RunError
        The folder holds no checkpoint, or `out` (or the run's folder) cannot be written into.

    Examples
    --------
    >>> hmstrain.test("runs/first", split="valid").test["kl_votes"]  # doctest: +SKIP
    0.68
    """
    folder = RunFolder(Path(run))
    check_precision(precision)
    check_trust([folder], trust)
    check_population([folder], population)
    if population == FEW and calibrated:
        raise ConfigError(
            f"--population {FEW}: the calibration was fitted to answers for many votes, and would "
            "be wrong for these. Leave out --calibrated."
        )
    if not isinstance(store, Store):
        store = Store.open(store or default_store(folder))
    place = None if out is None else Path(out)
    check_out(place, folder.path, store)
    calibration = None
    if calibrated:
        calibration = read_calibration(folder.path / FILE, store.spec.class_keys)
    with join_world(device) as world:
        found = score_run(
            folder,
            store,
            split,
            world,
            trust=trust,
            calibration=calibration,
            views=Views(swap, reverse),
            population=population,
            precision=precision,
        )
    if world.main:
        write_tested(found, store, place)
    return found


def score_run(
    folder: RunFolder,
    store: Store,
    split: str,
    world: World,
    *,
    trust: Trust = False,
    calibration: Calibration | None = None,
    views: Views = AS_THEY_ARE,
    population: str | None = None,
    precision: str | None = None,
) -> Tested:
    """Score a run's best checkpoint (of each network, averaged) on labelled windows of a store.

    Parameters
    ----------
    split : str
        One of `SCORED`; 'valid' is the fold that the run held out, on its own store.
    calibration : Calibration, optional
        What to apply to the run's probabilities.
    views : Views
        What the networks' answers are averaged over.
    population : str, optional
        As of `load_trained`.
    precision : str, optional
        As of `runs.precision.in_precision`.

    Raises
    ------
    DataError
        The store has other classes, was cleaned differently, or holds no such windows.
    RunError
        The folder holds no checkpoint.
    """
    if folder.config().several and not folder.finished:
        raise RunError(f"{folder.path} has not finished all its networks: {folder.how_to_resume}.")
    parts = folder.networks()
    rows = _rows(folder, store, split)
    context = context_of([folder.config()], store, rows)
    left_out = int((~context.judged).sum())
    rows, context = rows[context.judged], context.take(context.judged)
    if not len(rows):
        raise DataError(
            f"None of the {plural(left_out, 'labelled window')} of {store.path} can be scored: "
            f"more than {1 - LEAST_JUDGED:.0%} of their judged seconds was not recorded."
        )
    predictions, alignments, arithmetic = [], [], []
    for part in parts:
        trained = load_trained(part, world.device, trust=trust, population=population)
        trained, computed = in_precision(
            trained, part, store, rows, world, precision, views=len(views)
        )
        arithmetic.append(computed)
        prediction, matched = _predict(trained, store, rows, world, views)
        predictions.append(prediction)
        alignments.append(matched)
    prediction = np.mean(predictions, axis=0)
    if calibration is not None:
        prediction = calibration.apply(prediction)
    seen = seen_before((read_description(part.best) for part in parts), store, rows)
    described = read_description(parts[0].best)
    patients = np.unique(store.windows["patient_id"][rows])
    trained_on = np.asarray(
        [*described["patients"], *(p for one in described.get("also", ()) for p in one["patients"])]
    )
    known = int(np.isin(patients, trained_on).sum()) if split != "valid" else 0
    matched = alignments[0] if len(parts) == 1 else None
    return Tested(
        run=folder.path,
        store=StoreId(str(store.path), store.identity, classes=store.spec.classes),
        same_store=described["store"]["identity"] == store.identity,
        leaks=store.leaks or described["store"]["leaks"] or known > 0,
        patients_trained_on=known,
        seen=seen,
        split=split,
        views=views,
        views_unseen=tuple(views.warnings([folder])),
        calibrated_for=None if calibration is None else calibration.population,
        calibrated_by_test=calibration is not None and calibration.of_test_windows,
        population=trained.population,
        arithmetic=tuple(arithmetic),
        test=scores(store, rows, prediction),
        constant=constant(store, rows, prediction) if can_compare(store) else None,
        alignment=None if matched is None else Alignment.from_json(matched),
        rows=rows,
        prediction=prediction,
        context=context,
        by_context=scores_by_context(store, rows, prediction, context.observed),
        left_out=left_out,
    )


def _rows(folder: RunFolder, store: Store, split: str) -> NDArray[np.int64]:
    fold = None
    if split not in SCORED:
        raise ConfigError(f"There is no split {split!r} to score: use {', '.join(SCORED)}.")
    if split == "valid":
        trained = folder.store().identity
        if trained != store.identity:
            raise DataError(
                f"{folder.path} was trained on another store ({trained[:12]}) than {store.path} "
                f"({store.identity[:12]}), whose folds hold other patients: use --split test."
            )
        held_out = folder.config().fold
        if not held_out.isdigit():
            raise DataError(
                f"{folder.path} was not trained with one held-out fold: use --split test."
            )
        fold = int(held_out)
    rows = labelled(store, split, fold)
    if not len(rows):
        raise _nothing_to_score(store, split)
    return rows


def labelled(store: Store, split: str, fold: int | None = None) -> NDArray[np.int64]:
    """Rows with votes of a split, of the fold that is held out, or of all that was not dropped."""
    if split == ALL:
        rows = np.flatnonzero(store.windows["split"] != SPLITS.index("dropped"))
    else:
        rows = store.select(split, fold=fold)
    return rows[store.windows["votes"][rows].sum(axis=1) > 0]


def _nothing_to_score(store: Store, split: str) -> DataError:
    counts = {word: len(labelled(store, word)) for word in SPLITS if word != "dropped"}
    there = ", ".join(f"{count:,} in {word}" for word, count in counts.items() if count)
    if not there:
        return DataError(
            f"{store.path} has no labelled windows, so there is nothing to score by: "
            "`hmstrain predict` writes what a run says of them."
        )
    return DataError(
        f"{store.path} has no labelled windows in the split {split!r}; it has {there}: name such a "
        "split, or use --split all."
    )


def _predict(
    trained: Trained, store: Store, rows: NDArray[np.int64], world: World, views: Views
) -> tuple[NDArray[np.float64], dict[str, float] | None]:
    """Probabilities, the mean over all views; alignment of the embeddings of the first."""
    found = []
    for view in views:
        with trained.evaluator(store, world, **view, rows=rows) as evaluator:
            found.append(evaluator.predict(trained.network, rows))
    prediction = np.mean([answers for answers, _ in found], axis=0)
    places = one_per_patient(store, rows, trained.config.seed)
    return prediction, embedding_alignment(found[0][1], places)


def default_store(folder: RunFolder) -> Path:
    """The store that a run was trained on.

    Raises
    ------
    RunError
        It is not where it was then, or the run is damaged.
    """
    path = Path(folder.store().path)
    if not path.is_dir():
        raise RunError(
            f"{folder.path} was trained on the store {path}, which is not there: name where it is "
            "now with --store."
        )
    return path
