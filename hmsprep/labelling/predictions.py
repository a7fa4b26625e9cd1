"""A table of `hmstrain predict` -> the model's probabilities of the windows of a data set."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.kaggle.files import read_given
from hmsprep.kaggle.frames import read_csv
from hmsprep.labelling.places import Places
from hmsstore.json_shapes import ShapeError, entry, entry_or, items, read_json, text

SUMMARY = "predictions.json"
"""Beside the table; says which recordings it is of."""
PLACE = ("eeg_id", "eeg_offset_s")


def read_predictions(path: Path, places: Places) -> NDArray[np.float64]:
    """Read a model's probabilities.

    Parameters
    ----------
    path : Path
        predictions.csv as `hmstrain predict` writes it.
    places : Places
        The windows.

    Returns
    -------
    float64 (N, K)
        Probabilities of each window; NaN where the table has none.

    Raises
    ------
    DataError
        It is another table, of other recordings, or has none of the windows.
    """
    _check_recordings(path, places)
    frame = read_csv(read_given(path), str(path))
    keys = places.spec.class_keys
    names = list(keys)
    if f"{keys[0]}_vote_prediction" in frame.columns:
        names = [f"{key}_vote_prediction" for key in keys]
    if missing := [name for name in (*PLACE, *names) if name not in frame.columns]:
        raise DataError(
            f"{path} lacks {', '.join(missing)}: expected the predictions.csv that `hmstrain "
            "predict` writes."
        )
    probabilities = np.stack(
        [frame[name].cast(pl.Float64, strict=False).to_numpy() for name in names], axis=1
    )
    numbers, offset = (frame[name].cast(pl.Float64, strict=False) for name in PLACE)
    eeg = frame[PLACE[0]].cast(pl.Int64, strict=False)  # of 18 digits no float would tell two
    eeg = eeg.fill_null(numbers.cast(pl.Int64, strict=False))  # such as 1000.0
    at = {
        (one, round(begin, 3)): row
        for row, (one, begin) in enumerate(zip(eeg.to_list(), offset.to_list(), strict=True))
        if one is not None and begin is not None and np.isfinite(begin)
    }
    wanted = zip(
        places.table["eeg_id"].tolist(), places.table["eeg_offset_s"].tolist(), strict=True
    )
    rows = np.asarray([at.get((one, round(begin, 3)), -1) for one, begin in wanted])
    if (rows < 0).all():
        raise DataError(
            f"{path} has none of the windows of {places.path}: predict that data set, `hmstrain "
            f"predict RUN {places.path}`."
        )
    found = np.where((rows >= 0)[:, None], probabilities[rows], np.nan)
    found[~np.isfinite(found).all(axis=1)] = np.nan
    return found


def unknown_origin(path: Path, places: Places) -> list[str]:
    """Warn of predictions of which nothing says whether they are of these recordings."""
    beside = path.parent / SUMMARY
    if not places.recordings or beside.is_file():
        return []
    return [
        f"There is no {beside} to say of which recordings {path.name} is: it is taken to be of "
        f"those of {places.path}."
    ]


def _check_recordings(path: Path, places: Places) -> None:
    """Refuse predictions of other recordings: EEGs of each import are numbered from the first."""
    beside = path.parent / SUMMARY
    if not places.recordings or not beside.is_file():
        return
    try:
        value = read_json(beside)
        predicted = [
            (entry(one, "file", text), entry_or(one, "sha256", text, ""))
            for one in entry(value, "recordings", items)
        ]
    except ShapeError as error:
        raise DataError(f"{beside} is not what `hmstrain predict` writes: {error}.") from None
    here = [(one.file, one.sha256) for one in places.recordings]
    again = f"predict that data set, `hmstrain predict RUN {quote(str(places.path))}`."
    if predicted and [file for file, _ in predicted] != [file for file, _ in here]:
        raise DataError(
            f"{path} is of {', '.join(file for file, _ in predicted[:3])}, and {places.path} holds "
            f"{', '.join(file for file, _ in here[:3])}: {again}"
        )
    for (file, theirs), (_, ours) in zip(predicted, here, strict=False):
        if theirs and ours and theirs != ours:
            raise DataError(
                f"{path} is of another {file} than {places.path}: expected SHA-256 {ours[:12]}, "
                f"got {theirs[:12]}: {again}"
            )
