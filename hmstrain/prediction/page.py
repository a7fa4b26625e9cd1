"""A recording's timeline -> a picture of the night at a glance, and a page around it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import ceil
from textwrap import shorten

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from hmsstore import Spec
from hmsstore.view.colours import MISSING as GAP
from hmsstore.view.colours import POWER_MAP, class_colours
from hmsstore.view.page import Page
from hmsstore.view.spectrogram import SCALE_DB, UNIT
from hmstrain.errors import RESEARCH_ONLY
from hmstrain.prediction.beside import time_of_day
from hmstrain.prediction.episodes import TIME_ROUNDING_S, Episode, EpisodeRule, heading
from hmstrain.prediction.leaving import caveat_words, doubts_of
from hmstrain.prediction.timeline import Timeline
from hmstrain.words import clock

LINE_S = 6 * 3600
"""A longer recording is drawn in several lines, of six hours each."""
STEPS_S = (5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Between times that are written below."""
MOST_EPISODES, MOST_NOTES = 100, 200
NOTES_HEIGHT, POWER_HEIGHT = 0.4, 0.7
"""Inches of the rows below the probabilities."""
NOTE_ROWS, NOTE_LETTERS, NOTE_LONGEST = 3, 200, 28
"""Rows of notes, letters that fit into one of them, letters of a note that are written."""
MOST_MARKS = 2_000
"""Of notes without room for their text, in a line: about one per pixel."""
LINES = {"spectrogram": "lower", "eeg": "upper"}
"""Above windows that lack part of a signal."""
MISSING = ("black", "#999999")
"""Their colours."""


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
        text = shorten(note.text, NOTE_LONGEST, placeholder=" ...")
        wide_s = (len(text) + 2) * letter_s
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
            fontsize=7, va="center", ha="right" if left else "left",
        )  # fmt: skip
    axes.vlines([*unwritten.values()], 0, NOTE_ROWS, color="#999999", lw=0.6, zorder=0)


def _draw_power(
    axes: Axes,
    timeline: Timeline,
    side: str,
    db: NDArray[np.float32],
    begin_s: float,
    stop_s: float,
) -> QuadMesh:
    """Draw the spectrogram of one side; grey where nothing was recorded."""
    _time_axis(axes, timeline, begin_s, stop_s)
    axes.axvspan(begin_s, min(stop_s, timeline.seconds), color=GAP, lw=0)
    axes.set_ylabel(f"{side}\nHz", fontsize=8)
    spans = timeline.spans_s
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


def make_page(
    timeline: Timeline,
    rule: EpisodeRule,
    about: dict[str, str],
    episodes: Sequence[Episode] | None = None,
    limits: Sequence[str] = (),
    beyond: Collection[str] = ("eeg", "spectrogram"),
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
    limits : sequence of str
        What must be said of the runs; where there is something, the page shows no episodes.
    beyond : collection of str
        Signals of which a run looks at more than the judged seconds.
    """
    spec = timeline.spec
    page = Page(f"{timeline.file}: answers of a model")
    for one in (*limits, RESEARCH_ONLY):
        page.warning(one)
    page.section("At a glance")
    page.figure(
        draw_timeline(timeline),
        f"Probabilities of the {len(spec.classes)} classes, stacked; each is of the "
        f"{spec.judged_s:g} seconds around its time. "
        "Under the lower of the two lines above, the recording does not hold all of the ten "
        "minutes of a window's spectrogram, under the upper one not all of its "
        f"{spec.eeg.window_s:g} seconds of EEG. "
        f"{_less_sure(spec, beyond)} Where nothing is drawn, more than a fifth of those "
        f"{spec.judged_s:g} seconds was not recorded." + _below(timeline),
    )
    if not limits:
        episodes = timeline.episodes(rule) if episodes is None else episodes
        _add_episodes(page, timeline, rule, episodes)
    of_day = ("time of day",) if timeline.start is not None else ()
    if timeline.notes:
        page.section("Notes in the recording")
        shown = timeline.notes[:MOST_NOTES]
        page.table(
            f"{len(shown):,} of {len(timeline.notes):,}; times in h:mm:ss",
            ("at", *of_day, "note"),
            [
                (clock(one.onset_s), *(time_of_day(one.onset_s, timeline.start) for _ in of_day),
                 one.text)
                for one in shown
            ],
        )  # fmt: skip
    page.section("Where this comes from")
    page.table("", ("", ""), list(about.items()))
    return page


def _less_sure(spec: Spec, beyond: Collection[str]) -> str:
    """Say where windows that lack something make a model less sure: where it looks at that."""
    if not beyond:
        return (
            f"The model looks at the {spec.judged_s:g} judged seconds alone, so neither line makes "
            "it less sure."
        )
    lines = [line for name, line in LINES.items() if name in beyond]
    sure = f"The model is less sure under the {' or the '.join(lines)} line than it says"
    others = [line for name, line in LINES.items() if name not in beyond]
    return f"{sure}; the {others[0]} one does not concern it." if others else f"{sure}."


def _add_episodes(
    page: Page, timeline: Timeline, rule: EpisodeRule, episodes: Sequence[Episode]
) -> None:
    """Add the classes and the surest episodes."""
    _add_classes(page, timeline, rule, episodes)
    page.section("Episodes")
    if not episodes:
        page.text(f"There is no stretch of {rule.words}.")
        return
    page.note(f"Stretches of {rule.words}; the surest first. No reader has seen them.")
    if words := "; ".join(caveat_words(timeline.caveats)):
        page.warning(f"Every episode rests on channels that were not recorded as shown: {words}.")
    sure = sorted(episodes, key=lambda one: -one.mean)[:MOST_EPISODES]
    of_day = ("time of day",) if timeline.start is not None else ()
    page.table(
        f"{len(sure):,} of {len(episodes):,}; times in h:mm:ss",
        ("from", "to", *of_day, "length", "model's answer", "mean probability", "largest",
         "not recorded as shown"),
        [
            (clock(one.start_s), clock(one.stop_s),
             *(time_of_day(one.start_s, timeline.start) for _ in of_day),
             clock(one.seconds), heading(one.pattern),
             f"{one.mean:.2f}", f"{one.largest:.2f}", "; ".join(doubts_of(one)) or "-")
            for one in sure
        ],
    )  # fmt: skip


def _below(timeline: Timeline) -> str:
    """What stands below the probabilities, for their caption."""
    said = []
    if timeline.notes:
        said.append("notes of the recorder's file, as far as there is room")
    if timeline.powers is not None:
        said.append(
            f"power of the chains of the left and the right, {UNIT}, on a fixed scale, grey where "
            "nothing was recorded"
        )
    return f" Below stand {' and '.join(said)}." if said else ""


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
