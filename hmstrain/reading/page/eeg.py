"""The traces of a page -> a Bokeh figure, which is updated in place.

Time runs from 0 at the page's left edge, so that turning a page sends traces and a few labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.models import (
    BoxAnnotation,
    CategoricalColorMapper,
    ColumnDataSource,
    CustomJSTickFormatter,
    FixedTicker,
    Grid,
    NoOverlap,
    Range1d,
    Span,
)
from bokeh.plotting import figure
from numpy.typing import NDArray

from hmsstore.view.colours import MISSING, SIDES
from hmsstore.view.eeg import trace_places
from hmsstore.view.montage import MONTAGES
from hmstrain.reading.page.traces import PageTraces, thinned
from hmstrain.words import clock

HEIGHT_PX = 640
AROUND_PX = 50
"""Of the height that title and axis take, until a browser says how much they do."""
TOP = -2.1
"""Upper end of the figure, in steps above the first trace: room for the scale and for marks."""
ROWS = 2
"""Of the names of marks, so that those of neighbours do not cover each other."""
CUT = 1.5
"""Traces end so many steps from their line, so that an artefact does not cover the others."""
MOST_SAMPLES = 4_000
"""Of a trace that are sent: more than a screen has pixels."""
KINDS = ("left", "right", "midline", "EKG")
LIGHT = (SIDES["left"], SIDES["right"], "#222222", "#777777")
DARK = ("#56B4E9", "#E69F00", "#DDDDDD", "#999999")
"""Colours of the kinds of traces, of Okabe and Ito's palette, on a light and a dark ground."""
DAY_S = 86_400
CALIBRATIONS_UV = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
LETTERS = {"filled": "m", "missing": "m", "interpolated": "i", "railed": "r", "flat": "f",
           "bridged": "b"}  # fmt: skip
"""Behind the name of a trace: what an import says of its electrodes."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A mark, an episode or a note over part of a recording."""

    start_s: float
    stop_s: float
    text: str
    colour: str


