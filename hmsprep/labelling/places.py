"""A data set -> where in which recording the judged seconds of each of its windows lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.kaggle.files import KaggleData
from hmsprep.kaggle.recording import decode
from hmsprep.kaggle.table import Columns, read_table
from hmsprep.labelling.agreement import NONE
from hmsstore import StoreError
from hmsstore.reading.observed import LEAST_JUDGED, judged_rows
from hmsstore.recordings import RECORDINGS_NAME, ImportedRecording, parse_montages
from hmsstore.spec import Spec


@dataclass(frozen=True)
class Places:
    """Windows of a data set and their places in recordings."""

    path: Path
    spec: Spec
    table: Columns
    """Columns of the table of windows."""
    recordings: tuple[ImportedRecording, ...]
    """What was imported; nothing of other data sets."""
    sha256: tuple[str, ...]
    """What the marks of each recording state: of the recorder's file; of the first piece's file
    where an import does not tell that, such as of MNE's own recordings."""
    pieces: Mapping[int, tuple[int, float]]
    """EEG -> the place of its recording among `recordings`, and where in it the EEG starts, in
    seconds."""

    def __len__(self) -> int:
        """Number of windows, N."""
        return len(self.table["eeg_id"])

    @cached_property
    def eeg_start_s(self) -> NDArray[np.float64]:
        """(N,) where the judged seconds start, from the start of the EEG."""
        found: NDArray[np.float64] = self.table["eeg_offset_s"] + self.spec.judged_from_s
        return found

    @cached_property
    def recording(self) -> NDArray[np.int64]:
        """(N,) place of each window's recording among `recordings`; -1 of none."""
        places = {eeg: place for eeg, (place, _) in self.pieces.items()}
        ids = self.table["eeg_id"].tolist()
        return np.asarray([places.get(eeg, NONE) for eeg in ids], np.int64)

    @cached_property
    def start_s(self) -> NDArray[np.float64]:
        """(N,) where the judged seconds start, from the start of the recording.

        Of windows of no recording from the start of the EEG.
        """
        begins = {eeg: begin for eeg, (_, begin) in self.pieces.items()}
        found: NDArray[np.float64] = self.eeg_start_s + np.asarray(
            [begins.get(eeg, 0.0) for eeg in self.table["eeg_id"].tolist()]
        )
        return found

    def name(self, row: int) -> str:
        """What a window is of, for people: a recording's file, or an EEG."""
        eeg = int(self.table["eeg_id"][row])
        return self.recordings[self.pieces[eeg][0]].file if eeg in self.pieces else f"EEG {eeg}"


def find_places(path: Path, spec: Spec) -> Places:
    """Read the table of a data set, and `recordings.json` of an import.

    Raises
    ------
    DataError
        There is no data set, or its files are not as they should be.
    """
    source = KaggleData(path)
    table = read_table(source.read_table(), source.table_name, spec)
    recordings: tuple[ImportedRecording, ...] = ()
    if RECORDINGS_NAME in source.sizes:
        try:
            content = source.files.read(RECORDINGS_NAME)
            recordings = parse_montages(content, str(path / RECORDINGS_NAME)).recordings
        except StoreError as error:
            raise DataError(str(error)) from None
    pieces: dict[int, tuple[int, float]] = {}
    for place, one in enumerate(recordings):
        pieces |= {piece.eeg_id: (place, piece.start_s) for piece in one.pieces}
    return Places(path, spec, table, recordings, _sums(source, recordings), pieces)


def _sums(source: KaggleData, recordings: Sequence[ImportedRecording]) -> tuple[str, ...]:
    found = []
    for one in recordings:
        first = min(one.pieces, key=lambda piece: piece.start_s, default=None)
        if one.sha256 or first is None:
            found.append(one.sha256)
        else:
            content = source.files.read(source.file_name("eeg", first.eeg_id))
            found.append(sha256(content).hexdigest())
    return tuple(found)


def rows_of_eeg(places: Places) -> dict[int, NDArray[np.int64]]:
    """EEG -> its windows."""
    return _grouped(places.table["eeg_id"])


def rows_of_recording(places: Places) -> dict[int, NDArray[np.int64]]:
    """Place of a recording -> its windows."""
    return _grouped(places.recording)


def recorded(places: Places, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of which windows enough of the judged seconds was recorded, bool (N,).

    A sample in which no electrode was recorded is missing, whatever the heart's channel holds.

    Parameters
    ----------
    places : Places
    rows : int64 (N,)
        Windows; the files of their EEGs are read.

    Raises
    ------
    DataError
        A file is missing, or not as it should be.
    """
    source, signal, heart = KaggleData(places.path), places.spec.eeg, places.spec.heart
    first, stop = judged_rows(places.spec, "eeg")
    electrodes = [n for n, name in enumerate(signal.features) if name != heart]
    found = np.ones(len(rows), bool)
    there = source.recordings("eeg")
    for eeg, own in _grouped(places.table["eeg_id"][rows]).items():
        name = source.file_name("eeg", eeg)
        if eeg not in there:
            raise DataError(f"{places.path} lacks {name}: its windows were marked.")
        eeg_uv = decode(source.files.read(name), signal, name)[electrodes]
        before = np.append(0, np.cumsum(~np.isfinite(eeg_uv).any(axis=0)))
        starts = signal.row_at(places.table["eeg_offset_s"][rows[own]])
        begin, end = (np.clip(starts + row, 0, len(before) - 1) for row in (first, stop))
        judged = 1 - (before[end] - before[begin]) / (stop - first)
        found[own] = judged >= LEAST_JUDGED - 1e-9
    return found


def _grouped(keys: NDArray[Any]) -> dict[int, NDArray[np.int64]]:
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    return dict(zip(found.tolist(), np.split(order, starts)[1:], strict=True))
