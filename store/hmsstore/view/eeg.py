"""Referential EEG of a window -> stacked traces as clinicians read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsstore.errors import ViewError
from hmsstore.schema import CHANNELS, EEG, JUDGED_S
from hmsstore.view.colours import side_colour
from hmsstore.view.importance import Importance, shade_trace
from hmsstore.view.montage import MONTAGES, Montage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND_HZ = (0.5, 70.0)
"""Band shown, as on a clinical screen."""
SPACINGS_UV = (10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
"""Steps of microvolts between neighbouring traces."""
SPACING_UV = 100.0
"""Unless another is asked for: the same in every picture, as 10 uV/mm are where traces stand 10 mm
apart (Acharya et al. 2016, ACNS Guideline 1: 5 to 10 uV/mm)."""
CUT = 1.0
"""Traces end this many steps from their line, at that of their neighbour, so that an artefact
hides no other trace."""


@dataclass(frozen=True, slots=True)
class Display:
    """How EEG is shown.

    Raises
    ------
    ViewError
        There is no such montage, or a number is out of range.
    """

    montage: str = "bipolar"
    """One of `MONTAGES`."""
    seconds: float = EEG.window_s
    """Length shown, around the centre of the window."""
    spacing_uv: float | None = SPACING_UV
    """Microvolts from trace to trace, whatever the picture's size (a clinician's sensitivity is
    in microvolts per millimetre of paper); None: chosen so that traces fill their room."""
    band_hz: tuple[float, float] = BAND_HZ
    """Band shown."""
    notch_hz: float = 0.0
    """Frequency of the mains, to be taken out; 0: none."""

    def __post_init__(self) -> None:
        if self.montage not in MONTAGES:
            raise ViewError(f"montage {self.montage!r} does not exist: use {', '.join(MONTAGES)}")
        if not 1 <= self.seconds <= EEG.window_s:
            raise ViewError(f"{self.seconds:g} seconds cannot be shown: use 1 to {EEG.window_s:g}")
        if self.spacing_uv is not None and not 1 <= self.spacing_uv <= 1e5:
            raise ViewError(
                f"a spacing of {self.spacing_uv:g} uV makes no picture: use 1 to 100,000"
            )
        low, high = self.band_hz
        if not 0 < low < high <= EEG.row_rate_hz / 2:
            raise ViewError(
                f"a band of {low:g} to {high:g} Hz cannot be shown: use two numbers over 0 and up "
                f"to {EEG.row_rate_hz / 2:g}, the lower first"
            )
        if self.notch_hz and not 1 <= self.notch_hz <= EEG.row_rate_hz / 2:
            raise ViewError(
                f"a notch at {self.notch_hz:g} Hz makes no sense: use 1 to "
                f"{EEG.row_rate_hz / 2:g}, such as 50 or 60, or 0 for none"
            )

    @property
    def filters(self) -> str:
        """What is taken out, in words: '0.5-70 Hz, without 50 Hz'."""
        low, high = self.band_hz
        notch = f", without {self.notch_hz:g} Hz" if self.notch_hz else ""
        return f"{low:g}-{high:g} Hz{notch}"


def draw_eeg(
    axes: Axes,
    eeg_uv: NDArray[np.float32],
    display: Display | None = None,
    missing: float = 0.0,
    *,
    importance: Importance | None = None,
    small: bool = False,
    judged_s: float = JUDGED_S,
) -> None:
    """Draw the traces of a montage and the EKG below each other.

    Bipolar and referential traces have negative up, as clinicians draw them.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    eeg_uv : float32 (10000, 20)
        Referential microvolts; NaN leaves a gap.
    display : Display, optional
        Montage, length, spacing and filters.
    missing : float
        Share of the values that were missing and have been filled, for the title.
    importance : Importance, optional
        Shades the ground behind the traces.
    small : bool
        Without title and the axis's label, and with small names and seconds, for small pictures.
    judged_s : float
        Seconds at the centre that raters judged.
    """
    display = display or Display()
    montage = MONTAGES[display.montage]
    traces, ekg, seconds = shown_traces(eeg_uv, display)
    step = display.spacing_uv or fitting_step(traces)
    width = 0.4 if small else 0.6

    strips = {} if importance is None else importance.traces
    darkest = max((float(strip.max()) for strip in strips.values()), default=0.0)
    *places, ekg_place = (step * place for place in trace_places(montage))
    # The axis grows downwards, so a negative voltage goes up.
    cut = np.clip(traces, -CUT * step, CUT * step)
    for number, (group, place) in enumerate(zip(montage.groups, places, strict=True)):
        axes.plot(
            seconds, place + cut[:, number], lw=width, color=side_colour(montage.sides[number])
        )
        if importance is not None:
            strip = importance.of_trace(montage.labels[number], group)
            if strip is not None:
                shade_trace(axes, strip, importance, place, step, darkest)
    axes.plot(seconds, ekg_place - to_height(ekg, 0.8 * step), lw=width, color="0.4")
    if importance is not None and "EKG" in strips:
        shade_trace(axes, strips["EKG"], importance, ekg_place, step, darkest)

    middle = EEG.window_s / 2
    if display.seconds > judged_s:
        axes.axvspan(middle - judged_s / 2, middle + judged_s / 2, color="gold", alpha=0.25, lw=0)
    axes.set_xlim(middle - display.seconds / 2, middle + display.seconds / 2)
    axes.set_ylim(ekg_place + step, -2.4 * step)
    _draw_scale(axes, step, display.seconds, size=6 if small else 8)
    axes.set_yticks([*places, ekg_place], [*montage.labels, "EKG"], fontsize=5 if small else 8)
    if small:
        _draw_grid_of_seconds(axes, display.seconds)
        axes.tick_params(length=1, pad=1, labelsize=5)
        return
    cut_off = "; cut off at their neighbours" if (np.abs(traces) > CUT * step).any() else ""
    title = f"{montage.title}, {display.filters}, negative up{cut_off}{gap_note(missing)}"
    axes.set_title(title, fontsize=10, loc="left")
    green = "; green: what the answer rests on" if strips else ""
    _draw_seconds(axes, display.seconds, judged_s, green)


def _draw_seconds(axes: Axes, seconds: float, judged_s: float, also: str) -> None:
    """A grid of seconds, and what was judged in them."""
    _draw_grid_of_seconds(axes, seconds)
    judged = f"shaded: the {judged_s:g} s that the raters judged"
    if seconds <= judged_s:
        first = (EEG.window_s - judged_s) / 2
        judged = f"the raters judged the {judged_s:g} s from {first:g} to {first + judged_s:g}"
    axes.set_xlabel(f"seconds of the window; {judged}{also}")


def _draw_grid_of_seconds(axes: Axes, seconds: float) -> None:
    grid, begin = (5 if seconds > 20 else 1), (EEG.window_s - seconds) / 2
    axes.set_xticks(np.arange(int(np.ceil(begin / grid)) * grid, begin + seconds + 1e-6, grid))
    axes.grid(axis="x", lw=0.3)


def gap_note(missing: float) -> str:
    """What to say of missing values, which the store has filled."""
    if not missing:
        return ""
    return f"; {share(missing)} was missing"


def share(part: float) -> str:
    """A share as people say it: 'under 1%', '12%'."""
    return "under 1%" if 0 < part < 0.01 else f"{part:.0%}"


def trace_places(montage: Montage) -> list[float]:
    """Where each trace's line lies, and last the EKG's, in steps downwards; chains stand apart."""
    places, place = [], 0.0
    for number, group in enumerate(montage.groups):
        place += 0.8 * bool(number and group != montage.groups[number - 1])
        places.append(place)
        place += 1
    return [*places, place + 0.8]


def shown_traces(
    eeg_uv: NDArray[np.float32], display: Display
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Filtered traces (T, traces) and EKG (T,) of the part that is shown, and their seconds."""
    montage = MONTAGES[display.montage]
    raw = np.column_stack([montage.derive(eeg_uv), eeg_uv[:, CHANNELS.index("EKG")]])
    filtered = band_pass(raw, EEG.row_rate_hz, display.band_hz, display.notch_hz)
    seconds = np.arange(len(eeg_uv)) / EEG.row_rate_hz
    part = np.abs(seconds - EEG.window_s / 2) <= display.seconds / 2
    return filtered[part, :-1], filtered[part, -1], seconds[part]


