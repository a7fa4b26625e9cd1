"""A recording and how it is to be shown -> the traces of one page, filtered, in microvolts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import inf, isfinite
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import CHANNELS
from hmsstore.view import MONTAGES, Montage
from hmsstore.view.eeg import band_pass
from hmstrain.errors import ConfigError

LOWS_HZ = (0.0, 0.1, 0.16, 0.3, 0.5, 1.0, 1.6, 5.0)
"""Low filters (high-passes) that the page offers; 0: off. 0.16 Hz is a time constant of 1 s."""
HIGHS_HZ = (15.0, 30.0, 35.0, 50.0, 70.0, 0.0)
"""High filters (low-passes); 0: off."""
NOTCHES_HZ = (0.0, 50.0, 60.0)
LENGTHS_S = (5.0, 10.0, 15.0, 20.0, 30.0, 60.0)
PADDING_CYCLES = 5.0
"""Cycles of the low filter's edge that are read before and after a page. The filter's answer to an
impulse falls by exp(-2 pi sin(pi/8)) in each cycle: under 1e-5 is left of what lies beyond."""
SHORTEST_PADDING_S = 2.0
"""What the notch, about 2 Hz wide, and a high filter need."""
HEART = CHANNELS.index("EKG")


class Signal(Protocol):
    """What can be read stretch by stretch: an imported recording."""

    @property
    def seconds(self) -> float:
        """Length."""
        ...

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        ...

    def read(self, start_s: float, stop_s: float) -> NDArray[np.float32]:
        """Read (T, 20) referential microvolts in the order of `CHANNELS`; NaN in gaps."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """Montage and filters of a page.

    Raises
    ------
    ConfigError
        There is no such montage, or the filters leave nothing.
    """

    montage: str = "bipolar"
    low_hz: float = 0.5
    """Edge of the high-pass; 0: off."""
    high_hz: float = 70.0
    """Edge of the low-pass; 0: off."""
    notch_hz: float = 0.0
    """Frequency of the mains, to be taken out; 0: off."""

    def __post_init__(self) -> None:
        if self.montage not in MONTAGES:
            raise ConfigError(
                f"Expected a montage out of {', '.join(MONTAGES)}, got {self.montage!r}."
            )
        edges = (self.low_hz, self.high_hz, self.notch_hz)
        if not all(isfinite(edge) and edge >= 0 for edge in edges):
            raise ConfigError(f"Expected filters at 0 Hz (off) or above, got {edges}.")
        if self.high_hz and self.low_hz >= self.high_hz:
            raise ConfigError(
                f"Expected a low filter below the high filter, got {self.low_hz:g} and "
                f"{self.high_hz:g} Hz."
            )

    @property
    def filters(self) -> str:
        """As one reads it: 'low filter 0.5 Hz, high filter 70 Hz, notch off'."""
        return ", ".join(
            f"{name} {edge:g} Hz" if edge else f"{name} off"
            for name, edge in (
                ("low filter", self.low_hz),
                ("high filter", self.high_hz),
                ("notch", self.notch_hz),
            )
        )

    @property
    def padding_s(self) -> float:
        """Seconds before and after a page that its filtered values depend on."""
        cycles = PADDING_CYCLES / self.low_hz if self.low_hz else 0.0
        return max(SHORTEST_PADDING_S, cycles)


@dataclass(frozen=True, slots=True)
class PageTraces:
    """What is drawn of a page."""

    start_s: float
    """Time of the first sample from the start of the recording."""
    rate_hz: float
    montage: Montage
    uv: NDArray[np.float32]
    """(T, traces) microvolts; NaN in gaps."""
    ekg: NDArray[np.float32]
    """(T,), in microvolts as recorded."""

    @property
    def seconds(self) -> NDArray[np.float32]:
        """(T,) from the start of the page."""
        return (np.arange(len(self.uv)) / self.rate_hz).astype(np.float32)


def read_page(
    signal: Signal, start_s: float, length_s: float, view: View, left_out: Collection[str] = ()
) -> PageTraces:
    """Read, derive and filter a page, as if the whole recording had been filtered.

    Parameters
    ----------
    signal : Signal
    start_s, length_s : float
        In seconds; what lies beyond the recording's ends is not drawn.
    view : View
    left_out : collection of str
        Electrodes that were not recorded, and do not count in an average.

    Returns
    -------
    PageTraces
    """
    rate = signal.rate_hz
    last = round(signal.seconds * rate)
    begin = min(max(round(start_s * rate), 0), last)
    end = min(begin + round(length_s * rate), last)
    padding = round(view.padding_s * rate)
    first, stop = max(begin - padding, 0), min(end + padding, last)
    montage = MONTAGES[view.montage]
    if begin < end:
        eeg_uv = signal.read(first / rate, stop / rate)
    else:
        eeg_uv = np.empty((0, len(CHANNELS)), np.float32)
    raw = np.column_stack([derive(montage, eeg_uv, left_out), eeg_uv[:, HEART]])
    shown = filtered(raw, rate, view)[begin - first : end - first].astype(np.float32)
    return PageTraces(begin / rate, rate, montage, shown[:, :-1], shown[:, -1])


def filtered(raw: NDArray[np.float32], rate_hz: float, view: View) -> NDArray[np.float64]:
    """Filter (T, traces) microvolts without delay, as `hmsstore.view.eeg.band_pass` does.

    Gains are those of Butterworth filters of order 4 (24 dB an octave), half the power at the edge.
    A filter that is off, or lies beyond half the rate, does nothing.
    """
    if not len(raw):
        return raw.astype(np.float64)
    return band_pass(raw, rate_hz, (view.low_hz, view.high_hz or inf), view.notch_hz)


def derive(
    montage: Montage, eeg_uv: NDArray[np.float32], left_out: Collection[str] = ()
) -> NDArray[np.float32]:
    """Turn referential EEG into traces: (T, 20) -> (T, traces) microvolts.

    The average is of the electrodes that have a value and are not left out, so that a loose
    electrode does not take all traces away; the other montages are `Montage.derive`'s.
    """
    if montage.name != "average":
        return montage.derive(eeg_uv)
    places = [CHANNELS.index(label.removesuffix("-avg")) for label in montage.labels]
    counted = [place for place in places if CHANNELS[place] not in left_out]
    electrodes = eeg_uv[:, counted]
    known = np.isfinite(electrodes)
    count = known.sum(axis=1, keepdims=True)
    total = np.where(known, electrodes, np.float32(0)).sum(axis=1, keepdims=True)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.float32("nan"))
    traces: NDArray[np.float32] = (eeg_uv[:, places] - mean).astype(np.float32)
    return traces


def thinned(traces: NDArray[np.float32], most: int) -> tuple[NDArray[np.float32], int]:
    """Keep the smallest and the largest of every few samples, in order, where there are too many.

    No spike is lost, as it would be if samples were left out. A gap stays one.

    Parameters
    ----------
    traces : float32 (T, traces)
    most : int
        Samples that may be drawn.

    Returns
    -------
    float32 (T', traces), int
        And the number of samples that each pair stands for; 0: every sample was kept.
    """
    size = -(-2 * len(traces) // most)
    if size <= 2:
        return traces, 0
    count = len(traces) // size
    bins = traces[: count * size].reshape(count, size, -1)
    places = np.sort(np.stack([bins.argmin(axis=1), bins.argmax(axis=1)], axis=1), axis=1)
    return np.take_along_axis(bins, places, axis=1).reshape(2 * count, -1), size
