"""Names of electrodes and regions -> pairs, sides, mirror images and places on the head.

The facts of the 10-20 system that drawing, networks, spectrograms and the simulator share (Klem et
al. 1999, "The ten-twenty electrode system of the International Federation"; Acharya et al. 2016,
ACNS Guidelines 2 and 3). Functions take names, so that they hold for other data too; constants are
those of `schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import CHAINS, CHANNELS, FREQUENCIES_HZ, MIDLINE, REGIONS

ELECTRODES = CHANNELS[:-1]
"""The nineteen electrodes on the scalp: all channels but the EKG."""

CHAIN_TITLES = {
    "LL": "left lateral",
    "RL": "right lateral",
    "LP": "left parasagittal",
    "RP": "right parasagittal",
    "midline": "midline",
}
"""Chains from top to bottom of a page: lateral before parasagittal, left before right."""

ALL_CHAINS = {**CHAINS, "midline": MIDLINE}
"""The four chains, which are the spectrogram's regions, and the midline; in the same order."""


def neighbours(chains: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    """Pair each electrode of each chain with the next: the front one first, chain by chain."""
    return tuple(pair for chain in chains.values() for pair in pairwise(chain))


CHAIN_PAIRS = neighbours(CHAINS)
"""The 16 differences of the four chains, four each, in the order LL, RL, LP, RP."""

PAIRS = neighbours(ALL_CHAINS)
"""The longitudinal bipolar montage ("double banana"): those and Fz-Cz, Cz-Pz; front minus back."""

FRONT = tuple(CHANNELS.index(front) for front, _ in PAIRS)
BACK = tuple(CHANNELS.index(back) for _, back in PAIRS)
"""Channels whose difference each pair is."""


def side(electrode: str) -> str:
    """Side of the head: 'left' for odd numbers, 'right' for even ones, else 'midline'."""
    if not electrode[-1].isdigit():
        return "midline"
    return "left" if int(electrode[-1]) % 2 else "right"


def region_side(region: str) -> str:
    """Side of a chain, by the first letter of its name: 'left', 'right' or 'midline'."""
    return {"L": "left", "R": "right"}.get(region[0], "midline")


def mirrored(electrode: str) -> str:
    """Name of the electrode in the same place on the other side; of the midline, the same."""
    step = {"left": 1, "right": -1, "midline": 0}[side(electrode)]
    return f"{electrode[:-1]}{int(electrode[-1]) + step}" if step else electrode


def mirrored_region(region: str) -> str:
    """Name of the same chain on the other side."""
    return {"L": "R", "R": "L"}.get(region[0], region[0]) + region[1:]


SWAPPED_CHANNELS = tuple(CHANNELS.index(mirrored(name)) for name in CHANNELS)
"""The channel that takes each one's place once left and right are exchanged."""

SWAPPED_FEATURES = tuple(
    REGIONS.index(mirrored_region(region)) * len(FREQUENCIES_HZ) + bin_
    for region in REGIONS
    for bin_ in range(len(FREQUENCIES_HZ))
)
"""The same for spectrogram features: LL with RL, LP with RP."""


def sphere() -> dict[str, NDArray[np.float64]]:
    """Place the electrodes of the 10-20 system on a sphere.

    The system divides the lines from nasion to inion and from ear to ear over Cz, and the line
    around the head, by tenths and fifths of their lengths: 36 degrees from Cz to Fz, C3, C4 and Pz,
    72 to the outer ring, whose electrodes are 36 apart; F3, F4, P3 and P4 half-way between ring and
    midline.

    Returns
    -------
    dict of str to (3,) array
        By electrode; x to the right, y to the front, z up; of length 1.
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
    return placed


def positions() -> dict[str, tuple[float, float]]:
    """Place the electrodes of the 10-20 system, seen from above, nose up, ears at +-1.

    Those of `sphere`, projected with true distances from Cz (90 degrees is 1).

    Returns
    -------
    dict of str to (x, y)
        By electrode; x to the right, y to the front.
    """
    placed = sphere()
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
