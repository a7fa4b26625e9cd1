"""Records -> the documents' charts, without background: readable on a light and a dark page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.tools.record import command_line
from hmstrain.runs.plots import BLUE, GREY, ORANGE

FIGURES = Path(__file__).parent.parent / "docs" / "figures"
OURS = ("Store.gather", "hmstrain's loader")
LEFT = 10
"""Windows per second where the axis begins."""
TITLES = {"cached": "in the page cache", "cold": "cold", "capped": "cold, memory capped"}


def plain(axis: Axes) -> None:
    """Grey lines and words, which stand out from white and from black."""
    axis.patch.set_alpha(0)
    axis.spines[["top", "right"]].set_visible(False)
    for spine in axis.spines.values():
        spine.set_color(GREY)
    axis.tick_params(which="both", colors=GREY)
    for label in (axis.xaxis.label, axis.yaxis.label, axis.title):
        label.set_color(GREY)


def number(cell: str) -> float:
    """Rate in a record's cell; 0 where it says why there is none."""
    digits = cell.replace(",", "")
    return float(digits) if digits.isdigit() else 0.0


def peers(rows: list[dict[str, Any]]) -> Figure:
    """Rates of all loaders that were measured, fastest first, one panel per condition."""
    titles = [title for title in TITLES if f"{title}, windows/s" in rows[0]]
    measured = [row for row in rows if number(row["cached, windows/s"])]
    measured.sort(key=lambda row: number(row["cached, windows/s"]))
    figure = Figure(figsize=(10, 0.27 * len(measured) + 1), layout="constrained")
    panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    names = [row["what"] for row in measured]
    colours = [ORANGE if name.startswith(OURS) else BLUE for name in names]
    for axis, title in zip(panels, titles, strict=True):
        rates = [number(row[f"{title}, windows/s"]) for row in measured]
        axis.barh(names, rates, color=colours, height=0.7)
        for place, rate in enumerate(rates):
            said = f"{rate:,.0f}" if rate else measured[place][f"{title}, windows/s"]
            axis.text(max(rate, LEFT), place, f" {said}", va="center", color=GREY, fontsize=8)
        axis.set_xscale("log")
        axis.set_xlim(LEFT, 300_000)
        axis.set_title(TITLES[title], fontsize=10)
        axis.set_xlabel("windows/s")
        plain(axis)
        axis.tick_params(axis="y", length=0)
    return figure


def growth(rows: list[dict[str, Any]]) -> Figure:
    """Seconds and memory of builds over the size of their data."""
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    seconds, memory = figure.subplots(1, 2)
    for workers, colour, marker in ((2, BLUE, "o"), (4, ORANGE, "s")):
        chosen = [row for row in rows if row["workers"] == workers]
        size = [row["source MB"] / 1e3 for row in chosen]
        look = {"color": colour, "marker": marker, "label": f"{workers} processes"}
        seconds.plot(size, [row["seconds, best"] for row in chosen], **look)
        memory.plot(size, [row["peak own MiB"] for row in chosen], **look)
    seconds.set_ylabel("seconds of a build")
    memory.set_ylabel("peak memory, MiB")
    memory.axhline(1024, color=GREY, ls="--", lw=1)
    memory.text(0, 1000, "limit", color=GREY, fontsize=8, va="top")
    for axis in (seconds, memory):
        axis.set_xlabel("GB of parquet files")
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        plain(axis)
    seconds.legend(frameon=False, labelcolor=GREY)
    return figure


def judging(rows: list[dict[str, Any]]) -> Figure:
    """KL over windows with ten votes or more, of networks, calibrated networks and blends."""
    shown = [row for row in rows if row["score"].startswith(("kl_hi", "kl, 10+"))]
    shown = [row for row in shown if not row["what"].endswith("as it is")]
    figure = Figure(figsize=(8, 0.3 * len(shown) + 0.8), layout="constrained")
    axis = figure.subplots()
    for place, row in enumerate(shown):
        colour = BLUE if row["score"] == "kl_hi" else ORANGE
        low, high = (float(end) for end in row["95% interval"].split(" to "))
        axis.plot([low, high], [place, place], color=colour, lw=2)
        axis.plot(float(row["value"]), place, "o", color=colour, ms=5)
        axis.text(high, place, f"  {row['value']}", va="center", color=GREY, fontsize=8)
    axis.set_yticks(range(len(shown)), [row["what"] for row in shown])
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set_xlabel("KL over windows with ten votes or more, 95% intervals over patients")
    plain(axis)
    return figure


def main() -> None:
    """Draw what there are records of."""
    parser = command_line(__doc__)
    parser.add_argument("--out", type=Path, default=FIGURES, help="folder for the charts")
    arguments = parser.parse_args()
    for record, draw in (("peers", peers), ("build-growth", growth), ("judging", judging)):
        source = arguments.results / f"{record}.json"
        if source.exists():
            rows = json.loads(source.read_text())["rows"]
            path = arguments.out / f"{record}.png"
            draw(rows).savefig(path, dpi=110, transparent=True)
            print(path)


if __name__ == "__main__":
    main()
