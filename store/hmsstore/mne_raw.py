"""A recording of a store -> MNE's own object, with electrode positions, units and votes.

>>> from hmsstore.mne_raw import raw_recording
>>> raw_recording(store, 1628180742).plot()  # doctest: +SKIP

Needs MNE (the extra `mne`), which is imported only when it is called.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsstore.errors import RequestError, StoreError
from hmsstore.reader import Store
from hmsstore.reading.gaps import ALL_FEATURES
from hmsstore.view.window import vote_label

if TYPE_CHECKING:
    import mne

POSITIONS = "colin27_1020", "standard_1020"
"""What MNE calls the same 10-20 positions, from 1.12 on and before."""
MISSING = "BAD_missing"
"""MNE leaves out what is annotated so."""


def raw_recording(store: Store, eeg_id: int) -> mne.io.RawArray:
    """Give the stored span of an EEG recording to MNE.

    Parameters
    ----------
    store : Store
        An open store.
    eeg_id : int
        Which recording.

    Returns
    -------
    mne.io.RawArray
        The store's EEG channels (of HMS 19 and the EKG) in volts at their rate (200 Hz), as
        cleaned by the build, with MNE's positions of those that are of the 10-20 system. Each
        window's judged seconds are annotated with its votes ("LPD 5/7"). What was missing and has
        been filled is annotated "BAD_missing", with the channels if not all were, so that MNE
        leaves it out of spectra and epochs; stores built before gaps were kept do not tell. Time 0
        is the start of the span, which is the first window's start.

    Raises
    ------
    StoreError
        The store holds no such recording, its electrodes share no reference, or MNE is not
        installed.
    """
    try:
        import mne
    except ImportError:
        raise StoreError("MNE is not installed. Run: pip install '.[mne]'") from None
    eeg_id = operator.index(eeg_id)
    eeg_uv, first = _span(store, eeg_id)
    if store.chains_only(np.flatnonzero(store.windows["eeg_id"] == eeg_id)).any():
        raise RequestError(
            f"EEG {eeg_id} of {store.path} was recorded as bipolar pairs: its electrodes share no "
            "reference, so MNE would compute wrong averages of them."
        )
    spec, rate_hz = store.spec, store.spec.eeg.row_rate_hz
    names = list(spec.eeg.features)
    kinds = ["ecg" if name == spec.heart else "eeg" for name in names]
    info = mne.create_info(names, rate_hz, kinds)
    raw = mne.io.RawArray(eeg_uv.T.astype(np.float64) * 1e-6, info, verbose="error")
    positions = next(n for n in POSITIONS if n in mne.channels.get_builtin_montages())
    raw.set_montage(positions, on_missing="ignore")
    windows = np.flatnonzero(store.windows["eeg_id"] == eeg_id)
    onset = store.windows["eeg_offset_s"][windows] - first / rate_hz + spec.judged_from_s
    texts = [vote_label(votes, spec.class_titles) for votes in store.windows["votes"][windows]]
    annotations = mne.Annotations(onset, spec.judged_s, texts)
    for feature, start, rows in _gaps(store, eeg_id, first):
        channels = [] if feature == ALL_FEATURES else [names[feature]]
        annotations.append(start / rate_hz, rows / rate_hz, MISSING, ch_names=[channels])
    raw.set_annotations(annotations)
    return raw


def _gaps(store: Store, eeg_id: int, first: int) -> list[tuple[int, int, int]]:
    """Feature, first row after the span's start, and rows of each gap of a recording.

    Neighbouring segments share a window's length, so their pieces of a gap are put together.
    """
    if store.gaps is None:
        return []
    table, segments = store.gaps["eeg"], store.recordings["eeg"]
    mine = np.flatnonzero(table["recording"] == eeg_id)
    order = np.argsort(segments["start"])
    segment = order[np.searchsorted(segments["start"][order], table["start"][mine], "right") - 1]
    source_start = segments["source_start"][segment] - segments["start"][segment]
    start = table["start"][mine] + source_start - first
    found: dict[int, list[tuple[int, int]]] = {}
    for place in np.argsort(start, kind="stable").tolist():
        begin = int(start[place])
        stop = begin + int(table["rows"][mine[place]])
        gaps = found.setdefault(int(table["feature"][mine[place]]), [])
        if gaps and begin <= gaps[-1][1]:
            gaps[-1] = gaps[-1][0], max(stop, gaps[-1][1])
        else:
            gaps.append((begin, stop))
    return [
        (feature, begin, stop - begin) for feature, gaps in found.items() for begin, stop in gaps
    ]


def _span(store: Store, eeg_id: int) -> tuple[NDArray[np.float32], int]:
    """Microvolts (T, channels) of a recording's stored span, and its first row in the source file.

    A long recording lies in segments that overlap; each adds what the ones before have not.
    """
    table = store.recordings["eeg"]
    segments = np.flatnonzero(table["id"] == eeg_id)
    if not len(segments):
        raise RequestError(f"{store.path} holds no EEG {eeg_id}.")
    segments = segments[np.argsort(table["source_start"][segments])]
    shards, shard_rows = store.shards("eeg"), store.shard_rows("eeg")
    first = reached = int(table["source_start"][segments[0]])
    parts = []
    for segment in segments.tolist():
        start, begin = int(table["start"][segment]), int(table["source_start"][segment])
        number, row = divmod(start, shard_rows)
        rows = int(table["rows"][segment])
        parts.append(shards[number][row + max(0, reached - begin) : row + rows])
        reached = max(reached, begin + rows)
    return store.denormalise({"eeg": np.concatenate(parts)})["eeg"], first
