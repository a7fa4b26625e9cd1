"""Bipolar EEG -> images of short-time spectra of 50, 30 and 10 s: stft-50-30-10 and its parts.

They follow an entry of the competition whose predictions are public
(github.com/gunesevitan/hms-harmful-brain-activity-classification,
src/dataset_utilities/eeg_to_stft_spectrogram.py): the EEG is neither filtered nor clipped, and 50 s
and the judged seconds alone have about as many columns. What is not 50 s long is around the
middle of the judged seconds, wherever in the window that lies.

Legend: B windows, P bipolar pairs, T samples, R rows of one pair, W columns (time), K frequencies.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from hmstrain.data.eeg import RATE_HZ
from hmstrain.data.inputs import Windows
from hmstrain.data.inputs.pair_image import PairImage, Part, stretch

RANGE_HZ = (0.5, 20.0)
"""Bins that are kept, both ends among them."""
TAPERED = 0.25
"""Share of a Tukey window that is tapered."""


class Spectra(NamedTuple):
    """Short-time spectra of a stretch of EEG."""

    seconds: int
    segment: int
    """Samples of each transform."""
    overlap: int
    """Samples that neighbours share."""
    left_out: int
    """Columns that are left out at either end."""

    @property
    def samples(self) -> int:
        """Length of the stretch."""
        return round(self.seconds * RATE_HZ)

    @property
    def step(self) -> int:
        """Samples from column to column."""
        return self.segment - self.overlap

    @property
    def bins(self) -> tuple[int, ...]:
        """Bins that are kept."""
        low, high = (edge * self.segment / RATE_HZ for edge in RANGE_HZ)
        return tuple(bin_ for bin_ in range(self.segment // 2 + 1) if low <= bin_ <= high)

    @property
    def columns(self) -> int:
        """Columns that are kept."""
        return (self.samples - self.overlap) // self.step - 2 * self.left_out

    def shared(self, apart: int) -> bool:
        """Whether windows so many samples apart have columns in common.

        Nothing is filtered or mirrored at a window's ends, so these are equal.
        """
        return 0 < apart < self.samples and apart % self.step == 0


class StftImage(PairImage):
    """Spectra of each of the 18 pairs, one stretch below the other."""

    padded = (512, 512)
    spectra: ClassVar[tuple[Spectra, ...]]

    @property
    def parts(self) -> tuple[Part, ...]:
        """One for each stretch."""
        found, row = [], 0
        for one in self.spectra:
            stop = row + len(one.bins)
            first = one.left_out * one.step + one.segment / 2
            found.append(Part((row, stop), (0, one.columns), one.samples, first, one.step))
            row = stop
        return tuple(found)

    def panels(self, pairs_BPT: Tensor, windows: Windows, /) -> Tensor:
        """ln(1 + power in uV^2/Hz), (B, 18, R, W)."""
        parts = []
        for one in self.spectra:
            stretch_BPT = stretch(pairs_BPT, windows.centre_B, one.samples)
            if one.shared(windows.apart):
                parts.append(shared_spectra(stretch_BPT, one, windows.apart))
            else:
                parts.append(spectra(stretch_BPT, one, one.columns))
        return torch.cat(parts, dim=2)


class Stft503010(StftImage):
    """50, 30 and 10 s: (504, 476) in (512, 512)."""

    name = "stft-50-30-10"
    spectra = (Spectra(50, 99, 79, 10), Spectra(30, 99, 87, 8), Spectra(10, 100, 96, 0))


class Stft5010(StftImage):
    """50 and 10 s: (504, 464) in (512, 512)."""

    name = "stft-50-10"
    spectra = (Spectra(50, 145, 124, 3), Spectra(10, 145, 141, 0))


class Stft3010(StftImage):
    """30 and 10 s: (504, 464) in (512, 512)."""

    name = "stft-30-10"
    spectra = (Spectra(30, 145, 133, 12), Spectra(10, 145, 141, 0))


class Stft50(StftImage):
    """50 s: (504, 487) in (512, 512)."""

    name = "stft-50"
    spectra = (Spectra(50, 280, 260, 0),)


class Stft30(StftImage):
    """30 s: (504, 512) in (512, 512)."""

    name = "stft-30"
    spectra = (Spectra(30, 289, 278, 4),)


def shared_spectra(stretch_BPT: Tensor, one: Spectra, apart: int) -> Tensor:
    """As `spectra`, of stretches that begin so many samples apart: each segment once."""
    strip_1PT = torch.cat([*stretch_BPT[:-1, :, :apart], stretch_BPT[-1]], dim=-1)[None]
    later = apart // one.step
    columns = one.columns + (len(stretch_BPT) - 1) * later
    strip_PRW = spectra(strip_1PT, one, columns)[0]
    return strip_PRW.unfold(-1, one.columns, later).permute(2, 0, 1, 3)


def spectra(pairs_BPT: Tensor, one: Spectra, columns: int) -> Tensor:
    """ln(1 + power spectral density in uV^2/Hz), low frequencies first: float32 (B, P, R, W).

    As `scipy.signal.spectrogram` computes it by default: Tukey windows, a quarter of which is
    tapered, and the mean of each segment taken off.
    """
    first = one.left_out * one.step
    last = first + (columns - 1) * one.step + one.segment
    frames = pairs_BPT[..., first:last].unfold(-1, one.segment, one.step)
    cosine, sine = (frames @ fourier_basis(one, frames.device)).split(len(one.bins), dim=-1)
    return (cosine.square() + sine.square()).log1p().transpose(2, 3)


@lru_cache(maxsize=16)
def fourier_basis(one: Spectra, device: torch.device) -> Tensor:
    """Windowed cosines and sines without their own means, float32 (segment, 2 K).

    The product of a segment with it squared and summed is the one-sided power spectral density of
    the segment less its mean.
    """
    time = torch.arange(one.segment, dtype=torch.float64)
    taper = TAPERED * one.segment / 2
    edge = torch.minimum(time, one.segment - time)  # from the nearer end
    window = torch.where(edge < taper, 0.5 - 0.5 * torch.cos(math.pi * edge / taper), 1.0)
    angle = 2 * math.pi / one.segment * time[:, None] * torch.tensor(one.bins, dtype=torch.float64)
    scale = math.sqrt(2 / (RATE_HZ * float(window.square().sum())))
    basis = torch.cat([angle.cos(), angle.sin()], dim=1) * window[:, None] * scale
    return (basis - basis.mean(0)).to(device, torch.float32)
