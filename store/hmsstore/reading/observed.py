"""Table of gaps and places of windows -> which part of each window was observed.

A row in time is *missing* where no electrode was recorded (of the spectrogram: no feature); a
channel that is missing alone, and the heart's, say nothing about that. The *observed run* of a
window is the stretch around its judged seconds that ends at the nearest gaps longer than
`SHORTEST_S`: it begins where the last such gap ends that began before the judged seconds, and stops
where the first such gap begins that ends after them. A gap within the judged seconds ends nothing,
and neither does a shorter one: those the build has filled. Where one gap covers all judged seconds
there is nothing that a run could be around; then the whole window stands for it.

Legend: B windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.reading.gaps import ALL_FEATURES
from hmsstore.spec import Spec

SHORTEST_S = 1.0
"""A gap that is longer than this ends the observed run. A row of the spectrogram is longer."""
LEAST_JUDGED = 0.8
"""Share of the judged seconds of EEG that must have been recorded for there to be anything to say
of them: with more than two of ten missing, a rater would have been shown something else."""
Table = Mapping[str, NDArray[Any]]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Silences:
    """Stretches of one signal in which nothing was recorded, in the order of the array.

    A stretch ends where its segment does.
    """

    start: Whole
    """(N,) first row in the array of each."""
    stop: Whole
    """(N,) the row after its last."""
    long: NDArray[np.bool_]
    """(N,) whether it is longer than `SHORTEST_S`."""

    def count(self, first: Whole, stop: Whole) -> Whole:
        """How many rows from `first` up to `stop` are missing, int64 (B,)."""
        return self._before(stop) - self._before(first)

    def _before(self, row: Whole) -> Whole:
        """How many rows before this one are missing."""
        lengths = self.stop - self.start
        total = np.concatenate([[0], np.cumsum(lengths)])
        begun = np.searchsorted(self.start, row)
        inside = np.zeros(len(row), np.int64)
        some = begun > 0
        last = begun[some] - 1
        inside[some] = np.minimum(row[some] - self.start[last], lengths[last]) - lengths[last]
        found: Whole = total[begun] + inside
        return found


@dataclass(frozen=True, slots=True)
class Observed:
    """What was observed of one signal of windows.

    Rows are counted from the start of the window.
    """

    first: Whole
    """(B,) first row of the observed run."""
    stop: Whole
    """(B,) the row after its last."""
    judged: NDArray[np.float64]
    """(B,) share of the judged seconds that is not missing."""
    share: NDArray[np.float64]
    """(B,) share of the whole window that lies in the observed run and is not missing."""
    rows: int
    """Of a window."""
    starts: Whole
    """(B,) first row of the window in the array."""
    silences: Silences

    def share_of(self, first: int, stop: int) -> NDArray[np.float64]:
        """Share of some rows of each window, `first` up to `stop`, that was observed.

        Returns
        -------
        float64 (B,)
            Of those that lie in the observed run and are not missing.
        """
        begin = np.clip(self.first, first, stop)
        end = np.maximum(np.clip(self.stop, first, stop), begin)
        missing = self.silences.count(self.starts + begin, self.starts + end)
        found: NDArray[np.float64] = (end - begin - missing) / (stop - first)
        return found


def judged_rows(spec: Spec, name: str) -> tuple[int, int]:
    """First row of a signal's window within the judged seconds, and the one after the last.

    Rows that lie in them partly do not count, unless none lies in them wholly: then it is the one
    in the middle. Of HMS samples 4,000 to 6,000 of the EEG and rows 148 to 152 of the spectrogram.
    """
    signal = spec.signals[name]
    first_s = (signal.window_s - spec.judged_s) / 2
    first = ceil(first_s * signal.row_rate_hz - 1e-6)
    stop = floor((first_s + spec.judged_s) * signal.row_rate_hz + 1e-6)
    middle = signal.window_rows // 2
    return (first, stop) if first < stop else (middle, middle + 1)


def find_silences(spec: Spec, name: str, gaps: Table, recordings: Table) -> Silences:
    """Find the stretches of a signal in which no electrode, or no feature, was recorded.

    Parameters
    ----------
    gaps, recordings : mapping of str to array
        Tables of gaps and of recordings of the signal.
    """
    signal = spec.signals[name]
    if not len(gaps["start"]):
        none = np.empty(0, np.int64)
        return Silences(none, none, np.empty(0, bool))
    features = len(signal.features)
    weight = np.ones(features + 1, np.int64)  # the last stands for all of them: feature -1
    if name == "eeg" and spec.heart is not None:
        weight[signal.features.index(spec.heart)] = 0
    weight[ALL_FEATURES] = weight[:features].sum()
    of_gap = weight[gaps["feature"].astype(np.int64)]
    begin, segments = gaps["start"].astype(np.int64), recordings["start"].astype(np.int64)
    edges = np.concatenate([begin, begin + gaps["rows"], segments])
    change = np.concatenate([of_gap, -of_gap, np.zeros(len(segments), np.int64)])
    places, which = np.unique(edges, return_inverse=True)
    changes = np.zeros(len(places), np.int64)
    np.add.at(changes, which, change)
    silent = np.cumsum(changes)[:-1] == weight[ALL_FEATURES]  # from each place up to the next
    goes_on = np.append(False, silent[:-1]) & ~np.isin(places[:-1], segments)
    start = places[:-1][silent & ~goes_on]
    stop = places[1:][silent & ~np.append((silent & goes_on)[1:], False)]
    return Silences(start, stop, (stop - start) / signal.row_rate_hz > SHORTEST_S)


def find_observed(
    spec: Spec, name: str, silences: Silences, starts: Whole, labelled: Whole
) -> Observed:
    """Find what was observed of windows, around the seconds that raters judged.

    Parameters
    ----------
    name : str
        Of the signal: 'eeg' or 'spectrogram'.
    silences : Silences
        Of the whole signal.
    starts : int64 (B,)
        First row of each window in the array.
    labelled : int64 (B,)
        The same before the window was moved: where its labelled seconds are counted from. Of those
        that have left it, the nearest rows in it stand for them.
    """
    rows = spec.signals[name].window_rows
    judged_first, judged_stop = judged_rows(spec, name)
    long_start, long_stop = silences.start[silences.long], silences.stop[silences.long]
    length = judged_stop - judged_first
    label = np.clip(labelled + judged_first, starts, starts + rows - length)
    before = np.searchsorted(long_start, label) - 1
    after = np.searchsorted(long_stop, label + length, side="right")
    # With a stretch before the first and after the last, neither of which reaches any window.
    first = np.append(long_stop, -1)[before] - starts
    stop = np.append(long_start, np.iinfo(np.int64).max // 2)[after] - starts
    first, stop = np.clip(first, 0, rows), np.clip(stop, 0, rows)
    none = first >= stop
    first, stop = np.where(none, 0, first), np.where(none, rows, stop)
    judged = 1 - silences.count(label, label + length) / length
    share = (stop - first - silences.count(starts + first, starts + stop)) / rows
    return Observed(first, stop, judged, share, rows, starts, silences)
