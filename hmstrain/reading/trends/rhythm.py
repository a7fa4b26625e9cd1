"""Pairs -> how rhythmic the EEG of each side is, and at which frequency.

A rhythm repeats after one of its periods, whatever form its waves have: the autocorrelation of ten
seconds has a peak there, 1 high if it repeats exactly and 0 of noise (Liu et al. 1992,
Electroencephalogr Clin Neurophysiol 82, 30-37, who find seizures so).

Legend: P pairs, K epochs, L lags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import REGIONS
from hmstrain.reading.trends.epochs import (
    BLOCK_EPOCHS,
    CHAIN_MEMBERS,
    RATE,
    SIDES,
    Block,
    Floats,
    group_mean,
    window_begins,
)
from hmstrain.reading.trends.fir import Fir, Spectra
from hmstrain.reading.trends.suppression import CHAINS_ONLY

BAND_HZ = (0.5, 16.0)
FILTER = Fir(BAND_HZ, 400)
EVERY = 4
"""Samples of which one is kept: 50 a second are."""
EPOCH_S = 10.0
RHYTHM_HZ = (0.5, 12.0)
"""Frequencies whose periods are looked at."""
EARLIEST = 0.9
"""What repeats after one period does after two: of the peaks that are so much of the highest, the
one of the shortest lag counts."""


LAGS = int(np.ceil(RATE / EVERY / RHYTHM_HZ[0])) + 2
SIZE = 640
"""Samples of a transform: an epoch's and the lags', so that no end meets the other."""


def spectra_of_windows(windows_PKT: Floats) -> Floats:
    """Squared spectrum of each window over the sum of its squares, (P, K, SIZE // 2 + 1).

    NaN of windows that do not change.
    """
    centred = windows_PKT - windows_PKT.mean(axis=2, keepdims=True)
    spectrum = np.fft.rfft(centred, SIZE, axis=2)
    energy = np.einsum("pkt,pkt->pk", centred, centred)[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (spectrum.real**2 + spectrum.imag**2) / energy
        found[(energy == 0)[..., 0]] = np.nan
    return np.asarray(found, np.float32)


def autocorrelation(spectrum_KF: Floats, length: int) -> Floats:
    """Autocorrelation at lags of 0, 1, ... samples, (K, L), of squared spectra.

    Each lag's sum is divided by the number of its products, and by the variance.
    """
    sums = np.fft.irfft(spectrum_KF, SIZE, axis=1)[:, :LAGS]
    return np.asarray(sums * (length / (length - np.arange(LAGS))), np.float32)


def highest_peaks(correlation_KL: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Height and frequency of the peak that tells the period, by a parabola through three lags.

    Returns
    -------
    height : float32 (K,)
        0 where there is no peak above 0; NaN where there is no autocorrelation.
    frequency_hz : float32 (K,)
        NaN where there is no peak.
    """
    before, here, after = (correlation_KL[:, a:b] for a, b in ((0, -2), (1, -1), (2, None)))
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = 0.5 * (before - after) / (before - 2 * here + after)
        top = here - 0.25 * (before - after) * moved
        lag = (np.arange(1, correlation_KL.shape[1] - 1) + moved) / rate_hz
        peaks = (here > before) & (here >= after) & (top > 0)
        peaks &= (lag >= 1 / RHYTHM_HZ[1]) & (lag <= 1 / RHYTHM_HZ[0])
    heights = np.where(peaks, top, 0)
    best = np.argmax(peaks & (heights >= EARLIEST * heights.max(axis=1, keepdims=True)), axis=1)
    rows = np.arange(len(best))
    found = peaks[rows, best]
    height = np.where(found, np.minimum(heights[rows, best], 1), 0)
    height[~np.isfinite(correlation_KL).all(axis=1)] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        frequency = np.where(found, 1 / lag[rows, best], np.nan)
    return height.astype(np.float32), frequency.astype(np.float32)


def rhythms(block: Block, spectra: Spectra) -> dict[str, tuple[Floats, Floats]]:
    """Height and frequency of each side's rhythm.

    The autocorrelations of a chain's four pairs are averaged, each pair counting as much whatever
    its amplitude; of a side's two chains the more rhythmic one counts.

    Returns
    -------
    dict of two float32 (K,)
        By side: height from 0 to 1, and Hz.
    """
    slow = spectra.filtered(FILTER, CHAINS_ONLY, EVERY)
    begins = window_begins(EPOCH_S) // EVERY
    length = round(EPOCH_S * RATE / EVERY)
    cut = np.lib.stride_tricks.sliding_window_view(slow, length, axis=1)
    step = int(begins[1] - begins[0])
    spectrum = spectra_of_windows(cut[:, begins[0] : begins[-1] + 1 : step])
    spectrum[~block.known(EPOCH_S, FILTER.reach)[CHAINS_ONLY]] = np.nan
    of_chains = {}
    for region in REGIONS:  # the mean of autocorrelations is that of the mean spectrum
        mean = group_mean(spectrum, CHAIN_MEMBERS[region])
        of_chains[region] = highest_peaks(autocorrelation(mean, length), RATE / EVERY)
    found = {}
    for side in SIDES:
        both = [of_chains[region] for region in REGIONS if region.startswith(side[0].upper())]
        heights, hz = (np.stack(values) for values in zip(*both, strict=True))
        more: NDArray[np.intp] = np.argmax(np.nan_to_num(heights, nan=-1), axis=0)
        places = np.arange(BLOCK_EPOCHS)
        found[side] = heights[more, places], hz[more, places]
    return found
