"""A comparison -> its scores and differences with their intervals, drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hmsstore.view.colours import BLUE, GREY, ORANGE
from hmstrain.scoring.comparison.results import Comparison

DRAWN = ("kl", "kl_votes", "kl_hi", "accuracy", "balanced_accuracy", "f1_macro", "kappa")
"""Scores that have a row of the figure, where there are any."""
LONGEST = 48
"""Characters of a name in a figure."""
Span = tuple[float, float] | None


def forest(found: Comparison) -> Figure:
    """Draw each model's scores at the left, and its differences to the reference at the right."""
    shown = [
        key
        for key in DRAWN
        if any(model.scores.get(key) is not None for model in found.models.values())
    ]
    names = list(found.models)
    height = 0.28 * len(names) + 0.75
    figure = Figure(figsize=(9, height * len(shown) + 0.4), layout="constrained")
    grid = figure.subplots(len(shown), 2, squeeze=False)
    for row, key in enumerate(shown):
        levels, differences = grid[row]
        scores = [model.scores for model in found.models.values()]
        _points(
            levels, [one.get(key) for one in scores], [one.intervals.get(key) for one in scores]
        )
        labels = [short(name) for name in names]
        levels.set_yticks(range(len(names)), labels, fontsize=8, parse_math=False)
        population = found.populations.get(key, found.populations["kl"])
        levels.set_title(f"{key}, {population.rows:,} rows", fontsize=9, loc="left")
        others = [found.differences.get(name, {}).get(key) for name in names]
        _points(
            differences,
            [None if one is None else one.difference for one in others],
            [None if one is None else one.interval for one in others],
            [None if one is None else one.simultaneous for one in others],
        )
        differences.axvline(0, color=GREY, lw=1, ls="--")
        differences.set_yticks(range(len(names)), [""] * len(names))
        differences.set_title(
            f"less {short(found.reference)}", fontsize=9, loc="left", parse_math=False
        )
    return figure


def short(name: str) -> str:
    """A name that leaves room for what it names."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 + 1 :]}"


def _points(
    axis: Axes,
    values: Sequence[float | None],
    spans: Sequence[Span],
    wider: Sequence[Span] | None = None,
) -> None:
    """Draw points with intervals from top to bottom; wider intervals as thin lines behind."""
    for place, (value, span) in enumerate(zip(values, spans, strict=True)):
        if wider is not None and (outer := wider[place]) is not None:
            axis.plot(outer, [place, place], color=ORANGE, lw=1)
        if span is not None:
            axis.plot(span, [place, place], color=BLUE, lw=2.5, solid_capstyle="butt")
        axis.plot(np.nan if value is None else value, place, "o", color="black", ms=4)
    axis.set_ylim(len(values) - 0.4, -0.6)
    axis.tick_params(axis="x", labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
