"""Seizures on the head: fast, or evolving in frequency, form and place, and what comes after.

ACNS terminology, 2021: an electrographic seizure has discharges of more than 2.5 Hz for ten
seconds, or a pattern with definite evolution that lasts as long: at least two changes in frequency,
form or place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator import course
from hmsprep.simulator.head import (
    extended_field,
    field,
    general_field,
    lateral_place,
    spread_out,
    visible,
)
from hmsprep.simulator.noise import RATE_HZ, band, shaped, slow_wander
from hmsprep.simulator.traits import Traits

KINDS = ("evolving", "spike and wave", "slow")
CHANCES = (0.55, 0.25, 0.2)
Wave = NDArray[np.float32]


def seizure(
    rng: np.random.Generator, traits: Traits, side: int, samples: int
) -> NDArray[np.float32]:
    """Draw a seizure that lasts all the time, (19, samples); peaks near 1 in bipolar traces."""
    kind = rng.choice(KINDS, p=CHANCES)
    clear = float(np.clip(2 * (traits.ictal - 0.5), 0, 1))
    if kind == "spike and wave":
        rate = float(rng.uniform(2.2 + 0.5 * clear, 3.2 + 1.8 * clear))
        pace = rate * slow_wander(rng, samples, 3, 0.06)
        spread = np.zeros(samples, np.float32)
        seen = extended_field(rng, side, traits.general)
        sources = [(spread_out(rng, seen, 0.06), 1 - spread)]
    else:
        progress = _progress(rng, samples)
        pace, spread = _evolution(rng, progress, slow=kind == "slow", clear=clear)
        focus = visible(field(lateral_place(rng, side), rng.uniform(0.25, 0.5)))
        wide = extended_field(rng, side, float(np.clip(traits.general + 0.2, 0, 1)))
        sources = [
            (spread_out(rng, focus, 0.04), 1 - spread),
            (spread_out(rng, wide, 0.1), spread),
        ]
    times = course.beats(rng, pace.astype(float), float(rng.uniform(0.04, 0.14)), samples)
    size = course.per_beat(rng, times, rng.uniform(0.08, 0.3), samples)
    size *= np.float32(0.5) + np.float32(0.7) * spread
    form = _Form.draw(rng)
    found = np.zeros((len(sources[0][0][0].seen), samples), np.float32)
    for parts, share in sources:
        for source in parts:
            wave = form.wave(course.phase_of(times + source.delay_s, samples), spread)
            found += source.seen[:, None] * (wave * size * share)
    if rng.random() < 0.3:  # movement: muscle over both temples, the more the further it spread
        muscle = shaped(rng, 1, samples, band(20, 60))[0] * (0.1 + 0.5 * spread)
        seen = np.abs(visible(general_field(rng, 0.5)))
        found += seen[:, None] * (muscle * np.float32(rng.uniform(0.1, 0.6)))
    return found


def after(rng: np.random.Generator, side: int, samples: int) -> NDArray[np.float32]:
    """Slow waves after a seizure, (19, samples), which fade."""
    wave = shaped(rng, 1, samples, band(0.6, 2.5))[0]
    fade = np.exp(-np.arange(samples) / (rng.uniform(8, 40) * RATE_HZ)).astype(np.float32)
    seen = extended_field(rng, side, float(rng.random()))
    faded: NDArray[np.float32] = wave * fade
    return seen[:, None] * faded


class _Form:
    """What one turn of a seizure looks like; spikier or smoother as it goes on."""

    def __init__(self, harmonics: NDArray[np.float64], turns: NDArray[np.float64]) -> None:
        self.harmonics, self.turns = harmonics, turns
        self.spike = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Form:
        found = cls(rng.uniform(0, (0.6, 0.35, 0.2)), rng.uniform(0, 2 * np.pi, 3))
        found.spike = float(rng.uniform(0.2, 1.2)) if rng.random() < 0.6 else 0.0
        return found

    def wave(self, phase: NDArray[np.float64], spread: NDArray[np.float32]) -> Wave:
        found = np.sin(phase)
        for number, (size, turn) in enumerate(zip(self.harmonics, self.turns, strict=True)):
            found += size * np.sin((number + 2) * phase + turn)
        if self.spike:
            place = phase % (2 * np.pi) - 1.0
            found -= self.spike * (0.4 + 0.6 * spread) * np.exp(-(place**2) / 0.09)
        return (found / 1.3).astype(np.float32)


def _progress(rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    """How far each moment is in its evolution, 0 to 1; one follows upon the other."""
    found = np.empty(samples)
    first = -int(rng.uniform(0, 30) * RATE_HZ)
    while first < samples:
        length = int(rng.uniform(30, 110) * RATE_HZ)
        part = slice(max(first, 0), min(first + length, samples))
        found[part] = (np.arange(part.start, part.stop) - first) / length
        first += length
    return found


def _evolution(
    rng: np.random.Generator, progress: NDArray[np.float64], *, slow: bool, clear: float
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Rate in Hz and how far it has spread, both (samples,)."""
    if slow:  # under 4 Hz from beginning to end, and yet evolving
        start, top, end = rng.uniform(1.2, 2.0), rng.uniform(2.6, 3.8), rng.uniform(1.4, 2.4)
        rate = np.interp(progress, (0, 0.4, 1), (start, top, end))
    else:
        start, end = rng.uniform(4.5, 12), rng.uniform(1.8 + 0.6 * clear, 3.4)
        rate = start * (end / start) ** progress ** rng.uniform(0.6, 1.4)
    wandering = rate * slow_wander(rng, len(progress), 2, 0.07)
    spread = np.clip(progress * rng.uniform(0.8, 1.4), 0, 1).astype(np.float32)
    return np.asarray(wandering), spread
