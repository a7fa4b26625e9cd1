"""Probabilities -> CSV files: of windows, of a timeline, and the competition's submission."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsstore import CLASSES, SPLITS, Store
from hmsstore.atomic import whole_file
from hmstrain.errors import DataError
from hmstrain.prediction.timeline import Timeline
from hmstrain.scoring.metrics import checked

SAMPLE = "sample_submission.csv"
SUBMISSION = ("eeg_id", *(f"{name}_vote" for name in CLASSES))
"""Columns of sample_submission.csv."""


def write_windows(
    path: Path, store: Store, rows: NDArray[np.int64], prediction: NDArray[np.float64]
) -> None:
    """Write what identifies each window, its six probabilities and the most probable class."""
    names = (
        "label_id", "eeg_id", "eeg_offset_s", "spectrogram_id", "spectrogram_offset_s",
        "patient_id",
    )  # fmt: skip
    columns = [store.windows[name][rows].tolist() for name in names]
    columns.append([SPLITS[code] for code in store.windows["split"][rows]])
    answers = [CLASSES[code] for code in prediction.argmax(axis=1)]
    lines = (
        (*identity, *map(_number, probability), answer)
        for *identity, probability, answer in zip(
            rows.tolist(), *columns, prediction.tolist(), answers, strict=True
        )
    )
    write_csv(path, ("row", *names, "split", *CLASSES, "predicted"), lines)


def write_timeline(path: Path, timeline: Timeline) -> None:
    """Write probabilities over the seconds of a recording.

    `spectrogram_missing` is the share of the ten minutes around that the recording does not have.
    """
    edges = timeline.edges_s
    answers = [CLASSES[code] for code in timeline.prediction.argmax(axis=1)]
    lines = (
        (f"{start:.3f}", f"{stop:.3f}", *map(_number, probability), answer, f"{missing:.3f}")
        for start, stop, probability, answer, missing in zip(
            edges[:-1],
            edges[1:],
            timeline.prediction.tolist(),
            answers,
            timeline.missing.tolist(),
            strict=True,
        )
    )
    header = ("start_s", "stop_s", *CLASSES, "predicted", "spectrogram_missing")
    write_csv(path, header, lines)


def write_submission(
    path: Path, store: Store, prediction: NDArray[np.float64], order: Sequence[int] | None = None
) -> int:
    """Write the competition's submission: one row for each EEG.

    Parameters
    ----------
    store : Store
        Of the test data: one window for each EEG.
    prediction : float64 (windows, 6)
        Of all its windows.
    order : sequence of int, optional
        EEGs as the sample lists them; else as the store does.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    DataError
        An EEG has several windows, the sample lists other EEGs, or the metric would refuse the
        probabilities.
    """
    eegs = store.windows["eeg_id"].tolist()
    if len(set(eegs)) < len(eegs):
        raise DataError(
            f"{store.path} has {len(eegs):,} windows of {len(set(eegs)):,} EEGs: a submission has "
            "one row for each, so it is made of the competition's test data."
        )
    wanted = eegs if order is None else list(order)
    if set(wanted) != set(eegs) or len(wanted) != len(eegs):
        odd = sorted(set(wanted) ^ set(eegs)) or [one for one in wanted if wanted.count(one) > 1]
        raise DataError(
            f"sample_submission.csv and test.csv name other EEGs: {len(wanted):,} and "
            f"{len(eegs):,}; the first that differs is {odd[0]}."
        )
    place = {eeg: number for number, eeg in enumerate(eegs)}
    valid = checked(prediction)
    lines = ((eeg, *map(repr, valid[place[eeg]].tolist())) for eeg in wanted)
    write_csv(path, SUBMISSION, lines)
    return len(wanted)


def read_order(data: Path) -> list[int] | None:
    """EEGs in the order of a folder's or zip's sample_submission.csv; None where there is none.

    Raises
    ------
    DataError
        It has other columns than the competition's.
    """
    text = _sample(data)
    if text is None:
        return None
    reader = csv.reader(StringIO(text))
    header = next(reader, [])
    if tuple(header) != SUBMISSION:
        raise DataError(
            f"{SAMPLE} in {data}: expected the columns {', '.join(SUBMISSION)}, found "
            f"{', '.join(header)}."
        )
    try:
        return [int(line[0]) for line in reader if line]
    except ValueError as error:
        raise DataError(f"{SAMPLE} in {data}: expected ids of EEGs ({error}).") from None


def is_submission(path: Path) -> bool:
    """Whether a file is a submission, so that a new one may replace it."""
    return path.is_file() and path.read_bytes().startswith(",".join(SUBMISSION).encode())


def _sample(data: Path) -> str | None:
    if data.is_dir():
        path = data / SAMPLE
        return path.read_text(errors="replace") if path.is_file() else None
    with zipfile.ZipFile(data) as archive:
        names = [name for name in archive.namelist() if Path(name).name == SAMPLE]
        return archive.read(min(names, key=len)).decode(errors="replace") if names else None


def write_csv(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Write a table whole or not at all."""
    with whole_file(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def _number(value: float) -> str:
    return f"{value:.6f}"
