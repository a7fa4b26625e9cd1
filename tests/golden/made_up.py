"""A number -> a made-up recording, and the table of all their windows, for `make.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from hmsprep.kaggle_table import VOTES
from hmsprep.writing import on_grid
from numpy.typing import NDArray

from hmsstore.schema import CLASS_TITLES

OFFSETS_S = (0.0, 2.0, 6.0, 11.0)
LONG_OFFSETS_S = (0.0, 8.0, 57.0, 160.0)
BLOCK = 500
"""EEG samples after which a recording repeats itself: noise in between, and yet it packs well."""
SPECTROGRAM_BLOCK = 20
GAPS = {
    1: (slice(6_000, 6_400), slice(None)),
    2: (slice(None), slice(4, 5)),
    3: (slice(0, 150), slice(0, 10)),
}
"""Per EEG, samples and channels without values: a gap, a dead channel, a late start."""
SPECTROGRAM_GAPS = {1: (slice(40, 55), slice(None)), 4: (slice(100, 400), slice(100, 200))}


def training_table() -> list[dict[str, Any]]:
    """Make up train.csv: fourteen EEGs of twelve patients, four windows each.

    Two EEGs of a patient share a spectrogram; some spectrograms start at odd seconds.
    """
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for number in range(14):
        patient = number % 12
        for sub, offset_s in enumerate(LONG_OFFSETS_S if number == 13 else OFFSETS_S):
            votes = rng.multinomial(3 if number % 2 else 12, likely(number))
            rows.append(
                {
                    "eeg_id": 1_000 + 7 * number,
                    "eeg_sub_id": sub,
                    "eeg_label_offset_seconds": offset_s,
                    "spectrogram_id": 5_000 + (number if number != 13 else 1),
                    "spectrogram_sub_id": sub + 4 * (number == 13),
                    "spectrogram_label_offset_seconds": offset_s + (0.0, 1.0, 3.0)[number % 3],
                    "label_id": 20_000 + 4 * number + sub,
                    "patient_id": 300 + patient,
                    "expert_consensus": CLASS_TITLES[int(votes.argmax())],
                }
                | dict(zip(VOTES, votes.tolist(), strict=True))
            )
    return rows


def likely(number: int) -> NDArray[np.float64]:
    """Probabilities that the votes on an EEG are drawn from."""
    found = np.full(6, 0.06)
    found[2 * (number % 3)] += 0.64
    return found


def eeg_uv(number: int, samples: int) -> NDArray[np.float32]:
    """Make up an EEG, (samples, 20) microvolts: noise and a rhythm in steps of 5, and gaps."""
    rng = np.random.default_rng([2, number])
    time = np.arange(BLOCK)
    wave = np.rint(8 * np.sin(2 * np.pi * time / (125, 50, 20)[number % 3]))
    block = rng.integers(-3, 4, (BLOCK, 20)).astype(np.float64)
    first, stop = (0, 11) if number % 2 else (0, 19)  # the left side, or all of it
    block[:, first:stop] += wave[:, None]
    block[:, 19] = 0  # no EKG anywhere: a constant column
    eeg = 5 * np.tile(block, (samples // BLOCK + 1, 1))[:samples]
    eeg[4_000:4_100] *= 40  # beyond the clip
    if number in GAPS:
        eeg[GAPS[number]] = np.nan
    return on_grid(eeg)


def power(number: int, rows: int) -> NDArray[np.float32]:
    """Make up a spectrogram, (rows, 400) uV^2/Hz: few levels, wild and missing values."""
    rng = np.random.default_rng([3, number])
    level = rng.integers(-2, 3, (SPECTROGRAM_BLOCK, 400)) - np.tile(np.arange(100) // 25, 4)
    peak = 20 * (number % 3) + np.arange(12)
    for region in range(0, 4, 1 + number % 2):  # two regions, or all four
        level[:, 100 * region + peak] += 4
    found = np.exp(np.tile(level, (rows // SPECTROGRAM_BLOCK + 1, 1))[:rows].astype(np.float64))
    found[20:22], found[22:24] = 0, 1e6
    if number in SPECTROGRAM_GAPS:
        found[SPECTROGRAM_GAPS[number]] = np.nan
    return on_grid(found)
