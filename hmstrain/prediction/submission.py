"""Runs and the competition's test data -> submission.csv."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import CLASSES, Store
from hmsstore.json_shapes import ShapeError, read_bytes
from hmsstore.reading.zip_members import ZipError, ZipMembers
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.events import Progress, silent
from hmstrain.models.trust import Trust
from hmstrain.prediction.answering import How, loading
from hmstrain.prediction.given import calibrating, check_answer, given_runs
from hmstrain.prediction.predict import (
    cleaning_of,
    of_features,
    require_hms,
)
from hmstrain.prediction.source import open_or_build
from hmstrain.prediction.tables import write_csv
from hmstrain.runs.trained import check_trust
from hmstrain.scoring.formulas import checked

SAMPLE = "sample_submission.csv"
LARGEST_SAMPLE = 64 << 20
"""Bytes: a thousand of the competition's."""
SUBMISSION = ("eeg_id", *(f"{name}_vote" for name in CLASSES))
"""Columns of sample_submission.csv."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What was written."""

    out: Path
    rows: int
    made: dict[str, Any]
    """The runs, how they were averaged, and `warnings`."""


def submission(
    runs: Sequence[Path | str] | Path | str,
    data: Path | str,
    *,
    out: Path | str = "submission.csv",
    average: str = "arithmetic",
    swap: bool = False,
    device: str = "auto",
    trust: Trust = False,
    calibrated: bool = False,
    reverse: bool = False,
    population: str | None = None,
    progress: Progress = silent,
) -> Submission:
    """Write the competition's submission, in the form of sample_submission.csv.

    Parameters
    ----------
    runs : path or sequence of paths
        Folders of finished runs; their probabilities are averaged.
    data : path
        Folder with test.csv, or its zip.
    out : path
        File to write.
    average, swap, device, trust, calibrated, reverse, population, progress
        As of `hmstrain.predict`.

    Returns
    -------
    Submission

    Raises
    ------
    TrainError
        A run is not finished, the data are not the competition's test data, or `out` is something
        else.

    Examples
    --------
    >>> hmstrain.submission(["runs/first", "runs/second"], "hms").rows  # doctest: +SKIP
    1
    """
    how = How(average, swap, device, trust, reverse, population)
    data, out = Path(data), Path(out)
    if out.suffix != ".csv":
        raise ConfigError(f"--out {out}: expected a name that ends in .csv.")
    if not out.resolve().parent.is_dir():
        raise RunError(f"--out {out}: there is no folder {out.parent}.")
    if out.exists() and not is_submission(out):
        raise RunError(f"--out {out} exists and is not a submission: name another file.")
    given = given_runs(runs)
    check_trust(given.runs, trust)
    check_answer(given, population, calibrated=calibrated)
    require_hms(given.runs, "and a submission has the six of HMS")
    calibration = calibrating(given, CLASSES, calibrated=calibrated, prior=None)
    features = of_features(given.runs)
    with (
        loading(given, how) as networks,
        open_or_build(data, cleaning_of(given.runs), part="test", features=features) as source,
    ):
        order = read_order(data)
        rows = np.arange(len(source.store))
        prediction, made = networks.answer(source.store, rows, progress)
        if calibration is not None:
            prediction = calibration.apply(prediction)
            made["calibration"] = calibration.said()
        count = write_submission(out, source.store, prediction, order)
    made["warnings"] = how.views.warnings(given.runs)
    return Submission(out, count, made)


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
    try:
        # newline=None: lines may end in any way.
        header, *lines = list(csv.reader(StringIO(text, newline=None))) or [[]]
    except csv.Error as error:
        raise DataError(f"{SAMPLE} in {data} is not CSV: {error}.") from None
    if tuple(header) != SUBMISSION:
        raise DataError(
            f"{SAMPLE} in {data}: expected the columns {', '.join(SUBMISSION)}, got "
            f"{', '.join(header)}."
        )
    try:
        return [int(line[0]) for line in lines if line]
    except ValueError as error:
        raise DataError(f"{SAMPLE} in {data}: expected EEG ids ({error}).") from None


def is_submission(path: Path) -> bool:
    """Whether a file is a submission, so that a new one may replace it."""
    return path.is_file() and path.read_bytes().startswith(",".join(SUBMISSION).encode())


def _sample(data: Path) -> str | None:
    try:
        if data.is_dir():
            content: bytes | None = read_bytes(data / SAMPLE, LARGEST_SAMPLE)
        else:
            with ZipMembers(data) as archive:
                names = [name for name in archive.names() if Path(name).name == SAMPLE]
                content = archive.read(min(names, key=len)) if names else None
    except FileNotFoundError:
        return None
    except (ShapeError, ZipError) as error:
        raise DataError(f"{SAMPLE} in {data} cannot be read: {error}.") from None
    return None if content is None else content.decode("utf-8-sig", errors="replace")
