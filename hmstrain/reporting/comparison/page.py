"""A comparison and its rows -> one page, and all files in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from hmsstore import HMS
from hmsstore.atomic import LEFTOVER, whole_file
from hmsstore.view import draw, load_window
from hmsstore.view.page import Page
from hmsstore.view.saving import save
from hmstrain.errors import RESEARCH_ONLY, RunError
from hmstrain.reporting.comparison import table
from hmstrain.reporting.comparison.forest import forest, short
from hmstrain.runs.json_file import write_json
from hmstrain.scoring.answers.matched import Matched
from hmstrain.scoring.comparison.results import Comparison
from hmstrain.scoring.metrics import kl_of
from hmstrain.words import plural

SHOWN_ROWS = 12
"""Rows on which models differ most, each EEG once."""
DRAWN_ROWS = 6
"""Of these, windows that are drawn where a store holds their signals."""
FILES = ("compare.json", "compare.md", "compare.csv", "compare.png", "compare.html")


def write_comparison(found: Comparison, matched: Matched, out: Path) -> None:
    """Write a comparison into a folder as JSON, Markdown, CSV, picture and page.

    Raises
    ------
    RunError
        The folder holds something else.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"--out {out} is not a folder: name another.")
    if out.is_dir() and any(
        not (path.name in FILES or LEFTOVER.fullmatch(path.name)) for path in out.iterdir()
    ):
        raise RunError(f"--out {out} holds something other than a comparison: name another.")
    out.mkdir(parents=True, exist_ok=True)
    figure = forest(found)
    write_json(out / "compare.json", found.to_json())
    for name, text in (
        ("compare.md", table.to_markdown(found)),
        ("compare.csv", table.to_csv(found)),
    ):
        with whole_file(out / name) as partial:
            partial.write_text(text, encoding="utf-8")
    save(figure, out / "compare.png", dpi=110)
    make_page(found, matched, figure).write(out / "compare.html")
    write_json(out / "compare.json", found.to_json())


def make_page(found: Comparison, matched: Matched, figure: Figure) -> Page:
    """Make a page about a comparison, with the rows on which its models differ most."""
    page = Page(table.title(found))
    page.note(RESEARCH_ONLY)
    for text in found.warnings:
        page.warning(text)
    add_scores(page, found, figure)
    if len(matched.names) > 1:
        _most_different(page, matched)
    return page


def add_scores(page: Page, found: Comparison, figure: Figure) -> None:
    """Add the scores of a comparison to a page, as sections."""
    names = list(found.models)
    page.section("Scores")
    page.figure(
        figure,
        "Scores with 95% intervals at the left; at the right differences to "
        f"{found.reference} with their own intervals (blue) and, of several models, with those "
        "that hold for all at once (orange).",
    )
    page.table("", table.HEADER, [line.cells() for line in table.lines(found)])
    page.note(table.explanation(found))
    page.section("Which rows")
    page.table("", table.LEVELS_HEADER, table.populations(found))
    page.note(table.LEVELS_NOTE)
    for text in found.notes:
        page.text(text)
    for which, heading in table.sections(found):
        page.section(f"KL by {heading}")
        header = (heading, "rows", "entropy", *(f"KL, {name}" for name in names))
        page.table("", header, table.by_part(found, which))
    rows = table.experts(found)
    if rows:
        page.section("Beside the average rater")
        page.table("", table.EXPERTS_HEADER, rows)
        page.note(table.experts_note(found))


def most_different(matched: Matched, count: int = SHOWN_ROWS) -> list[int]:
    """Rows on which the models' KL differs most, each EEG once."""
    divergence = np.stack([kl_of(matched.judged(n)) for n in range(len(matched.names))])
    order = np.argsort(-(divergence.max(axis=0) - divergence.min(axis=0)), kind="stable")
    if matched.eeg is not None:
        _, first = np.unique(matched.eeg[order], return_index=True)
        order = order[np.sort(first)]
    return [int(row) for row in order[:count]]


def _most_different(page: Page, matched: Matched) -> None:
    page.section("Where they differ most")
    page.note("The rows on which the models' KL differs most, one of each EEG.")
    chosen = most_different(matched)
    page.figure(bars(matched, chosen), "Votes, and what each model says, by class.")
    truth = matched.truth
    if truth is None or truth.store is None:
        return
    for row in chosen[:DRAWN_ROWS]:
        place = int(matched.truth_row[row])
        if place < 0:
            continue
        window = load_window(truth.store, place, matched.answers[0].prediction[row])
        values = (
            f"{name} KL {kl_of(matched.judged(n).take(np.asarray([row])))[0]:.2f}"
            for n, name in enumerate(matched.names)
        )
        caption = f"{window.title}. {'; '.join(values)}. Probabilities drawn: {matched.names[0]}."
        page.figure(draw(window), caption, dpi=80, quality=70)


def bars(matched: Matched, rows: list[int]) -> Figure:
    """Draw the votes and each model's probabilities of some rows as stacked bars."""
    keys = matched.answers[0].class_keys
    classes = HMS.classes if matched.truth is None else matched.truth.classes
    titles = {one.key: one.title for one in classes}
    colours = [colormaps["tab10"](place) for place in range(len(keys))]
    lines = 1 + len(matched.names)
    figure = Figure(figsize=(9, 0.22 * (lines + 1) * len(rows) + 0.8), layout="constrained")
    axis = figure.subplots()
    ticks, labels = [], []
    for number, row in enumerate(rows):
        votes = matched.counts[row]
        count = "votes" if np.isnan(votes) else plural(int(votes), "vote")
        told = [(f"{matched.row_name(row)}: {count}", matched.shares[row])]
        told += [
            (name, one.prediction[row])
            for name, one in zip(matched.names, matched.answers, strict=True)
        ]
        for line, (label, shares) in enumerate(told):
            place = number * (lines + 1) + line
            edges = np.concatenate([[0], np.cumsum(shares)])
            axis.barh(place, np.diff(edges), left=edges[:-1], color=colours, height=0.9)
            ticks.append(place)
            labels.append(label)
    axis.set_yticks(ticks, [short(label) for label in labels], fontsize=7, parse_math=False)
    axis.set_ylim(len(rows) * (lines + 1) - 1.5, -0.7)
    axis.set_xlim(0, 1)
    for key, colour in zip(keys, colours, strict=True):
        axis.barh(0, 0, color=colour, label=titles.get(key, key))
    legend = axis.legend(
        fontsize=8, frameon=False, ncols=len(keys), loc="lower left", bbox_to_anchor=(0, 1.0)
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    axis.spines[["top", "right", "left"]].set_visible(False)
    return figure
