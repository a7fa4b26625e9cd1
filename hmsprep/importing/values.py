"""A part of a recording -> without its offsets, what of it is beyond the clip."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from hmsprep.importing.channels import CHAINS_REFERENCE
from hmsprep.importing.pieces import RATE
from hmsprep.importing.recording import Recording
from hmsprep.planning.choices import EEG_CLIP_UV, EKG_CLIP_UV
from hmsstore.montage import neighbours
from hmsstore.schema import CHAINS, CHANNELS, MIDLINE

OFFSET_HZ = 0.1
"""Edge of the high-pass that takes offset and drift off where nothing else is asked for."""
FILTER_ORDER = 2
"""Of the Butterworth high-pass, which is run forwards and backwards."""
MEMORY = 6
"""Periods of the high-pass's edge after which 1e-11 of what was before is left."""
FITTED, MOST_DEGREE = 4, 3
"""Periods of the high-pass's edge by which drift at an end is told, and degree of the polynomial.

Of twelve ways compared, it has the least error under drifts of every kind."""
SETTLING, SETTLING_UV = 0.5, 10
"""Periods of the edge for which the baseline at an end is uncertain, and by how much, typically:
with slow waves of 35 uV (standard deviation) by 1 to 13 uV at the very end, at most 37, and by less
than 4 uV from half a period on."""
HEART = "EKG"


def high_passed(recording: Recording, hz: float, workers: Executor) -> Recording:
    """High-pass a recording, zero-phase, the same however it is cut.

    So much is read around each part that what lies beyond does not matter: parts agree with the
    whole within 0.01 uV even where electrodes have offsets of 20 mV. Stretches between gaps are
    filtered by themselves, and continued beyond their ends as `_continued` has it. Threads of
    `workers` filter a channel each.
    """
    from scipy.signal import butter, sosfiltfilt

    margin = ceil(MEMORY / hz * RATE)
    sections = butter(FILTER_ORDER, hz, "highpass", fs=RATE, output="sos")

    def take_off(values: NDArray[np.float32]) -> None:
        for part in _recorded(values):
            wide = values[part].astype(np.float64)
            wide -= np.median(wide)  # which leaves less to round
            before = _continued(wide[::-1], margin // 2, hz)[::-1]
            after = _continued(wide, margin // 2, hz)
            wide = np.concatenate([before, wide, after])
            filtered = sosfiltfilt(sections, wide, padlen=0)
            values[part] = filtered[len(before) : len(wide) - len(after)]

    def read(first: int, stop: int) -> NDArray[np.float32]:
        begin, end = max(0, first - margin), min(recording.samples, stop + margin)
        eeg_uv = recording.read(begin, end)
        for _ in workers.map(take_off, eeg_uv):
            pass
        return eeg_uv[:, first - begin : stop - begin]

    return replace(recording, read=read)


def _continued(values_uv: NDArray[np.float64], count: int, hz: float) -> NDArray[np.float64]:
    """Continue a stretch beyond its end, so that a high-pass of `hz` takes its drift off there too.

    Drift is what a cubic says that is fitted to the last `FITTED` periods of `hz`; of stretches of
    less than 2.5 periods a polynomial of lower degree. It goes on along its tangent, and what is
    left of the EEG goes on as its own mirror image. A mirror image about the last value, as
    `sosfiltfilt` takes it, would draw the baseline through that one value, whatever wave it is of.
    """
    from numpy.polynomial import Polynomial

    last = values_uv[-ceil(FITTED / hz * RATE) :]
    ago = np.arange(1 - len(last), 1, dtype=np.float64)
    degree = min(MOST_DEGREE, round(len(last) / RATE * hz), len(last) - 1)
    drift = Polynomial.fit(ago, last, degree)
    ahead = np.arange(1, count + 1)
    mirrored = np.pad(last - drift(ago), (0, count), "reflect" if len(last) > 1 else "edge")
    continued: NDArray[np.float64] = drift(0.0) + drift.deriv()(0.0) * ahead + mirrored[len(last) :]
    return continued


def _recorded(values: NDArray[np.float32]) -> Iterator[slice]:
    """Stretches without missing values."""
    known = np.concatenate([[False], np.isfinite(values), [False]])
    for begin, end in np.flatnonzero(known[1:] != known[:-1]).reshape(-1, 2).tolist():
        yield slice(begin, end)


def beyond_clip(eeg_uv: NDArray[np.float32], reference: str) -> dict[str, NDArray[np.int64]]:
    """Count the values that a store would clip by default, and those that were recorded.

    Parameters
    ----------
    eeg_uv : float32 (20, T)
        Microvolts, NaN where nothing was recorded.
    reference : str
        As `Chosen` has it: where only differences along chains are known, those are what counts.

    Returns
    -------
    dict of int64 (2,)
        Channel, or pair such as 'Fp1-F3' -> values beyond the clip, values recorded.
    """
    channel = dict(zip(CHANNELS, eeg_uv, strict=True))
    if reference == CHAINS_REFERENCE:
        pairs = neighbours({**CHAINS, "midline": MIDLINE})
        measured = {f"{a}-{b}": channel[a] - channel[b] for a, b in pairs}
        measured[HEART] = channel[HEART]
    else:
        measured = channel
    return {
        name: np.asarray(
            [
                np.count_nonzero(np.abs(values) > (EKG_CLIP_UV if name == HEART else EEG_CLIP_UV)),
                np.count_nonzero(np.isfinite(values)),
            ]
        )
        for name, values in measured.items()
    }
