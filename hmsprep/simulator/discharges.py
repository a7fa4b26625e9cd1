"""The shape of one discharge, and many of them in a row.

Terms are those of the ACNS terminology, 2021: phases are how often a wave crosses the line; spiky
discharges last under 70 ms, sharp ones 70 to 200; +F is fast activity upon them; blunt ones have no
sharp phase. Peaks are near 1, negative where clinicians look up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator.noise import RATE_HZ

BEFORE_S, AFTER_S = 0.35, 0.85
"""How far a discharge reaches before and after its main peak."""
TIME = np.arange(-BEFORE_S, AFTER_S, 1 / RATE_HZ)
Wave = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """A discharge: phases that follow upon each other, a slow wave after them, fast activity."""

    sizes: tuple[float, ...]
    """Of its phases; the largest is 1 or -1 as drawn."""
    widths_s: tuple[float, ...]
    """Of its phases: deviation of a Gaussian, 0.42 of the duration at half height."""
    slow: float
    """Size of the slow wave after it, and its width."""
    slow_s: float
    fast: float
    """Size of fast activity upon it, and its frequency."""
    fast_hz: float

    def varied(self, rng: np.random.Generator, deviation: float) -> Shape:
        """The same a little different, as another place sees it: another phase may be largest."""
        times = rng.lognormal(0, deviation, (2, len(self.sizes)))
        return replace(
            self,
            sizes=tuple((np.asarray(self.sizes) * times[0]).tolist()),
            widths_s=tuple((np.asarray(self.widths_s) * times[1]).tolist()),
            slow=self.slow * float(rng.lognormal(0, 2 * deviation)),
            slow_s=self.slow_s * float(rng.lognormal(0, deviation)),
        )

    def wave(self, rng: np.random.Generator, jitter: float = 0.0) -> Wave:
        """Draw one discharge, a little different from the others: float32, TIME long."""
        main = int(np.argmax(np.abs(self.sizes)))
        widths = np.asarray(self.widths_s) * rng.lognormal(0, jitter, len(self.sizes))
        sizes = np.asarray(self.sizes) * rng.lognormal(0, jitter, len(self.sizes))
        ends = np.concatenate([[0], np.cumsum(1.5 * (widths[:-1] + widths[1:]))])
        places = ends - ends[main]
        wave = sum(
            size * np.exp(-(((TIME - place) / width) ** 2) / 2)
            for size, place, width in zip(sizes, places, widths, strict=True)
        )
        if self.slow:
            at = places[-1] + 2 * widths[-1] + 1.5 * self.slow_s
            size = -np.sign(self.sizes[main]) * self.slow * rng.lognormal(0, 2 * jitter)
            wave = wave + size * np.exp(-(((TIME - at) / self.slow_s) ** 2) / 2)
        if self.fast:
            hull = np.exp(-(((TIME - places[-1]) / 0.09) ** 2) / 2)
            turns = 2 * np.pi * (self.fast_hz * TIME + rng.random())
            wave = wave + self.fast * hull * np.sin(turns)
        return np.asarray(wave, np.float32)


def draw_shape(
    rng: np.random.Generator, rate_hz: float, *, triphasic: float, broad: float
) -> Shape:
    """Draw the shape of a pattern's discharges.

    Parameters
    ----------
    rate_hz : float
        How often they come: the faster, the shorter they must be.
    triphasic : float
        Chance of a triphasic wave.
    broad : float
        0 to 1: how much broader than spikes and sharp waves they are.
    """
    room_s = 0.3 / rate_hz
    if rng.random() < triphasic:
        width = min(rng.uniform(0.03, 0.07) * (1 + 0.6 * broad), room_s / 4)
        three = (-rng.uniform(0.2, 0.8), 1.0, -rng.uniform(0.2, 0.7))
        wide = (width * rng.uniform(0.6, 0.9), width, width * rng.uniform(1.2, 2.0))
        return Shape(three, wide, 0.0, 0.1, 0.0, 10.0)
    width = float(np.clip(rng.lognormal(np.log(0.028), 0.5) * (1 + 1.5 * broad), 0.01, 0.09))
    width = min(width, room_s / 3)
    count = int(rng.choice(4, p=(0.4, 0.4, 0.15, 0.05))) + 1
    main = int(rng.integers(count))
    sizes = [(-1.0) ** (phase - main) * rng.uniform(0.25, 0.9) for phase in range(count)]
    sizes[main] = 1.0
    sign = -1 if rng.random() < 0.85 else 1
    widths = tuple(width * rng.uniform(0.7, 1.6) for _ in range(count))
    slow = rng.random() < 0.6
    fast = rng.random() < 0.15
    return Shape(
        tuple(sign * size for size in sizes),
        widths,
        float(rng.uniform(0.2, 0.9)) if slow else 0.0,
        min(float(rng.uniform(0.05, 0.16)), room_s / 2),
        float(rng.uniform(0.15, 0.5)) if fast else 0.0,
        float(rng.uniform(10, 25)),
    )


def train(
    rng: np.random.Generator,
    shape: Shape,
    times_s: NDArray[np.float64],
    sizes: NDArray[np.float64],
    samples: int,
    *,
    jitter: float,
) -> Wave:
    """Discharges of a shape at these times, (samples,)."""
    variants = [shape.wave(rng, jitter) for _ in range(6)]
    which = rng.integers(len(variants), size=len(times_s))
    reach = len(TIME)
    found = np.zeros(samples + 2 * reach, np.float32)
    first = np.rint((times_s - BEFORE_S) * RATE_HZ).astype(np.int64) + reach
    for place, size, variant in zip(first.tolist(), sizes.tolist(), which.tolist(), strict=True):
        if 0 <= place < samples + reach:
            found[place : place + reach] += np.float32(size) * variants[variant]
    return found[reach : reach + samples]
