"""Referential channels -> the traces of a montage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hmsstore.montage import ALL_CHAINS, ELECTRODES, neighbours, side
from hmsstore.schema import CHANNELS

ROWS = {
    "frontopolar": ("F7", "Fp1", "Fp2", "F8"),
    "frontal": ("F7", "F3", "Fz", "F4", "F8"),
    "central": ("T3", "C3", "Cz", "C4", "T4"),
    "parietal": ("T5", "P3", "Pz", "P4", "T6"),
    "occipital": ("T5", "O1", "O2", "T6"),
}
"""Rows of electrodes from left to right, front to back: the 18 differences of the transverse
bipolar montage TB-18.1 (Acharya et al. 2016, ACNS Guideline 3)."""


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
    sides: tuple[str, ...] = ()
    """Side of the head that each trace is of: 'left', 'right' or 'midline'."""

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


def _differences(name: str, title: str, chains: Mapping[str, tuple[str, ...]]) -> Montage:
    pairs = neighbours(chains)
    weights = np.zeros((len(pairs), len(CHANNELS)), np.float32)
    for trace, (first, second) in zip(weights, pairs, strict=True):
        trace[CHANNELS.index(first)], trace[CHANNELS.index(second)] = 1, -1
    labels = tuple(f"{first}-{second}" for first, second in pairs)
    groups = tuple(name for name, chain in chains.items() for _ in chain[1:])
    sides = tuple(_common_side(side(first), side(second)) for first, second in pairs)
    return Montage(name, title, labels, groups, weights, sides)


def _common_side(one: str, other: str) -> str:
    """Side of a difference: that of its electrodes; of one on the midline, that of the other."""
    if "midline" in (one, other):
        return other if one == "midline" else one
    return one if one == other else "midline"


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
    sides = tuple(map(side, placed))
    return Montage(name, title, labels, tuple(placed.values()), weights, sides)


MONTAGES: Final = {
    montage.name: montage
    for montage in (
        _differences("bipolar", "Bipolar EEG", ALL_CHAINS),
        _single("referential", "Referential EEG, as recorded", "", 0.0),
        _single("average", "EEG against the average of all electrodes", "-avg", 1 / 19),
        _differences("transverse", "Transverse bipolar EEG", ROWS),
    )
}
"""Longitudinal bipolar ("double banana"), as recorded, common average, and transverse bipolar."""
