"""A window's EEG -> all its columns, in the order of the table.

Each window is measured by itself, so that its values depend on nothing but its samples.

Legend: E electrodes, P pairs, S segments, F frequencies, T samples, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from hmsprep.qeeg.connectivity import coherence, phase_locking
from hmsprep.qeeg.rhythm import delta_waves, rhythm_measures, spike_measures
from hmsprep.qeeg.spectrum import Segments, density, segments, side_measures, spectral_measures
from hmsprep.qeeg.time_domain import time_measures
from hmsprep.qeeg.wavelets import wavelet_measures

if TYPE_CHECKING:
    from hmsprep.qeeg.columns import Layout

FLAT_UV = 1e-3
"""A pair or an electrode whose standard deviation is less has no signal: what takes one is NaN."""
KNOWN_OF_FLAT = ("mean_abs", "std", "zero_crossings", "line_length", "hjorth_activity")
"""What is 0 of a flat pair (or its offset), and known."""
Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wiring:
    """A layout as places in arrays."""

    channels: Places
    """(E,) electrodes among the store's channels."""
    front: Places
    back: Places
    """(P,) electrodes that each pair is the difference of."""
    one: Places
    other: Places
    """(N,) electrodes of each pair, then of homologous ones."""

    @classmethod
    def of(cls, layout: Layout) -> Wiring:
        """Find the places."""
        channel = {name: place for place, name in enumerate(layout.spec.eeg.features)}
        electrode = {name: place for place, name in enumerate(layout.electrodes)}
        pairs = np.array([[electrode[name] for name in pair] for pair in layout.pairs], np.int64)
        both = [[electrode[name] for name in pair] for pair in (*layout.pairs, *layout.homologous)]
        coupled = np.array(both, np.int64)
        return cls(
            np.array([channel[name] for name in layout.electrodes], np.int64),
            pairs[:, 0],
            pairs[:, 1],
            coupled[:, 0],
            coupled[:, 1],
        )


def window_values(
    layout: Layout, wiring: Wiring, eeg_uv_TC: NDArray[np.floating[Any]], first: int, stop: int
) -> NDArray[np.float32]:
    """Measure a window.

    Parameters
    ----------
    layout : Layout
        What to measure.
    eeg_uv_TC : float (T, C)
        The window in microvolts, every channel.
    first, stop : int
        Its observed run: first sample, and the one after the last. Nothing else is looked at.

    Returns
    -------
    float32 (columns,)
        NaN where a value cannot be told.
    """
    electrodes = np.ascontiguousarray(eeg_uv_TC.T[wiring.channels], np.float64)
    found = [
        span_values(layout, wiring, electrodes[:, max(first, span.first) : min(stop, span.stop)])
        for span in layout.spans
    ]
    return np.concatenate(found).astype(np.float32)


def span_values(layout: Layout, wiring: Wiring, eeg_uv_ET: Floats) -> Floats:
    """Measure a stretch of EEG: values by measure and place, in the order of the table."""
    rate, samples = layout.rate_hz, eeg_uv_ET.shape[1]
    pairs_PT = eeg_uv_ET[wiring.front] - eeg_uv_ET[wiring.back]
    spectrum_EF = rfft(eeg_uv_ET - eeg_uv_ET.mean(axis=1, keepdims=True), axis=1)
    of = segments(eeg_uv_ET, rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        in_time = time_measures(pairs_PT, rate)
        spectra = of.spectra_ESF[wiring.front] - of.spectra_ESF[wiring.back]
        density_PF = density(spectra, of.scale)
        waves = delta_waves(spectrum_EF[wiring.front] - spectrum_EF[wiring.back], samples, rate)
        along = {
            **in_time,
            **spectral_measures(density_PF, of),
            **wavelet_measures(pairs_PT),
            **rhythm_measures(*waves),
            **spike_measures(pairs_PT, rate),
        }
        coupled = {
            **coherence(_less_average(of.spectra_ESF), of, wiring.one, wiring.other),
            **phase_locking(_less_average(spectrum_EF), samples, rate, wiring.one, wiring.other),
        }
        flat = in_time["std"] < FLAT_UV
        of_sides = _sides(layout, density_PF, of, flat)
    silent = eeg_uv_ET.std(axis=1) < FLAT_UV
    along = {
        name: values if name in KNOWN_OF_FLAT else np.where(flat, np.nan, values)
        for name, values in along.items()
    }
    dead = silent[wiring.one] | silent[wiring.other]
    coupled = {name: np.where(dead, np.nan, values) for name, values in coupled.items()}
    return _in_order(layout, along, coupled, of_sides)


def _less_average(values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    average: NDArray[np.complex128] = values - values.mean(axis=0, keepdims=True)
    return average


def _sides(
    layout: Layout, density_PF: Floats, of: Segments, flat_P: NDArray[np.bool_]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for names in layout.sides:
        left, right = (layout.chain_pairs[name] for name in names)
        known = ~(flat_P[left] | flat_P[right])
        compared = side_measures(density_PF[left], density_PF[right], of, known)
        for name, value in compared.items():
            found.setdefault(name, []).append(value)
    return found


def _in_order(
    layout: Layout,
    along: dict[str, Floats],
    coupled: dict[str, Floats],
    of_sides: dict[str, list[float]],
) -> Floats:
    """Add the chains' means; lay everything out as the table does."""
    count = len(layout.pairs)
    table = np.array([*along.values(), *(values[:count] for values in coupled.values())])
    chains = np.stack([_mean(table[:, part]) for part in layout.chain_pairs.values()], axis=1)
    values = {
        name: np.concatenate([row, means])
        for name, row, means in zip((*along, *coupled), table, chains, strict=True)
    }
    for name, row in coupled.items():
        values[name] = np.concatenate([values[name], row[count:]])
    values |= {name: np.array(sides) for name, sides in of_sides.items()}
    found = np.concatenate([values[name] for name in layout.places if layout.places[name]])
    return np.where(np.isfinite(found), found, np.nan)


def _mean(table_MP: Floats) -> Floats:
    """Mean of each row over what is known of it; NaN where nothing is."""
    known = np.isfinite(table_MP)
    total = np.where(known, table_MP, 0).sum(axis=1)
    count = known.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
