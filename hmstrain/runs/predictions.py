"""Probabilities of windows <-> `.npz` files in a run's folder, tied to the store they are of."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.atomic import whole_file
from hmsstore.sums import damage
from hmstrain.errors import DataError, RunError
from hmstrain.runs.outcome import FILE

TESTED = "predictions.npz"
"""Predictions of the test windows; of a run of all folds, their networks' mean."""
OUT_OF_FOLD = "out_of_fold.npz"
"""Predictions of every training window by the network that held its fold out."""
ARRAYS = ("identity", "row", "prediction")
COLUMNS = ("label_id", "eeg_id", "eeg_sub_id", "patient_id", "votes", "target")
"""What else identifies a window in a file."""
OBSERVED = "observed"
"""Share of what the model looks at that was observed; files of earlier versions lack it."""
WORDS = {
    TESTED: "test windows",
    OUT_OF_FOLD: "training windows, each by the network that held its fold out",
}


@dataclass(frozen=True, slots=True)
class Predicted:
    """Predictions for some windows of a store."""

    rows: NDArray[np.int64]
    prediction: NDArray[np.float64]
    """(rows, K)"""
    observed: NDArray[np.float64]
    """(rows,) share of what the model looks at that was observed; NaN: not known."""
    what: str
    """Which windows these are, in words."""


def write_predictions(
    path: Path,
    store: Store,
    rows: NDArray[np.int64],
    prediction: NDArray[np.float64],
    observed: NDArray[np.float64] | None = None,
) -> None:
    """Write probabilities with what identifies each window, and the store's identity.

    `observed` is the share of what the model looks at that was observed: `Context.observed`.
    """
    table = store.windows
    observed = np.full(len(rows), np.nan) if observed is None else observed
    columns: dict[str, Any] = {name: table[name][rows] for name in COLUMNS} | {OBSERVED: observed}
    identity = np.asarray(store.identity)
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, row=rows, prediction=prediction, identity=identity, **columns)


def read_predictions(folder: Path, store: Store) -> list[Predicted]:
    """All predictions in a run's folder, those of the test windows first.

    Raises
    ------
    DataError
        They are of another store.
    RunError
        A file is damaged.
    """
    return [read_file(folder / name, store) for name in WORDS if (folder / name).is_file()]


def read_file(path: Path, store: Store) -> Predicted:
    """One file of predictions of this store."""
    found = read_arrays(path)
    identity, rows, prediction = (found[name] for name in ("identity", "row", "prediction"))
    if str(identity) != store.identity:
        raise DataError(
            f"{path} is of another store ({str(identity)[:12]}) than {store.path} "
            f"({store.identity[:12]}). Name that store with --store."
        )
    classes = len(store.spec.classes)
    if (rows >= len(store)).any() or prediction.shape[1] != classes:
        raise RunError(f"{path} is damaged: its rows do not fit the store.")
    return Predicted(rows, prediction, found[OBSERVED], WORDS[path.name])


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a file that `write_predictions` wrote.

    Raises
    ------
    RunError
        It is damaged, or something else; or differs from what the `metrics.json` of its run states.
    """
    if problem := damage(path, path.with_name(FILE)):
        raise RunError(problem)
    try:
        with path.open("rb") as file, np.load(file) as opened:
            found = {name: opened[name] for name in (*ARRAYS, *COLUMNS)}
            unknown = np.full(len(found["row"]), np.nan)
            found[OBSERVED] = opened.get(OBSERVED, unknown)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} is damaged, or not of a run ({error}).") from None
    prediction = found["prediction"]
    if prediction.ndim != 2 or len(prediction) != len(found["row"]):
        raise RunError(f"{path} is damaged: its rows and probabilities do not fit.")
    if not np.isfinite(prediction).all():
        raise RunError(f"{path} holds NaN or infinite probabilities.")
    return found
