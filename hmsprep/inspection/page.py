"""A survey -> the report's exploratory chapter as one HTML file."""

from __future__ import annotations

from hmsprep.inspection import figures
from hmsprep.inspection.samples import choose, raw_window
from hmsprep.inspection.sections import findings, sections
from hmsprep.inspection.survey import Survey
from hmsprep.planning.parameters import LOG_FLOOR
from hmsstore.view import draw
from hmsstore.view.page import Page


def make_page(survey: Survey) -> Page:
    """Put tables, figures and some windows, drawn as they stand in the files, on a page."""
    facts = survey.facts
    page = Page(f"What is in {survey.source.path.resolve().name}")
    page.section("To know first")
    found = findings(facts)
    for sentence in found:
        page.warning(sentence)
    if not found:
        page.text("Nothing is missing, doubled or out of the ordinary.")
    page.section("Numbers")
    for section in sections(facts):
        page.table(section.title, section.header, section.rows)
        if section.note:
            page.note(section.note)
    page.section("Figures")
    if facts["labelled"]:
        page.figure(figures.votes(facts), "Votes and consensus of the six classes; counts beside.")
        page.figure(figures.raters(facts), "How many raters saw a window, and how far they agree.")
    page.figure(
        figures.overlap(facts),
        "Windows of one EEG overlap: counting each as an example of its own lets few recordings "
        "weigh much.",
    )
    if (picture := figures.gaps(survey.missing)) is not None:
        page.figure(picture, "How much of a window is missing, where anything is.")
    page.section("Windows as they stand in the files")
    page.note(
        "One at random of each class, then some with missing values: grey in spectrograms, a gap "
        "in traces. Nothing is clipped or filled; EEG is band-passed for display, and power under "
        f"{LOG_FLOOR:g} uV^2/Hz is drawn as that."
    )
    rows = choose(survey)
    if not rows:
        page.text("No window has both its EEG and its spectrogram, so there is none to draw.")
    for row in rows:
        window = raw_window(survey, row)
        page.figure(draw(window), window.title, dpi=90, quality=75)
    return page
