"""Electrode names -> places on the head, and how strongly a source is seen at each electrode.

Arrays are (19,) or (19, n) in the order of `ELECTRODES`: the store's channels without the EKG.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hmsstore import montage
from hmsstore.montage import CHAIN_PAIRS, ELECTRODES

Field = NDArray[np.float32]
Value = TypeVar("Value")
RIGHT = {
    "Fp2": (0.45, 0.99), "F8": (1.05, 0.48), "T4": (1.04, -0.15), "T6": (0.65, -0.67),
    "O2": (0.13, -0.88), "F4": (0.41, 0.49), "C4": (0.39, 0.03), "P4": (0.31, -0.35),
    "Fz": (0.0, 0.54), "Cz": (0.0, 0.03), "Pz": (0.0, -0.4),
}  # fmt: skip
"""Where electrodes of the right half and the midline lie (x to the right ear, y to the nose).

Fitted to 34 real segments, rounded by hand: from their places in the 10-20 system on to how unlike
any two electrodes are at 4 to 30 Hz, then with `AHEAD` to how alike bipolar traces are below 4 Hz
and at 4 to 12 Hz. The left half is its mirror image. Seen from above electrodes of the rim lie too
far apart, and a network told simulated EEG by nothing as well as by which traces are alike."""
RIGHT_AHEAD = {
    "Fp2": 1.12, "F8": 0.45, "T4": -0.17, "T6": -0.5, "O2": -0.79, "F4": 0.45, "C4": -0.33,
    "P4": -0.65, "Fz": 0.48, "Cz": -0.36, "Pz": -0.66,
}  # fmt: skip
"""How far in front they lie for waves that the whole head takes part in: of real ones C4 and P4 see
as much as places farther behind, T4 and T6 as farther in front (midline: as beside it)."""


def _both_halves(right: dict[str, Value], mirrored: Callable[[Value], Value]) -> list[Value]:
    """What is known of the right half and the midline, of all `ELECTRODES`."""
    left = {montage.mirrored(name): mirrored(value) for name, value in right.items()}
    both = left | right  # the midline as it stands there, without a negative zero
    return [both[name] for name in ELECTRODES]


PLACES = np.asarray(_both_halves(RIGHT, lambda place: (-place[0], place[1])))
"""Electrodes (19, 2) of the 10-20 system seen from above: x to the right ear, y to the nose."""
AHEAD = np.asarray(_both_halves(RIGHT_AHEAD, lambda y: y))
"""`RIGHT_AHEAD` of all electrodes (19,)."""
HALVES_MEET = 0.3
"""Up to so far from the midline both hemispheres have a part in what is seen."""
OFTEN_WIDE = 0.6
"""Share of rhythmic patterns of one side that come as a wide wave from front to back, as general
ones do, rather than from a place in it."""
UNLIKE_RIM = 0.25
"""Deviation of the logarithm of how much more the rim of the head sees than places near the
midline, of a wave that the whole head takes part in."""
UNLIKE_PLACES = 0.2
"""Deviation of what a pair of places, alike on both sides, sees more of it than others."""


@dataclass(frozen=True, slots=True)
class Source:
    """A part of the head that takes part in a pattern."""

    seen: Field
    """How strongly at each electrode, (19,)."""
    delay_s: float = 0.0
    """How much later than the pattern's first."""


def electrodes(*names: str) -> NDArray[np.int64]:
    """Row numbers of these electrodes."""
    return np.asarray([ELECTRODES.index(name) for name in names])


