"""What was found -> figures: areas under the curve, largest distances, distributions by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hmsprep.likeness.comparison import ALL, Comparison, Realism
from hmsprep.likeness.distances import Distance
from hmsprep.qeeg.judged.measures import GROUPS, measure_of
from hmsstore.view.colours import BLUE, GREEN, GREY, ORANGE

WIDTH = 4.6
"""Inches: about the width of a phone, so that letters stay legible on it."""


def areas(found: Realism) -> Figure:
    """How well each pair of samples is told apart, the sources' in grey."""
    rows = [
        (one, name, auc, colour)
        for part, colour in ((found.comparisons, ORANGE), (found.sources, GREY))
        for one in part
        if one.test is not None
        for name, auc in one.test.models.items()
    ]
    figure = Figure(figsize=(WIDTH, 1.2 + 0.4 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, (_, _, auc, colour) in enumerate(rows):
        axes.plot([auc.low, auc.high], [place, place], color=colour, lw=3, alpha=0.4)
        axes.plot(auc.auc, place, "o", color=colour)
    axes.axvline(0.5, color="black", lw=0.8, ls=":")
    axes.set_yticks(range(len(rows)), [f"{one.title},\n{name}" for one, name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(min([0.4, *(auc.low for _, _, auc, _ in rows)]) - 0.02, 1.02)
    axes.set_xlabel("area under the ROC curve")
    _tidy(axes)
    return figure


def largest(comparison: Comparison, count: int = 25) -> Figure:
    """The largest distances of all classes together, with interval and chance."""
    rows = comparison.largest(ALL, count)
    figure = Figure(figsize=(WIDTH, 1 + 0.26 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, one in enumerate(rows):
        axes.plot([one.low, one.high], [place, place], color=BLUE, lw=3, alpha=0.35)
        axes.plot(one.distance, place, "o", color=BLUE)
        axes.plot(one.chance, place, "|", color=GREY, ms=9, mew=2)
    axes.set_yticks(range(len(rows)), [one.column for one in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("distance (grey: by chance)")
    _tidy(axes)
    return figure


def by_group(comparison: Comparison) -> Figure:
    """Distances of all measures, each question a row."""
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    rows = comparison.largest(ALL)
    for place, group in enumerate(GROUPS):
        own = [one.distance for one in rows if measure_of(one.column).group == group]
        axes.plot(own, np.full(len(own), place), "|", color=BLUE, ms=14, mew=1.5)
        if own:
            axes.plot(np.median(own), place, "D", color=ORANGE, ms=5)
    axes.set_yticks(range(len(GROUPS)), list(GROUPS.values()))
    axes.set_ylim(len(GROUPS) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("distance (a line for each measure; diamond: median)")
    _tidy(axes)
    return figure


def distributions(
    comparison: Comparison, columns: Sequence[str], keys: Sequence[str], titles: Sequence[str]
) -> Figure:
    """Median, quartiles and 5 to 95% of columns, the two samples side by side, class by class."""
    told = {(one.group, one.column): one for one in comparison.distances}
    names = dict(zip((ALL, *keys), ("all", *titles), strict=True))
    groups = [key for key in names if (key, columns[0]) in told]
    rows = (len(columns) + 1) // 2
    figure = Figure(figsize=(WIDTH, 2.1 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, column in zip(grid, columns, strict=False):
        for place, group in enumerate(groups):
            _boxes(axes, place, told[group, column])
        measure = measure_of(column)
        if measure.log:
            axes.set_yscale("log")
        unit = f", {measure.unit}" if measure.unit else ""
        axes.set_title(f"{column}{unit}", fontsize=8, loc="left")
        axes.set_xticks(
            range(len(groups)), [names[group] for group in groups], fontsize=7, parse_math=False
        )
        axes.tick_params(axis="y", which="both", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", lw=0.2, color=GREY)
    for axes in grid[len(columns) :]:
        axes.set_visible(False)
    handles = [Axes.plot(grid[0], [], [], "s", color=colour)[0] for colour in (GREEN, ORANGE)]
    legend = figure.legend(
        handles, [comparison.a.name, comparison.b.name], loc="outside upper right", ncols=2,
        fontsize=8, frameon=False,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _boxes(axes: Axes, place: int, one: Distance) -> None:
    for quantiles, shift, colour in ((one.a, -0.17, GREEN), (one.b, 0.17, ORANGE)):
        low, first, middle, third, high = quantiles
        at = place + shift
        axes.plot([at, at], [low, high], color=colour, lw=1)
        axes.plot([at, at], [first, third], color=colour, lw=6, alpha=0.5, solid_capstyle="butt")
        axes.plot(at, middle, "o", color=colour, ms=4)


def amplitudes(comparison: Comparison) -> Figure:
    """Amplitude of each electrode and of each pair, all classes."""
    figure = Figure(figsize=(WIDTH, 5.4), layout="constrained")
    told = [one for one in comparison.distances if one.group == ALL]
    own = [one for one in told if one.column.startswith("amplitude.")]
    for axes, pairs in zip(figure.subplots(2, 1), (False, True), strict=True):
        shown = [one for one in own if ("-" in one.column) == pairs]
        for place, one in enumerate(shown):
            _boxes(axes, place, one)
        labels = [one.column.split(".")[1] for one in shown]
        axes.set_xticks(range(len(shown)), labels, rotation=90, fontsize=6)
        axes.set_yscale("log")
        axes.tick_params(axis="y", which="both", labelsize=7)
        axes.set_title(
            f"{'pairs' if pairs else 'electrodes'}, uV: {comparison.a.name} green, "
            f"{comparison.b.name} orange", fontsize=8, loc="left", parse_math=False,
        )  # fmt: skip
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", lw=0.2, color=GREY)
    return figure


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_fontsize(8)
    axes.grid(axis="x", lw=0.2, color=GREY)
    axes.set_axisbelow(True)
