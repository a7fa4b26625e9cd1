"""Annotated seizures and patterns beside a recording -> votes of its windows.

Reads the tables of Temple University's corpora: `.csv_bi` (one line per interval of all channels)
and `.csv` (one per channel), both with the columns start_time, stop_time and label.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.words import plural
from hmsstore.schema import CLASSES, JUDGED_S
from hmsstore.spec import HMS

SUFFIXES = (".csv_bi", ".csv")
"""Tables that may stand beside a recording; the first that is there is read."""
SEIZURES = "seiz fnsz gnsz spsz cpsz absz tnsz cnsz tcsz atsz mysz nesz".split()
"""Seizures of any kind, by the codes of the corpus (Shah et al. 2018)."""
LABELS = {
    **dict.fromkeys(SEIZURES, "seizure"),
    "pled": "lpd",  # periodic lateralised epileptiform discharges, as they were called
    "gped": "gpd",
    **dict.fromkeys("bckg spsw eyem artf elec musc chew shiv null".split(), "other"),
}
LEAST_S = JUDGED_S / 2
"""A pattern is what a window shows if it fills so much of the judged 10 s."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """What is annotated of a recording."""

    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    label: NDArray[np.int64]
    """Index of the class."""

    def consensus(self, begins_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Class of the windows that begin at these seconds; -1 where nothing is annotated.

        The pattern that fills most of a window's judged 10 s, if at least half of them; else
        'other', if any annotation does; overlapping intervals of a class count once.
        """
        first_s = begins_s + HMS.judged_from_s
        last_s = first_s + JUDGED_S
        filled = np.zeros((len(CLASSES), len(begins_s)))
        for code in range(len(CLASSES)):
            of_class = self.label == code
            for start, stop in _merged(self.start_s[of_class], self.stop_s[of_class]):
                filled[code] += np.maximum(np.minimum(stop, last_s) - np.maximum(start, first_s), 0)
        patterns = filled[:-1]
        found = np.where(patterns.max(axis=0) >= LEAST_S, patterns.argmax(axis=0), len(CLASSES) - 1)
        known = np.zeros(len(begins_s))
        for start, stop in _merged(self.start_s, self.stop_s):
            known += np.maximum(np.minimum(stop, last_s) - np.maximum(start, first_s), 0)
        return np.where(known >= LEAST_S, found, -1)


def find_intervals(recording: Path) -> Path | None:
    """The table beside a recording, if there is one."""
    beside = (recording.with_suffix(suffix) for suffix in SUFFIXES)
    return next((path for path in beside if path.is_file()), None)


def read_intervals(path: Path) -> Intervals:
    """Read a table of intervals.

    Raises
    ------
    DataError
        It has other columns, times that are none, or a label that is not known.
    """
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines()]
    table = "\n".join(line for line in lines if line and not line.startswith("#"))
    try:
        frame = pl.read_csv(BytesIO(table.encode()), infer_schema=False).rename(str.strip)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as a table of intervals ({reason}).") from None
    absent = {"start_time", "stop_time", "label"} - set(frame.columns)
    if absent:
        raise DataError(
            f"{path} lacks {plural(len(absent), 'column')}: {', '.join(sorted(absent))}. It has "
            f"{', '.join(frame.columns)}. Is it a table of intervals? To import the recording "
            "without labels, use --unlabelled."
        )
    start, stop = (
        frame[name].str.strip_chars().cast(pl.Float64, strict=False).to_numpy()
        for name in ("start_time", "stop_time")
    )
    wrong = np.flatnonzero(~(stop >= start) | ~np.isfinite(start) | ~np.isfinite(stop))
    if len(wrong):
        row = frame.row(int(wrong[0]), named=True)
        raise DataError(
            f"{path}: expected an interval in seconds, got start_time {row['start_time']!r} and "
            f"stop_time {row['stop_time']!r}."
        )
    words = frame["label"].fill_null("").str.strip_chars().str.to_lowercase().to_list()
    unknown = next((word for word in words if word not in LABELS), None)
    if unknown is not None:
        raise DataError(
            f"{path}: unknown label {unknown!r}; expected one of {', '.join(LABELS)}. To import "
            "the recording without labels, use --unlabelled."
        )
    return Intervals(start, stop, np.asarray([CLASSES.index(LABELS[word]) for word in words], int))


def _merged(start: NDArray[np.float64], stop: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Join intervals that overlap."""
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(zip(start.tolist(), stop.tolist(), strict=True)):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((begin, end))
    return joined
