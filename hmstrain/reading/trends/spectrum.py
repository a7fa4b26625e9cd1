"""Pairs -> power by frequency: compressed spectrograms, and how far left and right differ.

Legend: P pairs, K epochs, F frequencies.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import REGIONS
from hmstrain.reading.trends.epochs import (
    BLOCK_EPOCHS,
    CHAIN_MEMBERS,
    RATE,
    SIDE_MEMBERS,
    SIDES,
    Block,
    Floats,
    group_mean,
    windows,
)

WINDOW_S = 4.0
"""Window of a transform, so that frequencies are a quarter of a hertz apart."""
SHOWN_HZ, HIGHEST_HZ = (0.5, 20.0), 45.0
"""Frequencies of spectrograms, and up to which power is computed."""
FLOOR = 1e-4
"""uV^2/Hz: what is less (a signal that does not change) is drawn as -40 dB."""
SMOOTHED = 5
"""Epochs over which power is averaged before sides are compared: 12 s with all their windows."""
INDEX_HZ = (1.0, 20.0)
"""Frequencies over which the index is averaged."""
Power = NDArray[np.float32]


def frequencies() -> NDArray[np.float64]:
    """Frequencies of a transform in Hz that are kept, (F,)."""
    return np.arange(round(HIGHEST_HZ * WINDOW_S) + 1) / WINDOW_S


def shown() -> slice:
    """Frequencies that are shown, as places in `frequencies`."""
    low, high = (round(edge * WINDOW_S) for edge in SHOWN_HZ)
    return slice(low, high + 1)


def power_density(block: Block) -> Power:
    """Power spectral density of each pair, one-sided, in uV^2/Hz, and its neighbours in time.

    Each window has its mean taken off and is tapered by Hann's (Welch 1967, IEEE Trans Audio
    Electroacoust 15, 70-73).

    Returns
    -------
    float32 (P, K + 4, F)
        Of the block's epochs and two more at either end; NaN where a pair is not known throughout.
    """
    around = SMOOTHED // 2
    taper, scale = _taper()
    cut = windows(block.bridged_uv_PT, WINDOW_S, around)
    spectrum = np.fft.rfft((cut - cut.mean(axis=2, keepdims=True)) * taper, axis=2)
    spectrum = spectrum[..., : len(frequencies())]
    power = (spectrum.real**2 + spectrum.imag**2) * scale
    power[..., 1:] *= 2
    if block.missing is not None:
        power[windows(block.missing, WINDOW_S, around).any(axis=2)] = np.nan
    return np.asarray(power, np.float32)


@lru_cache(maxsize=1)
def _taper() -> tuple[Floats, np.float32]:
    length = round(WINDOW_S * RATE)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return taper.astype(np.float32), np.float32(1 / (RATE * (taper**2).sum()))


def spectrograms_db(power_PKF: Power) -> dict[str, Floats]:
    """Mean power of sides and chains in decibels above 1 uV^2/Hz.

    Returns
    -------
    dict of float32 (K, F)
        By 'left', 'right' and chain, of the frequencies that are shown.
    """
    around = SMOOTHED // 2
    power = power_PKF[:, around : around + BLOCK_EPOCHS, shown()]
    chains = {region: group_mean(power, CHAIN_MEMBERS[region]) for region in REGIONS}
    sides = {side: group_mean(power, SIDE_MEMBERS[side]) for side in SIDES}
    return {
        name: 10 * np.log10(np.maximum(mean, FLOOR)) for name, mean in {**sides, **chains}.items()
    }


def asymmetries(power_PKF: Power) -> tuple[Floats, Floats]:
    """Compare homologous pairs.

    Returns
    -------
    relative : float32 (K, F)
        Mean over homologous pairs of (right - left) / (right + left), from -1 (all power is on the
        left) to 1, of the frequencies that are shown.
    index : float32 (K,)
        The revised brain symmetry index (van Putten 2007, Clin Neurophysiol 118, 2362-2367): mean
        over `INDEX_HZ` of |R - L| / (R + L), R and L being the mean power of each side's pairs, of
        those that are known with their homologous one.
    """
    power = _smoothed(power_PKF[..., shown()])
    left, right = (power[list(SIDE_MEMBERS[side])] for side in SIDES)
    relative = group_mean(_contrast(left, right), range(len(left)))
    hz = frequencies()[shown()]
    used = (hz >= INDEX_HZ[0]) & (hz <= INDEX_HZ[1])
    known = np.isfinite(left + right)
    means = [group_mean(np.where(known, one, np.nan), range(len(one))) for one in (left, right)]
    return relative, np.abs(_contrast(*means)[:, used]).mean(axis=1)


def _contrast(left: Power, right: Power) -> Floats:
    """Take (right - left) / (right + left), which is 0 where there is no power on either side."""
    both = left + right
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(both > 0, (right - left) / both, np.where(both == 0, 0, np.nan))
    return np.asarray(found, np.float32)


def _smoothed(power_PKF: Power) -> Power:
    """Mean over `SMOOTHED` epochs about each of the block's."""
    return np.asarray(
        sum(power_PKF[:, place : place + BLOCK_EPOCHS] for place in range(SMOOTHED)) / SMOOTHED,
        np.float32,
    )
