"""Probabilities -> CSV files: of windows, of a recording's timeline, of its episodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import time
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsstore import SPLITS, Store
from hmsstore.atomic import whole_file
from hmsstore.plain.text import write_rows
from hmstrain.data.context import Context
from hmstrain.prediction.beside import time_of_day
from hmstrain.prediction.episodes import Episode, heading
from hmstrain.prediction.leaving import doubts_of, text_of
from hmstrain.prediction.timeline import Timeline
from hmstrain.words import clock

IDENTITY = (
    "label_id", "eeg_id", "eeg_sub_id", "eeg_offset_s", "spectrogram_id", "spectrogram_offset_s",
    "patient_id",
)  # fmt: skip
"""Columns that say which window a row is of; Kaggle's names where it has one."""


def write_windows(
    path: Path,
    store: Store,
    rows: NDArray[np.int64],
    prediction: NDArray[np.float64],
    context: Context,
) -> None:
    """Write what identifies each window, its probabilities, the most probable class, and its votes.

    Before the votes stand the share of what the runs look at that was observed, and whether the
    window is comparable. Votes are there if any of the windows has some; a window without votes, or
    without a probability, has empty cells.
    """
    columns = [store.windows[name][rows].tolist() for name in IDENTITY]
    columns.append([SPLITS[code] for code in store.windows["split"][rows]])
    keys = store.spec.class_keys
    answers = [
        keys[code] if known else ""
        for code, known in zip(prediction.argmax(axis=1), context.judged, strict=True)
    ]
    comparable = ["true" if one else "false" for one in context.comparable]
    votes = store.windows["votes"][rows]
    shown: list[list[object]] = [[] for _ in rows]
    if votes.any():
        shown = [[*given] if any(given) else [""] * len(keys) for given in votes.tolist()]
    lines = (
        (*identity, *map(exact, probability), answer, rounded(observed), alike, *given)
        for *identity, probability, answer, observed, alike, given in zip(
            rows.tolist(),
            *columns,
            prediction.tolist(),
            answers,
            context.observed.tolist(),
            comparable,
            shown,
            strict=True,
        )
    )
    write_csv(path, _header(keys, votes=bool(votes.any())), lines)


def is_windows(path: Path) -> bool:
    """Whether a file is a table that `write_windows` wrote, now or in an earlier version."""
    return path.is_file() and path.read_bytes()[:64].startswith(b"row,label_id,eeg_id,eeg_")


def _header(keys: Sequence[str], *, votes: bool) -> list[str]:
    """Names of the columns: probabilities have those of the classes, votes have `_vote` appended.

    Classes may be called as another column is: then probabilities end in `_vote_prediction`, so
    that no name stands twice.
    """
    given = [f"{key}_vote" for key in keys] if votes else []
    before, after = ["row", *IDENTITY, "split"], ["predicted", "observed", "comparable", *given]
    probabilities = list(keys)
    if {*before, *after} & set(keys):
        probabilities = [f"{key}_vote_prediction" for key in keys]
    return [*before, *probabilities, *after]


def write_timeline(path: Path, timeline: Timeline) -> None:
    """Write probabilities over the seconds of a recording.

    `spectrogram_missing` is the share of the ten minutes around that the recording does not have,
    `eeg_missing` that of the window's EEG. Where too little of the judged seconds was recorded the
    cells of probabilities are empty.
    """
    spans = timeline.spans_s.tolist()
    keys = timeline.spec.class_keys
    answers = ["" if code < 0 else keys[code] for code in timeline.codes.tolist()]
    lines = (
        (f"{start:.3f}", f"{stop:.3f}", *map(rounded, probability), answer, *missing)
        for (start, stop), probability, answer, missing in zip(
            spans,
            timeline.prediction.tolist(),
            answers,
            [
                (f"{spectrogram:.3f}", f"{eeg:.3f}")
                for spectrogram, eeg in zip(timeline.missing, timeline.eeg_missing, strict=True)
            ],
            strict=True,
        )
    )
    header = ("start_s", "stop_s", *keys, "predicted", "spectrogram_missing", "eeg_missing")
    write_csv(path, header, lines)


def write_episodes(path: Path, episodes: Sequence[Episode], start: time | None = None) -> None:
    """Write episodes for people to read: times as h:mm:ss, and what each of them is.

    `start` is the time of day at which the recording starts: columns of the time of day follow.
    """
    header: tuple[str, ...] = (
        "from (h:mm:ss)", "to (h:mm:ss)", "length (h:mm:ss)", "model's answer",
        "mean probability", "largest probability", "not recorded as shown", "what this is",
    )  # fmt: skip
    if start is not None:
        header = (*header, "from (time of day)", "to (time of day)")
    lines = (
        (
            clock(one.start_s), clock(one.stop_s), clock(one.seconds), heading(one.pattern),
            f"{one.mean:.2f}", f"{one.largest:.2f}", "; ".join(doubts_of(one)), text_of(one),
            *(time_of_day(at, start) for at in (one.start_s, one.stop_s) if start is not None),
        )
        for one in episodes
    )  # fmt: skip
    write_csv(path, header, lines)


def write_csv(
    path: Path,
    header: Sequence[str],
    lines: Iterable[Sequence[object]],
    *,
    delimiter: str = ",",
) -> None:
    """Write a table whole or not at all; a spreadsheet runs none of its cells."""
    with whole_file(path) as partial, partial.open("w", newline="") as file:
        write_rows(file, header, lines, delimiter=delimiter)


def rounded(value: float) -> str:
    """Six decimals; nothing where there is no probability."""
    return "" if isnan(value) else f"{value:.6f}"


def exact(value: float) -> str:
    """Nine digits, however small: a probability that became 0 would have another KL divergence."""
    return "" if isnan(value) else f"{value:.9g}"
