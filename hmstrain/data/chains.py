"""Orders of the four chains -> orders of channels and of spectrogram features.

Chains of one side share their first and last electrode, so not each of the 24 orders of LL, RL, LP
and RP is an order of electrodes: eight are. They leave the chains of a hemisphere in one
hemisphere, so that a pattern of one side stays on one side and keeps its class.
"""

from __future__ import annotations

from itertools import permutations

from hmsstore import CHANNELS, REGIONS
from hmsstore.montage import ALL_CHAINS
from hmsstore.schema import CHAINS, FREQUENCIES_HZ


def electrodes_moved(order: tuple[str, ...]) -> dict[str, str] | None:
    """Electrode that takes each one's place where chains take those of `REGIONS`, if one can."""
    taken: dict[str, str] = {}
    for source, place in zip(order, REGIONS, strict=True):
        for electrode, there in zip(CHAINS[source], CHAINS[place], strict=True):
            if taken.setdefault(there, electrode) != electrode:
                return None
    return taken


def channel_order(taken: dict[str, str]) -> tuple[int, ...]:
    """Number of the channel that takes each one's place; one that is not named stays."""
    return tuple(CHANNELS.index(taken.get(name, name)) for name in CHANNELS)


def feature_order(order: tuple[str, ...]) -> tuple[int, ...]:
    """Number of the spectrogram feature that takes each one's place."""
    bins = len(FREQUENCIES_HZ)
    return tuple(REGIONS.index(source) * bins + bin_ for source in order for bin_ in range(bins))


MOVED = {
    order: taken
    for order in permutations(REGIONS)
    if (taken := electrodes_moved(order)) is not None
}
CHAIN_ORDERS = tuple(MOVED)
"""The chain that takes the place of each of `REGIONS`, in each order; the first changes nothing."""
CHANNEL_ORDERS = tuple(channel_order(taken) for taken in MOVED.values())
"""The same as numbers of channels."""
FEATURE_ORDERS = tuple(feature_order(order) for order in CHAIN_ORDERS)
"""The same as numbers of spectrogram features."""

FRONT_BACK_CHANNELS = channel_order(
    {
        there: electrode
        for chain in ALL_CHAINS.values()
        for there, electrode in zip(chain, reversed(chain), strict=True)
    }
)
"""The channel that takes each one's place once front and back are exchanged. Each chain keeps its
pairs, the other way round, so a spectrogram, which is a chain's mean, stays as it is."""
