"""Electrode names -> places on the head, and how strongly a source is seen at each electrode.

Arrays are (19,) or (19, n) in the order of `ELECTRODES`: the store's channels without the EKG.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsstore.montage import ELECTRODES, simulated_positions

PLACES = np.asarray(list(simulated_positions().values()))
"""Electrodes (19, 2) of the 10-20 system seen from above: x to the right ear, y to the nose; the
ears at distance 1."""


def electrodes(*names: str) -> NDArray[np.int64]:
    """Row numbers of these electrodes."""
    return np.asarray([ELECTRODES.index(name) for name in names])


def field(place: NDArray[np.float64], width: float) -> NDArray[np.float32]:
    """Strength (19,) at which a source at `place` is seen, falling off with distance."""
    distance = np.sum((PLACES - place) ** 2, axis=1)
    return np.asarray(np.exp(-distance / (2 * width**2)), np.float32)


def lateral_field(
    rng: np.random.Generator, side: int, width: tuple[float, float]
) -> NDArray[np.float32]:
    """Field of a source somewhere in one hemisphere (side -1: left, 1: right).

    What the other hemisphere sees of it is a tenth, by volume conduction.
    """
    place = np.asarray([side * rng.uniform(0.45, 0.95), rng.uniform(-0.5, 0.6)])
    seen = field(place, rng.uniform(*width))
    other = np.sign(PLACES[:, 0]) == -side
    return np.where(other, 0.1 * seen.max(), seen).astype(np.float32)


def general_field(rng: np.random.Generator, frontal: float) -> NDArray[np.float32]:
    """Field over both hemispheres alike; `frontal` 1 is strongest in front, 0 even."""
    slope = 0.5 + 0.5 * frontal * PLACES[:, 1] - 0.25 * (1 - frontal) * np.abs(PLACES[:, 1])
    tilt = 1 + rng.uniform(-0.12, 0.12) * PLACES[:, 0]
    return np.asarray(np.clip(slope + 0.3, 0.1, 1.2) * tilt, np.float32)
