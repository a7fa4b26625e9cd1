"""Stretches of a recording -> which electrodes are flat, at the rail, or bridged to a neighbour.

An electrode counts as such if it is in at least a tenth of the stretches that are looked at. Two
neighbours are bridged by gel if their electrical distance, the variance of their difference (Tenke
and Kayser 2001, Clin Neurophysiol 112, 545-550), is less than 5 once the median distance of
neighbours is scaled to 100 (Alschuler et al. 2014, Clin Neurophysiol 125, 484-490).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.importing.channels import NEEDED, named
from hmsprep.importing.electrodes import HEART
from hmsprep.importing.pieces import RATE
from hmsprep.importing.recording import Options, Recording
from hmsstore.montage import ELECTRODES, PAIRS
from hmsstore.schema import CHANNELS

STRETCHES, STRETCH_S = 40, 2
"""So many stretches of so many seconds, spread evenly."""
LEAST = 0.1
"""Share of the stretches from which on an electrode is named."""
MOST = 0.5
"""Share from which on it holds no EEG, so that it is interpolated if that is asked for."""
FLAT_UV = 0.1
"""A signal that spans less holds nothing: amplifiers alone have more noise."""
RAIL_UV = 1_000.0
"""A flat signal so far from 0 is at the rail of its amplifier."""
AT_ENDS = 0.25
"""Share of samples at the largest or smallest value from which on a signal hits its rails."""
BRIDGED, MEDIAN = 5.0, 100.0
"""Scaled electrical distance below which neighbours are bridged, and what the median is scaled
to."""
LEAST_UV, LARGEST_UV = 0.1, 20_000.0
"""Median over signals of the standard deviation of EEG in a stretch, beyond which its unit must be
another than it seems."""
LIKELY_UV = 1_000.0
"""Above it the user is believed who names another unit."""
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Condition:
    """Shares of the stretches."""

    flat: NDArray[np.float64]
    """(signals,) in which a signal does not change."""
    railed: NDArray[np.float64]
    """(signals,) in which it is at its rail."""
    typical_uv: float
    """Median over signals that change of their median standard deviation; NaN if none does."""


def examined(open_: Callable[[Options], Recording], options: Options) -> Recording:
    """Open a recording and look at its electrodes; with `interpolate`, replace those without EEG.

    Parameters
    ----------
    open_ : callable
        Options -> recording.
    options : Options
        How to read it.

    Raises
    ------
    DataError
        It cannot be opened or read, its values are no EEG in their unit, or too few electrodes hold
        EEG.
    """
    recording = open_(options)
    if recording.read_signals is None or not recording.samples or not recording.chosen.signals:
        return recording
    try:
        return _examined(recording, open_, options)
    except OSError:
        return recording  # whoever reads all of it says where it breaks off


def _examined(
    recording: Recording, open_: Callable[[Options], Recording], options: Options
) -> Recording:
    found = _look(recording)
    if options.unit and (found.typical_uv < LEAST_UV or found.typical_uv > LIKELY_UV):
        options = replace(options, misnamed=True)
        recording = open_(options)
        found = _look(recording)
    elif found.typical_uv < LEAST_UV or found.typical_uv > LARGEST_UV:
        raise DataError(
            f"{recording.path}: its EEG has a standard deviation of {found.typical_uv:.3g} uV, "
            f"expected between {LEAST_UV:g} and {LARGEST_UV:,.0f}. Its unit must be another than "
            "it seems: name it with --unit uV, mV, V or nV."
        )
    of_one = {
        next(iter(parts)): channel
        for channel, parts in recording.chosen.mix.items()
        if len(parts) == 1
    }
    if options.interpolate and recording.chosen.reference == "scalp":
        broken = {}
        for place, number in enumerate(recording.chosen.signals):
            gone = max(found.flat[place], found.railed[place])
            if gone >= MOST and of_one.get(number) in (*NEEDED, "Fz", "Cz", "Pz"):
                what = "at its rail" if found.railed[place] >= MOST else "flat"
                label = named(number, recording.signals) if recording.signals else of_one[number]
                broken[number] = f"{label} is {what} in {gone:.0%} of the recording."
        if broken:
            recording = open_(replace(options, broken={**options.broken, **broken}))
            found = _look(recording)
    numbers = recording.chosen.signals
    own = {number: channel for number, channel in of_one.items() if channel != HEART}
    return replace(
        recording,
        flat=tuple(
            _name(number, own, recording)
            for number, share in zip(numbers, found.flat, strict=True)
            if share >= LEAST and of_one.get(number) != HEART
        ),
        railed=tuple(
            _name(number, own, recording)
            for number, share in zip(numbers, found.railed, strict=True)
            if share >= LEAST and of_one.get(number) != HEART
        ),
        bridged=_bridged(recording),
    )


def _name(number: int, own: dict[int, str], recording: Recording) -> str:
    """A channel of this signal alone, else the signal's label."""
    if number in own:
        return own[number]
    return recording.signals[number].strip() if recording.signals else f"#{number + 1}"


