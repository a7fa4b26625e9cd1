"""Electrodes -> the index arrays of the montages and of exchanging left and right."""

from __future__ import annotations

from itertools import pairwise

from hmsstore import CHAINS, CHANNELS, FREQUENCIES_HZ, REGIONS
from hmsstore.schema import MIDLINE

CHAIN_PAIRS = tuple(pair for region in REGIONS for pair in pairwise(CHAINS[region]))
"""The 16 differences of the four chains, four each, in the order LL, RL, LP, RP."""

PAIRS = (*CHAIN_PAIRS, *pairwise(MIDLINE))
"""The longitudinal bipolar montage: those and Fz-Cz, Cz-Pz."""

FRONT = tuple(CHANNELS.index(first) for first, _ in PAIRS)
BACK = tuple(CHANNELS.index(second) for _, second in PAIRS)
"""Channels whose difference each pair is."""


def _other_side(electrode: str) -> str:
    """Name of the electrode on the other side: odd numbers are left, even ones right."""
    if not electrode[-1].isdigit():
        return electrode
    number = int(electrode[-1])
    return electrode[:-1] + str(number + 1 if number % 2 else number - 1)


SWAPPED_CHANNELS = tuple(CHANNELS.index(_other_side(name)) for name in CHANNELS)
"""The channel that stands in each one's place once left and right are exchanged."""

SWAPPED_FEATURES = tuple(
    REGIONS.index({"L": "R", "R": "L"}[region[0]] + region[1]) * len(FREQUENCIES_HZ) + bin_
    for region in REGIONS
    for bin_ in range(len(FREQUENCIES_HZ))
)
"""The same for spectrogram features: LL with RL, LP with RP."""
