"""Pairs -> how much of the last minute the EEG of each side was suppressed.

Legend: P pairs, T samples, K epochs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmstrain.reading.trends.epochs import (
    BLOCK_EPOCHS,
    MARGIN,
    RATE,
    SIDE_MEMBERS,
    SIDES,
    STEP,
    STEP_S,
    Block,
    Floats,
    group_mean,
)
from hmstrain.reading.trends.fir import Fir, Spectra

BAND_HZ = (1.0, 30.0)
FILTER = Fir(BAND_HZ, 400)
SUPPRESSED_UV, SUPPRESSED_S = 5.0, 0.5
"""Within +-5 uV for half a second or longer (Rampil 1998, Anesthesiology 89, 980-1002); less than
10 uV from peak to peak is suppressed (Hirsch et al. 2021, J Clin Neurophysiol 38, 1-29)."""
MINUTE = 30
"""Epochs that the ratio is of: this and those before it."""
LEAST_KNOWN = 15
"""Epochs of them that must be known."""
CHAINS_ONLY = slice(0, 16)
"""The pairs of the four chains."""


def lasting(marked_PT: NDArray[np.bool_], samples: int) -> NDArray[np.bool_]:
    """Keep marks in stretches of at least so many samples, (P, T)."""
    count, length = marked_PT.shape
    if length < samples:
        return np.zeros_like(marked_PT)
    so_far = np.zeros((count, length + 1), np.int32)
    np.cumsum(marked_PT, axis=1, out=so_far[:, 1:])
    whole = so_far[:, samples:] - so_far[:, :-samples] == samples  # stretches that begin here
    starts = np.zeros((count, length + samples), np.int32)
    np.cumsum(whole, axis=1, out=starts[:, samples : samples + whole.shape[1]])
    starts[:, samples + whole.shape[1] :] = starts[:, [samples + whole.shape[1] - 1]]
    return np.asarray(starts[:, samples:] > starts[:, :length])


def suppressed(block: Block, spectra: Spectra) -> dict[str, Floats]:
    """Share of each epoch that is suppressed, mean over the side's pairs, float32 (K,) by side."""
    values = spectra.filtered(FILTER, CHAINS_ONLY)
    quiet = lasting(np.abs(values) < SUPPRESSED_UV, round(SUPPRESSED_S * RATE))
    inside = quiet[:, MARGIN : MARGIN + BLOCK_EPOCHS * STEP]
    share = inside.reshape(len(inside), BLOCK_EPOCHS, STEP).mean(axis=2, dtype=np.float32)
    reach = FILTER.reach + round(SUPPRESSED_S * RATE)
    share[~block.known(STEP_S, reach)[CHAINS_ONLY]] = np.nan
    return {side: group_mean(share, SIDE_MEMBERS[side]) for side in SIDES}


def suppression_ratio(share_K: Floats, first: int, stop: int) -> Floats:
    """Mean of the epochs of the last minute that are known.

    Parameters
    ----------
    share_K : float32 (K,)
        Of all epochs from the recording's start, NaN where not known.
    first, stop : int
        Epochs to give it for.

    Returns
    -------
    float32 (stop - first,)
        From 0 to 1; NaN where fewer than half a minute's are known, or the epoch itself is not.
    """
    begin = max(0, first - MINUTE + 1)
    part = share_K[begin:stop]
    known = np.isfinite(part)
    totals = np.concatenate([[0.0], np.cumsum(np.where(known, part, 0), dtype=np.float64)])
    counts = np.concatenate([[0], np.cumsum(known)])
    ends = np.arange(first, stop) - begin + 1
    begins = np.maximum(ends - MINUTE, 0)
    count = counts[ends] - counts[begins]
    enough = (count >= LEAST_KNOWN) & known[ends - 1]
    ratio = (totals[ends] - totals[begins]) / np.maximum(count, 1)
    return np.where(enough, np.clip(ratio, 0, 1), np.nan).astype(np.float32)
