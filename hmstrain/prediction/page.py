"""A recording's timeline -> a picture of the night at a glance, and a page around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from hmsstore import Spec
from hmsstore.view.colours import class_colours
from hmsstore.view.page import Page
from hmstrain.errors import RESEARCH_ONLY
from hmstrain.prediction.episodes import TIME_ROUNDING_S, Episode, EpisodeRule, heading
from hmstrain.prediction.leaving import caveat_words, doubts_of
from hmstrain.prediction.timeline import Timeline
from hmstrain.words import clock

LINE_S = 6 * 3600
"""A longer recording is drawn in several lines, of six hours each."""
STEPS_S = (5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Between times that are written below."""
MOST_EPISODES = 100
MISSING = ("black", "#999999")
"""Of the lines above windows that lack part of their spectrogram, and of their EEG."""


def draw_timeline(timeline: Timeline) -> Figure:
    """Draw the probabilities of the classes, stacked, over the recording."""
    titles = [heading(one) for one in timeline.spec.classes]
    lines = max(1, ceil(timeline.seconds / LINE_S))
    length = timeline.seconds if lines == 1 else LINE_S
    figure = Figure(figsize=(13, 1.4 + 1.7 * lines), layout="constrained")
    for number, axes in enumerate(figure.subplots(lines, 1, squeeze=False)[:, 0]):
        _draw_line(axes, timeline, number * length, (number + 1) * length)
    figure.axes[-1].set_xlabel("time from the start of the recording, h:mm:ss")
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
    spans = timeline.spans_s
    inside = np.flatnonzero((spans[:, 1] > begin_s) & (spans[:, 0] < stop_s))
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


def make_page(
    timeline: Timeline,
    rule: EpisodeRule,
    about: dict[str, str],
    episodes: Sequence[Episode] | None = None,
) -> Page:
    """Put a recording on a page: picture, share of windows of each class, episodes.

    Parameters
    ----------
    timeline : Timeline
    rule : EpisodeRule
        What makes an episode.
    about : dict of str
        What else to tell of where the probabilities come from.
    episodes : sequence of Episode, optional
        By default those of the timeline.
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
    episodes = timeline.episodes(rule) if episodes is None else episodes
    _add_classes(page, timeline, rule, episodes)
    page.section("Episodes")
    page.note(f"Stretches of {rule.words}; the surest first. No reader has seen them.")
    if words := "; ".join(caveat_words(timeline.caveats)):
        page.warning(f"Every episode rests on channels that were not recorded as shown: {words}.")
    sure = sorted(episodes, key=lambda one: -one.mean)[:MOST_EPISODES]
    page.table(
        f"{len(sure):,} of {len(episodes):,}; times in h:mm:ss",
        ("from", "to", "length", "model's answer", "mean probability", "largest",
         "not recorded as shown"),
        [
            (clock(one.start_s), clock(one.stop_s), clock(one.seconds), heading(one.pattern),
             f"{one.mean:.2f}", f"{one.largest:.2f}", "; ".join(doubts_of(one)) or "-")
            for one in sure
        ],
    )  # fmt: skip
    page.section("Where this comes from")
    page.table("", ("", ""), list(about.items()))
    return page


def _add_classes(
    page: Page, timeline: Timeline, rule: EpisodeRule, episodes: Sequence[Episode]
) -> None:
    """Add the table of classes: share of windows, number of episodes, the longest."""
    spec = timeline.spec
    rows = []
    for one, share in zip(spec.classes, timeline.share_over_threshold(rule).values(), strict=True):
        lengths = [found.seconds for found in episodes if found.pattern == one]
        count = "" if one.key == spec.background else str(len(lengths))
        longest = clock(max(lengths)) if lengths else ""
        rows.append((heading(one), f"{share:.1%}", count, longest))
    page.table(
        "By class",
        ("", "share of windows over the threshold", "episodes", "longest, h:mm:ss"),
        rows,
    )
    smoothed = f" averaged over {rule.smoothing_s:g} s" if rule.smoothing_s else ""
    page.note(
        f"A window is over the threshold where the probability{smoothed} is {rule.threshold:.2f} "
        "or more. This is the model's own figure, not the burden or prevalence of ACNS 2021, which "
        "are of events that a reader accepted."
    )
