"""Samples of a signal at its own rate -> any part of it at 200 Hz, the same however it is cut."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from hmsprep.importing.pieces import RATE

MARGIN_S = 2
"""Read beyond a part, so that its ends are resampled as its middle is."""


def resampled(
    read: Callable[[int, int], NDArray[np.float64]],
    rate_hz: Fraction,
    count: int,
    first: int,
    stop: int,
) -> NDArray[np.float64]:
    """Resample a part of a signal by a polyphase filter, on a grid common to both rates.

    Parameters
    ----------
    read : callable
        Begin and end -> the signal's own samples [begin, end).
    rate_hz : Fraction
        Its rate.
    count : int
        Its samples in all.
    first, stop : int
        Samples [first, stop) at 200 Hz.

    Returns
    -------
    float64 (stop - first,)
    """
    from scipy.signal import resample_poly

    up, down = (RATE / rate_hz).as_integer_ratio()
    # `up` samples at 200 Hz last as long as `down` of the file
    begin = max(0, floor((first - MARGIN_S * RATE) / up))
    end = ceil((stop + MARGIN_S * RATE) / up)
    values = read(begin * down, min(end * down, count))
    if up != down:
        values = resample_poly(values, up, down, window=low_pass(up, down), padtype="line")
    skipped = first - begin * up
    part: NDArray[np.float64] = values[skipped : skipped + stop - first]
    return part


@lru_cache(maxsize=8)
def low_pass(up: int, down: int) -> NDArray[np.float64]:
    """Filter for resampling by up / down: flat to 93% of the lower Nyquist frequency, -70 dB above.

    A Kaiser window of scipy's `firwin`, three times as long as the one that `resample_poly` takes
    by itself, which lets through 84%.
    """
    from scipy.signal import firwin

    larger = max(up, down)
    taps: NDArray[np.float64] = firwin(2 * 32 * larger + 1, 1 / larger, window=("kaiser", 7.0))
    return taps
