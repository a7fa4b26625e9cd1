"""A signal -> its power in bands, their ratios, spectral edge and entropy, by Welch's method.

Legend: E electrodes, P signals, T samples, S segments, F frequencies, K bands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft, rfftfreq
from scipy.signal import get_window

from hmsprep.qeeg.columns import BANDS_HZ

SEGMENT_S = 2.0
"""So that half a hertz is told from one; hence 49 segments of 50 s, and 9 of ten."""
EDGE = 0.95
Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Segments:
    """Tapered transforms of a span's segments, of the frequencies that bands are of."""

    spectra_ESF: Complex
    frequency_hz: Floats
    """(F,)"""
    scale: float
    """Squared magnitude -> power spectral density, uV^2/Hz, one-sided."""
    bands: Mapping[str, NDArray[np.bool_]]
    """By band, which frequencies are of it."""


def segments(eeg_uv_ET: Floats, rate_hz: float) -> Segments:
    """Cut signals into overlapping segments, and transform each."""
    length = min(round(SEGMENT_S * rate_hz), eeg_uv_ET.shape[1])
    taper, scale = _taper(length, rate_hz)
    cut = np.lib.stride_tricks.sliding_window_view(eeg_uv_ET, length, axis=1)
    cut_EST = cut[:, :: max(1, length // 2)]
    centred = cut_EST - cut_EST.mean(axis=2, keepdims=True)
    frequency = rfftfreq(length, 1 / rate_hz)
    low, high = BANDS_HZ["delta"][0], BANDS_HZ["beta"][1]
    used = (frequency >= low) & (frequency <= high)
    kept = frequency[used]
    return Segments(rfft(centred * taper, axis=2)[:, :, used], kept, scale, bands_of(kept))


@lru_cache(maxsize=8)
def _taper(length: int, rate_hz: float) -> tuple[Floats, float]:
    taper = get_window("hann", length)
    return taper, 2 / (rate_hz * float((taper**2).sum()))


def bands_of(frequency_hz: Floats) -> dict[str, NDArray[np.bool_]]:
    """Tell which frequencies each band has."""
    last = list(BANDS_HZ)[-1]
    return {
        name: (frequency_hz >= low) & ((frequency_hz < high) | (name == last))
        & (frequency_hz <= high)
        for name, (low, high) in BANDS_HZ.items()
    }  # fmt: skip


def density(spectra_PSF: Complex, scale: float) -> Floats:
    """Power spectral density of signals, uV^2/Hz, float64 (P, F): the mean over their segments."""
    power: Floats = (spectra_PSF.real**2 + spectra_PSF.imag**2).mean(axis=1) * scale
    return power


def spectral_measures(density_PF: Floats, of: Segments) -> dict[str, Floats]:
    """Measure densities.

    Returns
    -------
    dict of float64 (P,)
        By measure; not finite where there is no power.
    """
    frequency = of.frequency_hz
    step = frequency[1] - frequency[0]
    power = {name: density_PF[:, used].sum(axis=1) * step for name, used in of.bands.items()}
    total = density_PF.sum(axis=1) * step
    shares = density_PF * (step / total)[:, None]
    edge = frequency[np.argmax(np.cumsum(shares, axis=1) >= EDGE - 1e-12, axis=1)]
    terms = np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1)), 0)
    slow, fast = power["delta"] + power["theta"], power["alpha"] + power["beta"]
    return {
        **{f"power_{name}": np.log(one) for name, one in power.items()},
        **{f"relative_{name}": one / total for name, one in power.items()},
        "alpha_delta_ratio": np.log(power["alpha"] / power["delta"]),
        "theta_beta_ratio": np.log(power["theta"] / power["beta"]),
        "slow_fast_ratio": np.log(slow / fast),
        "spectral_edge": edge,
        "spectral_entropy": -terms.sum(axis=1) / np.log(len(frequency)),
    }


def side_measures(
    left_PF: Floats, right_PF: Floats, of: Segments, known_P: NDArray[np.bool_]
) -> dict[str, float]:
    """Compare the densities of a left chain's pairs with those of the right one's.

    Parameters
    ----------
    left_PF, right_PF : float64 (P, F)
        Homologous pairs in the same order.
    known_P : bool (P,)
        Which pairs have a signal on both sides. The others tell nothing about the sides.

    Returns
    -------
    dict of float
        By measure; NaN where no pair has a signal on both sides.
    """
    left_PF, right_PF = left_PF[known_P], right_PF[known_P]
    left_F, right_F = left_PF.sum(axis=0), right_PF.sum(axis=0)
    found = {
        f"asymmetry_{name}": float(np.log(left_F[used].sum() / right_F[used].sum()))
        for name, used in of.bands.items()
    }
    found["asymmetry_all"] = float(np.log(left_F.sum() / right_F.sum()))
    differing = np.abs(left_PF - right_PF) / (left_PF + right_PF)
    found["symmetry_index"] = float(differing.mean()) if known_P.any() else float("nan")
    return found
