"""A number and a seed -> a whole data set in Kaggle's layout, simulated. Top to bottom.

Each spectrogram's recording is simulated whole; its EEG files are slices of it and its spectrogram
is computed from it, so both agree everywhere. Every draw comes from a generator of its own, seeded
by what it is for, so the number of processes changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hmsprep import processes
from hmsprep.errors import ParameterError
from hmsprep.kaggle.files import PARTS, recordings_folder
from hmsprep.kaggle.table import Columns
from hmsprep.kaggle.write import (
    on_grid,
    write_eeg,
    write_spectrogram,
    write_train_table,
    write_truth,
)
from hmsprep.planning import checks
from hmsprep.processes import Progress, default_workers, run_tasks, silent
from hmsprep.seeds import generator
from hmsprep.simulator.layout import Recording, labelled_recordings, unlabelled_recordings
from hmsprep.simulator.scene import Period, draw_patient, simulate
from hmsprep.simulator.structure import copied_structure, random_structure
from hmsprep.spectrograms.multitaper import EDGE_SAMPLES, STEP_SAMPLES, spectrogram
from hmsstore.atomic import remove_leftovers, whole_folder
from hmsstore.schema import CHANNELS, CLASSES, EEG, SIGNALS, SPECTROGRAM

USUAL_WINDOWS = 600
CLIPS_PER_CLASS = 3
CLIP_S = 640.0
"""Fast mode cuts everything from so many simulated recordings of this length."""
Cut = Callable[[float, int], NDArray[np.float32]]
"""First second and number of samples -> EEG (20, samples)."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What was simulated."""

    data: Path
    """The folder."""
    windows: int
    eegs: int
    spectrograms: int
    patients: int
    kl_of_truth: float | None = None
    """KL divergence of the votes from the simulated truth: what a perfect model would reach. None
    for a fast data set, which has no truth."""
    kl_of_mean: float | None = None
    """KL divergence of the votes from their mean: what a model without input would reach."""


def synth(
    out: str | Path,
    *,
    windows: int | None = None,
    like: str | Path | None = None,
    fraction: float | None = None,
    fast: bool = False,
    seed: int = 42,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: Progress = silent,
) -> Simulated:
    """Simulate a data set in Kaggle's layout, with a known truth.

    Parameters
    ----------
    out : str or Path
        Folder to make; it must not exist.
    windows : int, optional
        Number of labelled windows: 600 by default. With `like`, the most to copy: all by default.
    like : str or Path, optional
        Table of windows whose structure and votes are copied.
    fraction : float, optional
        Share of the patients of that table, from 0 to 1; all by default.
    fast : bool
        Cut every recording from a few simulated ones: quick, for large data sets. A recording
        follows only the class that leads its first window, so there is no truth.csv.
    seed : int
        Random seed.
    workers : int, optional
        Recordings simulated at a time; one per processor by default.
    executor : Executor, optional
        Executor that runs the work; by default `workers` processes on this machine.
    progress : callable
        Called with the stage 'synth' and a number of recordings.

    Returns
    -------
    Simulated

    Raises
    ------
    ParameterError
        The folder exists already or has no parent; `fraction` is given without `like`; or a value
        makes no sense.
    DataError
        The table to copy is not as the competition's.

    Examples
    --------
    >>> hmsprep.synth("data", windows=100, seed=1).patients
    14
    """
    checks.truth(fast=fast)
    checks.whole("seed", seed, 0)
    at_once = checks.workers(workers, default_workers())
    wanted = None if windows is None else checks.whole("windows", windows, 1)
    out = Path(out)
    if fraction is not None and like is None:
        raise ParameterError("--fraction is a share of the table given by --like: use both.")
    if out.exists():
        raise ParameterError(f"{out} exists already. Name a folder that does not exist.")
    if not out.absolute().parent.is_dir():
        raise ParameterError(f"There is no folder {out.absolute().parent} to put {out.name} in.")
    rng = generator(seed, "structure")
    if like is None:
        table, truth = random_structure(wanted or USUAL_WINDOWS, rng)
    else:
        share = 1.0 if fraction is None else fraction
        table, truth = copied_structure(Path(like), share, wanted, rng)
    with whole_folder(out.absolute()) as work:  # workers may have another working folder
        for part in PARTS:
            for signal in SIGNALS:
                (work / recordings_folder(part, signal)).mkdir()
        tasks = labelled_recordings(work, table, truth, seed, fast)
        tasks += unlabelled_recordings(work, table, seed, fast)
        _run(tasks, at_once, executor, progress)
        remove_leftovers(work)
        write_train_table(work / "train.csv", table)
        if not fast:
            write_truth(work / "truth.csv", table, truth)
    return Simulated(
        out,
        windows=len(table["eeg_id"]),
        eegs=len(np.unique(table["eeg_id"])),
        spectrograms=len(np.unique(table["spectrogram_id"])),
        patients=len(np.unique(table["patient_id"])),
        **({} if fast else best_possible(table, truth)),
    )


def best_possible(table: Columns, truth: NDArray[np.float64]) -> dict[str, float]:
    """KL divergence of the votes from the truth itself, and from their own mean."""
    votes = table["votes"] / table["votes"].sum(axis=1, keepdims=True)

    def kl(prediction: NDArray[np.float64]) -> float:
        ratio = np.divide(votes, prediction, out=np.ones_like(votes), where=votes > 0)
        return float((votes * np.log(ratio)).sum(axis=1).mean())

    return {"kl_of_truth": kl(truth), "kl_of_mean": kl(np.broadcast_to(votes.mean(0), votes.shape))}


