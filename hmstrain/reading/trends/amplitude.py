"""Pairs -> amplitude-integrated EEG: lower and upper margin of each side.

The chain of the cerebral function monitor (Maynard et al. 1969, Br Med J 4, 545-546; Hellstroem-
Westas et al. 2006, NeoReviews 7, e76-e87): 2 to 15 Hz with a gain that rises by 12 dB a decade,
rectified, smoothed, and drawn in half-logarithmic compression.

Legend: K epochs, T samples.
"""

from __future__ import annotations

import numpy as np

from hmsstore.montage import PAIRS
from hmstrain.reading.trends.epochs import RATE, SIDES, Block, Floats, windows
from hmstrain.reading.trends.fir import Fir, Spectra

DERIVATIONS = {"left": ("C3", "P3"), "right": ("C4", "P4")}
BAND_HZ, UNITY_HZ = (2.0, 15.0), 10.0
DB_A_DECADE = 12.0
FILTER = Fir(BAND_HZ, 200, DB_A_DECADE / 20, UNITY_HZ)
SMOOTHED_S = 0.5
"""Time constant of the monitor; here, length of a running mean."""
EPOCH_S = 10.0
MARGINS = (10, 90)
"""Percentiles of the envelope in an epoch's window."""
EVERY = 10
"""Samples of the envelope of which one is kept: 20 a second are."""
LINEAR_UV = 10.0
"""Up to it the scale is linear, above logarithmic, a decade being as high as it."""


def envelope_uv(filtered_uv_PT: Floats) -> Floats:
    """Smooth rectified pairs, (P, T).

    Times pi, so that a sine has its amplitude from peak to peak: the mean of a rectified sine is
    2 / pi of its amplitude.
    """
    reach = round(SMOOTHED_S * RATE) // 2
    length = 2 * reach + 1
    so_far = np.zeros((len(filtered_uv_PT), filtered_uv_PT.shape[1] + 1))
    np.cumsum(np.abs(filtered_uv_PT), axis=1, out=so_far[:, 1:])
    means = np.zeros_like(filtered_uv_PT)
    means[:, reach : means.shape[1] - reach] = (so_far[:, length:] - so_far[:, :-length]) / length
    return np.asarray(np.pi * means, np.float32)


def margins_uv(block: Block, spectra: Spectra) -> dict[str, Floats]:
    """Lower and upper margin in microvolts from peak to peak.

    Returns
    -------
    dict of float32 (K, 2)
        By side; NaN where something of an epoch's window is missing.
    """
    members = [PAIRS.index(DERIVATIONS[side]) for side in SIDES]
    envelope = envelope_uv(spectra.filtered(FILTER, members))
    reach = FILTER.reach + round(SMOOTHED_S * RATE) // 2
    known = block.known(EPOCH_S, reach)[members]
    margins = np.percentile(windows(envelope, EPOCH_S)[..., ::EVERY], MARGINS, axis=2)
    found = np.where(known, margins, np.nan).astype(np.float32)  # (margins, sides, K)
    return {side: found[:, place].T for place, side in enumerate(SIDES)}


def half_logarithmic(amplitude_uv: Floats) -> Floats:
    """Height on the scale of an aEEG, any shape: 0 to 1 is 0 to 10 uV, 2 is 100 uV, 3 is 1 mV."""
    above = np.maximum(amplitude_uv, LINEAR_UV)
    return np.asarray(
        np.where(
            amplitude_uv <= LINEAR_UV, amplitude_uv / LINEAR_UV, 1 + np.log10(above / LINEAR_UV)
        ),
        np.float32,
    )
