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
from hmsprep.importing.channels import CHAINS_REFERENCE, NEEDED, named
from hmsprep.importing.electrodes import HEART
from hmsprep.importing.pieces import RATE
from hmsprep.importing.recording import Options, Recording
from hmsprep.importing.rings import describe_rings
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
ROUNDING = 1e-6
"""What resampling leaves of a constant, relative to it; EEG in volts with an offset is above."""
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
    stretches = _stretches(recording)
    found = judge_signals(stretches)
    if options.unit and (found.typical_uv < LEAST_UV or found.typical_uv > LIKELY_UV):
        options = replace(options, misnamed=True)
        recording = open_(options)
        stretches = _stretches(recording)
        found = judge_signals(stretches)
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
            found = judge_signals(_stretches(recording))
    elif recording.chosen.reference == CHAINS_REFERENCE:
        whole = _without_still_pairs(recording, found, open_, options)
        if whole is not recording:
            recording, stretches = whole, _stretches(whole)
            found = judge_signals(stretches)
        of_one |= {number: f"{a}-{b}" for number, a, b in recording.chosen.differences}
        told = describe_rings(stretches, recording.chosen.signals, recording.chosen.differences)
        said = (f"{recording.path.name} {one}." for one in told)
        recording = replace(recording, notes=(*recording.notes, *said))
    numbers = recording.chosen.signals
    still = found.flat + found.railed
    if len(stretches) and all(
        share == 1
        for number, share in zip(numbers, still, strict=True)
        if of_one.get(number) != HEART
    ):
        nothing = (
            f"{recording.path.name}: no electrode changes in any of {len(stretches)} stretches of "
            f"{STRETCH_S} s that were looked at: it may hold no EEG at all."
        )
        recording = replace(recording, notes=(*recording.notes, nothing))
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


def _without_still_pairs(
    recording: Recording,
    found: Condition,
    open_: Callable[[Options], Recording],
    options: Options,
) -> Recording:
    """Leave pairs without EEG out of a bipolar recording where the others tell what they would be.

    They do in a ring, which a flat pair would not let add up, and which would spread its error over
    all others; else they are interpolated if that is asked for.
    """
    broken, labels = {}, []
    hearts = recording.chosen.mix.get(HEART, {})
    for place, number in enumerate(recording.chosen.signals):
        gone = max(found.flat[place], found.railed[place])
        if gone >= MOST and number not in hearts:
            what = "at its rail" if found.railed[place] >= MOST else "flat"
            label = named(number, recording.signals) if recording.signals else f"#{number + 1}"
            broken[number] = f"{label} is {what} in {gone:.0%} of the recording."
            labels.append(broken[number])
    if not broken:
        return recording
    for interpolate in (False, True)[: 1 + options.interpolate]:
        how = replace(options, broken={**options.broken, **broken}, interpolate=interpolate)
        try:
            whole = open_(how)
        except DataError:  # too little is left: it is read as it is, and what is flat is named
            continue
        from_others = "What it measures follows from the other pairs."
        notes = [
            f"{recording.path.name}: {label} {from_others}"
            for label in labels
            if label not in whole.chosen.notes
        ]
        return replace(whole, notes=(*whole.notes, *notes))
    return recording


def _name(number: int, own: dict[int, str], recording: Recording) -> str:
    """A channel of this signal alone, else the signal's label."""
    if number in own:
        return own[number]
    return recording.signals[number].strip() if recording.signals else f"#{number + 1}"


def _begins(samples: int) -> list[int]:
    length = STRETCH_S * RATE
    last = max(0, samples - length)
    return sorted(set(np.linspace(0, last, STRETCHES).astype(int).tolist()))


def _stretches(recording: Recording) -> list[Floats]:
    """Read stretches of the signals themselves: mixed, a flat one would hide behind others."""
    assert recording.read_signals is not None
    numbers, length = recording.chosen.signals, STRETCH_S * RATE
    parts = [
        recording.read_signals(numbers, begin, min(recording.samples, begin + length))
        for begin in _begins(recording.samples)
    ]
    return [part for part in parts if part.shape[1] > 1]


