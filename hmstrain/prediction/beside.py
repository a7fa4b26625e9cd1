"""A recording and its store -> what is shown beside its probabilities: notes, spectrogram, clock.

Legend: N windows, F frequencies.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from math import ceil, floor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsstore import FREQUENCIES_HZ, HMS, REGIONS, Store
from hmsstore.plain.text import uncell
from hmsstore.view.spectrogram import decibels
from hmstrain.words import clock

NOTES_NAME = "annotations.csv"
"""Of an imported data set: what the recorders' own files say."""
SIDES = {"left": ("LL", "LP"), "right": ("RL", "RP")}
"""Half of the head -> its regions."""
AT_ONCE = 64
"""Windows that are read together: 15 MB."""

StartOf = Callable[[Path], time | None]
"""A recorder's file -> the time of day at which it starts."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a recorder's file says of a moment, such as a technician's remark."""

    onset_s: float
    """From the start of the recording."""
    text: str


@dataclass(frozen=True, slots=True)
class Powers:
    """Power over a recording, a column for each window."""

    hz: NDArray[np.float64]
    """(F,) ascending."""
    db: Mapping[str, NDArray[np.float32]]
    """'left' and 'right' -> (N, F) decibels above 1 uV^2/Hz; NaN where nothing was recorded."""


def read_notes(data: Path) -> dict[str, tuple[Note, ...]]:
    """Read the annotations of an imported data set: recording -> its notes, in order.

    Nothing if there are none.
    """
    found: dict[str, list[Note]] = {}
    try:
        with (data / NOTES_NAME).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                text = " ".join(uncell(row["text"] or "").split())
                if text:
                    note = Note(float(row["onset_s"]), text)
                    found.setdefault(uncell(row["file"]), []).append(note)
    except (FileNotFoundError, KeyError, TypeError, ValueError, csv.Error):
        return {}
    return {
        file: tuple(sorted(notes, key=lambda one: one.onset_s)) for file, notes in found.items()
    }


def by_recording(warnings: Sequence[str], files: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Tell which warnings of an import are of which recording: those that begin with its name.

    >>> by_recording(["a.edf has no EKG: filled with 0."], ["a.edf", "b.edf"])
    {'a.edf': ('a.edf has no EKG: filled with 0.',), 'b.edf': ()}
    """
    found: dict[str, list[str]] = {file: [] for file in files}
    for one in warnings:
        named = [file for file in files if one.startswith((f"{file} ", f"{file}:"))]
        if named:  # of 'a' and 'a b.edf' the latter
            found[max(named, key=len)].append(one)
    return {file: tuple(those) for file, those in found.items()}


def find_starts(path: Path, files: Sequence[str], start_of: StartOf) -> dict[str, time]:
    """Tell at which time of day recordings start.

    Parameters
    ----------
    path : Path
        The recorder's file, or a folder of them with all below.
    files : sequence of str
        Names of the recordings, with folders where several have the same.
    start_of : callable
        Reads it from a file.

    Returns
    -------
    dict of str to time
        Recording -> when it starts; those that tell.
    """
    below: dict[str, list[Path]] = {}
    for one in path.rglob("*") if path.is_dir() else ():
        below.setdefault(one.name, []).append(one)
    found = {}
    for file in files:
        parts = Path(file).parts
        same = [one for one in below.get(parts[-1], ()) if one.parts[-len(parts) :] == parts]
        candidates = same if path.is_dir() else [path]
        start = start_of(candidates[0]) if len(candidates) == 1 else None
        if start is not None:
            found[file] = start
    return found


def time_of_day(seconds: float, start: time | None) -> str:
    """Write a time of a recording as h:mm:ss from its start, or of the day it starts at `start`.

    >>> time_of_day(3600, time(23, 30))
    '00:30:00 (+1 d)'
    """
    if start is None:
        return clock(seconds)
    begin = datetime.combine(datetime(2000, 1, 1), start)
    found = begin + timedelta(seconds=round(seconds))
    days = (found.date() - begin.date()).days
    return f"{found:%H:%M:%S}" + (f" ({days:+d} d)" if days else "")


def powers_of(store: Store, rows: NDArray[np.int64]) -> Powers | None:
    """Compute the power in the judged seconds of windows, on the left and on the right.

    The mean of the power of a side's two chains, in decibels above 1 uV^2/Hz.

    Parameters
    ----------
    store : Store
    rows : int64 (N,)
        In the order of the result.

    Returns
    -------
    Powers or None
        None of stores whose spectrograms are not those of HMS.
    """
    spec = store.spec
    if not spec.same_signals(HMS):
        return None
    signal = spec.spectrogram
    middle, half = signal.window_s / 2, spec.judged_s / 2
    first, stop = (
        round_(at * signal.row_rate_hz)
        for round_, at in ((ceil, middle - half), (floor, middle + half))
    )
    db = {side: np.full((len(rows), len(FREQUENCIES_HZ)), np.nan, np.float32) for side in SIDES}
    order = np.argsort(rows, kind="stable")
    for begin in range(0, len(rows), AT_ONCE):
        part = order[begin : begin + AT_ONCE]
        stored = store.gather(rows[part], "spectrogram")["spectrogram"][:, first:stop]
        log_power = store.denormalise({"spectrogram": stored})["spectrogram"]
        if store.gaps is not None:
            gone = store.missing(rows[part], "spectrogram")["spectrogram"][:, first:stop]
            log_power[gone] = np.nan
        power = np.exp(log_power.reshape(*log_power.shape[:2], len(REGIONS), -1))
        for side, names in SIDES.items():
            of_side = power[:, :, [REGIONS.index(name) for name in names]]
            with np.errstate(divide="ignore"):
                db[side][part] = decibels(np.log(_mean(of_side)))
    return Powers(np.asarray(FREQUENCIES_HZ), db)


def _mean(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over rows and regions (B, R, 2, F) of what was recorded; NaN where nothing was."""
    known = np.isfinite(power)
    count = known.sum(axis=(1, 2))
    total = np.where(known, power, 0).sum(axis=(1, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
