"""The pairs of a bipolar recording -> whether the two ways from one electrode to another add up.

On each side of the head two chains lead from the frontal pole to the occiput. The pairs along
either sum to the same difference, so that wrong labels show: of any signal that is another than it
is called, the sums differ as much as EEG itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hmsprep.importing.channels import Difference
from hmsstore.schema import CHAINS

LEAST_UV, LEAST_SHARE = 3.0, 0.1
"""Standard deviation from which on two sums differ by more than rounding and gains: in microvolts,
and relative to the median pair's."""
OFTEN = 0.5
"""Share of the stretches in which they differ from which on it is said."""
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Ring:
    """Two ways from one electrode to another, each a chain of pairs."""

    ways: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def pairs(self) -> list[Pair]:
        """Pairs of the first way, then of the second."""
        return [pair for way in self.ways for pair in pairwise(way)]

    @property
    def words(self) -> str:
        """From where to where, and by which electrodes."""
        one, other = (", ".join(way[1:-1]) for way in self.ways)
        first, last = self.ways[0][0], self.ways[0][-1]
        return f"from {first} to {last} by {one}, and by {other}"


def rings() -> list[Ring]:
    """Rings of the chains that begin and end at the same electrodes."""
    chains = [tuple(chain) for chain in CHAINS.values()]
    return [
        Ring((one, other))
        for place, one in enumerate(chains)
        for other in chains[place + 1 :]
        if (one[0], one[-1]) == (other[0], other[-1])
    ]


def measured(ring: Ring, differences: Sequence[Difference]) -> list[tuple[int, int]] | None:
    """Find the signals of a ring's pairs: their numbers, and 1 or -1; None if one is missing."""
    found: Mapping[Pair, tuple[int, int]] = {
        pair: (number, sign)
        for number, front, back in differences
        for pair, sign in (((front, back), 1), ((back, front), -1))
    }
    signals = [found.get(pair) for pair in ring.pairs]
    return None if None in signals else [one for one in signals if one is not None]


def adds_up(pairs_uv: NDArray[np.floating]) -> tuple[bool, float, float]:
    """Compare the sums of both ways in a stretch.

    Parameters
    ----------
    pairs_uv : float (pairs, samples)
        The pairs of the first way, then as many of the second.

    Returns
    -------
    (bool, float, float)
        Whether they agree; the standard deviation of what they differ by, and that of the median
        pair, in microvolts.
    """
    half = len(pairs_uv) // 2
    apart = float((pairs_uv[:half].sum(axis=0) - pairs_uv[half:].sum(axis=0)).std())
    usual = float(np.median(pairs_uv.std(axis=1)))
    return apart <= max(LEAST_UV, LEAST_SHARE * usual), apart, usual


def describe_rings(
    stretches_uv: Sequence[NDArray[np.floating]],
    numbers: Sequence[int],
    differences: Sequence[Difference],
) -> list[str]:
    """Say which rings do not add up, without the file's name in front.

    Parameters
    ----------
    stretches_uv : sequence of float (signals, samples)
        Microvolts, NaN where nothing was recorded.
    numbers : sequence of int
        Of those signals in the file.
    differences : sequence of (int, str, str)
        Number of a signal, and the two electrodes whose difference it is.
    """
    place = {number: row for row, number in enumerate(numbers)}
    found = []
    for ring in rings():
        signals = measured(ring, differences)
        if signals is None:
            continue
        rows = [place[number] for number, _ in signals]
        signs = np.array([[sign] for _, sign in signals])
        whole = [part[rows] * signs for part in stretches_uv if np.isfinite(part[rows]).all()]
        judged = [adds_up(part) for part in whole]
        wrong = [(apart, usual) for agree, apart, usual in judged if not agree]
        if wrong and len(wrong) >= OFTEN * len(judged):
            apart, usual = np.median(wrong, axis=0).tolist()
            found.append(
                f"has pairs that do not add up {ring.words}: the two sums differ by {apart:.3g} uV "
                f"(standard deviation; a pair has {usual:.3g} uV), expected the same. Labels are "
                "probably wrong: look at them with hmsprep import --list, and correct them with "
                "--rename"
            )
    return found
