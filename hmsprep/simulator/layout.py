"""A table of windows -> the recordings to simulate: what is in each and which EEGs are cut out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.kaggle.table import VOTES, Columns
from hmsprep.kaggle.write import write_csv
from hmsprep.planning.windows import take
from hmsprep.seeds import generator
from hmsprep.simulator.scene import Period
from hmsprep.simulator.structure import eeg_start_s, periods
from hmsstore.schema import CLASSES, EEG, JUDGED_S, SPECTROGRAM

TEST_WINDOWS = 3
"""Unlabelled pairs in the test folders; the competition shows one."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One spectrogram and the EEGs that lie in it: a task for one process."""

    out: Path
    seed: int
    fast: bool
    part: str
    spectrogram_id: int
    patient_id: int
    rows: int
    """Rows of the spectrogram file."""
    eegs: tuple[tuple[int, float, int], ...]
    """Id, first second on the spectrogram's clock, and samples of each EEG file."""
    periods: tuple[Period, ...]


def labelled_recordings(
    out: Path, table: Columns, truth: NDArray[np.float64], seed: int, fast: bool
) -> list[Recording]:
    """Lay out every spectrogram's recording: what is in it, and which EEGs are cut from it."""
    start = eeg_start_s(table)
    period = periods(table)
    order = np.argsort(table["spectrogram_id"], kind="stable")
    edges = np.flatnonzero(np.diff(table["spectrogram_id"][order])) + 1
    tasks = []
    for rows in np.split(order, edges):
        part = take(table, rows)
        eegs = []
        for eeg in np.unique(part["eeg_id"]).tolist():
            own = part["eeg_id"] == eeg
            samples = int(EEG.row_at(part["eeg_offset_s"][own].max())) + EEG.window_rows
            eegs.append((eeg, float(start[rows][own][0]), samples))
        stretches = []
        for number in np.unique(period[rows]).tolist():
            own = period[rows] == number
            judged = start[rows][own] + part["eeg_offset_s"][own] + EEG.window_s / 2
            first, last = judged.min() - JUDGED_S / 2, judged.max() + JUDGED_S / 2
            stretches.append(Period(float(first), float(last), truth[rows][own][0]))
        last_row = int(SPECTROGRAM.row_at(part["spectrogram_offset_s"].max()))
        tasks.append(
            Recording(
                out,
                seed,
                fast,
                "train",
                int(part["spectrogram_id"][0]),
                int(part["patient_id"][0]),
                last_row + SPECTROGRAM.window_rows,
                tuple(eegs),
                tuple(extended(stretches, generator(seed, "extent", int(rows[0])))),
            )
        )
    return tasks


def extended(judged: list[Period], rng: np.random.Generator) -> list[Period]:
    """Let each period reach beyond what was judged, halfway to its neighbours at most.

    Where what was judged overlaps (neighbouring windows with other votes), so do the periods.
    """
    ordered = sorted(judged, key=lambda period: period.start_s)
    between = [(a.stop_s + b.start_s) / 2 for a, b in pairwise(ordered)]
    return [
        Period(
            min(period.start_s, max(period.start_s - before, low)),
            max(period.stop_s, min(period.stop_s + after, high)),
            period.truth,
        )
        for period, before, after, low, high in zip(
            ordered,
            rng.uniform(0, 60, len(ordered)),
            rng.uniform(0, 60, len(ordered)),
            [-np.inf, *between],
            [*between, np.inf],
            strict=True,
        )
    ]


def unlabelled_recordings(out: Path, table: Columns, seed: int, fast: bool) -> list[Recording]:
    """Lay out unlabelled pairs of new patients; write test.csv and sample_submission.csv."""
    rng = generator(seed, "test")
    taken = [set(table[name].tolist()) for name in ("eeg_id", "spectrogram_id", "patient_id")]
    ids = [
        tuple(
            next(i for i in rng.integers(1, 2**31, 99).tolist() if i not in used) for used in taken
        )
        for _ in range(TEST_WINDOWS)
    ]
    eeg_ids, spectrogram_ids, patient_ids = (
        np.asarray(column) for column in zip(*ids, strict=True)
    )
    write_csv(
        out / "test.csv",
        {"spectrogram_id": spectrogram_ids, "eeg_id": eeg_ids, "patient_id": patient_ids},
    )
    even = np.full(TEST_WINDOWS, 1 / len(CLASSES))
    write_csv(out / "sample_submission.csv", {"eeg_id": eeg_ids} | dict.fromkeys(VOTES, even))
    start = SPECTROGRAM.window_s / 2 - EEG.window_s / 2
    rows = SPECTROGRAM.window_rows
    return [
        Recording(
            out,
            seed,
            fast,
            "test",
            spectrogram,
            patient,
            rows,
            ((eeg, start, EEG.window_rows),),
            (Period(200.0, 400.0, rng.dirichlet(np.full(len(CLASSES), 0.3))),),
        )
        for eeg, spectrogram, patient in ids
    ]
