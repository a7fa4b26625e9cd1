"""Probabilities of windows <-> `.npz` files in a run's folder, tied to the store they are of."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.atomic import whole_file
from hmsstore.reading.zip_members import ZipError, ZipMembers
from hmsstore.sums import damage
from hmstrain.errors import DataError, RunError
from hmstrain.runs.outcome import FILE

TESTED = "predictions.npz"
"""Predictions of the test windows; of a run of all folds, their networks' mean."""
OUT_OF_FOLD = "out_of_fold.npz"
"""Predictions of every training window by the network that held its fold out."""
COLUMNS = ("label_id", "eeg_id", "eeg_sub_id", "patient_id", "votes", "target")
"""What else identifies a window in a file."""
VERSION_KEY, VERSION = "format_version", 1
"""Files of earlier versions state none, and are of the first."""
OBSERVED = "observed"
"""Share of what the model looks at that was observed; files of earlier versions lack it."""
KINDS = {
    "identity": ("U", 0),
    "row": ("iu", 1),
    "prediction": ("f", 2),
    "label_id": ("iu", 1),
    "eeg_id": ("iu", 1),
    "eeg_sub_id": ("iu", 1),
    "patient_id": ("iu", 1),
    "votes": ("iu", 2),
    "target": ("f", 2),
    OBSERVED: ("f", 1),
}
"""Array of a file -> kinds of type that it may have, and its axes, of which the first is rows."""
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
    columns |= {VERSION_KEY: np.asarray(VERSION), "row": rows, "prediction": prediction}
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, identity=identity, **columns)


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
    if (rows < 0).any() or (rows >= len(store)).any() or prediction.shape[1] != classes:
        raise RunError(f"{path} is damaged: its rows do not fit the store.")
    return Predicted(rows, prediction, found[OBSERVED], WORDS[path.name])


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a file that `write_predictions` wrote.

    Raises
    ------
    RunError
        It is damaged, or something else; or of a later version; or differs from what the
        `metrics.json` of its run states.
    """
    if problem := damage(path, path.with_name(FILE)):
        raise RunError(problem)
    found = {}
    try:
        with ZipMembers(path) as members:
            names = {name.removesuffix(".npy") for name in members.names()}
            if VERSION_KEY in names:
                _check_version(path, _array(members.read(f"{VERSION_KEY}.npy")))
            for name in KINDS:
                if name != OBSERVED or name in names:
                    found[name] = _array(members.read(f"{name}.npy"))
    except (ZipError, ValueError, EOFError, OSError) as error:
        raise RunError(f"{path} is damaged, or not of a run ({error}).") from None
    rows = found["row"].size
    found.setdefault(OBSERVED, np.full(rows, np.nan))
    for name, (kinds, axes) in KINDS.items():
        array = found[name]
        if array.dtype.kind not in kinds or array.ndim != axes or (axes and len(array) != rows):
            raise RunError(
                f"{path} is damaged, or not of a run: {name} is {array.dtype} {array.shape}."
            )
    if found["prediction"].shape != found["votes"].shape:
        raise RunError(f"{path} is damaged: its votes and probabilities do not fit.")
    if not np.isfinite(found["prediction"]).all():
        raise RunError(f"{path} holds NaN or infinite probabilities.")
    return found


def _check_version(path: Path, version: NDArray[Any]) -> None:
    if version.dtype.kind not in "iu" or version.ndim:
        raise ValueError(f"{VERSION_KEY} is {version.dtype} {version.shape}")
    if version > VERSION:
        raise RunError(
            f"{path} is of format version {version}; this package reads versions up to {VERSION}. "
            "Upgrade hms-eeg."
        )


def _array(content: bytes) -> NDArray[Any]:
    """The array of an `.npy` file, which is as large as its head says; raises ValueError."""
    file = BytesIO(content)
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array of version {version}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    odd = dtype.hasobject or bool in map(type, shape)  # NumPy takes True for a length
    if odd or dtype.itemsize * prod(shape) != len(content) - file.tell():
        raise ValueError(f"{dtype} {shape} in {len(content):,} bytes")
    found = np.frombuffer(content, dtype, offset=file.tell())
    return found.reshape(shape, order="F" if fortran else "C").copy()