class EegFigure:
    """Stacked traces in steps of their spacing: negative up, gaps grey."""

    def __init__(self) -> None:
        self.inner_px = {"inner_height": float(HEIGHT_PX - AROUND_PX), "inner_width": 0.0}
        """Inside of the axes; 0 until a browser says how much it is."""
        self.figure = figure(
            name="eeg",
            height=HEIGHT_PX,
            sizing_mode="stretch_width",
            x_range=Range1d(0, 10),
            y_range=Range1d(21, TOP),
            tools="",
            toolbar_location=None,
            output_backend="canvas",
            min_border_right=8,
        )
        self.figure.ygrid.visible = False
        self.offset_s = 0
        """Time of day at which the recording starts, where times are to be of the day."""
        self.every = FixedTicker(ticks=[])
        """Lines of seconds."""
        self.named = FixedTicker(ticks=[])
        self.figure.xgrid.ticker = self.every
        self.figure.add_layout(Grid(dimension=0, ticker=self.named, grid_line_width=2))
        self.figure.xaxis.ticker = self.named
        self.figure.xaxis.major_label_policy = NoOverlap(min_distance=8)
        self.mapper = CategoricalColorMapper(factors=list(KINDS), palette=list(LIGHT))
        self.sources = {
            "gaps": ColumnDataSource({"left": [], "right": [], "top": [], "bottom": []}),
            "marks": ColumnDataSource(
                {"left": [], "right": [], "text": [], "colour": [], "row": []}
            ),
            "lines": ColumnDataSource({"xs": [], "ys": [], "kind": [], "dash": []}),
            "scale": ColumnDataSource({"xs": [], "ys": []}),
            "words": ColumnDataSource({"x": [], "y": [], "text": []}),
        }
        self.figure.quad(
            "left", "right", "top", "bottom", source=self.sources["gaps"], fill_color=MISSING,
            fill_alpha=0.6, line_color=None, level="underlay",
        )  # fmt: skip
        self.marks = self.figure.quad(
            "left", "right", TOP, 40, source=self.sources["marks"], fill_color="colour",
            fill_alpha=0.1, line_color="colour", level="underlay",
        )  # fmt: skip
        self.mark_words = self.figure.text(
            "left", "row", "text", source=self.sources["marks"], text_font_size="12px",
            text_baseline="top", text_color="#111111", background_fill_color="#ffffff",
            border_line_color="colour", border_line_width=2, padding=2, x_offset=2,
        )  # fmt: skip
        self.figure.multi_line(
            "xs", "ys", source=self.sources["lines"], line_width=1, line_dash="dash",
            line_color={"field": "kind", "transform": self.mapper},
        )  # fmt: skip
        self.scale = self.figure.multi_line(
            "xs", "ys", source=self.sources["scale"], line_color="#111111", line_width=2
        )
        self.scale_words = self.figure.text(
            "x", "y", "text", source=self.sources["words"], text_font_size="12px",
            text_baseline="middle", text_align="right", text_color="#111111",
            background_fill_color="#ffffff",
            background_fill_alpha=0.7,
        )  # fmt: skip
        self.chosen = BoxAnnotation(
            left=0, right=0, fill_color="#CC79A7", fill_alpha=0.25, line_color="#CC79A7",
            visible=False, level="underlay",
        )  # fmt: skip
        self.onset = Span(location=0, dimension="height", line_color="#CC79A7", visible=False)
        self.figure.add_layout(self.chosen)
        self.figure.add_layout(self.onset)

    @property
    def inks(self) -> list[Any]:
        """Glyphs that are drawn in the colour of writing."""
        return [self.scale.glyph, self.scale_words.glyph, self.mark_words.glyph]

    def step_px(self, montage: str) -> float:
        """How far traces are apart, in the page's pixels."""
        steps = trace_places(MONTAGES[montage])[-1] + 1.2 - TOP
        return self.inner_px["inner_height"] / steps

    def on_tap(self, then: Callable[[float], object]) -> None:
        """Call with the seconds from the page's start at which the figure is clicked."""

        def tapped(event: Tap) -> None:
            if event.x is not None:
                then(float(event.x))

        self.figure.on_event(Tap, tapped)

    def on_resize(self, then: Callable[[], object]) -> None:
        """Call when a browser has said how large the figure is inside its axes."""

        def told(attr: str, old: Any, new: Any) -> None:  # noqa: ARG001
            if new and new != self.inner_px[attr]:
                self.inner_px[attr] = float(new)
                then()

        for name in self.inner_px:
            self.figure.on_change(name, told)

    def draw(
        self,
        page: PageTraces,
        length_s: float,
        step_uv: float,
        ekg_uv: float,
        states: Mapping[str, Sequence[str]],
    ) -> None:
        """Draw a page.

        Parameters
        ----------
        page : PageTraces
        length_s : float
            Of the page, of which the recording may not fill all.
        step_uv : float
            Microvolts from trace to trace.
        ekg_uv : float
            Of the EKG that fill its lane to one side.
        states : mapping
            Electrode -> what an import says of it.
        """
        *places, heart = trace_places(page.montage)
        cut = np.clip(page.uv / np.float32(step_uv), -CUT, CUT)
        ekg = np.clip(page.ekg / np.float32(ekg_uv), -1, 1) * np.float32(-0.8)
        heights = np.column_stack([cut, ekg]) + np.asarray([*places, heart], np.float32)
        shown, size = thinned(heights, MOST_SAMPLES)
        seconds = page.seconds if not size else page.seconds[: len(shown) // 2 * size : size]
        if size:  # a pair stands for a bin: its halves
            seconds = np.repeat(seconds, 2)
            seconds[1::2] += size / page.rate_hz / 2
        labels = [*page.montage.labels, "EKG"]
        marked = [letters(label, states) for label in labels]
        self.sources["lines"].data = {
            "xs": [seconds] * len(labels),
            "ys": list(np.ascontiguousarray(shown.T)),
            "kind": [*page.montage.sides, "EKG"],
            "dash": ["dashed" if "i" in found else "solid" for found in marked],
        }
        self.sources["gaps"].data = _gaps(heights, [*places, heart], page.rate_hz, length_s)
        axis = self.figure.yaxis[0]
        ticks = [round(place, 3) for place in (*places, heart)]
        named = [f"{label} {found}".strip() for label, found in zip(labels, marked, strict=True)]
        overrides = dict(zip(ticks, named, strict=True))
        if axis.major_label_overrides != overrides:
            axis.ticker = FixedTicker(ticks=ticks)
            axis.major_label_overrides = overrides
            self.figure.y_range.start = heart + 1.2
        self._draw_time(page.start_s, length_s)
        self._draw_scale(step_uv, length_s)

    def _draw_time(self, start_s: float, length_s: float) -> None:
        """Lines of seconds, every few of them with the time from the recording's start."""
        self.figure.x_range.end = length_s
        first = int(np.ceil(start_s - 1e-6))
        whole = range(first, int(np.floor(start_s + length_s + 1e-6)) + 1)
        every = next(step for step in (1, 2, 5, 10) if length_s / step <= 8)
        self.every.ticks = [round(second - start_s, 6) for second in whole]
        named = {round(s - start_s, 6): self._time(s) for s in whole if s % every == 0}
        self.named.ticks = list(named)
        self.figure.xaxis.major_label_overrides = named

    def _time(self, second: int) -> str:
        return clock((second + self.offset_s) % DAY_S if self.offset_s else second)

    def _draw_scale(self, step_uv: float, length_s: float) -> None:
        """A calibration mark: so many microvolts high, one second wide."""
        size = next((uv for uv in reversed(CALIBRATIONS_UV) if uv <= step_uv), step_uv)
        bottom = -0.8
        x = 0.985 * length_s - 1
        top = bottom - size / step_uv
        self.sources["scale"].data = {"xs": [[x, x, x + 1]], "ys": [[top, bottom, bottom]]}
        self.sources["words"].data = {
            "x": [x - 0.006 * length_s], "y": [bottom - 0.3], "text": [f"{size:g} uV, 1 s"],
        }  # fmt: skip

    def draw_marks(self, marks: Sequence[Stretch], start_s: float, length_s: float) -> None:
        """Draw the marks that reach into the page."""
        inside = [m for m in marks if m.stop_s >= start_s and m.start_s <= start_s + length_s]
        self.sources["marks"].data = {
            "left": [max(m.start_s - start_s, 0.0) for m in inside],
            "right": [min(m.stop_s - start_s, length_s) for m in inside],
            "text": [m.text for m in inside],
            "row": [TOP + 0.1 + 0.6 * (number % ROWS) for number in range(len(inside))],
            "colour": [m.colour for m in inside],
        }

    def draw_choice(
        self, onset_s: float | None, offset_s: float | None, start_s: float, length_s: float
    ) -> None:
        """Draw what is chosen to be marked: a stretch, or only its onset so far."""
        stop_s = start_s + length_s
        self.chosen.visible = self.onset.visible = False
        if onset_s is not None and offset_s is not None:
            self.chosen.visible = offset_s >= start_s and onset_s <= stop_s
            self.chosen.left = max(onset_s - start_s, 0.0)
            self.chosen.right = min(offset_s, stop_s) - start_s
        elif onset_s is not None:
            self.onset.visible = start_s <= onset_s <= stop_s
            self.onset.location = onset_s - start_s


def letters(label: str, states: Mapping[str, Sequence[str]]) -> str:
    """What is to be said of a trace's electrodes, a letter each: 'i', 'ir'."""
    names = {label, *label.removesuffix("-avg").split("-")}
    said = {LETTERS[word] for name in names for word in states.get(name, ())}
    return "".join(sorted(said))


def _gaps(
    heights: NDArray[np.float32], places: Sequence[float], rate_hz: float, length_s: float
) -> dict[str, Any]:
    """Grey strips where a trace has no value; what lies beyond the recording's end is one."""
    found: dict[str, list[float]] = {"left": [], "right": [], "top": [], "bottom": []}

    def add(begin: float, end: float, top: float, bottom: float) -> None:
        for key, value in zip(found, (begin, end, top, bottom), strict=True):
            found[key].append(float(value))

    missing = np.isnan(heights)
    for column, place in zip(missing.T, places, strict=True):
        if column.any():
            edges = np.flatnonzero(np.diff(np.concatenate([[0], column, [0]])))
            for begin, end in edges.reshape(-1, 2):
                add(begin / rate_hz, end / rate_hz, place - 0.5, place + 0.5)
    if len(heights) / rate_hz < length_s - 0.5 / rate_hz:
        add(len(heights) / rate_hz, length_s, TOP, places[-1] + 1.2)
    return found


def clock_formatter(offset_s: int = 0) -> CustomJSTickFormatter:
    """Write the ticks of an axis of seconds as h:mm:ss, or as times of the day."""
    return CustomJSTickFormatter(
        args={"offset": offset_s},
        code="""
        const s = offset ? Math.round(tick + offset) % 86400 : Math.round(tick)
        const two = (n) => String(n).padStart(2, "0")
        return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`
        """,
    )