def _run(
    tasks: list[Recording], workers: int, executor: Executor | None, progress: Progress
) -> None:
    progress("synth", 0, len(tasks))
    longest_first = sorted(tasks, key=lambda task: -task.rows)
    with processes.executor(min(workers, max(1, len(tasks))), executor) as pool:
        for done, _ in enumerate(run_tasks(pool, record, longest_first, workers + 1), start=1):
            progress("synth", done, len(tasks))


def record(task: Recording) -> None:
    """Simulate one recording and write its files."""
    cut, power = _from_clip(task) if task.fast else _simulated(task)
    rng = generator(task.seed, "quirks", task.spectrogram_id)
    folders = {name: task.out / recordings_folder(task.part, name) for name in SIGNALS}
    for eeg_id, start_s, samples in task.eegs:
        eeg = on_grid(cut(start_s, samples))
        if task.part == "train":
            spoil_eeg(rng, eeg)
        with _renamed(folders["eeg"] / f"{eeg_id}.parquet") as path:
            write_eeg(path, eeg)
    power = on_grid(power)
    if task.part == "train":
        spoil_spectrogram(rng, power)
    time_type = pa.int64() if task.part == "train" else pa.int16()
    with _renamed(folders["spectrogram"] / f"{task.spectrogram_id}.parquet") as path:
        write_spectrogram(path, power, time_type)


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    """A cluster may run a task twice at the same time, after it has lost sight of a worker."""
    partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}.partial")
    yield partial
    partial.replace(path)


def _simulated(task: Recording) -> tuple[Cut, NDArray[np.float32]]:
    """Simulate from 1 s before the spectrogram's first row to 1 s after its last."""
    before_s = 1.0
    patient = draw_patient(generator(task.seed, "patient", task.patient_id))
    rng = generator(task.seed, "recording", task.spectrogram_id)
    seconds = task.rows / SPECTROGRAM.row_rate_hz + 2 * before_s
    shifted = [Period(p.start_s + before_s, p.stop_s + before_s, p.truth) for p in task.periods]
    eeg = simulate(rng, patient, shifted, int(seconds * EEG.row_rate_hz))

    def cut(start_s: float, samples: int) -> NDArray[np.float32]:
        first = int(EEG.row_at(np.asarray(start_s + before_s)))
        return eeg[:, first : first + samples]

    return cut, spectrogram(eeg.T, threads=1)


def _from_clip(task: Recording) -> tuple[Cut, NDArray[np.float32]]:
    """Cut from a simulated clip of the period's leading class, as if the clip had no end."""
    rng = generator(task.seed, "recording", task.spectrogram_id)
    lead = int(np.argmax(task.periods[0].truth))
    eeg, power = clip(task.seed, lead, int(rng.integers(CLIPS_PER_CLASS)))
    gain = float(rng.lognormal(0, 0.3))
    first_row = int(rng.integers(len(power)))
    rows = (first_row + np.arange(task.rows)) % len(power)

    def cut(start_s: float, samples: int) -> NDArray[np.float32]:
        second = np.asarray(start_s + first_row / SPECTROGRAM.row_rate_hz)
        index = (EEG.row_at(second) + np.arange(samples)) % eeg.shape[1]
        return eeg[:, index] * np.float32(gain)

    return cut, power[rows] * np.float32(gain**2)


@lru_cache(maxsize=CLIPS_PER_CLASS * len(CLASSES))
def clip(seed: int, lead: int, variant: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Simulate a recording (20, samples) that closes upon itself, and its spectrogram."""
    rng = generator(seed, "clip", lead, variant)
    samples = int(CLIP_S * EEG.row_rate_hz)
    truth = 0.85 * np.eye(len(CLASSES))[lead] + 0.15 / len(CLASSES)
    eeg = simulate(rng, draw_patient(rng), [Period(-10.0, CLIP_S + 10, truth)], samples)
    # Row 0 starts 200 samples before sample 0; ten more rows keep the filter's edges out.
    lead_in = 10 * STEP_SAMPLES + EDGE_SAMPLES
    around = np.concatenate([eeg[:, -lead_in:], eeg, eeg[:, :lead_in]], axis=1)
    rows = int(CLIP_S * SPECTROGRAM.row_rate_hz)
    return eeg, spectrogram(around.T, threads=1)[10 : 10 + rows]


def spoil_eeg(rng: np.random.Generator, eeg: NDArray[np.float32]) -> None:
    """Lose samples, and the EKG, as often as the competition's files do (in place)."""
    samples = eeg.shape[1]
    fate = rng.random()
    if fate < 0.03:
        eeg[CHANNELS.index("EKG")] = 9999.0 if fate < 0.02 else 0.0
    fate = rng.random()
    if fate < 0.025:
        eeg[:, rng.integers(0, samples, rng.integers(1, 4))] = np.nan
    elif fate < 0.05:
        length = int(rng.uniform(0.02, 0.5) * EEG.window_rows)
        eeg[:, slice(0, length) if rng.random() < 0.5 else slice(samples - length, None)] = np.nan


def spoil_spectrogram(rng: np.random.Generator, power: NDArray[np.float32]) -> None:
    """Lose whole rows, as one spectrogram in eleven of the competition does (in place)."""
    if rng.random() < 0.087:
        length = int(rng.beta(0.6, 2) * len(power)) + 1
        first = int(rng.integers(0, len(power) - length + 1))
        power[first : first + length] = np.nan
