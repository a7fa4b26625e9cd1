"""Probabilities of sliding windows -> a recording's timeline, its episodes, EDF+ annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import HMS, PatternClass, Spec
from hmsstore.atomic import whole_file
from hmsstore.recordings import ImportedRecording
from hmstrain.errors import RESEARCH_ONLY, RunError


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch in which one pattern is the most probable."""

    start_s: float
    stop_s: float
    code: int
    """Position of its class."""
    pattern: PatternClass
    mean: float
    """Mean probability of the class, and the largest."""
    largest: float

    @property
    def title(self) -> str:
        """As it is shown: 'LPD 0.83'."""
        return f"{self.pattern.title} {self.mean:.2f}"


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

    @property
    def codes(self) -> NDArray[np.int64]:
        """(N,) position of the most probable class; -1 where there is no probability."""
        known = np.isfinite(self.prediction).all(axis=1)
        return np.where(known, self.prediction.argmax(axis=1), -1)

    @property
    def edges_s(self) -> NDArray[np.float64]:
        """(N + 1,) where each window's stretch begins and the last one's ends.

        Half-way between centres; at the ends of the recording at most half the judged seconds from
        one.
        """
        judged_s = self.spec.judged_s
        if len(self.centre_s) == 1:
            return self.centre_s[0] + np.asarray([-judged_s / 2, judged_s / 2])
        middle = (self.centre_s[1:] + self.centre_s[:-1]) / 2
        step = self.centre_s[1] - self.centre_s[0]
        reach = min(step, judged_s) / 2
        return np.concatenate([[self.centre_s[0] - reach], middle, [self.centre_s[-1] + reach]])

    def episodes(self) -> list[Episode]:
        """Stretches where a pattern, not the background, is the most probable, in order."""
        codes = self.codes
        edges = self.edges_s
        changes = np.flatnonzero(np.diff(codes)) + 1
        found = []
        for part in np.split(np.arange(len(codes)), changes):
            code = int(codes[part[0]])
            if code not in (-1, self.spec.background_code):
                values = self.prediction[part, code]
                found.append(
                    Episode(
                        float(edges[part[0]]),
                        float(edges[part[-1] + 1]),
                        code,
                        self.spec.classes[code],
                        float(values.mean()),
                        float(values.max()),
                    )
                )
        return found

    def counts(self) -> dict[str, int]:
        """How many windows there are, have no probability, and lack part of either signal."""
        return {
            "all": len(self.centre_s),
            "without_probability": int((self.codes < 0).sum()),
            "spectrogram_incomplete": int((self.missing > 0).sum()),
            "eeg_incomplete": int((self.eeg_missing > 0).sum()),
        }

    def burden(self) -> dict[str, float]:
        """Share of the time with probabilities for which each class is the most probable."""
        known = self.codes >= 0
        lengths = np.diff(self.edges_s)[known]
        share = np.bincount(self.codes[known], lengths, minlength=len(self.spec.classes))
        share = share / max(lengths.sum(), np.finfo(float).tiny)
        return dict(zip(self.spec.class_keys, share.tolist(), strict=True))


def make_timeline(
    recording: ImportedRecording,
    windows: Mapping[str, NDArray[Any]],
    prediction: NDArray[np.float64],
    spec: Spec = HMS,
) -> Timeline:
    """Put the windows of a recording's pieces in order.

    Parameters
    ----------
    recording : ImportedRecording
        The recording, as `hmsprep import` describes it.
    windows : mapping of arrays
        Columns of the store's table, of the windows that were predicted.
    prediction : float64 (windows, K)
    spec : Spec
        Of the store.
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
    )


def write_annotations(timeline: Timeline, path: Path) -> None:
    """Write the episodes as an EDF+ file of annotations alone, which viewers show over the EEG.

    The first annotation says what they are.

    Raises
    ------
    RunError
        edfio is not installed.
    """
    try:
        import edfio
    except ImportError:
        raise RunError("edfio is not installed. Run: pip install 'hms-eeg[prep]'") from None
    annotations = [edfio.EdfAnnotation(0, None, f"hms-eeg: {RESEARCH_ONLY}")]
    annotations += [
        edfio.EdfAnnotation(one.start_s, round(one.stop_s - one.start_s, 3), one.title)
        for one in timeline.episodes()
    ]
    with whole_file(path) as partial:
        edfio.Edf([], annotations=annotations).write(partial)
