"""Referential channels -> the traces of a montage, and where electrodes sit on the head."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import CHAINS, CHANNELS, MIDLINE

GROUPS = {
    "LL": "left lateral",
    "RL": "right lateral",
    "LP": "left parasagittal",
    "RP": "right parasagittal",
    "midline": "midline",
}
"""Chains from top to bottom of a page: lateral before parasagittal, left before right."""
ELECTRODES = CHANNELS[:-1]
"""The nineteen electrodes on the scalp."""


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
    chains = {**CHAINS, "midline": MIDLINE}
    pairs = [(group, *pair) for group in GROUPS for pair in pairwise(chains[group])]
    weights = np.zeros((len(pairs), len(CHANNELS)), np.float32)
    for trace, (_, first, second) in zip(weights, pairs, strict=True):
        trace[CHANNELS.index(first)] = 1
        trace[CHANNELS.index(second)] = -1
    labels = tuple(f"{first}-{second}" for _, first, second in pairs)
    return Montage("bipolar", "Bipolar EEG", labels, tuple(group for group, *_ in pairs), weights)


def _single(name: str, title: str, suffix: str, reference: float) -> Montage:
    """Each electrode against one reference; Fp1, O1 and so on stand in their lateral chain."""
    chains = {**CHAINS, "midline": MIDLINE}
    placed: dict[str, str] = {}
    for group in GROUPS:
        placed |= {electrode: group for electrode in chains[group] if electrode not in placed}
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


def positions() -> dict[str, tuple[float, float]]:
    """Where the electrodes of the 10-20 system sit, seen from above, nose up, ears at +-1.

    The system divides the lines from nasion to inion and from ear to ear over Cz, and the line
    around the head, by tenths and fifths of their lengths (Klem et al., 1999, "The ten-twenty
    electrode system of the International Federation"). On a sphere: 36 degrees from Cz to Fz, C3,
    C4 and Pz, 72 to the outer ring, whose electrodes are 36 apart; F3, F4, P3 and P4 half-way
    between ring and midline. Projected with true distances from Cz (90 degrees is 1).

    Returns
    -------
    dict of str to (x, y)
        By electrode; x to the right, y to the front.
    """
    angles = {  # degrees from Cz; degrees from the front, to the left
        "Fz": (36, 0), "Cz": (0, 0), "Pz": (36, 180), "C3": (36, 90), "C4": (36, -90),
        "Fp1": (72, 18), "F7": (72, 54), "T3": (72, 90), "T5": (72, 126), "O1": (72, 162),
        "Fp2": (72, -18), "F8": (72, -54), "T4": (72, -90), "T6": (72, -126), "O2": (72, -162),
    }  # fmt: skip
    placed = {name: _on_sphere(*angle) for name, angle in angles.items()}
    for name, inner, outer in (
        ("F3", "Fz", "F7"),
        ("F4", "Fz", "F8"),
        ("P3", "Pz", "T5"),
        ("P4", "Pz", "T6"),
    ):
        middle = placed[inner] + placed[outer]
        placed[name] = middle / np.linalg.norm(middle)
    seen = {}
    for name in ELECTRODES:
        x, y, z = placed[name]
        across = np.hypot(x, y)
        distance = np.arccos(np.clip(z, -1, 1)) / (np.pi / 2)
        seen[name] = (
            float(distance * x / max(across, 1e-9)),
            float(distance * y / max(across, 1e-9)),
        )
    return seen


def _on_sphere(from_top_deg: float, from_front_deg: float) -> NDArray[np.float64]:
    down, round_ = np.deg2rad(from_top_deg), np.deg2rad(from_front_deg)
    return np.array([-np.sin(down) * np.sin(round_), np.sin(down) * np.cos(round_), np.cos(down)])
