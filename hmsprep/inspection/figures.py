"""Facts of a survey -> figures: votes, agreement, windows of a recording, missing values."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator
from numpy.typing import NDArray

from hmsprep.inspection.sections import SIGNAL_TITLES
from hmsprep.inspection.table import Facts
from hmsstore.schema import CLASS_TITLES, CLASSES, SIGNALS
from hmsstore.view.colours import BLUE, GREY, ORANGE
from hmsstore.windows import MANY_VOTES


def votes(facts: Facts) -> Figure:
    """Votes and consensus of each class; over all windows and those with many votes."""
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    groups = [(n, g) for n, g in facts["votes"].items() if "votes_by_class" in g]
    places = np.arange(len(CLASSES))
    height = 0.8 / len(groups)
    for axes, key, title in zip(
        figure.subplots(1, 2),
        ("votes_by_class", "consensus_by_class"),
        ("Share of all votes", "Share of windows, by consensus"),
        strict=True,
    ):
        for number, (name, group) in enumerate(groups):
            counts = np.asarray([group[key][c] for c in CLASSES])
            at = places + (number - (len(groups) - 1) / 2) * height
            axes.barh(
                at,
                counts / max(counts.sum(), 1),
                height,
                color=(BLUE, ORANGE)[number],
                label=f"{name} votes" if name != "all" else "all windows",
            )
            for place, count in zip(at, counts.tolist(), strict=True):
                axes.annotate(
                    f" {count:,}", (count / max(counts.sum(), 1), place), va="center", fontsize=7
                )
        axes.set_yticks(places, CLASS_TITLES)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.xaxis.set_major_locator(MultipleLocator(0.1))
        axes.xaxis.set_major_formatter("{x:.0%}")
        _tidy(axes, title)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if len(groups) > 1:
        figure.legend(
            handles, labels, fontsize=8, frameon=False, loc="outside upper right", ncols=2
        )
    return figure


def raters(facts: Facts) -> Figure:
    """How many votes a window has, and how far raters agree."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    count, agreement = figure.subplots(1, 2)
    group = facts["votes"]["all"]
    _bars(count, group["votes_per_window"]["histogram"])
    count.axvline(MANY_VOTES - 0.5, color=ORANGE, ls="--", lw=1)
    count.margins(y=0.2)
    count.annotate(
        f"{MANY_VOTES} or more", (MANY_VOTES - 0.3, 0.93), xycoords=("data", "axes fraction"),
        color=ORANGE, fontsize=8,
    )  # fmt: skip
    count.xaxis.set_major_locator(MaxNLocator(integer=True))
    _tidy(count, "Windows by number of votes")
    tenths = group["agreement"]["largest share in tenths"][1:]
    labels = [*(f"{10 * n}-{10 * n + 9}%" for n in range(1, 10)), "all"]
    agreement.bar(labels, tenths, color=BLUE)
    agreement.tick_params(axis="x", rotation=30)
    _tidy(agreement, "Windows by the share of votes for their top class")
    return figure


def overlap(facts: Facts) -> Figure:
    """Windows of an EEG, and EEGs of a spectrogram, in powers of two."""
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    for axes, key, title in zip(
        figure.subplots(1, 2),
        ("windows_per_eeg", "eegs_per_spectrogram"),
        ("EEG recordings by number of windows", "Spectrograms by number of EEGs"),
        strict=True,
    ):
        numbers = {int(k): n for k, n in facts[key]["histogram"].items()}
        edges = 2 ** np.arange(int(np.log2(max(numbers))) + 2)
        counts, _ = np.histogram(list(numbers), bins=edges, weights=list(numbers.values()))
        labels = [
            f"{low}" if high == low + 1 else f"{low}-{high - 1}"
            for low, high in pairwise(edges.tolist())
        ]
        axes.bar(labels, counts, color=BLUE)
        axes.tick_params(axis="x", labelsize=8, rotation=30)
        _tidy(axes, title)
    return figure


def gaps(missing: Mapping[str, NDArray[np.int64]]) -> Figure | None:
    """How much of the windows with missing values is missing; None if none has any."""
    shares = {
        name: counts[counts > 0] / (signal.window_rows * len(signal.features))
        for (name, signal), counts in zip(SIGNALS.items(), missing.values(), strict=True)
    }
    if not any(len(share) for share in shares.values()):
        return None
    figure = Figure(figsize=(11, 3), layout="constrained")
    shares = {name: share for name, share in shares.items() if len(share)}
    for axes, (name, share) in zip(
        figure.subplots(1, len(shares), squeeze=False)[0], shares.items(), strict=True
    ):
        axes.hist(share, bins=np.linspace(0, 1, 21), color=BLUE)
        axes.xaxis.set_major_formatter("{x:.0%}")
        _tidy(axes, f"{SIGNAL_TITLES[name]} windows with gaps, by missing share")
    return figure


def _bars(axes: Axes, histogram: Facts) -> None:
    axes.bar([int(key) for key in histogram], list(histogram.values()), color=BLUE)


def _tidy(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors="black", labelsize=8)
    axes.grid(axis="both", lw=0.2, color=GREY)
    axes.set_axisbelow(True)
    if axes.get_ylim()[1] < 40:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
