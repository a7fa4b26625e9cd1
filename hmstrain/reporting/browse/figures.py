"""A window -> Bokeh figures of its traces, spectrograms and votes, which are updated in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.events import RangesUpdate
from bokeh.models import (
    BoxAnnotation,
    ColorBar,
    ColumnDataSource,
    CustomJS,
    FactorRange,
    FixedTicker,
    Legend,
    LinearColorMapper,
    Range1d,
    Span,
)
from bokeh.palettes import Magma256
from bokeh.plotting import figure
from bokeh.transform import dodge
from numpy.typing import NDArray

from hmsstore.montage import CHAIN_TITLES
from hmsstore.schema import (
    EEG,
    FREQUENCIES_HZ,
    JUDGED_S,
    REGIONS,
)
from hmsstore.view import MONTAGES, Display, Importance
from hmsstore.view.colours import BLUE, GREEN, MISSING, ORANGE, SIDES
from hmsstore.view.eeg import CUT, fitting_step, shown_traces, to_height, trace_places
from hmsstore.view.spectrogram import BIN_HZ, EDGES_HZ, MINUTES, SCALE_DB, UNIT, decibels

DARKEST, FAINT = 0.7, 0.2
"""Opacity of what is most important, and in a map that cannot be trusted."""
THINNED = 8
"""A trace shows the smallest and largest of so many samples: 0.04 s, less than a pixel."""
CLOSE_S = 20.0
"""Length of the visible time below which a trace shows every sample."""


class Traces:
    """Stacked EEG traces, in steps of their spacing: negative up, as clinicians draw them."""

    def __init__(self, judged_s: float = JUDGED_S) -> None:
        self.judged_s = judged_s
        middle = EEG.window_s / 2
        self.figure = figure(
            name="eeg",
            height=660,
            sizing_mode="stretch_width",
            x_range=Range1d(0, EEG.window_s, bounds=(0, EEG.window_s), min_interval=1),
            y_range=Range1d(20, -2),
            tools="xpan,xwheel_zoom,reset,save",
            active_drag="xpan",
            active_scroll="xwheel_zoom",
            output_backend="canvas",
        )
        self.figure.xaxis.axis_label = f"seconds; shaded: the {judged_s:g} s that raters judged"
        self.figure.ygrid.visible = False
        self.figure.add_layout(
            BoxAnnotation(
                left=middle - judged_s / 2, right=middle + judged_s / 2, fill_color="gold",
                fill_alpha=0.2, line_color=None, level="underlay",
            )
        )  # fmt: skip
        self.strips = ColumnDataSource({"image": [], "y": []})
        self.figure.image_rgba(
            image="image", x=0, y="y", dw=EEG.window_s, dh=1, source=self.strips, level="underlay"
        )
        self.lines = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self._seconds, self._ys = np.empty(0, np.float32), np.empty((0, 0), np.float32)
        self._colours: list[str] = []
        self._close = False
        self.figure.multi_line("xs", "ys", line_color="colour", line_width=0.8, source=self.lines)
        self.figure.on_event(RangesUpdate, self._zoomed)

    def draw(
        self, eeg_uv: NDArray[np.float32], display: Display, importance: Importance | None
    ) -> float:
        """Draw a window; return the spacing in microvolts."""
        montage = MONTAGES[display.montage]
        traces, ekg, seconds = shown_traces(eeg_uv, display)
        step = display.spacing_uv or fitting_step(traces)
        *places, ekg_place = trace_places(montage)
        shown = np.clip(traces / step, -CUT, CUT) + places
        self._ys = np.vstack([shown.T, ekg_place - to_height(ekg, 0.8)]).astype(np.float32)
        self._seconds = seconds.astype(np.float32)
        self._colours = [*(SIDES.get(side, "#777777") for side in montage.sides), "#999999"]
        self._draw_lines()
        labels = [*montage.labels, "EKG"]
        ticks = [round(place, 3) for place in (*places, ekg_place)]
        axis = self.figure.yaxis[0]
        axis.ticker = FixedTicker(ticks=ticks)
        axis.major_label_overrides = dict(zip(ticks, labels, strict=True))
        self.figure.y_range.start = ekg_place + 1.2
        self._shade(labels, [*montage.groups, "EKG"], [*places, ekg_place], importance)
        cut = ", cut off at their neighbours" if (np.abs(traces) > CUT * step).any() else ""
        self.figure.title.text = f"{step:g} uV apart, {display.filters},\nnegative up{cut}"
        return step

    def _zoomed(self, event: RangesUpdate) -> None:
        close = event.x1 - event.x0 < CLOSE_S
        if close != self._close:
            self._close = close
            self._draw_lines()

    def _draw_lines(self) -> None:
        """Send every sample, or only as many as the picture of the whole window needs."""
        ys, seconds = self._ys, self._seconds
        if not self._close:
            ys, seconds = thinned(ys), seconds[: ys.shape[1] // THINNED * THINNED : THINNED // 2]
        self.lines.data = {"xs": [seconds] * len(ys), "ys": list(ys), "colour": self._colours}

    def _shade(
        self,
        labels: list[str],
        groups: list[str],
        places: list[float],
        importance: Importance | None,
    ) -> None:
        if importance is None or not importance.traces:
            self.strips.data = {"image": [], "y": []}
            return
        darkest = max(float(strip.max()) for strip in importance.traces.values())
        images, at = [], []
        for label, group, place in zip(labels, groups, places, strict=True):
            strip = importance.of_trace(label, group)
            if strip is not None:
                share = _over_window(strip, importance) / max(darkest, 1e-9)
                images.append(_tinted(share, GREEN, importance))
                at.append(place - 0.5)
        self.strips.data = {"image": images, "y": at}


class Spectrograms:
    """The four regions one below the other, on one colour scale, with a cursor."""

    def __init__(self, traces: Traces) -> None:
        count = len(REGIONS)
        self.figure = figure(
            name="spectrograms",
            height=470,
            sizing_mode="stretch_width",
            x_range=Range1d(-MINUTES, MINUTES, bounds=(-MINUTES, MINUTES)),
            y_range=Range1d(0, count),
            tools="",
            toolbar_location=None,
        )
        low, high = SCALE_DB
        self.mapper = LinearColorMapper(palette=Magma256, low=low, high=high, nan_color=MISSING)
        self.source, self.tint = (ColumnDataSource({"image": []}) for _ in range(2))
        extent = {"x": -MINUTES, "y": 0, "dw": 2 * MINUTES, "dh": count}
        self.figure.image("image", source=self.source, color_mapper=self.mapper, **extent)
        self.figure.image_rgba("image", source=self.tint, **extent)
        bar = ColorBar(color_mapper=self.mapper, title=UNIT, height=10, width=200)
        self.figure.add_layout(bar, "above")
        self.figure.text(
            x=[-MINUTES] * count, y=[count - n - 0.02 for n in range(count)],
            text=[f" {region}: {CHAIN_TITLES[region]}" for region in REGIONS],
            text_baseline="top", text_color="white", text_font_size="12px",
            background_fill_color="black", background_fill_alpha=0.5,
        )  # fmt: skip
        lines = [(edge, "height", "dotted") for edge in _edges(EEG.window_s)]
        lines += [(edge, "height", "solid") for edge in _edges(traces.judged_s)]
        lines += [(float(edge), "width", "solid") for edge in range(1, count)]
        for place, across, dash in lines:
            self.figure.add_layout(
                Span(location=place, dimension=across, line_color="white", line_dash=dash)
            )
        cursor = Span(location=0, dimension="height", line_color="cyan")
        self.figure.add_layout(cursor)
        ticks = {}
        for number in range(count):
            for frequency in (5, 10, 15):
                share = (frequency - EDGES_HZ[0]) / (BIN_HZ * len(FREQUENCIES_HZ))
                ticks[round(count - 1 - number + share, 3)] = str(frequency)
        self.figure.yaxis.ticker = FixedTicker(ticks=list(ticks))
        self.figure.yaxis.major_label_overrides = ticks
        self.figure.yaxis.axis_label = "Hz"
        self.figure.xaxis.axis_label = "minutes from the centre; dotted: EEG, solid: judged"
        follow = "cursor.location = (cb_obj.x - middle) / 60"
        traces.figure.js_on_event(
            "mousemove", CustomJS(args={"cursor": cursor, "middle": EEG.window_s / 2}, code=follow)
        )

    def draw(self, log_power: NDArray[np.float32], importance: Importance | None) -> None:
        """Draw a window, (300, 400)."""
        self.source.data = {"image": [_stacked(decibels(log_power))]}
        if importance is None or importance.spectrogram is None:
            self.tint.data = {"image": []}
            return
        whole = importance.whole_spectrogram()
        share = _stacked(whole / max(float(whole.max()), 1e-9))
        self.tint.data = {"image": [_tinted(share**2, "#00FFFF", importance)]}


class Votes:
    """Share of raters for each class, and the model's probability."""

    def __init__(self, titles: Sequence[str], *, model: bool) -> None:
        self.titles = list(titles)
        self.source = ColumnDataSource({"title": [], "votes": [], "model": []})
        self.figure = figure(
            name="votes",
            height=200,
            sizing_mode="stretch_width",
            x_range=Range1d(0, 1.02),
            y_range=FactorRange(*reversed(titles)),
            tools="",
            toolbar_location=None,
        )
        bars = [("votes", 0.2, BLUE, "share of raters"), ("model", -0.2, ORANGE, "model")]
        if not model:
            bars = [("votes", 0.0, BLUE, "share of raters")]
        items = []
        for column, shift, colour, word in bars:
            bar = self.figure.hbar(
                y=dodge("title", shift, range=self.figure.y_range), right=column,
                height=0.76 / len(bars), source=self.source, color=colour,
            )  # fmt: skip
            items.append((word, [bar]))
        legend = Legend(items=items, orientation="horizontal", border_line_color=None, margin=0)
        self.figure.add_layout(legend, "above")
        self.figure.xaxis.ticker = FixedTicker(ticks=[0, 0.25, 0.5, 0.75, 1])

    def draw(self, votes: NDArray[np.int32], prediction: NDArray[np.float64]) -> None:
        """Draw votes (K,) and probabilities (K,), NaN where there are none."""
        share = votes / max(int(votes.sum()), 1)
        self.source.data = {
            "title": self.titles,
            "votes": share.tolist(),
            "model": np.nan_to_num(prediction).tolist(),
        }


