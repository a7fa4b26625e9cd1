"""Two electrodes -> how coherent they are in each band, how locked in phase.

Both are measured on the common average: what one reference adds to all electrodes would couple any
two. Both are above 0 by chance, the more so the shorter the span.

Legend: E electrodes, N pairs of them, S segments, F frequencies, T samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import ifft, next_fast_len

from hmsprep.qeeg.spectrum import Segments, bands_of

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]
Places = NDArray[np.int64]


def coherence(average_ESF: Complex, of: Segments, one: Places, other: Places) -> dict[str, Floats]:
    """Magnitude-squared coherence of pairs of electrodes, its mean in each band, float64 (N,).

    Parameters
    ----------
    average_ESF : complex128 (E, S, F)
        Spectra of segments of the electrodes, less the common average.
    of : Segments
        What these are of.
    one, other : int64 (N,)
        Electrodes of each pair.

    Returns
    -------
    dict of float64 (N,)
        By measure; NaN where an electrode is flat, or there is a single segment: of one, any two
        are wholly coherent.
    """
    power = (average_ESF.real**2 + average_ESF.imag**2).mean(axis=1)
    cross = (average_ESF[one] * average_ESF[other].conj()).mean(axis=1)
    both = power[one] * power[other]
    found = (cross.real**2 + cross.imag**2) / np.where(both > 0, both, np.nan)
    if average_ESF.shape[1] < 2:
        found[:] = np.nan
    return {f"coherence_{name}": found[:, used].mean(axis=1) for name, used in of.bands.items()}


def phase_locking(
    average_EF: Complex, samples: int, rate_hz: float, one: Places, other: Places
) -> dict[str, Floats]:
    """Phase-locking value of pairs of electrodes in each band, float64 (N,).

    Parameters
    ----------
    average_EF : complex128 (E, T // 2 + 1)
        Transform of the whole electrodes, less the common average.
    samples : int
        T.
    one, other : int64 (N,)
        Electrodes of each pair.

    Returns
    -------
    dict of float64 (N,)
        By measure; NaN where an electrode is flat.
    """
    frequency = np.arange(average_EF.shape[1]) * rate_hz / samples
    found = {}
    for name, used in bands_of(frequency).items():
        # The band alone, moved to begin at 0: all analytic signals turn alike, and their
        # differences in phase stay, at as few samples as the band takes.
        band = average_EF[:, used]
        analytic = ifft(band, n=next_fast_len(2 * band.shape[1]), axis=1)
        size = np.abs(analytic)
        phase = analytic / np.where(size > 0, size, np.nan)
        found[f"phase_locking_{name}"] = np.abs((phase[one] * phase[other].conj()).mean(axis=1))
    return found
