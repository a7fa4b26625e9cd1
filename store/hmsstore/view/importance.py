"""What a model's answer rests on, drawn over a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import EEG, SPECTROGRAM
from hmsstore.view.colours import GREEN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARES = 0.5, 0.2
"""Contours enclose the parts of a spectrogram that carry this much of its importance."""


@dataclass(frozen=True, slots=True)
class Importance:
    """Importance of each place, at least 0; only ratios count."""

    note: str
    """What it explains, and how far to trust it."""
    traces: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Label of a trace, or name of a chain -> (frames,) over the EEG used."""
    eeg_seconds: float = EEG.window_s
    """Length of that EEG, around the centre of the window."""
    spectrogram: NDArray[np.float32] | None = None
    """(400, rows), region by region, low frequencies first."""
    spectrogram_rows: tuple[int, int] = (0, SPECTROGRAM.window_rows)
    """First row used, and the one after the last."""
    trusted: bool = True
    """Whether it passed its test; if not, it is drawn faintly."""

    def of_trace(self, label: str, group: str) -> NDArray[np.float32] | None:
        """Importance over time behind one trace; for an electrode, the largest of its pairs."""
        for name in (label, group):
            if name in self.traces:
                return self.traces[name]
        electrode = label.split("-")[0]
        pairs = [strip for name, strip in self.traces.items() if electrode in name.split("-")]
        return np.max(pairs, axis=0) if pairs else None

    def whole_spectrogram(self) -> NDArray[np.float32]:
        """(300, 400) as spectrograms are stored; 0 where none was used."""
        whole = np.zeros((SPECTROGRAM.window_rows, len(SPECTROGRAM.features)), np.float32)
        if self.spectrogram is not None:
            first, stop = self.spectrogram_rows
            whole[first:stop] = self.spectrogram.T
        return whole


def shade_trace(
    axes: Axes,
    strip: NDArray[np.float32],
    importance: Importance,
    place: float,
    step: float,
    top: float,
) -> None:
    """Shade the background of a trace, darker where more important; `top` is the darkest."""
    middle, seconds = EEG.window_s / 2, importance.eeg_seconds
    colour = [int(GREEN[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    picture = np.empty((1, len(strip), 4))
    picture[..., :3] = colour
    strength = 0.75 if importance.trusted else 0.25
    picture[0, :, 3] = strength * np.clip(strip / max(top, 1e-12), 0, 1)
    extent = (middle - seconds / 2, middle + seconds / 2, place + step / 2, place - step / 2)
    axes.imshow(picture, extent=extent, aspect="auto", interpolation="bilinear", zorder=0)


def contour_levels(importance: NDArray[np.float32]) -> list[float]:
    """Levels of contours that enclose `SHARES` of all importance, ascending and distinct."""
    ordered = np.sort(importance, axis=None)[::-1].astype(np.float64)
    total = np.cumsum(ordered)
    if total[-1] <= 0:
        return []
    places = np.searchsorted(total, np.asarray(SHARES) * total[-1])
    levels = {float(ordered[min(place, len(ordered) - 1)]) for place in places}
    return sorted(level for level in levels if 0 < level < ordered[0])
