"""A recording's timeline -> a picture of the night at a glance."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import accumulate
from math import ceil
from unicodedata import east_asian_width

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from hmsstore import Spec
from hmsstore.view.colours import MISSING as GAP
from hmsstore.view.colours import POWER_MAP, class_colours
from hmsstore.view.spectrogram import SCALE_DB, UNIT
from hmstrain.prediction.beside import time_of_day
from hmstrain.prediction.episodes import TIME_ROUNDING_S, heading
from hmstrain.prediction.timeline import Timeline

LINE_S = 6 * 3600
"""A longer recording is drawn in several lines, of six hours each."""
STEPS_S = (5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Between times that are written below."""
NOTES_HEIGHT, POWER_HEIGHT = 0.4, 0.7
"""Inches of the rows below the probabilities."""
NOTE_ROWS, NOTE_LETTERS, NOTE_LONGEST = 3, 200, 28
"""Rows of notes, letters that fit into one of them, letters of a note that are written."""
CUT, NO_GLYPH = " ...", "\N{WHITE SQUARE}"
"""Stand for the rest of a note, and for a letter that no font has."""
FAMILIES = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR",
    "Source Han Sans", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "IPAexGothic", "Hiragino Sans",
    "PingFang SC", "Apple SD Gothic Neo", "Arial Unicode MS", "Yu Gothic", "Microsoft YaHei",
    "Malgun Gothic",
)  # fmt: skip
"""Fonts of Chinese, Japanese and Korean, for letters that the usual one lacks."""
MOST_MARKS = 2_000
"""Of notes without room for their text, in a line: about one per pixel."""
MISSING = ("black", "#999999")
"""Colours of the lines above windows that lack part of the spectrogram, and of the EEG."""


def draw_timeline(timeline: Timeline) -> Figure:
    """Draw the probabilities of the classes, stacked, over the recording.

    Below each line of them stand the notes of the recorder's file and the spectrogram of the left
    and the right, where there are any.
    """
    titles = [heading(one) for one in timeline.spec.classes]
    lines = max(1, ceil(timeline.seconds / LINE_S))
    length = timeline.seconds if lines == 1 else LINE_S
    heights = [1.7]
    heights += [NOTES_HEIGHT] * bool(timeline.notes)
    heights += [] if timeline.powers is None else [POWER_HEIGHT] * len(timeline.powers.db)
    rows = len(heights)
    figure = Figure(figsize=(13, 1.4 + lines * sum(heights)), layout="constrained")
    grid = figure.subplots(lines * rows, 1, squeeze=False, height_ratios=heights * lines)[:, 0]
    for number in range(lines):
        axes, *below = grid[number * rows : (number + 1) * rows]
        begin_s, stop_s = number * length, (number + 1) * length
        _draw_line(axes, timeline, begin_s, stop_s)
        if timeline.notes:
            _draw_notes(below.pop(0), timeline, begin_s, stop_s)
        if timeline.powers is not None:
            for axis, (side, db) in zip(below, timeline.powers.db.items(), strict=True):
                image = _draw_power(axis, timeline, side, db, begin_s, stop_s)
        for axis in grid[number * rows : (number + 1) * rows - 1]:
            axis.tick_params(labelbottom=False)
    if timeline.powers is not None:
        bar = figure.colorbar(image, ax=list(grid), aspect=40, pad=0.01, shrink=0.6)
        bar.set_label(UNIT, fontsize=8)
        bar.ax.tick_params(labelsize=8)
    words = "time from the start of the recording, h:mm:ss"
    grid[-1].set_xlabel(words if timeline.start is None else "time of day, hh:mm:ss")
    legend = figure.legend(
        handles=[
            Patch(color=colour, label=title)
            for colour, title in zip(class_colours(timeline.spec), titles, strict=True)
        ]
        + [
            Line2D([], [], color=colour, lw=3, label=label)
            for colour, label in zip(MISSING, _missing_labels(timeline.spec), strict=True)
        ],
        loc="outside upper center", ncols=len(titles) + 2, fontsize=9, frameon=False,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _time_axis(axes: Axes, timeline: Timeline, begin_s: float, stop_s: float) -> None:
    axes.set_xlim(begin_s, stop_s)
    step = next((one for one in STEPS_S if (stop_s - begin_s) / one <= 13), STEPS_S[-1])
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda seconds, _: time_of_day(seconds, timeline.start).partition(" ")[0])
    )
    axes.tick_params(labelsize=8)


def _draw_notes(axes: Axes, timeline: Timeline, begin_s: float, stop_s: float) -> None:
    """Mark notes; write beside them what there is room for."""
    _time_axis(axes, timeline, begin_s, stop_s)
    axes.set_ylim(NOTE_ROWS, 0)
    axes.set_yticks([])
    axes.set_ylabel("notes", fontsize=8, rotation=0, ha="right", va="center")
    axes.spines[["top", "right", "left"]].set_visible(False)
    families, glyphs = _fonts()
    letter_s = (stop_s - begin_s) / NOTE_LETTERS
    free = [begin_s] * NOTE_ROWS
    unwritten: dict[int, float] = {}
    for note in timeline.notes:
        if not begin_s <= note.onset_s < stop_s:
            continue
        place = int((note.onset_s - begin_s) / (stop_s - begin_s) * MOST_MARKS)
        if min(free) > note.onset_s:
            unwritten.setdefault(place, note.onset_s)
            continue
        text = _shortened("".join(one if ord(one) in glyphs else NO_GLYPH for one in note.text))
        wide_s = (_width(text) + 2) * letter_s
        left = note.onset_s + wide_s > stop_s  # at the right end the text stands before its mark
        first = note.onset_s - wide_s * left
        row = next((n for n, at in enumerate(free) if at <= first), None)
        if row is None:
            unwritten.setdefault(place, note.onset_s)
            continue
        free[row] = first + wide_s
        axes.plot([note.onset_s] * 2, [row, row + 1], color="black", lw=0.8)
        axes.text(
            note.onset_s + letter_s / 2 * (-1 if left else 1),
            row + 0.5,
            text.replace("$", r"\$"),  # which would begin a formula
            fontsize=7, family=families, va="center", ha="right" if left else "left",
        )  # fmt: skip
    axes.vlines([*unwritten.values()], 0, NOTE_ROWS, color="#999999", lw=0.6, zorder=0)


