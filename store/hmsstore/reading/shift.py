"""Rows of the window table and a shift in time -> where both windows start in the arrays.

A shift is a whole number of EEG samples. A row of the spectrogram spans many of them (400 in HMS),
so its start is floored, in HMS floor((offset_s + shift / 200) / 2), in integers throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmsstore.errors import RequestError
from hmsstore.reading.requests import array_of
from hmsstore.spec import Spec

Table = Mapping[str, NDArray[Any]]
"""Columns of a table by name, mapped from disk, one entry per row."""


def shift_room(
    spec: Spec, windows: Table, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest shift, in samples, that keep both windows in their stored spans.

    Both signals bound the shift whichever of them is read, so that a window means the same time
    in either.
    """
    per_row = spec.samples_per_row
    start = windows["eeg_start"][rows]
    low = windows["eeg_span_start"][rows] - start
    high = windows["eeg_span_stop"][rows] - spec.eeg.window_rows - start
    start = windows["spectrogram_start"][rows]
    into_row = _samples_into_row(spec, windows, rows)
    before = windows["spectrogram_span_start"][rows] - start
    after = windows["spectrogram_span_stop"][rows] - spec.spectrogram.window_rows - start
    low = np.maximum(low, before * per_row - into_row)
    high = np.minimum(high, (after + 1) * per_row - 1 - into_row)
    return low, high


def window_starts(
    spec: Spec, windows: Table, rows: NDArray[np.int64], shift: ArrayLike | None, clamp: bool
) -> dict[str, NDArray[np.int64]]:
    """First rows of the windows in /eeg and /spectrogram, int64 (B,) each.

    Raises
    ------
    RequestError
        `shift` has another shape than `rows`, or leaves the span and `clamp` is false.
    """
    starts = {name: windows[f"{name}_start"][rows] for name in spec.signals}
    if shift is None:
        return starts
    expected = f"shift must be a whole number, or one for each of {len(rows)} rows"
    samples = array_of(shift, expected)
    if samples.ndim == 0:
        samples = np.broadcast_to(samples, rows.shape)
    if samples.shape != rows.shape or (len(rows) and not np.issubdtype(samples.dtype, np.integer)):
        raise RequestError(expected)
    if samples.dtype.kind == "u" and len(rows) and samples.max() > np.iinfo(np.int64).max:
        raise RequestError(f"shift must be numbers of 64 bits with a sign, got {samples.max()}")
    samples = samples.astype(np.int64, copy=False)
    low, high = shift_room(spec, windows, rows)
    if clamp:
        samples = np.clip(samples, low, high)
    outside = np.flatnonzero((samples < low) | (samples > high))
    if len(outside):
        i = outside[0]
        raise RequestError(
            f"row {rows[i]} cannot be shifted by {samples[i]} samples: its recording leaves room "
            f"for {low[i]} to {high[i]}. Use clamp=True to go as far as there is room."
        )
    starts["eeg"] = starts["eeg"] + samples
    moved = (_samples_into_row(spec, windows, rows) + samples) // spec.samples_per_row
    starts["spectrogram"] = starts["spectrogram"] + moved
    return starts


def _samples_into_row(spec: Spec, windows: Table, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many samples after the start of its first spectrogram row each window begins."""
    offset = windows["spectrogram_offset_s"][rows]
    return np.rint(offset * spec.eeg.row_rate_hz).astype(np.int64) % spec.samples_per_row