def judge_signals(stretches_uv: list[Floats]) -> Condition:
    """Judge signals by stretches, each (signals, samples) in microvolts, NaN where nothing is."""
    if not stretches_uv:
        return Condition(np.zeros(0), np.zeros(0), np.nan)
    all_uv = np.stack(stretches_uv)  # (stretches, signals, samples)
    known = np.asarray(np.isfinite(all_uv).all(axis=2))
    all_uv = np.where(known[..., None], all_uv, 0.0)
    still = known & (np.ptp(all_uv, axis=2) < FLAT_UV)
    far = known & (np.abs(all_uv).max(axis=2) >= RAIL_UV)
    rail = far & still
    if far.any():
        high, low = all_uv.max(axis=(0, 2))[:, None], all_uv.min(axis=(0, 2))[:, None]
        margin = 0.005 * (high - low)
        at_end = (all_uv >= high - margin) | (all_uv <= low + margin)
        rail |= far & (at_end.mean(axis=2) >= AT_ENDS)
    seen = np.maximum(known.sum(axis=0), 1)
    spread = np.where(known, all_uv.std(axis=2), 0.0)
    spread[spread < ROUNDING * (1 + np.abs(all_uv).max(axis=2))] = 0.0
    return Condition((still & ~rail).sum(axis=0) / seen, rail.sum(axis=0) / seen, _typical(spread))


def _typical(spread_uv: Floats) -> float:
    """Median over the signals that change of their median standard deviation, NaN if none does.

    `spread_uv` is the deviation of each signal in each stretch, (stretches, signals).
    """
    of_signals = [each[each > 0] for each in spread_uv.T]
    medians = [float(np.median(each)) for each in of_signals if len(each)]
    return float(np.median(medians)) if medians else np.nan


def _bridged(recording: Recording) -> tuple[str, ...]:
    """Neighbours on a chain that measure the same, such as 'F3-C3'."""
    chosen, length = recording.chosen, STRETCH_S * RATE
    computed = {*chosen.interpolated, *chosen.filled}
    pairs = [pair for pair in PAIRS if not computed.intersection(pair)]
    rows = [[CHANNELS.index(name) for name in pair] for pair in pairs]
    near, known = np.zeros(len(pairs), int), np.zeros(len(pairs), int)
    assert recording.read_signals is not None
    for begin in _begins(recording.samples):
        stop = min(recording.samples, begin + length)
        eeg_uv = chosen.mixed(recording.read_signals, begin, stop)[: len(ELECTRODES)]
        difference = np.array([eeg_uv[front] - eeg_uv[back] for front, back in rows])
        more_near, more_known = near_pairs(difference)
        near, known = near + more_near, known + more_known
    return tuple(
        f"{front}-{back}"
        for (front, back), share in zip(pairs, near / np.maximum(known, 1), strict=True)
        if share >= MOST
    )


def of_channels(eeg_uv: NDArray[np.float32]) -> dict[str, tuple[str, ...]]:
    """Find electrodes of a data set that are flat or railed, and neighbours that are bridged.

    Channels that never change are left out: they stand for none, or are found as such.

    Parameters
    ----------
    eeg_uv : float32 (20, T)
        A recording's channels in microvolts, NaN where nothing was recorded.

    Returns
    -------
    dict
        'flat', 'railed' and 'bridged' -> names, those that have any.
    """
    length = STRETCH_S * RATE
    parts: list[Floats] = [eeg_uv[:, at : at + length] for at in _begins(eeg_uv.shape[1])]
    if eeg_uv.shape[1] < 2:
        return {}
    condition = judge_signals(parts)
    changing = np.fmax.reduce(eeg_uv, axis=1) > np.fmin.reduce(eeg_uv, axis=1)
    counted = {name for name, has in zip(CHANNELS, changing, strict=True) if has} - {HEART}
    rows = [[CHANNELS.index(name) for name in pair] for pair in PAIRS]
    front, back = np.transpose(rows)
    all_uv = np.stack(parts)
    near, known = near_pairs(all_uv[:, front] - all_uv[:, back])
    near_share = near.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    shares = zip(CHANNELS, condition.flat, condition.railed, strict=True)
    flat, railed = [], []
    for name, is_flat, is_railed in shares:
        flat += [name] if name in counted and is_flat >= LEAST else []
        railed += [name] if name in counted and is_railed >= LEAST else []
    bridged = [
        f"{front}-{back}"
        for (front, back), share in zip(PAIRS, near_share, strict=True)
        if counted.intersection((front, back)) and share >= MOST
    ]
    found = {"flat": tuple(flat), "railed": tuple(railed), "bridged": tuple(bridged)}
    return {key: names for key, names in found.items() if names}


def near_pairs(difference_uv: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which differences (..., pairs, samples) are of bridged electrodes, and which are known.

    Each is compared with the median of those that are known: without a NaN.
    """
    if not difference_uv.size:
        nothing = np.zeros(difference_uv.shape[:-1], bool)
        return nothing, nothing
    distance = difference_uv.var(axis=-1)
    known: NDArray[np.bool_] = np.isfinite(distance)
    some = known.any(axis=-1, keepdims=True)
    median = np.nanmedian(np.where(some, distance, 0.0), axis=-1, keepdims=True)
    near: NDArray[np.bool_] = (median > 0) & (distance * MEDIAN < BRIDGED * median)
    return near, known
