"""Periodic discharges, rhythmic delta, and what lies between them, on the head.

Definitions follow the American Clinical Neurophysiology Society's Standardized Critical Care EEG
Terminology, 2021 version. Periodic discharges: up to 2.5 Hz, for at least six cycles, with a clear
interval between discharges. Rhythmic delta: 0.5 to 4 Hz, uniform, without interval.

Rates and how regular they are were measured on discharges and waves that experts marked in real
segments (2,939 and 549, of Brain Data Science Platform): medians of 1.0 Hz for LPD, 1.25 for GPD,
1.4 for LRDA, 1.3 for GRDA, nine in ten between 0.5 and 2.25; the intervals' coefficient of
variation is 0.21 to 0.25 for periodic discharges and 0.10 for rhythmic delta.

All functions return float32 (19, samples) with peaks near 1 in the bipolar traces that see it best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator import course, discharges
from hmsprep.simulator.head import Source, extended_field, spread_out
from hmsprep.simulator.noise import RATE_HZ, band, shaped, slow_wander
from hmsprep.simulator.traits import Traits

RATES_HZ = ((1.0, 1.25), (1.4, 1.3))
"""Median: periodic, rhythmic; each lateral, general."""
RATE_SPREAD = (0.45, 0.35)
"""Deviation of the logarithm of the rate: periodic, rhythmic."""
LIMITS_HZ = ((0.4, 2.4), (0.6, 3.6))
VARIATION = (0.21, 0.10)
"""Median coefficient of variation of the intervals: periodic, rhythmic."""
TOWARDS_SEIZURE_HZ = (1.9, 2.6)
"""Rates at which raters begin to say seizure (2.5 Hz and more are one)."""
LONGEST_LAG_S = 0.16
"""From the first electrode of a lateral pattern to the last."""
GENERAL_SOONER = 0.25
"""General discharges take this share less of it."""
UNEVEN_S = 0.015
"""Deviation of this lag from one discharge or wave to the next."""
GENERAL_IRREGULAR = 1.5
"""Size of the irregular delta that all places of general rhythmic waves share, over that of the
waves, before a factor of 0.2 to 0.8 that differs from pattern to pattern."""
OFTEN_INDEPENDENT = 0.06
"""Share of lateral periodic patterns with a second one on the other side, of its own pace."""
OFTEN_TRIPHASIC = 0.2
UNLIKE = 0.2
"""Deviation of the logarithm of a discharge's widths and sizes from place to place."""
Wave = NDArray[np.float32]


def activity(rng: np.random.Generator, traits: Traits, side: int, samples: int) -> Wave:
    """Draw a pattern with these traits, whose seizure-like side is at most a fast rate."""
    found = _one(rng, traits, side, samples)
    independent = traits.general < 0.4 and traits.rhythmic < 0.5
    if independent and rng.random() < OFTEN_INDEPENDENT:
        found += np.float32(rng.uniform(0.4, 1)) * _one(rng, traits, -side, samples)
    return found


def rate_of(rng: np.random.Generator, traits: Traits) -> float:
    """Draw a pattern's rate in Hz."""
    general, rhythmic = traits.general, traits.rhythmic
    (lpd, gpd), (lrda, grda) = np.log(RATES_HZ)
    middle = (1 - rhythmic) * ((1 - general) * lpd + general * gpd) + rhythmic * (
        (1 - general) * lrda + general * grda
    )
    spread = (1 - rhythmic) * RATE_SPREAD[0] + rhythmic * RATE_SPREAD[1]
    rate = np.exp(rng.normal(middle, spread))
    towards = min(2 * traits.ictal, 1.0) if traits.ictal > 0.2 else 0.0
    rate = np.exp((1 - towards) * np.log(rate) + towards * np.log(rng.uniform(*TOWARDS_SEIZURE_HZ)))
    low, high = LIMITS_HZ[rhythmic > 0.5]
    return float(np.clip(rate, low, high))


def variation_of(rng: np.random.Generator, rhythmic: float) -> float:
    """Draw a pattern's coefficient of variation of intervals."""
    middle = (1 - rhythmic) * np.log(VARIATION[0]) + rhythmic * np.log(VARIATION[1])
    return float(np.clip(np.exp(rng.normal(middle, 0.35)), 0.04, 0.38))


def _one(rng: np.random.Generator, traits: Traits, side: int, samples: int) -> Wave:
    rate = rate_of(rng, traits)
    pace = rate * slow_wander(rng, samples, 8, 0.02 + 0.2 * max(traits.ictal - 0.2, 0))
    times = course.beats(rng, pace.astype(float), variation_of(rng, traits.rhythmic), samples)
    seen = extended_field(rng, side, traits.general, traits.rhythmic)
    found = np.zeros((len(seen), samples), np.float32)
    sharp = float(np.clip((0.75 - traits.rhythmic) / 0.5, 0, 1))
    if sharp:
        sources = spread_out(rng, seen, LONGEST_LAG_S * (1 - GENERAL_SOONER * traits.general))
        found += np.float32(sharp**0.5) * _periodic(rng, traits, rate, times, sources, samples)
    if sharp < 1:
        sources = spread_out(rng, seen, LONGEST_LAG_S)
        found += np.float32((1 - sharp) ** 0.5) * _rhythmic(
            rng, traits.general, times, sources, samples
        )
    return found