def band_pass(
    signal: NDArray[np.float32],
    rate_hz: float,
    band_hz: tuple[float, float] = BAND_HZ,
    notch_hz: float = 0.0,
) -> NDArray[np.float64]:
    """Band-pass for display, zero-phase: Butterworth gains of order 4 on a mirrored spectrum.

    A notch takes out what lies within about 1 Hz of it. Gaps of (T, traces) stay gaps; straight
    lines bridge them while filtering, as steps to 0 and back would look like slow waves.
    """
    low, high = band_hz
    gaps = np.isnan(signal)
    filled = signal.astype(np.float64)
    for column, gap in zip(filled.T, gaps.T, strict=True):
        if gap.any():
            known = np.flatnonzero(~gap)
            column[gap] = np.interp(np.flatnonzero(gap), known, column[known]) if len(known) else 0
    mirrored = np.concatenate([filled, filled[::-1]])
    frequency = np.maximum(np.fft.rfftfreq(len(mirrored), 1 / rate_hz)[:, None], 1e-9)
    gain = 1 / np.sqrt((1 + (low / frequency) ** 8) * (1 + (frequency / high) ** 8))
    if notch_hz:
        gain *= 1 - np.exp(-((frequency - notch_hz) ** 2))
    shown: NDArray[np.float64] = np.fft.irfft(
        np.fft.rfft(mirrored, axis=0) * gain, len(mirrored), axis=0
    )[: len(signal)]
    shown[gaps] = np.nan
    return shown


def fitting_step(traces: NDArray[np.float64]) -> float:
    """The spacing at which traces just touch their neighbours, in microvolts."""
    known = [column[np.isfinite(column)] for column in traces.T]
    sizes = [float(np.percentile(np.abs(column), 98)) for column in known if len(column)]
    wanted = 2 * float(np.median(sizes)) if sizes else 0.0
    return next((step for step in SPACINGS_UV if step >= wanted), SPACINGS_UV[-1])


def to_height(trace: NDArray[np.float64], height: float) -> NDArray[np.float64]:
    """Scale a trace whose unit does not matter."""
    known = np.abs(trace[np.isfinite(trace)])
    return trace * (height / max(float(known.max()) if len(known) else 0.0, 1e-6))


def _draw_scale(axes: Axes, step: float, seconds: float, size: int = 8) -> None:
    """Bars of one step and of one second, in the room above the first trace."""
    x, top, bottom = axes.get_xlim()[0] + 0.012 * seconds, -2.2 * step, -1.2 * step
    axes.plot([x, x, x + 1], [top, bottom, bottom], color="black", lw=1.6, solid_capstyle="butt")
    axes.annotate(
        f"{step:g} uV, 1 s",
        (x + 1, (top + bottom) / 2),
        xytext=(4, 0),
        textcoords="offset points",
        fontsize=size,
        va="center",
    )
