"""A signal -> how its energy is shared among the scales of a wavelet transform.

Legend: P signals, T samples.
"""

from __future__ import annotations

import numpy as np
import pywt
from numpy.typing import NDArray

from hmsprep.qeeg.columns import LEVELS, SCALES, WAVELET

Floats = NDArray[np.float64]


def wavelet_measures(signal_uv_PT: Floats) -> dict[str, Floats]:
    """Share of each scale in the energy of the coefficients, float64 (P,) by measure.

    Signals are continued by their mirror images. NaN where they are too short for so many levels.
    """
    if pywt.dwt_max_level(signal_uv_PT.shape[1], WAVELET) < LEVELS:
        return {f"wavelet_{scale}": np.full(len(signal_uv_PT), np.nan) for scale in SCALES}
    rest, *details = pywt.wavedec(signal_uv_PT, WAVELET, "symmetric", level=LEVELS, axis=1)
    parts = [(part**2).sum(axis=1) for part in (*reversed(details), rest)]
    total = np.sum(parts, axis=0)
    return {f"wavelet_{scale}": part / total for scale, part in zip(SCALES, parts, strict=True)}
