"""A run's scores and log -> pictures, as matplotlib figures; `draw_run` saves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from hmsstore.view.colours import BLUE, GREEN, GREY, ORANGE
from hmsstore.view.saving import save
from hmstrain.runs.log import LOG, read_metrics
from hmstrain.runs.outcome import Outcome

RELIABILITY_BINS = 10
MOST_EPOCHS = 12
"""Number of epochs that are marked above curves at most; of more, every second, third ..."""


def draw_run(folder: Path, outcome: Outcome) -> None:
    """Draw the curves and the confusion of a run into its folder."""
    baseline = None if outcome.constant is None else outcome.constant.get("kl_votes")
    lines = read_metrics(folder / LOG)
    save(curves(lines, outcome.best_step, baseline), folder / "curves.png", dpi=110)
    if outcome.test is not None:
        figure = confusion(outcome.test.confusion, outcome.store.class_titles)
        save(figure, folder / "confusion.png", dpi=110)


def curves(lines: list[dict[str, Any]], best_step: int | None, constant_kl: float | None) -> Figure:
    """Training, validation and test KL by step and epoch; below the learning rate, if there is one.

    Without probabilities, the run's own loss; of a pretraining, also how often it finds a window's
    partner, beside chance.

    Parameters
    ----------
    lines : list of dict
        What `read_metrics` gives.
    best_step : int, optional
        Step of the checkpoint that was kept.
    constant_kl : float, optional
        KL of the constant prediction.
    """
    figure = Figure(figsize=(8, 5.4), layout="constrained")
    train = [line for line in lines if line["event"] == "train"]
    rates = [line["learning_rate"] for line in train if "learning_rate" in line]
    answers = all("kl" in line for line in train)
    matched = [] if answers else [line for line in lines if "retrieval_at_1" in line]
    heights = [4, *([2] if matched else []), *([1] if rates else [])]
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False,
                             height_ratios=heights)[:, 0]  # fmt: skip
    loss = panels[0]
    steps = [line["step"] for line in train]
    trained_by = "kl" if answers else "loss"
    values = [line[trained_by] for line in train]
    loss.plot(steps, values, color=GREY, lw=1, alpha=0.6, label="training")
    for event, colour, word in (("valid", BLUE, "validation"), ("test", ORANGE, "test")):
        found = [line for line in lines if line["event"] == event]
        by = "kl_votes" if answers or not found else found[0]["best_by"]
        if found and by in found[0]:
            loss.plot(
                [line["step"] for line in found],
                [line[by] for line in found],
                color=colour,
                marker="o",
                ms=4,
                label=f"{word} ({by})",
            )
    if constant_kl is not None:
        loss.axhline(constant_kl, color=GREEN, ls="--", lw=1, label="constant prediction (test)")
    if best_step is not None:
        loss.axvline(best_step, color=BLUE, lw=1, ls=":", label="kept checkpoint")
    last_step = max((line["step"] for line in lines), default=1)
    loss.set_xlim(0, last_step * 1.02)
    _mark_epochs(loss, lines)
    loss.set_ylabel("KL divergence" if answers else "loss")
    if answers:
        loss.set_ylim(bottom=0)
    loss.legend(fontsize=8, frameon=False, ncols=2)
    if matched:
        at = [line["step"] for line in matched]
        for key, colour, style in (("retrieval_at_1", BLUE, "-"), ("chance", GREEN, "--")):
            panels[1].plot(at, [line[key] for line in matched], style, color=colour, label=key)
        panels[1].set_ylabel("partner found")
        panels[1].set_ylim(bottom=0)
        panels[1].legend(fontsize=8, frameon=False)
    if rates:
        panels[-1].plot(steps, rates, color=GREY, lw=1)
        panels[-1].set_ylabel("learning rate")
        panels[-1].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    panels[-1].set_xlabel("step")
    for axis in panels:
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _mark_epochs(axes: Axes, lines: list[dict[str, Any]]) -> None:
    """Number the epochs from 1 above the axes, each where it ends."""
    ends: dict[int, int] = {}
    for line in lines:
        ends[line["epoch"]] = max(line["step"], ends.get(line["epoch"], 0))
    every = -(-len(ends) // MOST_EPOCHS)
    marked = [epoch for epoch in sorted(ends) if (epoch + 1) % every == 0]
    above = axes.secondary_xaxis("top")
    above.set_xticks([ends[epoch] for epoch in marked], [str(epoch + 1) for epoch in marked])
    above.tick_params(labelsize=8, length=3)
    above.set_xlabel("end of epoch", fontsize=8)
    above.spines["top"].set_visible(False)


def confusion(table: ArrayLike, titles: Sequence[str]) -> Figure:
    """Confusion of expert consensus (rows) and prediction (columns): counts, shaded by recall."""
    counts = np.asarray(table)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(5.6, 5), layout="constrained")
    axis = figure.subplots()
    picture = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        axis.text(
            column,
            row,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            color="white" if share[row, column] > 0.6 else "black",
        )
    axis.set_xticks(range(len(titles)), titles, rotation=30, ha="right", parse_math=False)
    axis.set_yticks(range(len(titles)), titles, parse_math=False)
    axis.set_xlabel("predicted")
    axis.set_ylabel("expert consensus")
    figure.colorbar(picture, ax=axis, label="share of the row (recall on the diagonal)", shrink=0.8)
    return figure


def reliability(
    target: NDArray[np.floating[Any]], predictions: Mapping[str, NDArray[np.float64]]
) -> Figure:
    """Votes for the most probable class by the probability given to it, of one model or several.

    Parameters
    ----------
    target : (N, K)
        Votes over their sum.
    predictions : mapping of str to float64 (N, K)
        By what stands above its panel.
    """
    count = len(predictions)
    figure = Figure(figsize=(1.6 + 4 * count, 5), layout="constrained")
    grid = figure.subplots(2, count, sharex=True, sharey="row", height_ratios=(4, 1), squeeze=False)
    for (name, prediction), curve, windows in zip(predictions.items(), *grid, strict=True):
        _reliability(curve, windows, prediction, target)
        curve.set_title(name, fontsize=10, loc="left", parse_math=False)
    grid[0, 0].set_ylabel("share of raters")
    grid[1, 0].set_ylabel("windows")
    return figure


def _reliability(
    curve: Axes,
    windows: Axes,
    prediction: NDArray[np.float64],
    target: NDArray[np.floating[Any]],
) -> None:
    sure = prediction.max(axis=1)
    voted = target[np.arange(len(target)), prediction.argmax(axis=1)]
    place = np.minimum((sure * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    count = np.bincount(place, minlength=RELIABILITY_BINS)
    some = count > 0
    mean_voted = np.bincount(place, voted, minlength=RELIABILITY_BINS)[some] / count[some]
    mean_sure = np.bincount(place, sure, minlength=RELIABILITY_BINS)[some] / count[some]
    curve.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
    curve.plot(mean_sure, mean_voted, color=BLUE, marker="o", ms=5)
    curve.set_ylim(0, 1)
    middles = (np.arange(RELIABILITY_BINS) + 0.5) / RELIABILITY_BINS
    windows.bar(middles, count, 0.9 / RELIABILITY_BINS, color=BLUE)
    windows.set_xlim(0, 1)
    windows.set_xlabel("probability of the most probable class")
    for axis in (curve, windows):
        axis.spines[["top", "right"]].set_visible(False)


def kl_parts(by_class: Mapping[str, float], by_votes: Mapping[str, float | None]) -> Figure:
    """KL that each class adds, and KL of windows with few and many votes."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    for axis, parts, title in zip(
        figure.subplots(1, 2),
        (by_class, by_votes),
        ("by class (parts of the sum)", "by number of votes (means)"),
        strict=True,
    ):
        known = {name: value for name, value in parts.items() if value is not None}
        places = np.arange(len(known))
        axis.barh(places, list(known.values()), color=BLUE)
        for place, value in zip(places, known.values(), strict=True):
            axis.annotate(f" {value:.3f}", (max(value, 0), place), va="center", fontsize=8)
        axis.set_yticks(places, list(known), parse_math=False)
        axis.invert_yaxis()
        axis.margins(x=0.2)
        axis.set_title(f"KL {title}", fontsize=10, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    return figure


@dataclass(frozen=True, slots=True)
class Bar:
    """A system of a study as it is drawn."""

    name: str
    kl: float | None
    interval: tuple[float, float] | None
    published_kl: float | None


def study_bars(bars: Sequence[Bar], constant_kl: float | None, title: str) -> Figure:
    """KL of each system of a study with its interval, beside the published numbers."""
    figure = Figure(figsize=(8, 0.55 * len(bars) + 1.6), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(bars))[::-1]
    kls = [np.nan if bar.kl is None else bar.kl for bar in bars]
    axis.barh(places, kls, 0.5, color=BLUE, label="here, kl_votes")
    for place, bar in zip(places, bars, strict=True):
        if bar.interval is not None:
            axis.plot(bar.interval, [place, place], color="black", lw=1.2)
    published = [np.nan if bar.published_kl is None else bar.published_kl for bar in bars]
    label = "report (real data, patients leak)"
    axis.plot(published, places, "D", color=ORANGE, ms=5, label=label)
    if constant_kl is not None:
        axis.axvline(constant_kl, color=GREEN, ls="--", lw=1, label="constant prediction")
    axis.set_yticks(places, [bar.name for bar in bars], parse_math=False)
    axis.set_xlabel("KL divergence (lower is better)")
    axis.set_xlim(left=0)
    axis.set_title(title, fontsize=10, parse_math=False)
    axis.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=3)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
