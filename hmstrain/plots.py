"""A run's figures -> pictures. Functions return a matplotlib Figure; `draw_run` saves them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hmsstore.schema import CLASS_TITLES
from hmstrain.run_folder import read_metrics

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
"""Of the palette of Okabe and Ito, which colour-blind people can tell apart."""


def draw_run(folder: Path, outcome: Mapping[str, Any]) -> None:
    """Draw the curves and the confusion of a run into its folder."""
    lines = read_metrics(folder / "metrics.jsonl")
    baseline = outcome["constant"]["kl_votes"] if outcome.get("constant") else None
    curves(lines, outcome["best_step"], baseline).savefig(folder / "curves.png", dpi=110)
    if outcome["test"] is not None:
        confusion(outcome["test"]["confusion"]).savefig(folder / "confusion.png", dpi=110)


def curves(lines: list[dict[str, Any]], best_step: int, constant_kl: float | None) -> Figure:
    """Loss, validation and test KL over steps, with the schedule below."""
    figure = Figure(figsize=(8, 5.4), layout="constrained")
    loss, rate = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    train = [line for line in lines if line["event"] == "train"]
    steps = [line["step"] for line in train]
    loss.plot(steps, [line["kl"] for line in train], color=GREY, lw=1, alpha=0.6, label="training")
    for event, colour, word in (("valid", BLUE, "validation"), ("test", ORANGE, "test")):
        found = [line for line in lines if line["event"] == event]
        if found:
            loss.plot(
                [line["step"] for line in found],
                [line["kl_votes"] for line in found],
                color=colour,
                marker="o",
                ms=4,
                label=f"{word} (kl_votes)",
            )
    if constant_kl is not None:
        loss.axhline(constant_kl, color=GREEN, ls="--", lw=1, label="constant prediction (test)")
    loss.axvline(best_step, color=BLUE, lw=1, ls=":", label="best validation")
    loss.set_xlim(0, max(lines[-1]["step"], 1) * 1.02)
    loss.set_ylabel("KL divergence")
    loss.set_ylim(bottom=0)
    loss.legend(fontsize=8, frameon=False, ncols=2)
    rate.plot(steps, [line["learning_rate"] for line in train], color=GREY, lw=1)
    rate.set_ylabel("learning rate")
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    rate.set_xlabel("step")
    for axis in (loss, rate):
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def confusion(table: ArrayLike) -> Figure:
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
    axis.set_xticks(range(len(CLASS_TITLES)), CLASS_TITLES, rotation=30, ha="right")
    axis.set_yticks(range(len(CLASS_TITLES)), CLASS_TITLES)
    axis.set_xlabel("predicted")
    axis.set_ylabel("expert consensus")
    figure.colorbar(picture, ax=axis, label="share of the row", shrink=0.8)
    return figure


def study_bars(rows: list[dict[str, Any]], constant_kl: float | None, title: str) -> Figure:
    """KL of each row of a study with its interval, beside the published numbers."""
    figure = Figure(figsize=(8, 0.55 * len(rows) + 1.6), layout="constrained")
    axis = figure.subplots()
    place = np.arange(len(rows))[::-1]
    found = [row for row in rows if row["kl_votes"] is not None]
    at = [place[rows.index(row)] for row in found]
    axis.barh(at, [row["kl_votes"] for row in found], 0.5, color=BLUE, label="here, kl_votes")
    for height, row in zip(at, found, strict=True):
        if row["interval"]:
            axis.plot(row["interval"], [height, height], color="black", lw=1.2)
    published = [
        (p, row["published"]["kl"])
        for p, row in zip(place, rows, strict=True)
        if row["published"]["kl"] is not None
    ]
    axis.plot(
        [kl for _, kl in published],
        [height for height, _ in published],
        "D",
        color=ORANGE,
        ms=5,
        label="report (patients leak)",
    )
    if constant_kl is not None:
        axis.axvline(constant_kl, color=GREEN, ls="--", lw=1, label="constant prediction")
    axis.set_yticks(place, [row["name"] for row in rows])
    axis.set_xlabel("KL divergence (lower is better)")
    axis.set_xlim(left=0)
    axis.set_title(title, fontsize=10)
    axis.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=3)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
