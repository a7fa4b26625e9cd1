"""Spectrograms computed here and those of the competition -> how well they agree."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import FEATURES, FREQUENCIES_HZ, REGIONS

SMALLEST = 0.05
"""The competition's files are rounded to 0.01: what is smaller has no logarithm to compare."""


BANDS_HZ = {
    "delta, to 4 Hz": (0.0, 4.0),
    "theta, 4-8 Hz": (4.0, 8.0),
    "alpha, 8-13 Hz": (8.0, 13.0),
    "beta, 13-20 Hz": (13.0, 20.1),
}
"""Clinical bands, as far as the spectrograms reach."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Computed and given spectrograms, row by row."""

    eegs: int
    """EEG recordings compared."""
    left_out: int
    """EEGs that lie between two spectrogram rows, or whose files are missing."""
    ours: NDArray[np.float32]
    """(rows, 400) uV^2/Hz, above 0 wherever `theirs` is known; NaN where EEG is missing."""
    theirs: NDArray[np.float32]
    """(rows, 400), NaN where nothing is given."""

    def numbers(self, features: slice | NDArray[np.bool_]) -> dict[str, float]:
        """Agreement over some of the 400 features.

        Returns
        -------
        dict
            'values': how many of `SMALLEST` or more were compared; 'correlation': Pearson's, of log
            power; 'median ratio': ours over theirs; 'median error': median absolute difference of
            natural logarithms. NaN where there is nothing to compare.
        """
        ours, theirs = self.ours[:, features], self.theirs[:, features]
        known = (ours > 0) & (theirs >= SMALLEST) & np.isfinite(ours)
        a, b = (np.log(side[known].astype(np.float64)) for side in (ours, theirs))
        several = len(a) > 1
        return {
            "values": len(a),
            "correlation": float(np.corrcoef(a, b)[0, 1]) if several else float("nan"),
            "median ratio": float(np.exp(np.median(a - b))) if len(a) else float("nan"),
            "median error": float(np.median(np.abs(a - b))) if len(a) else float("nan"),
        }

    def by_region(self) -> dict[str, dict[str, float]]:
        """Agreement of each region, and of all together."""
        bins = len(FREQUENCIES_HZ)
        regions = {
            region: self.numbers(slice(n * bins, (n + 1) * bins))
            for n, region in enumerate(REGIONS)
        }
        return regions | {"all": self.numbers(slice(None))}

    def by_feature(self) -> list[dict[str, Any]]:
        """Agreement of each of the 400 features: region and frequency."""
        return [
            {"region": region, "Hz": frequency} | self.numbers(slice(number, number + 1))
            for number, (region, frequency) in enumerate(product(REGIONS, FREQUENCIES_HZ))
        ]

    def by_band(self) -> dict[str, dict[str, float]]:
        """Agreement in each of the clinical bands, all regions together."""
        of_feature = np.tile(FREQUENCIES_HZ, len(REGIONS))
        return {
            name: self.numbers((of_feature >= low) & (of_feature < high))
            for name, (low, high) in BANDS_HZ.items()
        }

    def by_frequency(self) -> list[dict[str, float]]:
        """Agreement at each of the 100 frequencies, all regions together."""
        of_feature = np.arange(len(FEATURES)) % len(FREQUENCIES_HZ)
        return [
            {"Hz": frequency} | self.numbers(of_feature == number)
            for number, frequency in enumerate(FREQUENCIES_HZ)
        ]
