"""A recording's timeline -> a picture of the night at a glance, and a page around it."""

from __future__ import annotations

from itertools import cycle
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from hmsstore import Spec
from hmsstore.view.page import Page
from hmstrain.errors import RESEARCH_ONLY
from hmstrain.prediction.timeline import Timeline

COLOURS = ("#D55E00", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7", "#F0E442")
"""Of the patterns in turn: Okabe and Ito's palette."""
BACKGROUND = "#DDDDDD"
"""Of the class that stands for none of them."""
LINE_S = 6 * 3600
"""A longer recording is drawn in several lines, of six hours each."""
STEPS_S = (5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Between times that are written below."""
MOST_EPISODES = 100
MISSING = ("black", "#999999")
"""Of the lines above windows that lack part of their spectrogram, and of their EEG."""


def class_colours(spec: Spec) -> list[str]:
    """Colour of each class."""
    palette = cycle(COLOURS)
    return [BACKGROUND if key == spec.background else next(palette) for key in spec.class_keys]


def draw_timeline(timeline: Timeline) -> Figure:
    """Draw the probabilities of the classes, stacked, over the recording."""
    titles = timeline.spec.class_titles
    lines = max(1, ceil(timeline.seconds / LINE_S))
    length = timeline.seconds if lines == 1 else LINE_S
    figure = Figure(figsize=(13, 1.4 + 1.7 * lines), layout="constrained")
    for number, axes in enumerate(figure.subplots(lines, 1, squeeze=False)[:, 0]):
        _draw_line(axes, timeline, number * length, (number + 1) * length)
    figure.axes[-1].set_xlabel("time from the start of the recording, hours:minutes")
    figure.legend(
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
    return figure


def _draw_line(axes: Axes, timeline: Timeline, begin_s: float, stop_s: float) -> None:
    edges = timeline.edges_s
    inside = np.flatnonzero((edges[1:] > begin_s) & (edges[:-1] < stop_s))
    axes.set_xlim(begin_s, stop_s)
    axes.set_ylim(0, 1.13)
    axes.set_yticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
    step = next((one for one in STEPS_S if (stop_s - begin_s) / one <= 13), STEPS_S[-1])
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if not len(inside):
        return
    at = np.append(edges[inside], edges[inside[-1] + 1])
    top = np.zeros(len(inside) + 1)
    for code, colour in enumerate(class_colours(timeline.spec)):
        values = timeline.prediction[inside, code]
        above = top + np.append(values, values[-1])
        axes.fill_between(at, top, above, step="post", color=colour, lw=0)
        top = above
    for height, colour, missing in zip(
        (1.04, 1.09), MISSING, (timeline.missing, timeline.eeg_missing), strict=True
    ):
        part = np.where(missing[inside] > 0, height, np.nan)
        axes.step(
            at, np.append(part, part[-1]), where="post", color=colour, lw=3, solid_capstyle="butt"
        )


def _missing_labels(spec: Spec) -> tuple[str, str]:
    """What the lines above windows say, of the spectrogram and of the EEG."""
    return "lacks part of its ten minutes", f"lacks part of its {spec.eeg.window_s:g} s of EEG"


def clock(seconds: float) -> str:
    """Hours and minutes, and seconds where there are any: '1:05', '0:00:30'."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}" + (f":{rest:02d}" if rest else "")


def make_page(timeline: Timeline, about: dict[str, str]) -> Page:
    """Put a recording on a page: picture, share of each pattern, episodes.

    Parameters
    ----------
    timeline : Timeline
    about : dict of str
        What else to tell of where the probabilities come from.
    """
    spec = timeline.spec
    page = Page(f"{timeline.file}: what a model says of it")
    page.warning(RESEARCH_ONLY)
    page.section("At a glance")
    page.figure(
        draw_timeline(timeline),
        f"Probabilities of the {len(spec.classes)} classes, stacked; each is of the "
        f"{spec.judged_s:g} seconds around its time. "
        "Under a black line the recording does not hold all of the ten minutes that the model sees "
        f"as a spectrogram, under a grey one not all of the {spec.eeg.window_s:g} seconds of EEG, "
        "so it is less sure than it says. Where nothing is drawn, more than a fifth of those "
        f"{spec.judged_s:g} seconds was not recorded.",
    )
    episodes = timeline.episodes()
    counts = [sum(one.code == code for one in episodes) for code in range(len(spec.classes))]
    longest = [
        max((one.stop_s - one.start_s for one in episodes if one.code == code), default=0.0)
        for code in range(len(spec.classes))
    ]
    rows = [
        (one.title, f"{share:.1%}", str(count) if one.key != spec.background else "",
         clock(length) if count else "")
        for one, share, count, length in zip(
            spec.classes, timeline.burden().values(), counts, longest, strict=True
        )
    ]  # fmt: skip
    page.table(
        "Most probable class", ("", "share of the time", "episodes", "longest, h:min:s"), rows
    )
    page.section("Episodes")
    page.note("Stretches in which one pattern stays the most probable; the surest first.")
    sure = sorted(episodes, key=lambda one: -one.mean)[:MOST_EPISODES]
    page.table(
        f"{len(sure):,} of {len(episodes):,}",
        ("from", "to", "pattern", "mean probability", "largest"),
        [
            (clock(one.start_s), clock(one.stop_s), one.pattern.title, f"{one.mean:.2f}",
             f"{one.largest:.2f}")
            for one in sure
        ],
    )  # fmt: skip
    page.section("Where this comes from")
    page.table("", ("", ""), list(about.items()))
    return page
