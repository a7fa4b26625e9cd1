"""The 18 bipolar traces -> what an encoder was made for: another rate, microvolts, fewer traces.

The traces are those of the input `raw`: 200 Hz, in the order of `hmsstore.montage.PAIRS` (the four
chains LL, RL, LP, RP from front to back, then the midline), 0.5 to 40 Hz, over 32 uV.

Legend: B windows, P pairs, T samples in time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hmsstore import REGIONS
from hmsstore.montage import CHAIN_PAIRS, region_side
from hmstrain.data.eeg import RATE_HZ, SCALE_UV

PER_CHAIN = len(CHAIN_PAIRS) // len(REGIONS)
EDGE = 0.9
"""Where the anti-alias filter is at half power, as a share of the new Nyquist frequency."""
SLOPE = 32
"""Exponent of that filter's power: 3% is left at the new Nyquist frequency, where it is cut off."""


def at_rate(traces_BPT: Tensor, rate_hz: float) -> Tensor:
    """Resample, through the Fourier transform of the whole window.

    A lower rate keeps frequencies below its Nyquist frequency, through a zero-phase low-pass 1 / (1
    + (f / edge)^32), whose edge is 90% of it; the window is taken as periodic, as the input's own
    band-pass does.

    Parameters
    ----------
    traces_BPT : float32 (B, P, T)
        At 200 Hz.
    rate_hz : float
        The rate to return.

    Returns
    -------
    float32 (B, P, round(T rate_hz / 200))
    """
    if rate_hz == RATE_HZ:
        return traces_BPT
    samples = traces_BPT.shape[-1]
    count = round(samples * rate_hz / RATE_HZ)
    kept = (min(samples, count) + 1) // 2  # without the Nyquist frequency of either
    spectrum = torch.fft.rfft(traces_BPT.float())[..., :kept]
    if rate_hz < RATE_HZ:
        frequency_hz = torch.arange(kept, device=traces_BPT.device) * (RATE_HZ / samples)
        spectrum = spectrum / (1 + (frequency_hz / (EDGE * rate_hz / 2)) ** SLOPE)
    resampled: Tensor = torch.fft.irfft(spectrum, n=count) * (count / samples)
    return resampled


def microvolts(traces_BPT: Tensor) -> Tensor:
    """Undo the scale of the input: uV."""
    return traces_BPT * SCALE_UV


def by_chain(traces_BPT: Tensor) -> Tensor:
    """The four chains without the midline, (B, 4, 4, T): chain, then pair from front to back."""
    return traces_BPT[:, : len(CHAIN_PAIRS)].unflatten(1, (len(REGIONS), PER_CHAIN))


def by_side(traces_BPT: Tensor) -> tuple[Tensor, Tensor]:
    """Left and right chains in the same order, without the midline: each (B, 2, 4, T)."""
    chains = by_chain(traces_BPT)
    left, right = (
        # One by one: a list of places would be brought to the GPU for each batch, and waited for.
        torch.stack(
            [chains[:, place] for place, name in enumerate(REGIONS) if region_side(name) == side],
            dim=1,
        )
        for side in ("left", "right")
    )
    return left, right


def long_differences(traces_BPT: Tensor) -> Tensor:
    """Differences between every second electrode of a chain, two for each of the four: (B, 8, T).

    Fp1-T3, T3-O1, Fp2-T4, T4-O2, Fp1-C3, C3-O1, Fp2-C4, C4-O2: the sums of two neighbouring pairs,
    which is what public notebooks of the competition take of raw EEG.
    """
    return by_chain(traces_BPT).unflatten(2, (-1, 2)).sum(3).flatten(1, 2)
