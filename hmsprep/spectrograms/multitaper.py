"""Raw EEG -> the competition's spectrogram: power per region and frequency, one row every 2 s.

The recipe reproduces the competition's files on real pairs of EEG and spectrogram (correlation of
log power above 0.999). It follows the multitaper estimate of Thomson (1982) as the data set's
authors run it: per bipolar difference, windows of 4 s every 2 s, each linearly detrended, three
tapers (discrete prolate spheroidal sequences, NW = 2), transforms of 1024 points; the mean over
tapers, then over the four differences of a chain.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hmsprep.building.values.clean import fill_by_line
from hmsstore.montage import CHAIN_PAIRS
from hmsstore.schema import CHANNELS, EEG, FREQUENCIES_HZ, REGIONS, SPECTROGRAM

WINDOW_SAMPLES = 800
"""Four seconds, of which a row has the power."""
STEP_SAMPLES = int(EEG.row_rate_hz / SPECTROGRAM.row_rate_hz)
"""From row to row: 400, two seconds."""
EDGE_SAMPLES = (WINDOW_SAMPLES - STEP_SAMPLES) // 2
"""How far the first and last row reach beyond a recording, when edges are asked for: 1 s."""
TRANSFORM_POINTS = 1024
TIME_HALF_BANDWIDTH = 2.0
TAPERS = 3
HIGH_PASS_HZ = 0.5
FIRST_BIN = 3
"""Bin of 0.59 Hz, the lowest of the 100 frequencies."""
BLOCK_ROWS = 64
"""Windows transformed at once: few enough that they stay in a processor's cache."""


def spectrogram(
    eeg_uv_TC: NDArray[np.floating],
    channels: Sequence[str] = CHANNELS,
    *,
    edges: bool = False,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Compute the competition's spectrogram of a recording.

    Parameters
    ----------
    eeg_uv_TC : float (T, C)
        Referential EEG in microvolts at 200 Hz, NaN where nothing was recorded: a straight line
        bridges it, so that its edges do not ring in the rows beside it.
    channels : sequence of str
        Names of the columns; the electrodes of the four chains must be among them.
    edges : bool
        False: row i is computed from samples [400 i, 400 i + 800), of whole windows only: T // 400
        - 1 rows, none under 800 samples. True: row r is centred on 2 r + 1 s, as the competition
        counts a spectrogram's own time, so its samples are [400 r - 200, 400 r + 600): T // 400
        rows, of which the first and the last (see `edge_rows`) reach up to 1 s beyond the
        recording, which goes on there as its mirror image. What the competition put there is not
        known.
    threads : int, optional
        Differences computed at once; all processors by default. The result is the same.

    Returns
    -------
    float32 (rows, 400)
        Power in uV^2/Hz, features in the order of the competition's columns. As theirs, it is
        two-sided: half of what folding negative frequencies in would give. A region is NaN in a row
        unless its electrodes were recorded in all of its samples.

    Raises
    ------
    ValueError
        Another number of columns than names, or an electrode of the chains is not among them.
    """
    column = {name: number for number, name in enumerate(channels)}
    absent = sorted({name for pair in CHAIN_PAIRS for name in pair} - set(column))
    if absent or eeg_uv_TC.ndim != 2 or eeg_uv_TC.shape[1] != len(channels):
        raise ValueError(
            f"expected EEG (T, {len(channels)}) with the electrodes of the four chains, found "
            f"{eeg_uv_TC.shape}{', without ' + ', '.join(absent) if absent else ''}"
        )
    needed = STEP_SAMPLES if edges else WINDOW_SAMPLES
    if len(eeg_uv_TC) < needed:
        return np.empty((0, len(REGIONS) * len(FREQUENCIES_HZ)), np.float32)

    def pair_power(electrodes: tuple[str, str]) -> NDArray[np.float32]:
        pair_uv = eeg_uv_TC.T[[column[name] for name in electrodes]]
        missing = ~np.isfinite(pair_uv)
        fill_by_line(pair_uv, missing)
        one, other = pair_uv.astype(np.float64)
        signal = high_passed(one - other).astype(np.float32)
        gap = missing.any(axis=0)
        if edges:
            signal = np.pad(signal, EDGE_SAMPLES, "reflect")
            gap = np.pad(gap, EDGE_SAMPLES, "reflect")
        power = window_power(signal)
        power[sliding_window_view(gap, WINDOW_SAMPLES)[::STEP_SAMPLES].any(axis=1)] = np.nan
        return power

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        power = np.stack(list(pool.map(pair_power, CHAIN_PAIRS)), axis=1)
    regions = power.reshape(len(power), len(REGIONS), -1, power.shape[-1])
    means: NDArray[np.float32] = regions.mean(axis=2)
    return means.reshape(len(power), -1)


def edge_rows(samples: int) -> list[int]:
    """Rows of a spectrogram with edges that reach beyond a recording of so many samples."""
    rows = samples // STEP_SAMPLES
    reaches_past = rows * STEP_SAMPLES + EDGE_SAMPLES > samples
    return sorted({0, rows - 1} if reaches_past else {0}) if rows else []


def high_passed(signals: NDArray[np.float64]) -> NDArray[np.float64]:
    """High-pass (..., T) at 0.5 Hz, zero-phase, as recordings were before their spectrograms."""
    from scipy.signal import butter, sosfiltfilt

    sections = butter(4, HIGH_PASS_HZ, "highpass", fs=EEG.row_rate_hz, output="sos")
    filtered: NDArray[np.float64] = sosfiltfilt(sections, signals, axis=-1)
    return filtered


def window_power(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multitaper power of one bipolar signal (T,): (rows, 100) in uV^2/Hz."""
    from scipy.fft import rfft

    windows = sliding_window_view(difference, WINDOW_SAMPLES)[::STEP_SAMPLES]
    ramp = (np.arange(WINDOW_SAMPLES) - (WINDOW_SAMPLES - 1) / 2).astype(np.float32)
    bins = slice(FIRST_BIN, FIRST_BIN + len(FREQUENCIES_HZ))
    power = np.empty((len(windows), len(FREQUENCIES_HZ)), np.float32)
    for first in range(0, len(windows), BLOCK_ROWS):
        block = windows[first : first + BLOCK_ROWS]
        slope = block @ ramp / (ramp @ ramp)
        detrended = block - block.mean(axis=1, keepdims=True) - slope[:, None] * ramp
        spectrum = rfft(detrended[:, None, :] * tapers(), TRANSFORM_POINTS)[..., bins]
        power[first : first + BLOCK_ROWS] = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    return power


@lru_cache(maxsize=1)
def tapers() -> NDArray[np.float32]:
    """Three tapers (3, 800), scaled so that squared transforms are in uV^2/Hz."""
    from scipy.signal.windows import dpss

    scale = np.sqrt(EEG.row_rate_hz) / EEG.row_rate_hz
    sequences: NDArray[np.float64] = dpss(WINDOW_SAMPLES, TIME_HALF_BANDWIDTH, TAPERS) * scale
    return sequences.astype(np.float32)
