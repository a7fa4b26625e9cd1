"""A data set, a store and marks made in it -> marked EEGs that are others in the data set.

Numbers do not tell: every import numbers its EEGs from the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hmsprep.building.values.clean import clean, missing_values
from hmsprep.kaggle.files import KaggleData
from hmsprep.kaggle.recording import decode
from hmsprep.planning.parameters import Parameters
from hmsstore import Store
from hmsstore.labels import Mark

CLEANED = ("nan", "eeg_clip", "ekg_clip", "bandpass")
"""Parameters of a build that decide its EEG, but for its scale."""
SHARDS = ("eeg_shard_rows", "spectrogram_shard_rows")
"""Parameters that have to fit the lengths of windows."""
ALIKE = 0.5
"""Deviation of what differs, over that of the EEG: half precision has far less, other EEG more."""


def other_eegs(data: Path, store: Store, marks: Iterable[Mark]) -> list[int]:
    """Find the marked EEGs of which the store holds something else than the data set.

    Parameters
    ----------
    data : Path
        A data set in Kaggle's layout.
    store : Store
    marks : iterable of Mark
        Of EEGs. A window at one mark of each is compared.

    Returns
    -------
    list of int
        EEGs that differ, or that the store or the data set does not hold.

    Raises
    ------
    DataError
        A file is not as it should be.
    """
    source = KaggleData(data)
    there = source.recordings("eeg")
    one_of = {mark.eeg_id: mark for mark in marks if mark.eeg_id is not None}
    return [
        eeg
        for eeg, mark in sorted(one_of.items())
        if eeg not in there or not _same(source, store, eeg, mark.start_s)
    ]


def _same(source: KaggleData, store: Store, eeg: int, at_s: float) -> bool:
    """Whether the window of an EEG whose judged seconds start nearest to a time is the same."""
    rows = np.flatnonzero(store.windows["eeg_id"] == eeg)
    if not len(rows):
        return False
    signal = store.spec.eeg
    offset_s = store.windows["eeg_offset_s"][rows]
    nearest = np.abs(offset_s + store.spec.judged_from_s - at_s).argmin()
    file = source.file_name("eeg", eeg)
    ours_uv = decode(source.files.read(file), signal, file)
    first = int(signal.row_at(offset_s[nearest]))
    window = slice(first, first + signal.window_rows)
    if ours_uv.shape[1] < window.stop:
        return False
    missing = missing_values(ours_uv)
    known = np.isfinite(ours_uv[:, window])
    told = store.info["parameters"]
    given = {name: told[name] for name in (*CLEANED, *SHARDS)}
    parameters = Parameters.from_json(given, store.spec)
    row = rows[nearest : nearest + 1]
    by_pair = bool(store.chains_only(row)[0])
    ours_uv = clean(ours_uv, missing, signal, parameters, by_pair=by_pair)[:, window]
    theirs_uv = store.denormalise(store.gather(row, "eeg"))["eeg"][0].T
    some = known.any(axis=1)
    of_one, of_difference = (
        np.std(values[some], axis=1, where=known[some], dtype=np.float64).sum()
        for values in (ours_uv, ours_uv - theirs_uv)
    )
    return bool(of_difference <= ALIKE * of_one)