def thinned(traces: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep the smallest and largest of every `THINNED` samples, in order: (C, T) -> (C, T/4).

    No spike is lost, as it would be if samples were left out.
    """
    channels, samples = traces.shape
    bins = traces[:, : samples // THINNED * THINNED].reshape(channels, -1, THINNED)
    places = np.sort(np.stack([bins.argmin(axis=2), bins.argmax(axis=2)], axis=2), axis=2)
    return np.take_along_axis(bins, places, axis=2).reshape(channels, -1)


def _edges(seconds: float) -> tuple[float, float]:
    """Start and end of a stretch around the centre, in minutes."""
    return -seconds / 120, seconds / 120


def _stacked(log_power: NDArray[np.float32]) -> NDArray[np.float32]:
    """(300, 400) -> (400, 300) from the bottom up: the last region's lowest frequency first."""
    regions = np.split(log_power.T, len(REGIONS))
    return np.concatenate(regions[::-1])


def _over_window(strip: NDArray[np.float32], importance: Importance) -> NDArray[np.float64]:
    """Importance over the whole window in 500 steps; 0 where the network saw nothing."""
    seconds = (np.arange(500) + 0.5) / 500 * EEG.window_s
    begin = (EEG.window_s - importance.eeg_seconds) / 2
    place = ((seconds - begin) / importance.eeg_seconds * len(strip)).astype(int)
    inside = (seconds >= begin) & (place < len(strip))
    return np.where(inside, strip[np.clip(place, 0, len(strip) - 1)], 0.0)


def _tinted(share: NDArray[Any], colour: str, importance: Importance) -> NDArray[np.uint32]:
    """Opacity from 0 to 1 -> an image (H, W) of one colour, as Bokeh wants it."""
    share = np.atleast_2d(share)
    image = np.empty((*share.shape, 4), np.uint8)
    image[..., :3] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    opacity = DARKEST if importance.trusted else FAINT
    image[..., 3] = (255 * opacity * np.clip(share, 0, 1)).astype(np.uint8)
    return image.view(np.uint32)[..., 0]
