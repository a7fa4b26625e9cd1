"""A number of windows, or a table to copy -> who was recorded when, and what raters said.

The result is a table of windows with the competition's columns, plus for each window the truth: the
distribution that its votes were drawn from.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.kaggle.table import Columns, read_table
from hmsprep.planning import checks
from hmsprep.planning.windows import first_seen, take
from hmsprep.simulator.raters import SLIP, Raters
from hmsstore.schema import CLASSES, EEG

ID_LIMITS = {"eeg_id": 2**32, "spectrogram_id": 2**31, "patient_id": 2**16, "label_id": 2**32}
"""The competition's ids are random below these."""


def random_structure(windows: int, rng: np.random.Generator) -> tuple[Columns, NDArray[np.float64]]:
    """Draw patients, spectrograms, EEGs and windows until there are so many windows."""
    rows: dict[str, list[float]] = {
        name: []
        for name in ("patient", "spectrogram", "eeg", "eeg_offset_s", "spectrogram_offset_s")
    }
    truths: list[NDArray[np.float64]] = []
    votes: list[NDArray[np.int64]] = []
    patient = spectrogram = eeg = -1
    most = max(4, min(40, windows // 40))
    raters = Raters(rng)
    while len(truths) < windows:
        patient += 1
        habit = rng.dirichlet(np.full(len(CLASSES), 0.6))
        for _ in range(1 + rng.poisson(0.35)):
            spectrogram += 1
            # A few spectrograms start at an odd second, between two rows.
            start = float(spectrogram % 40 == 7)
            for _ in range(rng.geometric(0.66)):
                eeg += 1
                judged = raters.judge(habit, min(most, windows - len(truths)))
                count = sum(windows_alike for *_, windows_alike in judged)
                offsets = np.cumsum(2.0 * rng.geometric(0.4, count)) if count else np.zeros(0)
                offsets = offsets - offsets[:1]
                rows["patient"] += [patient] * count
                rows["spectrogram"] += [spectrogram] * count
                rows["eeg"] += [eeg] * count
                rows["eeg_offset_s"] += offsets.tolist()
                rows["spectrogram_offset_s"] += (start + offsets).tolist()
                start += float(offsets.max(initial=0) + 2 * rng.integers(5, 120))
                for truth, cast, windows_alike in judged:
                    truths += [truth] * windows_alike
                    votes += [cast] * windows_alike
    table = _with_ids(rng, {name: np.asarray(values) for name, values in rows.items()})
    table["votes"] = np.asarray(votes, np.int32)
    table["expert_consensus"] = table["votes"].argmax(axis=1).astype(np.int8)
    return table, np.asarray(truths)


def _with_ids(rng: np.random.Generator, rows: dict[str, NDArray[np.float64]]) -> Columns:
    """Give everything a random id, and the rows the competition's order: by spectrogram."""
    table: Columns = {}
    for name in ("patient", "spectrogram", "eeg"):
        number = rows[name].astype(np.int64)
        ids = _distinct(rng, int(number.max()) + 1, ID_LIMITS[f"{name}_id"])
        table[f"{name}_id"] = ids[number]
    # Ascending spectrogram ids in ascending order of simulation keep the rows of each together.
    number = rows["spectrogram"].astype(np.int64)
    table["spectrogram_id"] = np.sort(np.unique(table["spectrogram_id"]))[number]
    for name in ("eeg_offset_s", "spectrogram_offset_s"):
        table[name] = rows[name]
    table["label_id"] = _distinct(rng, len(number), ID_LIMITS["label_id"])
    for name in ("eeg", "spectrogram"):
        table[f"{name}_sub_id"] = _count_within(table[f"{name}_id"])
    return table


def _distinct(rng: np.random.Generator, count: int, limit: int) -> NDArray[np.int64]:
    ids = np.unique(rng.integers(1, limit, 2 * count + 64))
    if len(ids) < count:
        ids = np.arange(1, count + 1)  # more patients than the competition's ids would hold
    return rng.permutation(ids)[:count].astype(np.int64)


def _count_within(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number rows of equal ids 0, 1, 2 ... in their order."""
    order = np.argsort(ids, kind="stable")
    first = np.searchsorted(ids[order], ids[order])
    numbers = np.empty(len(ids), np.int64)
    numbers[order] = np.arange(len(ids)) - first
    return numbers


def copied_structure(
    path: Path, fraction: float, windows: int | None, rng: np.random.Generator
) -> tuple[Columns, NDArray[np.float64]]:
    """Take patients, offsets and votes from a table of windows; draw a truth that fits the votes.

    Parameters
    ----------
    path : Path
        CSV or parquet with the competition's columns.
    fraction : float
        Share of the patients to take, at random.
    windows : int, optional
        Stop after so many windows.
    """
    if not (checks.is_number(fraction) and 0 < fraction <= 1):
        checks.refuse("fraction", "a share above 0 and at most 1", fraction)
    try:
        table = read_table(path.read_bytes(), path.name)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if (table["expert_consensus"] < 0).any():
        raise DataError(f"{path.name} has no votes, but --like needs labelled windows.")
    patients = np.unique(table["patient_id"])
    chosen = rng.permutation(patients)[: max(1, round(fraction * len(patients)))]
    rows = np.flatnonzero(np.isin(table["patient_id"], chosen))[:windows]
    table = take(table, rows)
    if (table["label_id"] < 0).any():
        table["label_id"] = _distinct(rng, len(rows), ID_LIMITS["label_id"])
    period = first_seen(periods(table))
    truths = np.empty((period.max() + 1, len(CLASSES)))
    for number, row in enumerate(np.unique(period, return_index=True)[1].tolist()):
        drawn = rng.dirichlet(table["votes"][row] + 0.15)
        truths[number] = (1 - SLIP) * drawn + SLIP / len(CLASSES)
    return table, truths[period]


def periods(table: Columns) -> NDArray[np.int64]:
    """Number the stretches of windows of one EEG, in order of time, that carry the same votes."""
    order = np.lexsort((table["eeg_offset_s"], table["eeg_id"]))
    same = (np.diff(table["eeg_id"][order]) == 0) & (
        np.diff(table["votes"][order], axis=0) == 0
    ).all(axis=1)
    number = np.empty(len(order), np.int64)
    number[order] = np.concatenate([[0], np.cumsum(~same)])
    return number


def eeg_start_s(table: Columns) -> NDArray[np.float64]:
    """Second of the spectrogram at which each window's EEG file starts.

    The two windows of a row have the same centre, so EEG time 0 is 275 s after spectrogram time 0
    if the offsets are equal (600 / 2 - 50 / 2).
    """
    return table["spectrogram_offset_s"] - table["eeg_offset_s"] + 300 - EEG.window_s / 2