def _begins(samples: int) -> list[int]:
    length = STRETCH_S * RATE
    last = max(0, samples - length)
    return sorted(set(np.linspace(0, last, STRETCHES).astype(int).tolist()))


def _look(recording: Recording) -> Condition:
    """Look at the signals themselves: mixed, a flat one would hide behind its reference."""
    assert recording.read_signals is not None
    numbers, length = recording.chosen.signals, STRETCH_S * RATE
    parts = [
        recording.read_signals(numbers, begin, min(recording.samples, begin + length))
        for begin in _begins(recording.samples)
    ]
    return judge_signals([part for part in parts if part.shape[1] > 1])


def judge_signals(stretches_uv: list[Floats]) -> Condition:
    """Judge signals by stretches, each (signals, samples) in microvolts, NaN where nothing is."""
    count = len(stretches_uv[0]) if stretches_uv else 0
    seen, flat, railed = (np.zeros(count) for _ in range(3))
    known = [np.asarray(np.isfinite(part).all(axis=1)) for part in stretches_uv]
    whole = [np.where(ok[:, None], part, 0.0) for ok, part in zip(known, stretches_uv, strict=True)]
    high = np.max([part.max(axis=1) for part in whole], axis=0) if whole else np.zeros(0)
    low = np.min([part.min(axis=1) for part in whole], axis=0) if whole else np.zeros(0)
    margin = 0.005 * (high - low)
    for ok, part in zip(known, whole, strict=True):
        still = np.ptp(part, axis=1) < FLAT_UV
        at_end = (part >= (high - margin)[:, None]) | (part <= (low + margin)[:, None])
        far = np.abs(part).max(axis=1) >= RAIL_UV
        rail = far & (still | (at_end.mean(axis=1) >= AT_ENDS))
        seen += ok
        flat += ok & still & ~rail
        railed += ok & rail
    seen = np.maximum(seen, 1)
    return Condition(flat / seen, railed / seen, _typical(known, whole))


def _typical(known: list[NDArray[np.bool_]], whole: list[Floats]) -> float:
    """Median over the signals that change of their median standard deviation, NaN if none does."""
    spread = [np.where(ok, part.std(axis=1), 0.0) for ok, part in zip(known, whole, strict=True)]
    of_signals = [each[each > 0] for each in np.transpose(spread)] if spread else []
    medians = [float(np.median(each)) for each in of_signals if len(each)]
    return float(np.median(medians)) if medians else np.nan


def _bridged(recording: Recording) -> tuple[str, ...]:
    """Neighbours on a chain that measure the same, such as 'F3-C3'."""
    chosen, length = recording.chosen, STRETCH_S * RATE
    computed = {*chosen.interpolated, *chosen.filled}
    pairs = [pair for pair in PAIRS if not computed.intersection(pair)]
    rows = [[CHANNELS.index(name) for name in pair] for pair in pairs]
    near = np.zeros(len(pairs))
    assert recording.read_signals is not None
    begins = _begins(recording.samples)
    for begin in begins:
        stop = min(recording.samples, begin + length)
        eeg_uv = chosen.mixed(recording.read_signals, begin, stop)[: len(ELECTRODES)]
        difference = np.array([eeg_uv[front] - eeg_uv[back] for front, back in rows])
        near += near_pairs(difference)
    return tuple(
        f"{front}-{back}"
        for (front, back), times in zip(pairs, near, strict=True)
        if times / len(begins) >= MOST
    )


def near_pairs(difference_uv: Floats) -> NDArray[np.bool_]:
    """Tell which differences (pairs, samples) are of electrodes that are bridged, bool (pairs,)."""
    distance = difference_uv.var(axis=1) if difference_uv.size else np.zeros(len(difference_uv))
    median = float(np.median(distance)) if len(distance) else 0.0
    if not median > 0:  # nothing recorded, or NaN
        return np.zeros(len(distance), bool)
    found: NDArray[np.bool_] = distance * MEDIAN / median < BRIDGED
    return found
