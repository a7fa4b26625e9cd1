"""Referential EEG in microvolts -> what networks see of it, on any device.

Legend: B windows, T samples in time, C referential channels, P bipolar pairs, H image rows
(frequency), W image columns (time). 200 samples a second.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from hmsstore import REGIONS
from hmsstore.montage import BACK, CHAIN_PAIRS, FRONT
from hmsstore.schema import EEG
from hmstrain.data.augment import Bands

RATE_HZ = EEG.row_rate_hz


class Band(NamedTuple):
    """Pass band of a Butterworth filter, whose phase is taken off."""

    low_hz: float
    high_hz: float
    order: int
    both_ways: bool
    """Whether the response is the squared magnitude of an analogue high-pass and low-pass, as of
    filters run forwards and backwards; or the magnitude of one digital band-pass, as of a filter
    run forwards alone but for the delay."""


WIDE = Band(0.5, 40.0, 4, both_ways=True)
"""Of most inputs: below lie drifts, above mains and most muscle."""
RANDOM_ORDER = 2
"""Of a random band-pass of single pairs."""
TINY_HZ = 1e-9
"""Stands for 0 Hz, which a high-pass takes out."""
CLIP_UV = 1024.0
"""Medal teams of the competition clip at this value and divide by 32.

The same as the default clip of a store (`hmsprep.planning.choices.EEG_CLIP_UV`, which says why).
"""
SCALE_UV = 32.0

FRAME = 128
"""Samples of a Hann window, 0.64 s: a discharge is well under that."""
HOP = 32
FFT = 512
FLOOR = 0.01
"""uV^2/Hz that are added before the logarithm; the step of the competition's files."""
BINS = tuple(k for k in range(FFT // 2) if 0.5 <= k * RATE_HZ / FFT <= 30)
"""Bins of the image: 0.78 to 29.7 Hz."""
IMAGE_ROWS = len(REGIONS) * len(BINS)


def bipolar(eeg_uv_BTC: Tensor, bands: Bands | None = None, band: Band | None = WIDE) -> Tensor:
    """Differences along the chains, filtered without shifting phases: float32 (B, 18, T).

    Parameters
    ----------
    eeg_uv_BTC : float32 (B, T, 20)
        Referential, in microvolts.
    bands : Bands, optional
        Bands of single pairs, to which these are filtered too, in the same transform.
    band : Band, optional
        To filter all pairs to; None: unfiltered, but for those.
    """
    front, back = pair_channels(eeg_uv_BTC.device)
    eeg_BCT = eeg_uv_BTC.transpose(1, 2)
    pairs_BPT = eeg_BCT.index_select(1, front) - eeg_BCT.index_select(1, back)
    if band is None and bands is None:
        return pairs_BPT
    spectrum, samples = torch.fft.rfft(pairs_BPT), pairs_BPT.shape[-1]
    response = torch.ones((), device=spectrum.device)
    if band is not None:
        response = band_pass(samples, spectrum.device, band)
    if bands is not None:
        response = response * band_gains(bands, samples)
    filtered: Tensor = torch.fft.irfft(spectrum * response, n=pairs_BPT.shape[-1])
    return filtered


@lru_cache(maxsize=8)
def pair_channels(device: torch.device) -> tuple[Tensor, Tensor]:
    """Channels in front and back of each pair, on the device."""
    return torch.tensor(FRONT, device=device), torch.tensor(BACK, device=device)


@lru_cache(maxsize=16)
def band_pass(samples: int, device: torch.device, band: Band = WIDE) -> Tensor:
    """Response of a band-pass at each frequency of a real transform of so many samples.

    Both ways, it is the squared magnitude of a Butterworth high-pass times that of a low-pass;
    else the magnitude of a digital Butterworth band-pass, made of the analogue one by the bilinear
    transform. Real, so no phase is shifted.
    """
    frequency = torch.fft.rfftfreq(samples, 1 / RATE_HZ, dtype=torch.float64)
    low, high = band.low_hz, band.high_hz
    slope = 2 * band.order
    if band.both_ways:
        above = frequency**slope / (frequency**slope + low**slope)
        below = 1 / (1 + (frequency / high) ** slope)
        response = above * below
    else:
        warped = torch.tan(math.pi / RATE_HZ * frequency)
        first, last = (math.tan(math.pi / RATE_HZ * edge) for edge in (low, high))
        far = (warped.square() - first * last) / ((last - first) * warped)
        response = 1 / (1 + far**slope).sqrt()
    return response.to(device, torch.float32)


def band_gains(bands: Bands, samples: int) -> Tensor:
    """Response of each pair's own band at each frequency of a real transform of so many samples.

    The magnitude of a Butterworth high-pass times that of a low-pass, of order 2: that of a filter
    run once, real as that of `band_pass`; 1 for pairs without a band: float32 (B, 18, F).
    """
    frequency = torch.fft.rfftfreq(samples, 1 / RATE_HZ, device=bands.low_hz_B.device)
    slope = 2 * RANDOM_ORDER
    low_B1, high_B1 = bands.low_hz_B[:, None], bands.high_hz_B[:, None]
    above = 1 / (1 + (low_B1 / frequency.clamp_min(TINY_HZ)) ** slope)
    below = 1 / (1 + (frequency / high_B1) ** slope)
    response_B1F = (above * below).sqrt()[:, None]
    return torch.where(bands.pairs_BP[..., None], response_B1F, torch.ones_like(response_B1F))


def raw_input(pairs_BPT: Tensor) -> Tensor:
    """What 1-D encoders see: clipped at 1024 uV, divided by 32."""
    return pairs_BPT.clamp(-CLIP_UV, CLIP_UV) / SCALE_UV


def image_frames(samples: int) -> int:
    """Columns of the image of so many samples."""
    return (samples - FRAME) // HOP + 1


def eeg_image(pairs_BPT: Tensor, kept_BP: Tensor | None = None) -> Tensor:
    """Short-time spectra of the four chains, one below the other: float32 (B, 300, W).

    Hann windows of 128 samples every 32, transforms of 512 points, power spectral density in
    uV^2/Hz at the bins between 0.5 and 30 Hz, ln(power + 0.01), mean over a chain's four pairs.

    Parameters
    ----------
    pairs_BPT : float32 (B, 18, T)
        The bipolar montage; the midline is not used.
    kept_BP : bool (B, 18), optional
        Pairs that count; a chain without any keeps all its own.
    """
    count = len(CHAIN_PAIRS)
    per_chain = count // len(REGIONS)
    frames = pairs_BPT[:, :count].clamp(-CLIP_UV, CLIP_UV).unfold(-1, FRAME, HOP)
    parts = frames @ fourier_basis(frames.device)  # (B, 16, W, 2 bins)
    cosine, sine = parts.split(len(BINS), dim=-1)
    power = (cosine.square() + sine.square()).add(FLOOR).log()
    power = power.unflatten(1, (len(REGIONS), per_chain))  # (B, 4, 4, W, bins)
    if kept_BP is None:
        chains = power.mean(2)
    else:
        kept = kept_BP[:, :count].unflatten(1, (len(REGIONS), per_chain)).to(power)
        kept = torch.where(kept.sum(2, keepdim=True) > 0, kept, torch.ones_like(kept))
        weight = (kept / kept.sum(2, keepdim=True))[..., None, None]
        chains = (power * weight).sum(2)
    image: Tensor = chains.transpose(2, 3).flatten(1, 2)
    return image


@lru_cache(maxsize=8)
def fourier_basis(device: torch.device) -> Tensor:
    """Windowed cosines and sines of the image's bins, float32 (128, 2 bins).

    The product of a frame with it squared and summed is its one-sided power spectral density,
    2 |X|^2 / (rate * sum of squared window).
    """
    time = torch.arange(FRAME, dtype=torch.float64)
    window = 0.5 - 0.5 * torch.cos(2 * math.pi * time / FRAME)
    angle = 2 * math.pi / FFT * time[:, None] * torch.tensor(BINS, dtype=torch.float64)
    scale = math.sqrt(2 / (RATE_HZ * float(window.square().sum())))
    basis = torch.cat([angle.cos(), angle.sin()], dim=1) * window[:, None] * scale
    return basis.to(device, torch.float32)
