"""A finished run and a store, its own or another -> its scores there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmstrain.distributed import World, join_world
from hmstrain.errors import DataError, RunError
from hmstrain.models.evaluate import embedding_alignment, one_per_patient
from hmstrain.models.trust import Trust
from hmstrain.runs.checkpoint import read_description
from hmstrain.runs.folder import RunFolder, write_json
from hmstrain.runs.outcome import Alignment, Constant, Scores, StoreId
from hmstrain.runs.predictions import write_predictions
from hmstrain.runs.trained import Trained, check_trust, load_trained
from hmstrain.scoring.metrics import scores
from hmstrain.scoring.scores import constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A run's scores on a store, its own or another; what they are of, and what speaks against."""

    run: Path
    store: StoreId
    same_store: bool
    """Whether it is the store that the run was trained on."""
    leaks: bool
    """Whether patients are in what it was trained on and in what it was tested on."""
    patients_trained_on: int
    """Patients tested on whose numbers are also those of patients trained or validated on."""
    split: str
    test: Scores
    constant: Constant | None
    """None where the store has no training windows."""
    alignment: Alignment | None
    rows: NDArray[np.int64]
    """(N,) rows of the store's window table."""
    prediction: NDArray[np.float64]
    """(N, K) probabilities."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, without rows and predictions."""
        return {
            "run": str(self.run),
            "store": self.store.to_json(),
            "same_store": self.same_store,
            "leaks": self.leaks,
            "patients_trained_on": self.patients_trained_on,
            "split": self.split,
            "test": self.test.to_json(),
            "constant": None if self.constant is None else self.constant.to_json(),
            "alignment": None if self.alignment is None else asdict(self.alignment),
        }


def test(
    run: Path | str,
    *,
    store: Store | Path | str | None = None,
    split: str = "test",
    device: str = "auto",
    trust: Trust = False,
) -> Tested:
    """Score a run's best checkpoint, on its own store or on another.

    Scores and predictions are also written into the run's folder, as SPLIT-IDENTITY.json and .npz.

    Parameters
    ----------
    run : path
        Folder of a run.
    store : Store or path, optional
        By default, the one that it was trained on.
    split : str
        'test', 'train', or 'valid': the fold that the run held out.
    device : str
        'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
    trust : bool, str or sequence of str
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
        The folder holds no checkpoint.

    Examples
    --------
    >>> hmstrain.test("runs/first", split="valid").test["kl_votes"]  # doctest: +SKIP
    0.68
    """
    folder = RunFolder(Path(run))
    check_trust([folder], trust)
    if not isinstance(store, Store):
        store = Store.open(store or default_store(folder))
    with join_world(device) as world:
        found = score_run(folder, store, split, world, trust=trust)
    if world.main:
        path = predictions_path(found)
        write_json(path.with_suffix(".json"), found.to_json())
        write_predictions(path, store, found.rows, found.prediction)
    return found


def predictions_path(found: Tested) -> Path:
    """Where `test` writes a run's predictions of a store."""
    return found.run / f"{found.split}-{found.store.identity[:12]}.npz"


def score_run(
    folder: RunFolder, store: Store, split: str, world: World, *, trust: Trust = False
) -> Tested:
    """Score a run's best checkpoint (of each fold, averaged) on labelled windows of a store.

    Parameters
    ----------
    split : str
        'test', 'train', or 'valid': the fold that the run held out, on its own store.

    Raises
    ------
    DataError
        The store has other classes, was cleaned differently, or holds no such windows.
    RunError
        The folder holds no checkpoint.
    """
    parts = [folder.path]
    if folder.config().fold == "all":
        parts = sorted(folder.path.glob("fold[0-9]*"))
        if not folder.finished:
            raise RunError(
                f"{folder.path} has not finished all its folds: resume it with hmstrain run "
                "--resume."
            )
    rows = _rows(folder, store, split)
    predictions, alignments = [], []
    for part in parts:
        trained = load_trained(RunFolder(part), world.device, trust=trust)
        prediction, matched = _predict(trained, store, rows, world)
        predictions.append(prediction)
        alignments.append(matched)
    prediction = np.mean(predictions, axis=0)
    described = read_description(RunFolder(parts[0]).best)
    patients = np.unique(store.windows["patient_id"][rows])
    known = int(np.isin(patients, described["patients"]).sum()) if split != "valid" else 0
    matched = alignments[0] if len(parts) == 1 else None
    return Tested(
        run=folder.path,
        store=StoreId(str(store.path), store.identity, classes=store.spec.classes),
        same_store=described["store"]["identity"] == store.identity,
        leaks=store.leaks or described["store"]["leaks"] or known > 0,
        patients_trained_on=known,
        split=split,
        test=scores(store, rows, prediction),
        constant=constant(store, rows, prediction) if len(store.select("train")) else None,
        alignment=None if matched is None else Alignment.from_json(matched),
        rows=rows,
        prediction=prediction,
    )


def _rows(folder: RunFolder, store: Store, split: str) -> NDArray[np.int64]:
    fold = None
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
    rows = store.select(split, fold=fold)
    rows = rows[store.windows["votes"][rows].sum(axis=1) > 0]
    if not len(rows):
        raise DataError(
            f"{store.path} has no labelled windows in the split {split!r}. To test on all windows "
            "of other data, build their store with --split-by all."
        )
    return rows


def _predict(
    trained: Trained, store: Store, rows: NDArray[np.int64], world: World
) -> tuple[NDArray[np.float64], dict[str, float] | None]:
    with trained.evaluator(store, world) as evaluator:
        prediction, embeddings = evaluator.predict(trained.network, rows)
    seed = trained.config.seed
    return prediction, embedding_alignment(embeddings, one_per_patient(store, rows, seed))


def default_store(folder: RunFolder) -> Path:
    """The store that a run was trained on."""
    return Path(folder.store().path)
