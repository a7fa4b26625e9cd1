"""Probabilities over time -> stretches where a class stays over a threshold: episodes.

Legend: N windows, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from hmsstore import PatternClass
from hmstrain.errors import ConfigError

SEIZURE = "seizure"
"""Key of the class that SzCORE events are of."""
THRESHOLD, SHORTEST_S, SMOOTHING_S = 0.5, 20.0, 30.0
"""What makes an episode unless something else is asked for."""
ROUNDING = 1e-9
"""By which a smoothed probability may miss the threshold: of sums of floats."""
TIME_ROUNDING_S = 0.01
"""By which stretches may be apart or too short: times in tables have three decimals."""


def said(pattern: PatternClass) -> str:
    """What a model's answer is called: 'LPD', but 'seizure-like'.

    A window of ten seconds cannot show the evolution in frequency, morphology or location that the
    ACNS 2021 terminology asks of an electrographic seizure.
    """
    return "seizure-like" if pattern.key == SEIZURE else pattern.title


def heading(pattern: PatternClass) -> str:
    """The same as a heading, with a capital letter."""
    name = said(pattern)
    return name[:1].upper() + name[1:]


@dataclass(frozen=True, slots=True)
class EpisodeRule:
    """From which probability on, and for how long, a class makes an episode."""

    threshold: float = THRESHOLD
    """Smallest smoothed probability. Of networks trained on shares of votes, 0.5 stands for half of
    the raters. Below it, episodes of two classes can overlap."""
    shortest_s: float = SHORTEST_S
    """Shorter stretches are left out; of windows every 10 s, at least two in a row are kept."""
    smoothing_s: float = SMOOTHING_S
    """Seconds around a window over which probabilities are averaged; 0: none."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ConfigError(
                f"--threshold: expected a probability above 0 and up to 1, got {self.threshold:g}."
            )
        for option, value in (("shortest", self.shortest_s), ("smoothing", self.smoothing_s)):
            if not (isfinite(value) and value >= 0):
                raise ConfigError(f"--{option}: expected 0 seconds or more, got {value:g}.")

    @property
    def words(self) -> str:
        """As one reads it: 'probability 0.50 or more, averaged over 30 s, for 20 s or more'."""
        smoothed = f", averaged over {self.smoothing_s:g} s" if self.smoothing_s else ""
        return (
            f"probability {self.threshold:.2f} or more{smoothed}, for {self.shortest_s:g} s or more"
        )

    @property
    def options(self) -> tuple[str, ...]:
        """Options of `hmstrain predict` whose values are not the defaults."""
        usual = asdict(EpisodeRule())
        given = (name for name, value in asdict(self).items() if value != usual[name])
        return tuple(f"--{name.removesuffix('_s')}" for name in given)

    def to_json(self) -> dict[str, float]:
        """Its values, by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch in which the probability of one class stays over a threshold."""

    start_s: float
    stop_s: float
    code: int
    """Position of its class."""
    pattern: PatternClass
    mean: float
    """Mean probability of the class over its windows, and the largest; neither is smoothed."""
    largest: float
    eeg_missing: float = 0.0
    """Largest share of the EEG of one of its windows that was not recorded."""
    spectrogram_missing: float = 0.0
    """The same of the spectrogram."""
    caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Channels that it rests on and that were not recorded as they are shown, by what was done to
    them or found: 'interpolated', 'filled', ..."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.stop_s - self.start_s


def spans_of(centre_s: NDArray[np.float64], judged_s: float) -> NDArray[np.float64]:
    """Tell which stretch of time each window stands for.

    It reaches half-way to its neighbours; at the ends, and where windows are missing, half the
    usual step, at most half the judged seconds.

    Parameters
    ----------
    centre_s : float64 (N,)
        Middle of each window's judged seconds, ascending.
    judged_s : float
        How many of its seconds a window is judged by.

    Returns
    -------
    float64 (N, 2)
        Start and stop of each, in seconds.
    """
    steps = np.diff(centre_s)
    usual = float(np.median(steps)) if len(steps) else judged_s
    reach = min(usual, judged_s) / 2
    half = np.where(steps > 1.5 * usual + TIME_ROUNDING_S, reach, steps / 2)
    before, after = np.append(reach, half), np.append(half, reach)
    return np.stack([centre_s - before, centre_s + after], axis=1)


def smooth(
    spans_s: NDArray[np.float64], prediction: NDArray[np.float64], smoothing_s: float
) -> NDArray[np.float64]:
    """Average probabilities over the seconds around each window.

    Each window counts by how much of its stretch lies in the seconds averaged over, so the mean
    depends little on the step between windows. Time without probabilities counts for nothing.

    Parameters
    ----------
    spans_s : float64 (N, 2)
        As `spans_of` gives them.
    prediction : float64 (N, K)
        NaN where a window has no probability; it stays NaN.
    smoothing_s : float
        0: nothing is done.

    Returns
    -------
    float64 (N, K)
    """
    if not smoothing_s or not len(spans_s):
        return prediction
    known = np.isfinite(prediction).all(axis=1)
    length = np.where(known, np.diff(spans_s, axis=1)[:, 0], 0.0)
    # Integrals from the beginning to both ends of each stretch; constant between stretches.
    at = np.maximum.accumulate(spans_s.ravel())
    centre = spans_s.mean(axis=1)
    low, high = centre - smoothing_s / 2, centre + smoothing_s / 2

    def between(density_N: NDArray[np.float64]) -> NDArray[np.float64]:
        area = np.cumsum(density_N * length)
        integral = np.stack([np.append(0, area[:-1]), area], axis=1).ravel()
        found: NDArray[np.float64] = np.interp(high, at, integral) - np.interp(low, at, integral)
        return found

    averaged = np.full_like(prediction, np.nan)
    weight = between(np.ones(len(at) // 2))[known]
    for code in range(prediction.shape[1]):
        column = np.where(known, prediction[:, code], 0.0)
        averaged[known, code] = between(column)[known] / weight
    return averaged


def stretches(
    spans_s: NDArray[np.float64], over: NDArray[np.bool_], shortest_s: float
) -> list[tuple[int, int]]:
    """Find windows in a row, without time between them, that last long enough.

    Parameters
    ----------
    spans_s : float64 (N, 2)
    over : bool (N,)
    shortest_s : float

    Returns
    -------
    list of (int, int)
        Of each stretch: its first window, and the one after its last.
    """
    apart = spans_s[1:, 0] - spans_s[:-1, 1] > TIME_ROUNDING_S
    changes = np.flatnonzero((over[1:] != over[:-1]) | apart) + 1
    bounds = [0, *changes.tolist(), len(over)]
    return [
        (first, stop)
        for first, stop in pairwise(bounds)
        if stop > first
        and over[first]
        and spans_s[stop - 1, 1] - spans_s[first, 0] >= shortest_s - TIME_ROUNDING_S
    ]
