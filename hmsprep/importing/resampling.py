"""Samples of a signal at its own rate -> any part of it at 200 Hz, the same however it is cut.

Where the two rates have a common grid of reasonable size a polyphase filter is used; otherwise, as
for 200 samples in 0.999953 s, the same filter is evaluated at each sample's own position. Time does
not drift: the position of every sample follows from the exact rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hmsprep.importing.pieces import RATE

LARGEST_TERM = 2_000
"""Largest term of the ratio of two rates for which there is a filter for each of its phases."""
PERIODS = 32
"""Of the lower rate, which the filter reaches to either side."""
KAISER_BETA = 7.0
PHASES = 512
"""Between two samples at which the filter is tabled; in between it is interpolated, to 1e-5."""
BLOCK_VALUES = 1 << 20
"""Filter coefficients that are evaluated at once."""

ONE_THREAD_PRODUCTS = 1 << 18
"""Products of a matrix product that OpenBLAS leaves to the thread that asks for it: signals are
resampled on all processors anyway."""

Read = Callable[[int, int], NDArray[np.float64]]


def resampled(
    read: Read,
    rate_hz: Fraction,
    count: int,
    first: int,
    stop: int,
    start_s: Fraction = Fraction(0),
) -> NDArray[np.float64]:
    """Resample a part of a signal to 200 Hz.

    Parameters
    ----------
    read : callable
        Begin and end -> the signal's own samples [begin, end).
    rate_hz : Fraction
        Its rate.
    count : int
        Its samples in all.
    first, stop : int
        Samples [first, stop) at 200 Hz.
    start_s : Fraction
        When the signal's own first sample was taken; sample n at 200 Hz is at n / 200 s.

    Returns
    -------
    float64 (stop - first,)
        NaN at and beside samples that are no finite number.
    """
    up, down = (RATE / rate_hz).as_integer_ratio()
    shift = start_s * RATE
    bridged = _Bridged(read)
    if max(up, down) > LARGEST_TERM or shift.denominator > 1:
        step = rate_hz / RATE
        values = _interpolated(bridged, step, count, first - shift, stop - first)
    else:
        values = _polyphase(bridged, up, down, count, first - int(shift), stop - int(shift))
    if len(bridged.gone):
        at = ((np.arange(first, stop) / RATE) - float(start_s)) * float(rate_hz)
        beside = np.searchsorted(bridged.gone, np.stack([np.floor(at), np.ceil(at)]))
        near = bridged.gone[np.minimum(beside, len(bridged.gone) - 1)]
        values[((near == np.floor(at)) | (near == np.ceil(at))).any(axis=0)] = np.nan
    return values


class _Bridged:
    """A signal of which what is no number is bridged by a line, so that it spoils nothing else."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self.gone: NDArray[np.int64] = np.empty(0, np.int64)
        """Samples that are no numbers, of those that were read last."""

    def __call__(self, begin: int, end: int) -> NDArray[np.float64]:
        """Read samples [begin, end)."""
        values = self.read(begin, end)
        known = np.isfinite(values)
        if known.all():
            return values
        self.gone = begin + np.flatnonzero(~known)
        if not known.any():
            return np.zeros(len(values))
        places = np.arange(len(values))
        return np.interp(places, places[known], values[known])