def chain_differences(eeg: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sixteen bipolar signals (16, n) of nineteen electrodes (19, n), or of a field (19,)."""
    front, back = zip(*CHAIN_PAIRS, strict=True)
    return eeg[electrodes(*front)] - eeg[electrodes(*back)]


def field(place: NDArray[np.float64], width: float) -> Field:
    """Strength (19,) at which a source at `place` is seen, falling off with distance."""
    distance = np.sum((PLACES - place) ** 2, axis=1)
    return np.asarray(np.exp(-distance / (2 * width**2)), np.float32)


def dipole(rng: np.random.Generator, place: NDArray[np.float64], width: float) -> Field:
    """Field of a source that is tilted: some of it is seen with the other sign farther off."""
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.3)
    other = place + reach * np.asarray([np.cos(angle), np.sin(angle)])
    tilt = rng.uniform(0, 0.6)
    return field(place, width) - np.float32(tilt) * field(other, width * rng.uniform(1, 1.6))


def lateral_place(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """A place in one hemisphere (side -1: left, 1: right)."""
    return np.asarray([side * rng.uniform(0.3, 0.9), rng.uniform(-0.8, 0.75)])


def lateral_field(
    rng: np.random.Generator, side: int, width: tuple[float, float], other: float = 0.1
) -> Field:
    """Field of a source somewhere in one hemisphere, of whose size the other one sees a share."""
    seen = dipole(rng, lateral_place(rng, side), rng.uniform(*width))
    far = np.sign(PLACES[:, 0]) == -side
    mirrored = seen[_mirror()]
    return np.where(far, np.float32(other) * mirrored, seen).astype(np.float32)


def general_field(rng: np.random.Generator, frontal: float) -> Field:
    """Field over both hemispheres alike; `frontal` 1 is strongest in front, -1 behind, 0 even."""
    slope = 0.5 + 0.5 * frontal * AHEAD - 0.25 * (1 - abs(frontal)) * np.abs(AHEAD)
    place, width = np.asarray([rng.uniform(0, 1), rng.uniform(-0.9, 1)]), rng.uniform(0.3, 0.6)
    both = np.maximum(field(place, width), field(place * [-1, 1], width))
    slope += rng.normal(0, UNLIKE_PLACES) * both
    tilt = 1 + rng.uniform(-0.08, 0.08) * PLACES[:, 0]
    rim = np.exp(rng.normal(0, UNLIKE_RIM) * (2 * np.abs(PLACES[:, 0]) - 1))
    ragged = rng.lognormal(0, 0.1, len(PLACES))
    turned = rng.uniform(0.1, 0.8)  # seen with the other sign where it is weak
    seen = (np.clip(slope + 0.3, 0.1, 1.3) - turned) * tilt * rim * ragged
    return np.asarray(seen, np.float32)


def extended_field(
    rng: np.random.Generator, side: int, general: float, rhythmic: float = 0.0
) -> Field:
    """Field between one side's (0) and both sides' alike (1).

    `general` is also about what the weaker hemisphere sees, of what the stronger one does. The more
    `rhythmic` (0 to 1), the more often a field of one side runs from front to back as general ones
    do.
    """
    other = float(np.clip(0.12 + 1.1 * general + rng.normal(0, 0.05), 0.02, 1))
    lateral = lateral_field(rng, side, (0.4, 1.0), other)
    kind = rng.random()
    frontal = rng.uniform(0.3, 1) if kind < 0.7 else rng.uniform(-1, -0.4) if kind < 0.8 else 0.0
    nearer = np.clip(0.5 + side * PLACES[:, 0] / (2 * HALVES_MEET), 0, 1)
    wide = general_field(rng, frontal) * (other + (1 - other) * nearer).astype(np.float32)
    share = np.float32(np.clip((general - 0.3) / 0.4, 0, 1))
    if rng.random() < OFTEN_WIDE * rhythmic:
        share = np.float32(1)
    return (1 - share) * visible(lateral) + share * visible(wide)


def spread_out(rng: np.random.Generator, seen: Field, longest_s: float) -> list[Source]:
    """Split a field into parts that follow upon each other, along a line over either hemisphere."""
    angle = rng.uniform(0, 2 * np.pi)
    along = PLACES @ np.asarray([np.cos(angle), np.sin(angle)])
    centres = np.asarray([-0.7, 0.0, 0.7])
    weight = np.exp(-(((along[:, None] - centres) / 0.5) ** 2))
    weight /= weight.sum(axis=1, keepdims=True)
    step_s = rng.uniform(0.1, 1) * longest_s / 2
    right = (1 + np.clip(PLACES[:, 0] / HALVES_MEET, -1, 1)) / 2
    found = []
    for half in (1 - right, right):
        late_s = rng.uniform(0, longest_s / 4)
        found += [
            Source((seen * half * weight[:, part]).astype(np.float32), part * step_s + late_s)
            for part in range(len(centres))
        ]
    return [one for one in found if np.abs(one.seen).max() > 0.05 * np.abs(seen).max()]


def delayed(sources: list[Source], by_s: float) -> list[Source]:
    """The same, all of them later."""
    return [replace(one, delay_s=one.delay_s + by_s) for one in sources]


def visible(seen: Field) -> Field:
    """Scale a field so that the bipolar traces that see it best have a peak of 1."""
    best = np.percentile(np.abs(chain_differences(seen)), 90)
    return np.asarray(seen / max(float(best), 1e-6), np.float32)


def _mirror() -> NDArray[np.int64]:
    """For each electrode the one at the same place of the other side."""
    mirrored = PLACES * np.asarray([-1, 1])
    apart = np.linalg.norm(PLACES[:, None] - mirrored[None, :], axis=2)
    return np.asarray(apart.argmin(axis=0))
