"""What was found -> one HTML file with tables and figures; all distances -> CSV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hmsprep.likeness import figures
from hmsprep.likeness.comparison import ALL, Comparison, Realism
from hmsprep.likeness.distances import QUANTILES, Distance
from hmsprep.qeeg.judged.measures import GROUPS, MEASURES, measure_of
from hmsprep.words import plural
from hmsstore.plain.text import write_rows
from hmsstore.view.page import Page
from hmsstore.view.saving import new_file

SHOWN = 25
"""Rows of a table of distances, and half as many distributions."""
HEADER = ("measure", "unit", "class", "first", "second", "distance", "by chance")
DISTANCE = (
    "Distance: 1-Wasserstein over the interquartile range of both together, so 1 is far (where "
    "most values are alike, over 0.41 of the range from 5 to 95%, if that is larger). Its 95% "
    "interval draws patients anew; it always holds the distance. By chance: the median distance "
    "when patients change sides at random. Over all classes, the second sample is weighed to have "
    "the first one's classes. Beside it stand median [quartiles]."
)
AREA = (
    "Classifiers are trained on all measures and scored on whole patients held out, within each "
    "class. 0.5: nothing tells the samples apart; 1: every window is told from all of the other "
    "sample. Intervals draw patients anew. Between sources of the first store: what no other "
    "store need beat. With fewer windows a classifier learns less, so windows of the other store "
    "also stand in for each source, as many of each class, drawn again and again (95% of the "
    "draws): compare these with the areas between sources."
)


DPI = 150


def make_page(found: Realism) -> Page:
    """Put tables and figures on a page."""
    names = " and ".join(one.b.name for one in found.comparisons)
    page = Page(f"{names} beside {found.comparisons[0].a.name}")
    for sentence in found.warnings:
        page.warning(sentence)
    page.text(_looked_at(found))
    page.section("Told apart")
    if any(one.test is not None for one in (*found.comparisons, *found.sources)):
        page.figure(
            figures.areas(found),
            "How well classifiers tell the samples apart, with 95% intervals.",
            dpi=DPI,
        )
    page.table("", ("samples", "model", "AUC", "95%", "windows", "patients"), area_rows(found))
    page.note(AREA)
    for one in (*found.comparisons, *found.sources):
        if one.largest(ALL):
            _comparison(page, found, one, whole=one in found.comparisons)
    page.section("Measures")
    rows = [(name, one.unit, one.formula, one.source) for name, one in MEASURES.items()]
    page.table("", ("measure", "unit", "formula", "source"), rows)
    return page


def _looked_at(found: Realism) -> str:
    band = "not filtered" if found.bandpass is None else "{:g} to {:g} Hz".format(*found.bandpass)
    half = f" Of the first, EEGs of the half {found.half!r} alone." if found.half else ""
    return (
        f"The judged {found.spec.judged_s:g} seconds of each window alone, the longest part that "
        f"was recorded without a gap, {band}; artefacts are measured unfiltered.{half}"
    )


def _comparison(page: Page, found: Realism, one: Comparison, *, whole: bool) -> None:
    page.section(one.title)
    page.note(_counts(found, one))
    page.figure(
        figures.largest(one, SHOWN), f"{one.title}: largest distances over all classes.", dpi=DPI
    )
    page.table("Largest distances, all classes", HEADER, distance_rows(one, ALL, SHOWN))
    page.note(DISTANCE)
    if not whole:
        return
    page.figure(
        figures.by_group(one), f"{one.title}: distances of all measures by question.", dpi=DPI
    )
    page.figure(figures.amplitudes(one), "Amplitude: median, quartiles, 5 to 95%.", dpi=DPI)
    keys, titles = found.spec.class_keys, found.spec.class_titles
    shown = [row.column for row in one.largest(ALL, SHOWN // 2)]
    page.figure(
        figures.distributions(one, shown, keys, titles),
        "The measures that are furthest apart: median, quartiles and 5 to 95% by class.",
        dpi=DPI,
    )
    for group, title in GROUPS.items():
        own = [row for row in one.largest(ALL) if measure_of(row.column).group == group]
        columns = [row.column for row in own if "-" not in row.column and row.column not in shown]
        columns = [name for name in columns if not name.startswith("amplitude.")][:6]
        if columns:
            caption = f"{title}: what is furthest apart besides."
            page.figure(figures.distributions(one, columns, keys, titles), caption, dpi=DPI)
    for key, title in zip(keys, titles, strict=True):
        if one.largest(key):
            page.table(f"Largest distances, {title}", HEADER, distance_rows(one, key, SHOWN // 2))


def _counts(found: Realism, one: Comparison) -> str:
    said = []
    for sample in (one.a, one.b):
        counts = ", ".join(
            f"{title} {int((sample.code == n).sum())}"
            for n, title in enumerate(found.spec.class_titles)
        )
        patients = plural(len(np.unique(sample.patient)), "patient")
        said.append(f"{sample.name}: {plural(len(sample), 'window')} of {patients} ({counts})")
    return "; ".join(said) + "."


def area_rows(found: Realism) -> Iterator[tuple[str, ...]]:
    """A row for each pair of samples and each model."""
    for one in (*found.comparisons, *found.sources):
        if one.test is None:
            yield one.title, "", "too few", "", "", ""
            continue
        for name, auc in one.test.models.items():
            yield (
                one.title,
                name,
                f"{auc.auc:.3f}",
                f"{auc.low:.2f} to {auc.high:.2f}",
                "{} | {}".format(*one.test.windows),
                "{} | {}".format(*one.test.patients),
            )
    for name, area in found.floor.items():
        yield "sources, mean", name, f"{area:.3f}", "", "", ""
    for stand_in in found.stand_ins:
        for name, drawn in stand_in.models.items():
            yield (
                stand_in.title,
                name,
                f"{drawn.auc:.3f}",
                f"{drawn.low:.2f} to {drawn.high:.2f}",
                "{} | {}".format(*stand_in.windows),
                "",
            )
    for store, models in found.in_their_place.items():
        for name, mean in models.items():
            span = f"{mean.low:.2f} to {mean.high:.2f}"
            yield f"{store} for sources, mean", name, f"{mean.auc:.3f}", span, "", ""


def distance_rows(one: Comparison, group: str, count: int) -> Iterator[tuple[str, ...]]:
    """A row for each of the largest distances of a class."""
    for row in one.largest(group, count):
        yield (
            row.column,
            measure_of(row.column).unit,
            row.group,
            _spread(row.a),
            _spread(row.b),
            f"{row.distance:.2f} [{row.low:.2f}, {row.high:.2f}]",
            f"{row.chance:.2f}",
        )


def _spread(quantiles: tuple[float, ...]) -> str:
    _, low, middle, high, _ = quantiles
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def write_table(found: Realism, path: Path) -> None:
    """Write all distances as CSV, whole or not at all.

    Raises
    ------
    ViewError
        It cannot be written there.
    """
    quantiles = [f"{side}_{q * 100:.0f}%" for side in ("first", "second") for q in QUANTILES]
    header = (
        "first", "second", "class", "measure", "unit", "distance", "low", "high", "chance", "ks",
        *quantiles, "first_known", "second_known",
    )  # fmt: skip
    with new_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        rows = (
            (one.a.name, one.b.name, *_cells(row))
            for one in (*found.comparisons, *found.sources)
            for row in one.distances
        )
        write_rows(file, header, rows)


def _cells(row: Distance) -> list[str]:
    numbers = (row.distance, row.low, row.high, row.chance, row.ks, *row.a, *row.b)
    told = [f"{value:.6g}" if np.isfinite(value) else "" for value in numbers]
    known = [f"{value:.4f}" for value in (row.known_a, row.known_b)]
    return [row.group, row.column, measure_of(row.column).unit, *told, *known]
