"""What a worker does: some recordings' files -> extremes, gaps and flat channels of each."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.values.clean import missing_values
from hmsprep.errors import DataError
from hmsprep.importing.condition import of_channels
from hmsprep.kaggle.files import open_files, read_ahead
from hmsprep.kaggle.recording import decode
from hmsprep.planning.choices import EEG_CLIP_UV, EKG_CLIP_UV
from hmsprep.planning.parameters import SPECTROGRAM_CLIP
from hmsstore.schema import CHANNELS, SIGNALS
from hmsstore.spec import Signal


@dataclass(frozen=True, slots=True)
class Look:
    """One recording to look at."""

    recording: int
    file: str
    windows: tuple[int, ...]
    """Rows of the table of windows on it."""
    window_starts: tuple[int, ...]
    """Their first rows in the file."""


@dataclass(frozen=True, slots=True)
class LookTask:
    """Recordings that one worker looks at, one after the other."""

    source: Path
    signal: str
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in one recording."""

    recording: int
    size: int
    crc: int
    rows: int
    lowest: NDArray[np.float32]
    """(features,) of the finite values; NaN where there are none."""
    highest: NDArray[np.float32]
    missing: int
    """Values that are NaN or infinite."""
    empty_rows: int
    """Rows in which every value is missing."""
    windows_missing: dict[int, int]
    """Row of the table -> missing values in the window, where there are any."""
    short_windows: tuple[int, ...]
    """Rows of the table whose window reaches past the file's end."""
    outside: dict[int, int]
    """Feature -> finite values beyond the limits to which a build clips by default, if any."""
    constant: dict[int, float]
    """Feature -> value, where a feature never changes (or, as NaN, is never there)."""
    condition: dict[str, tuple[str, ...]]
    """Of EEG: 'flat' and 'railed' electrodes and 'bridged' neighbours, where there are any."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A task's results."""

    signal: str
    seen: tuple[Seen, ...]
    problems: tuple[str, ...]
    """Why files cannot be used, a sentence each."""
    nbytes: int


def look(task: LookTask) -> Looked:
    """Look at recordings; a file that cannot be used becomes a problem."""
    signal = SIGNALS[task.signal]
    contents = read_ahead(open_files(task.source), [one.file for one in task.looks])
    seen, problems, nbytes = [], [], 0
    for one, coming in zip(task.looks, contents, strict=True):
        try:
            content = coming.result()
            nbytes += len(content)
            seen.append(see(one, content, signal))
        except DataError as error:
            problems.append(str(error))
    return Looked(task.signal, tuple(seen), tuple(problems), nbytes)


def see(one: Look, content: bytes, signal: Signal) -> Seen:
    """Describe one recording.

    Raises
    ------
    DataError
        Its file is not as the competition's are.
    """
    raw = decode(content, signal, one.file)
    missing = missing_values(raw)
    known = raw if missing is None else np.where(missing, np.float32(np.nan), raw)
    lowest, highest = _extremes(known, gaps=missing is not None)
    rows = raw.shape[1]
    first = np.asarray(one.window_starts, np.int64)
    short = first + signal.window_rows > rows
    windows_missing: dict[int, int] = {}
    if missing is not None:
        windows_missing = _missing_in_windows(
            missing, one.windows, one.window_starts, signal.window_rows
        )
    return Seen(
        one.recording,
        len(content),
        zlib.crc32(content),
        rows,
        lowest,
        highest,
        0 if missing is None else int(missing.sum()),
        0 if missing is None else int(missing.all(axis=0).sum()),
        windows_missing,
        tuple(np.asarray(one.windows)[short].tolist()),
        _outside(known, lowest, highest, signal),
        {
            feature: float(lowest[feature])
            for feature in np.flatnonzero(~(lowest < highest)).tolist()
        },
        of_channels(known) if signal.name == "eeg" else {},
    )


def limits(signal: Signal) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest value per feature that a build keeps by default."""
    if signal.name == "spectrogram":
        low, high = SPECTROGRAM_CLIP
        width = len(signal.features)
        return np.full(width, low, np.float32), np.full(width, high, np.float32)
    clip = np.asarray([EKG_CLIP_UV if c == "EKG" else EEG_CLIP_UV for c in CHANNELS], np.float32)
    return -clip, clip


def _extremes(
    known: NDArray[np.float32], *, gaps: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if not gaps:
        return known.min(axis=1), known.max(axis=1)
    return np.fmin.reduce(known, axis=1), np.fmax.reduce(known, axis=1)


def _outside(
    known: NDArray[np.float32],
    lowest: NDArray[np.float32],
    highest: NDArray[np.float32],
    signal: Signal,
) -> dict[int, int]:
    low, high = limits(signal)
    if signal.name == "spectrogram":
        low = np.zeros_like(low)  # next to no power is common and no fault
    counts = {}
    for feature in np.flatnonzero((lowest < low) | (highest > high)).tolist():
        values = known[feature]
        beyond = (values < low[feature]) | (values > high[feature])
        counts[feature] = int(np.count_nonzero(beyond))
    return counts


def _missing_in_windows(
    missing: NDArray[np.bool_], windows: Sequence[int], starts: Sequence[int], window_rows: int
) -> dict[int, int]:
    """Count the missing values of each window that has any.

    Parameters
    ----------
    missing : bool (features, rows)
        Of a whole recording, as `missing_values` marks them.
    windows, starts : sequences of int
        Number of each window, and its first row; what lies past the recording's end counts for 0.
    window_rows : int
        Rows of a window.
    """
    per_row = np.concatenate([[0], np.cumsum(missing.sum(axis=0))])
    first = np.asarray(starts, np.int64)
    last = missing.shape[1]
    counts = per_row[np.minimum(first + window_rows, last)] - per_row[np.minimum(first, last)]
    return {window: count for window, count in zip(windows, counts.tolist(), strict=True) if count}
