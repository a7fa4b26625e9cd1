"""A window's judged seconds -> all its columns.

Each window is measured by itself, so that its values depend on nothing but its samples. All but
the artefacts are measured on the band-passed signal, so that recorders' filters tell less.

Legend: E electrodes, P pairs, T samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal import butter

from hmsprep.qeeg.columns import OF_ELECTRODES, OF_PAIRS, OF_SIDES
from hmsprep.qeeg.judged.aperiodic import aperiodic
from hmsprep.qeeg.judged.artefacts import artefact_measures
from hmsprep.qeeg.judged.coupling import (
    coupling_measures,
    distances_deg,
    envelope_correlation,
    parts_of,
)
from hmsprep.qeeg.judged.course import (
    evolution_measures,
    onset_measures,
    suppression_ratio,
    wave_measures,
)
from hmsprep.qeeg.judged.discharges import discharge_measures, filtered_both_ways
from hmsprep.qeeg.judged.measures import LEFT_OUT, SPREAD, Columns
from hmsprep.qeeg.rhythm import delta_waves
from hmsprep.qeeg.spectrum import segments
from hmsprep.qeeg.window import FLAT_UV, Wiring, span_values
from hmsstore.montage import region_side

BANDPASS_HZ = (0.5, 40.0)
"""What recorders of all makes pass, so that their filters tell less."""
ORDER = 4
"""Of the Butterworth band-pass, which runs forwards and backwards."""
SHORTEST_S = 4.0
"""Less than this of a window cannot be measured."""
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Measuring:
    """How the windows of a store are measured.

    Parameters
    ----------
    columns : Columns
        What of them.
    bandpass : (low_hz, high_hz) or None
        Zero-phase filter of the judged seconds alone.
    """

    def __init__(self, columns: Columns, bandpass: tuple[float, float] | None) -> None:
        layout = columns.layout
        sides: dict[str, list[int]] = {"left": [], "right": [], "midline": []}
        for name, part in layout.chain_pairs.items():
            sides[region_side(name) if name in layout.spec.chains else "midline"] += range(
                part.start, part.stop
            )
        self.columns, self.layout = columns, layout
        self.wiring = Wiring.of(layout)
        self.left, self.right = (np.array(sides[side], np.int64) for side in ("left", "right"))
        self.distance_deg = distances_deg(layout.electrodes)
        self.sos = None
        if bandpass is not None:
            self.sos = butter(ORDER, bandpass, "bandpass", fs=layout.rate_hz, output="sos")

    def values(self, eeg_uv_TC: NDArray[np.floating[Any]]) -> Floats:
        """Measure the recorded part of a window's judged seconds.

        Parameters
        ----------
        eeg_uv_TC : float (T, C)
            Microvolts, every channel of the store.

        Returns
        -------
        float64 (columns,)
            NaN where a value cannot be told.
        """
        rate = self.layout.rate_hz
        raw_ET = np.ascontiguousarray(eeg_uv_TC.T[self.wiring.channels], np.float64)
        if raw_ET.shape[1] < SHORTEST_S * rate:
            return np.full(len(self.columns.names), np.nan)
        raw_ET = raw_ET - raw_ET.mean(axis=1, keepdims=True)
        eeg_ET = raw_ET if self.sos is None else filtered_both_ways(self.sos, raw_ET, rate)
        pairs_PT = eeg_ET[self.wiring.front] - eeg_ET[self.wiring.back]
        alive_E = eeg_ET.std(axis=1) >= FLAT_UV
        deviation_P = pairs_PT.std(axis=1)
        found: dict[str, float] = {
            f"amplitude.{name}": value if value >= FLAT_UV else np.nan
            for name, value in zip(self.layout.electrodes, eeg_ET.std(axis=1).tolist(), strict=True)
        }
        found |= {
            f"amplitude.{front}-{back}": value if value >= FLAT_UV else np.nan
            for (front, back), value in zip(self.layout.pairs, deviation_P.tolist(), strict=True)
        }
        found |= self._hand_features(eeg_ET)
        raw_PT = raw_ET[self.wiring.front] - raw_ET[self.wiring.back]
        found |= artefact_measures(raw_ET, raw_PT, rate)
        found["suppression_ratio"] = suppression_ratio(pairs_PT, rate)
        if alive_E.sum() > 1 and (deviation_P >= FLAT_UV).any():
            found |= self._of_the_whole(eeg_ET, pairs_PT, alive_E, deviation_P >= FLAT_UV)
        return np.array([found.get(name, np.nan) for name in self.columns.names], np.float64)

    def _hand_features(self, eeg_ET: Floats) -> dict[str, float]:
        """Reduce what quantitative EEG says of places to medians and spreads over the head."""
        places = self.layout.places
        values = span_values(self.layout, self.wiring, eeg_ET)
        edges = np.cumsum([0, *(len(places[name]) for name in places)])
        of = {
            name: values[first:stop]
            for name, first, stop in zip(places, edges[:-1], edges[1:], strict=True)
        }
        pairs, homologous = len(self.layout.pairs), len(self.layout.homologous)
        found = {}
        for name in OF_PAIRS:
            if name not in LEFT_OUT:
                found[name] = _median(of[name][:pairs])
            if name in SPREAD:
                found[f"{name}.spread"] = _spread(of[name][:pairs])
        for name in OF_ELECTRODES:
            found[name] = _median(of[name][:pairs])
            found[f"{name}.homologous"] = _median(of[name][len(of[name]) - homologous :])
        return found | {name: _mean(np.abs(of[name])) for name in OF_SIDES}

    def _of_the_whole(
        self, eeg_ET: Floats, pairs_PT: Floats, alive_E: Flags, alive_P: Flags
    ) -> dict[str, float]:
        rate, samples = self.layout.rate_hz, eeg_ET.shape[1]
        parts = parts_of(self.distance_deg[np.ix_(alive_E, alive_E)])
        found = coupling_measures(eeg_ET[alive_E], rate, parts)
        kept = np.flatnonzero(alive_P)
        left, right = (np.searchsorted(kept, np.intersect1d(kept, side)) for side in self.sides)
        seen = pairs_PT[kept]
        found["envelope_correlation"] = envelope_correlation(seen, rate)
        found |= discharge_measures(seen, rate, left, right)
        spectrum = rfft(seen - seen.mean(axis=1, keepdims=True), axis=1)
        found |= wave_measures(*delta_waves(spectrum, samples, rate))
        found |= onset_measures(seen, rate)
        of = segments(seen, rate)
        power_PSF = of.spectra_ESF.real**2 + of.spectra_ESF.imag**2
        density_F = np.median(power_PSF.mean(axis=1) * of.scale, axis=0)
        found["exponent"], found["knee"] = aperiodic(density_F, of.frequency_hz)
        found |= evolution_measures(seen, power_PSF.swapaxes(0, 1), of.frequency_hz, rate)
        return found

    @property
    def sides(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of the left and of the right chains."""
        return self.left, self.right


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan


def _spread(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.subtract(*np.quantile(known, [0.75, 0.25]))) if len(known) else np.nan


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan
