"""Bipolar EEG -> images whose pixels are its samples: raw-image, and of 50 and 10 s, and of 50 s.

They follow an entry of the competition whose predictions are public
(github.com/gunesevitan/hms-harmful-brain-activity-classification,
src/raw_eeg_models/transforms.py), but that the band-pass is not causal: it has the same magnitude
and shifts no phase. In a column of a pair's panel stand the samples of a tenth of a second of 50 s,
below them those of fewer of the 30 s and of the 10 s around the middle of the judged seconds.

Legend: B windows, P bipolar pairs, T samples, R rows of one pair, W columns (time).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from hmstrain.data.eeg import RATE_HZ, Band, raw_input
from hmstrain.data.inputs import Windows
from hmstrain.data.inputs.pair_image import PairImage, Part, stretch

COLUMNS = 500


class RawImage(PairImage):
    """50, 30 and 10 s of 18 pairs, 36 rows each: (648, 500) in (672, 512)."""

    name = "raw-image"
    band = Band(0.001, 20.0, 3, both_ways=False)
    padded = (672, 512)
    stretches: ClassVar[tuple[int, ...]] = (50, 30, 10)
    """Seconds of each part."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """One for each stretch: in its columns, as many samples as it has rows."""
        found, row = [], 0
        for seconds in self.stretches:
            samples = round(seconds * RATE_HZ)
            step = samples // COLUMNS
            found.append(Part((row, row + step), (0, COLUMNS), samples, step / 2, step))
            row += step
        return tuple(found)

    def panels(self, pairs_BPT: Tensor, windows: Windows, /) -> Tensor:
        """Clipped at 1024 uV and divided by 32, (B, 18, R, 500)."""
        raw_BPT = raw_input(pairs_BPT)
        folded = [
            stretch(raw_BPT, windows.centre_B, part.samples)
            .unflatten(-1, (COLUMNS, -1))
            .transpose(2, 3)
            for part in self.parts
        ]
        return torch.cat(folded, dim=2)


class RawImage5010(RawImage):
    """50 and 10 s, 24 rows each: (432, 500) in (448, 512)."""

    name = "raw-image-50-10"
    padded = (448, 512)
    stretches = (50, 10)


class RawImage50(RawImage):
    """50 s, 20 rows each: (360, 500) in (384, 512)."""

    name = "raw-image-50"
    padded = (384, 512)
    stretches = (50,)
