"""Rows of recordings and rows that their windows need -> whether they have another rate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hmsprep.errors import DataError
from hmsprep.kaggle.files import KaggleData
from hmsprep.kaggle.recording import decode
from hmsprep.kaggle.table import Columns, read_table
from hmsstore.recordings import RECORDINGS_NAME
from hmsstore.spec import HMS, Spec

RATES_HZ = (250, 256, 400, 500, 512, 1000, 1024, 2000, 2048)
"""Rates of common recorders that are higher than the competition's."""
NEARLY_ALL = 0.9
"""Share of the recordings from which on they are said to have another rate."""
LOOKED_AT = 20
"""Recordings that are read before a build."""


def needed_rows(columns: Columns, spec: Spec = HMS) -> dict[int, int]:
    """Rows that each EEG's windows reach to, by its id."""
    ends = spec.eeg.row_at(columns["eeg_offset_s"]) + spec.eeg.window_rows
    ids, place = np.unique(columns["eeg_id"], return_inverse=True)
    most = np.zeros(len(ids), np.int64)
    np.maximum.at(most, place, ends)
    return dict(zip(ids.tolist(), most.tolist(), strict=True))


def rate_warning(rows: Mapping[int, int], needed: Mapping[int, int], rate_hz: float) -> str | None:
    """Say so if nearly all EEGs are longer than their windows need by the ratio of two rates.

    The competition's EEGs end with their last window, so such a ratio tells of another rate: every
    window would be stretched, and misplaced.

    Parameters
    ----------
    rows, needed : mapping of int to int
        EEG -> rows of its file, and rows that its windows reach to.
    rate_hz : float
        The rate that is expected.
    """
    for other_hz in RATES_HZ:
        ratio = other_hz / rate_hz
        if ratio <= 1:
            continue
        count = sum(abs(found - ratio * needed[eeg]) <= ratio for eeg, found in rows.items())
        if count and count >= NEARLY_ALL * len(rows):
            return (
                f"{count:,} of {len(rows):,} EEGs have {ratio:g} times the rows that their windows "
                f"need: expected {rate_hz:g} Hz. If they were recorded at {other_hz} Hz, resample "
                "them first: their windows would be stretched."
            )
    return None


def rates_before_build(source: KaggleData, spec: Spec) -> str | None:
    """Look at some EEGs of a data set; an import has resampled its own."""
    if RECORDINGS_NAME in source.sizes:
        return None
    needed = needed_rows(read_table(source.read_table(), source.table_name, spec), spec)
    there = sorted(source.recordings("eeg") & set(needed))
    rows = {}
    for eeg in there[:: max(1, len(there) // LOOKED_AT)][:LOOKED_AT]:
        name = source.file_name("eeg", eeg)
        try:
            rows[eeg] = decode(source.files.read(name), spec.eeg, name).shape[1]
        except DataError:
            continue  # the build says so of all files
    return rate_warning(rows, needed, spec.eeg.row_rate_hz)
