"""Values over a recording -> strips one above the other in one Bokeh figure, updated in place.

One figure for all strips loads sooner than one figure each. Its vertical axis counts
pixels from the bottom; each strip has its own scale, written beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.models import (
    AdaptiveTicker,
    BoxAnnotation,
    CategoricalColorMapper,
    ColumnDataSource,
    FixedTicker,
    LinearColorMapper,
    NoOverlap,
    Range1d,
    Span,
)
from bokeh.palettes import Magma256, interp_palette
from bokeh.plotting import figure
from numpy.typing import NDArray

from hmsstore.view.colours import BLUE, MISSING, ORANGE
from hmstrain.reading.page.eeg import KINDS, LIGHT, Stretch, clock_formatter

GAP_PX = 6
"""Between strips."""
DIVERGING = tuple(interp_palette([BLUE, "#FFFFFF", ORANGE], 256))
"""For values around 0: blue below, vermilion above; safe for the colour-blind."""
STEPS = [1, 2, 5, 10, 15, 20, 30]
MOST_COLUMNS = 1_500
"""Of a strip that are sent."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Where a strip lies, and on what scale."""

    name: str
    title: str
    """Written over it; '' where its ticks say what it is, and a title would hide what is short."""
    px: int
    low: float = 0.0
    high: float = 1.0
    ticks: tuple[tuple[float, str], ...] = ()
    """Values that are written beside it."""
    colours: tuple[float, float] = (0.0, 1.0)
    """Lowest and highest value of a picture's colours."""
    logarithmic_from: float | None = None
    """Value from which on the scale is logarithmic (aEEG: linear up to 10 uV); None: linear."""

    def share(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Height of values in the strip, 0 to 1; what is beyond its scale lies at its edge."""
        edge = self.logarithmic_from
        known = np.clip(np.asarray(values, np.float64), self.low, self.high)
        if edge is None:
            return (known - self.low) / (self.high - self.low)
        half = 0.5 * (known - self.low) / (edge - self.low)
        with np.errstate(invalid="ignore"):
            beyond = 0.5 + 0.5 * np.log(np.maximum(known, edge) / edge) / np.log(self.high / edge)
        return np.where(known > edge, beyond, half)


class Strips:
    """Strips over the time of a recording; a click tells where."""

    def __init__(
        self, seconds: float, strips: Sequence[Strip], clicked: Callable[[float], object]
    ) -> None:
        self.seconds, self.strips = seconds, tuple(strips)
        self.shown = 0.0, seconds
        """Start and length of the part that is shown."""
        height = sum(one.px + GAP_PX for one in strips)
        self.bottom: dict[str, float] = {}
        at = float(height)
        for one in strips:
            at -= one.px + GAP_PX
            self.bottom[one.name] = at
        self.figure = figure(
            name="strips",
            height=height + 44,
            sizing_mode="stretch_width",
            x_range=Range1d(0, seconds, bounds=(0, seconds), min_interval=10),
            y_range=Range1d(-2, height),
            tools="",
            toolbar_location=None,
            output_backend="canvas",
            min_border_right=8,
        )
        self.figure.grid.visible = False
        self.figure.toolbar.logo = None
        self.figure.xaxis.ticker = AdaptiveTicker(base=60, mantissas=STEPS, min_interval=1)
        self.figure.xaxis.formatter = clock_formatter()
        self.figure.xaxis.major_label_policy = NoOverlap(min_distance=8)
        self.mapper = CategoricalColorMapper(factors=list(KINDS), palette=list(LIGHT))
        self._sources: dict[str, ColumnDataSource] = {}
        self._mappers: dict[str, LinearColorMapper] = {}
        self._write_scales()
        lines = self._source("lines", xs=[], ys=[], side=[])
        bands = self._source("bands", xs=[], ys=[], side=[])
        blocks = self._source("blocks", left=[], right=[], bottom=[], top=[], colour=[], alpha=[])
        coloured = {"field": "side", "transform": self.mapper}
        self.figure.patches(
            "xs", "ys", source=bands, fill_color=coloured, fill_alpha=0.45, line_color=None
        )
        self.figure.multi_line("xs", "ys", source=lines, line_color=coloured, line_width=1.2)
        self.figure.quad(
            "left", "right", "top", "bottom", source=blocks, fill_color="colour",
            fill_alpha="alpha", line_color="colour",
        )  # fmt: skip
        self._parts: dict[str, dict[str, dict[str, list[Any]]]] = {}
        self.page = BoxAnnotation(
            left=0, right=0, fill_color="#56B4E9", fill_alpha=0.25, line_color="#56B4E9"
        )
        self.middle = Span(location=0, dimension="height", line_color="#56B4E9", line_width=2)
        self.figure.add_layout(self.page)
        self.figure.add_layout(self.middle)

        def tapped(event: Tap) -> None:
            if event.x is not None:
                clicked(float(event.x))

        self.figure.on_event(Tap, tapped)

    def _source(self, name: str, **columns: list[Any]) -> ColumnDataSource:
        self._sources[name] = ColumnDataSource(columns)
        return self._sources[name]

    def _write_scales(self) -> None:
        ticks: dict[float, str] = {}
        for one in self.strips:
            for value, text in one.ticks:
                place = self.bottom[one.name] + one.px * float(one.share(np.asarray(value)))
                ticks[round(place, 2)] = text
        self.figure.yaxis.ticker = FixedTicker(ticks=list(ticks))
        self.figure.yaxis.major_label_overrides = ticks
        self.figure.yaxis.major_label_text_font_size = "10px"
        for one in self.strips:
            self.figure.add_layout(
                Span(location=self.bottom[one.name] - GAP_PX / 2, dimension="width",
                     line_color="#888888", line_alpha=0.5)
            )  # fmt: skip
        titled = [one for one in self.strips if one.title]
        self.names = self.figure.text(
            x=[0.0] * len(titled),
            y=[self.bottom[one.name] + one.px for one in titled],
            text=[one.title for one in titled],
            x_offset=4, text_baseline="top", text_font_size="11px", text_color="#111111",
            background_fill_color="#ffffff", background_fill_alpha=0.75, padding=1,
            level="annotation",
        )  # fmt: skip

    @property
    def inks(self) -> list[Any]:
        """Glyphs that are drawn in the colour of writing."""
        return [self.names.glyph]

    def _strip(self, name: str) -> Strip:
        return next(one for one in self.strips if one.name == name)

    def show_picture(
        self, name: str, time_s: NDArray[Any], values: NDArray[Any], *, diverging: bool = False
    ) -> None:
        """Show (T, F) values in colours, the first feature at the bottom."""
        strip = self._strip(name)
        x, width = _extent(time_s)
        if not len(values):
            if name in self._sources:
                self._sources[name].data = {"image": [], "x": [], "dw": []}
            return
        image = np.ascontiguousarray(values[_columns(len(values))].T, np.float32)
        if name in self._sources:
            self._sources[name].data = {"image": [image], "x": [x], "dw": [width]}
            return
        palette = DIVERGING if diverging else Magma256
        self._mappers[name] = LinearColorMapper(
            palette=palette, low=strip.colours[0], high=strip.colours[1], nan_color=MISSING
        )
        source = self._source(name, image=[image], x=[x], dw=[width])
        self.figure.image(
            "image", x="x", y=self.bottom[name], dw="dw", dh=strip.px, source=source,
            color_mapper=self._mappers[name], level="image",
        )  # fmt: skip

    def show_rows(
        self, name: str, spans_s: NDArray[Any], shares: NDArray[Any], colours: Sequence[str]
    ) -> None:
        """Show (N, K) shares of 0 to 1 as K rows from top to bottom, each in its own colour.

        A column shows the highest share of what it has at its middle and of all that have theirs in
        it, so that nothing short is left out of a long recording.

        Parameters
        ----------
        name : str
        spans_s : float (N, 2)
            Time that each stands for; nothing is drawn between them, and of NaN.
        shares : float (N, K)
        colours : sequence of str
            As '#RRGGBB'.
        """
        begin_s, length_s = self.shown
        columns = int(min(MOST_COLUMNS, max(length_s, 1)))
        middle = begin_s + (np.arange(columns) + 0.5) * length_s / columns
        image = np.zeros((len(colours), columns, 4), np.uint8)
        if len(spans_s):
            at = np.clip(np.searchsorted(spans_s[:, 0], middle, "right") - 1, 0, None)
            known = (spans_s[at, 0] <= middle) & (middle < spans_s[at, 1])
            share = np.nan_to_num(shares)
            opacity = np.where(known[:, None], share[at], 0.0)
            column = np.floor((spans_s.mean(axis=1) - begin_s) * columns / length_s).astype(int)
            inside = (column >= 0) & (column < columns)
            np.maximum.at(opacity, column[inside], share[inside])
            for row, colour in enumerate(colours):
                image[row, :, :3] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
                image[row, :, 3] = (255 * np.clip(opacity[:, row], 0, 1)).astype(np.uint8)
        picture = np.ascontiguousarray(image[::-1]).view(np.uint32)[..., 0]
        drawn: dict[str, list[Any]] = {"image": [picture], "x": [begin_s], "dw": [length_s]}
        if name in self._sources:
            self._sources[name].data = drawn
            return
        self.figure.image_rgba(
            "image", x="x", y=self.bottom[name], dw="dw", dh=self._strip(name).px,
            source=self._source(name, **drawn), level="image",
        )  # fmt: skip

    def show_lines(
        self, name: str, time_s: NDArray[Any], values: Mapping[str, NDArray[Any]]
    ) -> None:
        """Show (T,) values of each side as lines; NaN leaves a gap."""
        strip, kept = self._strip(name), _columns(len(time_s))
        xs = np.asarray(time_s[kept], np.float32)
        drawn: dict[str, list[Any]] = {"xs": [], "ys": [], "side": []}
        for side, of_side in values.items():
            drawn["xs"].append(xs)
            height = self.bottom[name] + strip.px * strip.share(of_side[kept])
            drawn["ys"].append(height.astype(np.float32))
            drawn["side"].append(side)
        self._show("lines", name, drawn)

    def show_bands(
        self, name: str, time_s: NDArray[Any], values: Mapping[str, NDArray[Any]]
    ) -> None:
        """Show (T, 2) lower and upper values of each side as bands; NaN leaves a gap."""
        strip, kept = self._strip(name), _columns(len(time_s))
        drawn: dict[str, list[Any]] = {"xs": [], "ys": [], "side": []}
        for side, of_side in values.items():
            height = self.bottom[name] + strip.px * strip.share(of_side[kept])
            for begin, end in _runs(np.isfinite(height[:, 0] + height[:, 1])):
                times = np.asarray(time_s[kept][begin:end], np.float32)
                edges = height[begin:end].astype(np.float32)
                drawn["xs"].append(np.concatenate([times, times[::-1]]))
                drawn["ys"].append(np.concatenate([edges[:, 0], edges[::-1, 1]]))
                drawn["side"].append(side)
        self._show("bands", name, drawn)

    def show_blocks(self, name: str, blocks: Sequence[Stretch], alpha: float = 0.8) -> None:
        """Show stretches of time as blocks of their colour."""
        bottom, top = self.bottom[name], self.bottom[name] + self._strip(name).px
        self._show("blocks", name, {
            "left": [one.start_s for one in blocks],
            "right": [one.stop_s for one in blocks],
            "bottom": [bottom] * len(blocks),
            "top": [top] * len(blocks),
            "colour": [one.colour for one in blocks],
            "alpha": [alpha] * len(blocks),
        })  # fmt: skip

    def _show(self, source: str, name: str, drawn: dict[str, list[Any]]) -> None:
        """Replace what a strip has in a source that strips share."""
        parts = self._parts.setdefault(source, {})
        parts[name] = drawn
        self._sources[source].data = {
            column: [value for part in parts.values() for value in part[column]] for column in drawn
        }

    def look_at(self, start_s: float, length_s: float) -> None:
        """Show a part of the recording; what is drawn next is of it."""
        self.shown = start_s, length_s
        self.figure.x_range.update(start=start_s, end=start_s + length_s)
        names = self.names.data_source
        names.data = {**names.data, "x": [start_s] * len(names.data["x"])}

    def count_from(self, offset_s: int) -> None:
        """Write times of the day, of a recording that starts so many seconds after midnight."""
        self.figure.xaxis.formatter = clock_formatter(offset_s)

    def point_at(self, start_s: float, stop_s: float) -> None:
        """Show where the page is."""
        self.page.left, self.page.right = start_s, stop_s
        self.middle.location = (start_s + stop_s) / 2


def _columns(count: int) -> NDArray[np.int64]:
    """Which of so many values are sent: all, or evenly chosen ones."""
    if count <= MOST_COLUMNS:
        return np.arange(count)
    return np.linspace(0, count - 1, MOST_COLUMNS).round().astype(np.int64)


def _extent(time_s: NDArray[Any]) -> tuple[float, float]:
    """Left edge and width of values that stand for the times around these."""
    step = float(time_s[1] - time_s[0]) if len(time_s) > 1 else 1.0
    first = float(time_s[0]) - step / 2 if len(time_s) else 0.0
    return first, step * max(len(time_s), 1)


def _runs(known: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known, [0]])))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]
