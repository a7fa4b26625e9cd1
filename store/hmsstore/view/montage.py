"""Referential channels -> the traces of a montage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hmsstore.montage import ALL_CHAINS, BACK, ELECTRODES, FRONT, PAIRS
from hmsstore.schema import CHANNELS


@dataclass(frozen=True, slots=True)
class Montage:
    """Which differences of potential are drawn, in order."""

    name: str
    title: str
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    """Chain that each trace belongs to."""
    weights: NDArray[np.float32]
    """float32 (traces, 20): each trace as a sum over the channels."""

    def derive(self, eeg_uv: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn referential EEG into traces.

        Parameters
        ----------
        eeg_uv : float32 (T, 20)
            Referential microvolts; NaN where nothing was recorded.

        Returns
        -------
        float32 (T, traces)
            Microvolts; NaN where a channel that the trace needs is.
        """
        gaps = np.isnan(eeg_uv)
        if not gaps.any():
            return eeg_uv @ self.weights.T
        traces = np.where(gaps, np.float32(0), eeg_uv) @ self.weights.T
        traces[gaps.astype(np.float32) @ (self.weights != 0).T.astype(np.float32) > 0] = np.nan
        return traces


def _differences() -> Montage:
    weights = np.zeros((len(PAIRS), len(CHANNELS)), np.float32)
    for trace, front, back in zip(weights, FRONT, BACK, strict=True):
        trace[front], trace[back] = 1, -1
    labels = tuple(f"{front}-{back}" for front, back in PAIRS)
    groups = tuple(name for name, chain in ALL_CHAINS.items() for _ in chain[1:])
    return Montage("bipolar", "Bipolar EEG", labels, groups, weights)


def _single(name: str, title: str, suffix: str, reference: float) -> Montage:
    """Each electrode against one reference; Fp1, O1 and so on are listed in their lateral chain."""
    placed: dict[str, str] = {}
    for group, chain in ALL_CHAINS.items():
        placed |= {electrode: group for electrode in chain if electrode not in placed}
    weights = np.zeros((len(placed), len(CHANNELS)), np.float32)
    weights[:, : len(ELECTRODES)] = -reference
    for trace, electrode in zip(weights, placed, strict=True):
        trace[CHANNELS.index(electrode)] += 1
    labels = tuple(electrode + suffix for electrode in placed)
    return Montage(name, title, labels, tuple(placed.values()), weights)


MONTAGES: Final = {
    montage.name: montage
    for montage in (
        _differences(),
        _single("referential", "Referential EEG, as recorded", "", 0.0),
        _single("average", "EEG against the average of all electrodes", "-avg", 1 / 19),
    )
}
"""Longitudinal bipolar ("double banana"), as recorded, and common average reference."""