@cache
def _fonts() -> tuple[list[str], frozenset[int]]:
    """Families of the fonts in which notes are written, and the letters that these have."""
    installed = {font.name for font in fontManager.ttflist}
    families = [*FontProperties().get_family(), *(name for name in FAMILIES if name in installed)]
    fonts = (get_font(findfont(FontProperties(family=[name]))) for name in families)
    return families, frozenset(code for font in fonts for code in font.get_charmap())


def _shortened(text: str) -> str:
    """Cut a note to what is written of it."""
    if _width(text) <= NOTE_LONGEST:
        return text
    widths = accumulate(map(_width, text))
    kept = sum(width <= NOTE_LONGEST - len(CUT) for width in widths)
    return text[:kept].rstrip() + CUT


def _width(text: str) -> int:
    """Count letters; those of Chinese, Japanese and Korean twice."""
    return sum(1 + (one == NO_GLYPH or east_asian_width(one) in "WF") for one in text)


def _draw_power(
    axes: Axes,
    timeline: Timeline,
    side: str,
    db: NDArray[np.float32],
    begin_s: float,
    stop_s: float,
) -> QuadMesh:
    """Draw the spectrogram of one side; grey where nothing was recorded, nothing at the ends."""
    _time_axis(axes, timeline, begin_s, stop_s)
    axes.set_ylabel(f"{side}\nHz", fontsize=8)
    spans = timeline.spans_s
    if len(spans):  # before and behind there may be EEG, but there is no window
        first_s, last_s = np.clip((spans[0, 0], spans[-1, 1]), begin_s, stop_s)
        axes.axvspan(first_s, last_s, color=GAP, lw=0)
    inside = np.flatnonzero((spans[:, 1] > begin_s) & (spans[:, 0] < stop_s))
    apart = np.flatnonzero(spans[inside][1:, 0] - spans[inside][:-1, 1] > TIME_ROUNDING_S) + 1
    # A column without values stands for the time between two windows that are apart.
    columns = np.insert(db[inside].astype(np.float64), apart, np.nan, axis=0)
    starts = np.insert(spans[inside, 0], apart, spans[inside][apart - 1, 1])
    edges_s = np.append(starts, spans[inside[-1:], 1] if len(inside) else begin_s)
    hz = timeline.powers.hz if timeline.powers is not None else np.arange(db.shape[1])
    step = hz[1] - hz[0]
    edges_hz = np.append(hz - step / 2, hz[-1] + step / 2)
    if not len(inside):
        edges_s, columns = np.asarray([begin_s, stop_s]), np.full((1, len(hz)), np.nan)
    axes.set_ylim(edges_hz[0], edges_hz[-1])
    return axes.pcolormesh(
        edges_s, edges_hz, np.ma.masked_invalid(columns.T), cmap=POWER_MAP, vmin=SCALE_DB[0],
        vmax=SCALE_DB[1], rasterized=True,
    )  # fmt: skip


def _draw_line(axes: Axes, timeline: Timeline, begin_s: float, stop_s: float) -> None:
    spans = timeline.spans_s
    inside = np.flatnonzero((spans[:, 1] > begin_s) & (spans[:, 0] < stop_s))
    _time_axis(axes, timeline, begin_s, stop_s)
    axes.set_ylim(0, 1.13)
    axes.set_yticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if not len(inside):
        return
    at, drawn = _steps(spans[inside])
    top = np.zeros(len(at))
    for code, colour in enumerate(class_colours(timeline.spec)):
        above = top + drawn(timeline.prediction[inside, code])
        axes.fill_between(at, top, above, color=colour, lw=0)
        top = above
    for height, colour, missing in zip(
        (1.04, 1.09), MISSING, (timeline.missing, timeline.eeg_missing), strict=True
    ):
        part = drawn(np.where(missing[inside] > 0, height, np.nan))
        axes.plot(at, part, color=colour, lw=3, solid_capstyle="butt")


def _steps(
    spans_s: NDArray[np.float64],
) -> tuple[NDArray[np.float64], Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """Where windows' values are drawn, from start to stop of each, and what draws them so.

    Nothing is drawn where time lies between two windows.
    """
    apart = np.flatnonzero(spans_s[1:, 0] - spans_s[:-1, 1] > TIME_ROUNDING_S) + 1

    def drawn(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.insert(np.repeat(values, 2), 2 * apart, np.nan)

    return np.insert(spans_s.ravel(), 2 * apart, spans_s[apart, 0]), drawn


def _missing_labels(spec: Spec) -> tuple[str, str]:
    """What the lines above windows say, of the spectrogram and of the EEG."""
    return "lacks part of its ten minutes", f"lacks part of its {spec.eeg.window_s:g} s of EEG"