def _polyphase(
    read: Read, up: int, down: int, count: int, first: int, stop: int
) -> NDArray[np.float64]:
    """Filter as `scipy.signal.resample_poly` does, in matrix products: a fifth of its time."""
    if up == down:
        return _with_ends(read, count, first, stop)
    outputs, inputs, groups = _phases(up, down)
    begin, end = first // outputs, ceil(stop / outputs)
    before = min(group.first for group in groups)
    after = max(group.first + len(group.weights) for group in groups)
    values = _with_ends(read, count, begin * inputs + before, (end - 1) * inputs + after)
    blocks = np.empty((end - begin, outputs))
    done = 0
    for group in groups:
        around = sliding_window_view(values[group.first - before :], len(group.weights))[::inputs]
        into = blocks[:, done : done + group.weights.shape[1]]
        rows = max(1, ONE_THREAD_PRODUCTS // group.weights.size)
        for one in range(0, len(blocks), rows):
            into[one : one + rows] = around[one : min(one + rows, len(blocks))] @ group.weights
        done += into.shape[1]
    return blocks.ravel()[first - begin * outputs :][: stop - first]


@dataclass(frozen=True, slots=True)
class _Phases:
    """Some of the samples at 200 Hz of a block, that follow each other."""

    first: int
    """Sample of the signal that the first of them begins to need, from the block's first one."""
    weights: NDArray[np.float64]
    """(samples of the signal, samples at 200 Hz): what each takes of each."""


@lru_cache(maxsize=8)
def _phases(up: int, down: int) -> tuple[int, int, tuple[_Phases, ...]]:
    """How blocks are resampled: samples at 200 Hz and of the signal in each, and their weights.

    `up` samples at 200 Hz last as long as `down` of the signal. So many are computed together as
    last about as long as the filter: of fewer, more of the signal is copied for each, of more, more
    of the weights are 0.
    """
    together = ceil(2 * PERIODS * max(1.0, up / down))
    repeats = max(1, together // up)
    outputs, inputs = repeats * up, repeats * down
    taps = up * low_pass(up, down)
    half = len(taps) // 2
    groups = []
    for begin in range(0, outputs, together):
        output = np.arange(begin, min(begin + together, outputs))
        first = ceil((begin * down - half) / up)
        sample = np.arange(first, (int(output[-1]) * down + half) // up + 1)
        tap = output * down - sample[:, None] * up + half
        inside = (tap >= 0) & (tap < len(taps))
        groups.append(_Phases(first, np.where(inside, taps[tap * inside], 0.0)))
    return outputs, inputs, tuple(groups)


def _interpolated(
    read: Read, step: Fraction, count: int, first: Fraction, wanted: int
) -> NDArray[np.float64]:
    """Evaluate a signal at `wanted` places: every `step` of its samples from `first` steps on."""
    table = _tabled(float(min(Fraction(1), 1 / step)))
    half = table.shape[1] // 2
    start = first * step
    begin = floor(start)
    positions = float(start - begin) + np.arange(wanted) * float(step)
    sample = np.floor(positions).astype(np.int64)
    phase = (positions - sample) * PHASES
    tabled = phase.astype(np.int64)
    low, high = begin - half + 1, begin + int(sample[-1]) + half + 1
    values = _with_ends(read, count, low, high)
    around = sliding_window_view(values, 2 * half)
    result = np.empty(wanted)
    rows = max(1, BLOCK_VALUES // (2 * half))
    for one in range(0, wanted, rows):
        block = slice(one, one + rows)
        below, above = table[tabled[block]], table[tabled[block] + 1]
        weights = below + (phase[block] - tabled[block])[:, None] * (above - below)
        result[block] = np.einsum("nk,nk->n", around[sample[block]], weights)
    return result


def _with_ends(read: Read, count: int, begin: int, end: int) -> NDArray[np.float64]:
    """Read samples [begin, end); beyond a signal's ends it is mirrored about its last value."""
    values = read(max(0, begin), min(end, count))
    before, after = max(0, -begin), max(0, end - count)
    if before or after:
        values = np.pad(values, (before, after), "reflect", reflect_type="odd")
    return values


@lru_cache(maxsize=8)
def _tabled(cutoff: float) -> NDArray[np.float64]:
    """Weights (phases + 1, samples around) of the low-pass of `low_pass`, at phases of a sample.

    `cutoff` is in halves of the signal's own rate; the sample before a position stands in the
    middle, on the left.
    """
    half = ceil(PERIODS / cutoff)
    away = np.arange(1 - half, half + 1) - np.linspace(0, 1, PHASES + 1)[:, None]
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (away * cutoff / PERIODS) ** 2, 0, None)))
    weights: NDArray[np.float64] = np.sinc(away * cutoff) * window
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


@lru_cache(maxsize=8)
def low_pass(up: int, down: int) -> NDArray[np.float64]:
    """Filter for resampling by up / down: flat to 93% of the lower Nyquist frequency, -70 dB above.

    A Kaiser window of scipy's `firwin`, three times as long as the one that `resample_poly` takes
    by itself, which lets through 84%. Each phase lets a constant through exactly: an electrode's
    offset may be a thousand times its EEG.
    """
    from scipy.signal import firwin

    larger = max(up, down)
    taps: NDArray[np.float64] = firwin(
        2 * PERIODS * larger + 1, 1 / larger, window=("kaiser", KAISER_BETA)
    )
    for phase in range(up):
        taps[phase::up] /= up * taps[phase::up].sum()
    return taps
