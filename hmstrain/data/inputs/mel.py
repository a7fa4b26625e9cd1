"""Bipolar EEG -> images of mel power: mel16, and with a zoom at the judged seconds, mel16-zoom.

They follow the third place of the competition (github.com/darraghdog/kaggle-hms-3rd-place-solution,
configs/cfg_5a.py), with two differences. The band-pass is not causal: it has the same magnitude
and shifts no phase. The floor is 100 dB below the largest value of each window, not of the batch,
so that what a network sees of a window does not depend on the others.

Legend: B windows, P bipolar pairs, T samples, M mels, W columns (time), K frequencies.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from hmsstore.montage import CHAIN_PAIRS
from hmstrain.data.eeg import RATE_HZ, Band, raw_input
from hmstrain.data.inputs import Windows
from hmstrain.data.inputs.pair_image import PairImage, Part, stretch, stretch_start

MELS = 64
RANGE_HZ = (0.53, 30.0)
"""Where the first mel begins and the last one ends."""
LEAST_POWER = 1e-10
RANGE_DB = 100.0
"""Below the largest value of a window all are equal."""
FFT, HANN, HOP = 512, 128, 32
ZOOM_FFT, ZOOM_HANN, ZOOM_HOP = 2048, 16, 4
ZOOM_SAMPLES = 2400
"""12 s."""
CUT = 31
"""Columns on either side of the label that the zoom stands for: 10 s in all."""


class MelImage(PairImage):
    """64 mels of each of the 16 pairs of the chains: (1024, 313) of 50 s."""

    name = "mel16"
    pairs = len(CHAIN_PAIRS)
    band = Band(0.5, 20.0, 2, both_ways=False)

    @property
    def parts(self) -> tuple[Part, ...]:
        """One."""
        return (Part((0, MELS), (0, mel_columns(self.samples, HOP)), self.samples, 0.0, HOP),)

    def panels(self, pairs_BPT: Tensor, _windows: Windows, /) -> Tensor:
        """Decibels (B, 16, 64, W)."""
        return mel_decibels(raw_input(pairs_BPT), FFT, HANN, HOP)


class MelZoomImage(MelImage):
    """The same with 12 s at fine steps in place of the judged seconds: (1024, 852) of 50 s.

    The zoom is around the middle of the judged seconds, wherever in the window that lies, and it
    stands where they do: in the middle of the image, unless the window was moved.
    """

    name = "mel16-zoom"

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is left of the middle, the zoom, and what is right of it, if nothing is moved."""
        whole, zoom = mel_columns(self.samples, HOP), mel_columns(ZOOM_SAMPLES, ZOOM_HOP)
        cut, stop = whole // 2 - CUT, whole // 2 + CUT
        rows, end = (0, MELS), cut + zoom + whole - stop
        return (
            Part(rows, (0, cut), self.samples, 0.0, HOP),
            Part(rows, (cut, cut + zoom), ZOOM_SAMPLES, 0.0, ZOOM_HOP),
            Part(rows, (cut + zoom, end), self.samples, stop * HOP, HOP),
        )

    def panels(self, pairs_BPT: Tensor, windows: Windows, /) -> Tensor:
        """Decibels (B, 16, 64, W)."""
        raw_BPT = raw_input(pairs_BPT)
        whole = mel_decibels(raw_BPT, FFT, HANN, HOP)
        near_BPT = stretch(raw_BPT, windows.centre_B, ZOOM_SAMPLES)
        zoom = mel_decibels(near_BPT, ZOOM_FFT, ZOOM_HANN, ZOOM_HOP)
        order_B11W = self.order(windows.centre_B)[:, None, None]
        return torch.cat([whole, zoom], dim=-1).take_along_dim(order_B11W, dim=-1)

    def places(self, centre_B: Tensor, /) -> Tensor:
        """Sample at the middle of each column: (B, 1, W)."""
        device = centre_B.device
        whole_W = HOP * torch.arange(mel_columns(self.samples, HOP), device=device)
        zoom_W = ZOOM_HOP * torch.arange(mel_columns(ZOOM_SAMPLES, ZOOM_HOP), device=device)
        zoom_BW = stretch_start(centre_B, ZOOM_SAMPLES, self.samples)[:, None] + zoom_W
        both_BW = torch.cat([whole_W.expand(len(centre_B), -1), zoom_BW], dim=-1)
        return both_BW.take_along_dim(self.order(centre_B), dim=-1)[:, None]

    def order(self, centre_B: Tensor) -> Tensor:
        """Columns of each image, as places among those of the whole, then of the zoom: (B, W)."""
        whole, zoom = mel_columns(self.samples, HOP), mel_columns(ZOOM_SAMPLES, ZOOM_HOP)
        cut_B1 = (whole * centre_B // self.samples - CUT).clamp(0, whole - 2 * CUT - 1)[:, None]
        column_W = torch.arange(whole - 2 * CUT + zoom, device=centre_B.device)
        later_BW = torch.where(
            column_W < cut_B1 + zoom, column_W - cut_B1 + whole, column_W - zoom + 2 * CUT
        )
        return torch.where(column_W < cut_B1, column_W, later_BW)


def mel_columns(samples: int, hop: int) -> int:
    """Columns of so many samples."""
    return samples // hop + 1


def mel_decibels(raw_BPT: Tensor, fft: int, hann: int, hop: int) -> Tensor:
    """Mel power in decibels, low frequencies first: float32 (B, P, 64, W).

    Hann windows of `hann` samples every `hop`, the first centred on the first sample, the signal
    mirrored at its ends; |X|^2 of transforms of `fft` points; triangular filters; 10 log10 of at
    least 1e-10, and at least 100 dB below the largest value of all pairs of a window.
    """
    half = hann // 2
    frames = functional.pad(raw_BPT, (half, half), mode="reflect").unfold(-1, hann, hop)
    basis, filters = mel_matrices(fft, hann, raw_BPT.device)
    cosine, sine = (frames @ basis).split(len(filters), dim=-1)
    power = (cosine.square() + sine.square()) @ filters
    decibels = 10 * power.clamp_min(LEAST_POWER).log10()
    floor = decibels.amax((1, 2, 3), keepdim=True) - RANGE_DB
    return torch.maximum(decibels, floor).transpose(2, 3)


@lru_cache(maxsize=8)
def mel_matrices(fft: int, hann: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Windowed cosines and sines, and weights of the power at their frequencies in each mel.

    A window is much shorter than the transform, so its power at all bins follows from that at
    as few frequencies as a transform of twice its length has: the power of a frame is the cosine
    series of its autocorrelation, of which there are no more values than samples. Where these are
    fewer than the bins that the mels are made of, they stand for them.

    Returns
    -------
    basis : float32 (hann, 2 K)
    filters : float32 (K, 64)
    """
    filters = mel_filters(fft)
    inside = torch.nonzero(filters.sum(1)).flatten()
    filters, cycles = filters[inside], inside / fft
    if hann + 1 < len(inside):
        lags = torch.arange(hann, dtype=torch.float64)
        few = torch.arange(hann + 1, dtype=torch.float64) / (2 * hann)
        twice = torch.full((hann + 1,), 2.0, dtype=torch.float64)
        twice[0] = twice[-1] = 1.0
        correlation = twice[:, None] * _cosines(few, lags) / (2 * hann)  # (K, lags) of the power
        series = 2 * _cosines(cycles, lags)
        series[:, 0] = 1.0
        filters, cycles = correlation @ series.T @ filters, few
    time = torch.arange(hann, dtype=torch.float64)
    window = 0.5 - 0.5 * torch.cos(2 * math.pi * time / hann)
    angle = 2 * math.pi * time[:, None] * cycles
    basis = torch.cat([angle.cos(), angle.sin()], dim=1) * window[:, None]
    return basis.to(device, torch.float32), filters.to(device, torch.float32)


def mel_filters(fft: int) -> Tensor:
    """Triangles of height 1 over the bins of a transform: float64 (fft / 2 + 1, 64).

    Their corners are equally far apart in mels, 2595 log10(1 + f / 700) (O'Shaughnessy 1987, Speech
    Communication; the formula of HTK).
    """
    bins = torch.arange(fft // 2 + 1, dtype=torch.float64) * (RATE_HZ / fft)
    low, high = (2595 * math.log10(1 + edge / 700) for edge in RANGE_HZ)
    mels = torch.linspace(low, high, MELS + 2, dtype=torch.float64)
    corners = 700 * (10 ** (mels / 2595) - 1)
    rise = (bins[:, None] - corners[:-2]) / corners.diff()[:-1]
    fall = (corners[2:] - bins[:, None]) / corners.diff()[1:]
    return torch.minimum(rise, fall).clamp_min(0)


def _cosines(cycles: Tensor, lags: Tensor) -> Tensor:
    """Cosine of each frequency, in cycles per sample, at each lag: (K, lags)."""
    return torch.cos(2 * math.pi * cycles[:, None] * lags)
