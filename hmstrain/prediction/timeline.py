"""Probabilities of sliding windows -> a recording's timeline, its episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import HMS, Spec
from hmsstore.recordings import ImportedRecording
from hmstrain.prediction.beside import Note, Powers
from hmstrain.prediction.episodes import (
    ROUNDING,
    Episode,
    EpisodeRule,
    smooth,
    spans_of,
    stretches,
)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Probabilities over a recording."""

    file: str
    seconds: float
    """Length of the recording."""
    centre_s: NDArray[np.float64]
    """(N,) middle of each window's judged seconds, ascending."""
    prediction: NDArray[np.float64]
    """(N, K); NaN where too little of the judged seconds was recorded."""
    missing: NDArray[np.float64]
    """(N,) share of each window's spectrogram that is not of the recording."""
    eeg_missing: NDArray[np.float64]
    """(N,) share of each window's EEG that was not recorded."""
    spec: Spec = HMS
    """Whose K classes these are, and how many seconds each probability is of."""
    caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Channels that its probabilities rest on and that were not recorded as they are shown, by
    what was done to them or found: 'interpolated', 'filled', ..."""
    rows: NDArray[np.int64] | None = None
    """(N,) the windows in their store, where they are of one."""
    notes: tuple[Note, ...] = ()
    """What the recorder's file says, in order."""
    powers: Powers | None = None
    """Spectrogram of the same windows."""
    start: time | None = None
    """Time of day at which the recording starts, if it is to be shown."""

    @property
    def codes(self) -> NDArray[np.int64]:
        """(N,) position of the most probable class; -1 where there is no probability."""
        known = np.isfinite(self.prediction).all(axis=1)
        return np.where(known, self.prediction.argmax(axis=1), -1)

    @property
    def spans_s(self) -> NDArray[np.float64]:
        """(N, 2) start and stop of the stretch of time that each window stands for."""
        return spans_of(self.centre_s, self.spec.judged_s)

    def smoothed(self, rule: EpisodeRule) -> NDArray[np.float64]:
        """(N, K) probabilities averaged over the seconds around each window."""
        return smooth(self.spans_s, self.prediction, rule.smoothing_s)

    def episodes(self, rule: EpisodeRule) -> list[Episode]:
        """Stretches in which a class, not the background, stays over the threshold, in order."""
        spans, averaged = self.spans_s, self.smoothed(rule)
        found = []
        for code, pattern in enumerate(self.spec.classes):
            if code == self.spec.background_code:
                continue
            over = averaged[:, code] >= rule.threshold - ROUNDING  # NaN is not over it
            for first, stop in stretches(spans, over, rule.shortest_s):
                part = slice(first, stop)
                values = self.prediction[part, code]
                found.append(
                    Episode(
                        float(spans[first, 0]),
                        float(spans[stop - 1, 1]),
                        code,
                        pattern,
                        float(values.mean()),
                        float(values.max()),
                        float(self.eeg_missing[part].max()),
                        float(self.missing[part].max()),
                        self.caveats,
                    )
                )
        return sorted(found, key=lambda one: (one.start_s, one.code))

    def share_over_threshold(self, rule: EpisodeRule) -> dict[str, float]:
        """Share of the windows with a probability in which each class is over the threshold.

        Stretches that are too short for an episode count too. It is not the burden or prevalence
        of ACNS 2021, which are of events that a reader accepted.
        """
        known = self.codes >= 0
        over = (self.smoothed(rule)[known] >= rule.threshold - ROUNDING).sum(axis=0)
        share = over / max(known.sum(), 1)
        return dict(zip(self.spec.class_keys, share.tolist(), strict=True))

    def counts(self) -> dict[str, int]:
        """How many windows there are, have no probability, and lack part of either signal."""
        return {
            "all": len(self.centre_s),
            "without_probability": int((self.codes < 0).sum()),
            "spectrogram_incomplete": int((self.missing > 0).sum()),
            "eeg_incomplete": int((self.eeg_missing > 0).sum()),
        }


def make_timeline(
    recording: ImportedRecording,
    windows: Mapping[str, NDArray[Any]],
    prediction: NDArray[np.float64],
    spec: Spec = HMS,
    caveats: Mapping[str, tuple[str, ...]] | None = None,
) -> Timeline:
    """Put the windows of a recording's pieces in order.

    Parameters
    ----------
    recording : ImportedRecording
        The recording, as `hmsprep import` describes it.
    windows : mapping of arrays
        Columns of the store's table, of the windows that were predicted; as `row`, if it is there,
        their rows.
    prediction : float64 (windows, K)
    spec : Spec
        Of the store.
    caveats : mapping, optional
        Channels that were not recorded as they are shown.
    """
    starts = {piece.eeg_id: piece.start_s for piece in recording.pieces}
    ids = windows["eeg_id"]
    rows = np.flatnonzero(np.isin(ids, list(starts)))
    begins = np.asarray([starts[eeg] for eeg in ids[rows].tolist()]) + windows["eeg_offset_s"][rows]
    order = np.argsort(begins, kind="stable")
    centre_s = begins[order] + spec.judged_from_s + spec.judged_s / 2
    missing, eeg_missing = (
        windows[f"{name}_nan_fraction"][rows][order].astype(np.float64)
        for name in ("spectrogram", "eeg")
    )
    return Timeline(
        recording.file,
        recording.seconds,
        centre_s,
        prediction[rows][order],
        missing,
        eeg_missing,
        spec,
        caveats or {},
        windows["row"][rows][order] if "row" in windows else None,
    )