def _periodic(
    rng: np.random.Generator,
    traits: Traits,
    rate_hz: float,
    times_s: NDArray[np.float64],
    sources: list[Source],
    samples: int,
) -> Wave:
    """Discharges at these times, with quiet between them."""
    triphasic = OFTEN_TRIPHASIC * np.clip(2 * traits.general - 0.6, 0, 1)
    broad = max(traits.rhythmic - 0.25, 0) * 2 + rng.uniform(0, 0.25)
    shape = discharges.draw_shape(rng, rate_hz, triphasic=triphasic, broad=broad)
    jitter = float(rng.uniform(0.03, 0.2))
    sizes = rng.lognormal(0, rng.uniform(0.06, 0.25), len(times_s))
    if rng.random() < 0.15 and rate_hz < 1.5:  # short runs of two or three in place of one
        again = rng.random(len(times_s)) < rng.uniform(0.2, 0.8)
        times_s = np.concatenate([times_s, times_s[again] + rng.uniform(0.15, 0.3)])
        sizes = np.concatenate([sizes, sizes[again] * rng.uniform(0.4, 1.0)])
    found = np.zeros((len(sources[0].seen), samples), np.float32)
    apart = rng.uniform(0.05, 0.25)
    for source in sources:
        times = times_s + source.delay_s + rng.normal(0, UNEVEN_S, len(times_s))
        own = sizes * rng.lognormal(0, apart, len(sizes))
        found += source.seen[:, None] * discharges.train(
            rng, shape.varied(rng, UNLIKE), times, own, samples, jitter=jitter
        )
    return found


def _rhythmic(
    rng: np.random.Generator,
    general: float,
    times_s: NDArray[np.float64],
    sources: list[Source],
    samples: int,
) -> Wave:
    """Waves that follow upon each other without interval."""
    second, third = rng.uniform(0.05, 0.3), rng.uniform(0, 0.06)
    turn = rng.normal(np.pi / 2, 0.8, 2)  # sharper where negative
    uneven, apart = rng.uniform(0.05, 0.25, 2)
    size = course.per_beat(rng, times_s, uneven, samples)
    contour = rng.uniform(0.2, 0.6) if rng.random() < 0.2 else 0.0  # +S: sharply contoured
    fast = rng.uniform(0.1, 0.35) if rng.random() < 0.2 else 0.0  # +F
    riding = shaped(rng, 1, samples, band(9, 22))[0] if fast else None
    irregular = np.float32(rng.uniform(0.1, 0.5))  # delta on which rhythmic waves stand
    slower = GENERAL_IRREGULAR * general * rng.uniform(0.2, 0.8)  # that all places share
    longest = max(round(source.delay_s * RATE_HZ) for source in sources)
    shared = np.float32(slower) * shaped(rng, 1, longest + samples, band(0.4, 1.3))[0]
    found = np.zeros((len(sources[0].seen), samples), np.float32)
    for source in sources:
        uneven_s = rng.normal(0, UNEVEN_S, len(times_s))
        phase = course.phase_of(times_s + source.delay_s + uneven_s, samples)
        wave = np.sin(phase) + second * np.sin(2 * phase + turn[0])
        wave += third * np.sin(3 * phase + turn[1])
        if contour:
            wave -= contour * np.exp(-(((phase % (2 * np.pi)) - 4.7) ** 2) / 0.08)
        wave *= 0.8 * size * course.per_beat(rng, times_s, apart, samples)
        if riding is not None:
            wave += fast * riding * (1 + np.sin(phase)) / 2
        wave += irregular * shaped(rng, 1, samples, band(0.4, 2.2))[0]
        earlier = longest - round(source.delay_s * RATE_HZ)
        wave += shared[earlier : earlier + samples]
        found += source.seen[:, None] * wave.astype(np.float32)
    return found


def sporadic(rng: np.random.Generator, samples: int, rate_hz: float) -> NDArray[np.float32]:
    """Discharges at random times, (samples,): not periodic, so none of the patterns."""
    count = rng.poisson(samples / RATE_HZ * rate_hz) + 1
    times = rng.uniform(0, samples / RATE_HZ, count)
    shape = discharges.draw_shape(rng, 1.0, triphasic=0.15, broad=rng.uniform(0, 0.8))
    return discharges.train(rng, shape, times, rng.lognormal(0, 0.4, count), samples, jitter=0.2)
