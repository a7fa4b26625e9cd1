"""When: beats of a pattern, how it comes and goes, pauses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator.noise import RATE_HZ, slow_wander

MORE = 6
"""Beats that are drawn at first beyond those expected, and at a time where they do not suffice."""
Wave = NDArray[np.float32]


def beats(
    rng: np.random.Generator,
    rate_hz: float | NDArray[np.float64],
    variation: float,
    samples: int,
) -> NDArray[np.float64]:
    """Times in seconds at which a pattern repeats, from before the first sample to after the last.

    Parameters
    ----------
    rate_hz : float or float64 (samples,)
        Repetitions a second; may change over time.
    variation : float
        Coefficient of variation of the intervals.
    """
    rate = np.broadcast_to(np.asarray(rate_hz, np.float64), (samples,))
    turns = np.cumsum(rate) / RATE_HZ
    shape, scale = 1 / variation**2, variation**2
    steps = rng.gamma(shape, scale, int(turns[-1]) + MORE)
    wanted = np.cumsum(steps) - rng.uniform(1, 3)
    index = np.arange(-1, samples + 1)
    known = np.concatenate([[0.0], turns, [turns[-1] + rate[-1] / RATE_HZ]])
    while wanted[-1] <= known[-1]:  # intervals happened to be short: the longer, the likelier
        wanted = np.append(wanted, wanted[-1] + np.cumsum(rng.gamma(shape, scale, MORE)))
    inside = np.interp(wanted, known, index)
    before = wanted < 0
    inside[before] = wanted[before] / rate[0] * RATE_HZ
    after = wanted > known[-1]
    inside[after] = samples + (wanted[after] - known[-1]) / rate[-1] * RATE_HZ
    return np.asarray(inside / RATE_HZ)


def phase_of(times_s: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """Phase in radians (samples,) of a wave that ends one turn at each of these times."""
    at = np.arange(samples) / RATE_HZ
    turns = np.interp(at, times_s, np.arange(len(times_s)))
    return np.asarray(2 * np.pi * turns)


def per_beat(
    rng: np.random.Generator, times_s: NDArray[np.float64], deviation: float, samples: int
) -> Wave:
    """Factor (samples,) that differs from beat to beat, and goes over from one to the next."""
    sizes = rng.lognormal(0, deviation, len(times_s))
    at = np.arange(samples) / RATE_HZ
    return np.interp(at, times_s, sizes).astype(np.float32)


def presence(
    rng: np.random.Generator, samples: int, before: int, after: int, pauses: float
) -> Wave:
    """Factor (samples,) with which a pattern comes, fluctuates, pauses and goes.

    Parameters
    ----------
    before, after : int
        Samples at the beginning and at the end that are not of the stretch that raters judged: the
        pattern comes up somewhere in the first and goes away somewhere in the last.
    pauses : float
        Share of the time without it, about.
    """
    size = slow_wander(rng, samples, rng.uniform(1.5, 8), rng.uniform(0.03, 0.2))
    at = np.arange(samples, dtype=np.float32)
    for edge, sign in ((before, 1), (samples - after, -1)):
        room = before if sign == 1 else after
        length = max(float(rng.lognormal(np.log(0.8), 1.0)) * RATE_HZ, 4.0)
        middle = edge - sign * rng.uniform(0, max(room - length, 0) + 1)
        size *= 1 / (1 + np.exp(np.clip(-sign * (at - middle) / (length / 4), -30, 30)))
    if pauses > 0:
        count = rng.poisson(pauses * samples / RATE_HZ / 1.5)
        for _ in range(count):
            length = int(rng.uniform(0.6, 2.4) * RATE_HZ)
            first = int(rng.integers(0, max(samples - length, 1)))
            part = size[first : first + length]
            part *= 1 - (1 - np.float32(rng.uniform(0, 0.4))) * np.hanning(len(part)) ** 0.5
    return size.astype(np.float32)
