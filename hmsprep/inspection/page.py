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
    """Put tables, figures and some windows, drawn as they are in the files, on a page."""
    facts = survey.facts
    page = Page(f"Contents of {survey.source.path.resolve().name}")
    page.section("Findings")
    found = findings(facts)
    for sentence in found:
        page.warning(sentence)
    if not found:
        page.text("Nothing is missing, duplicated or unusual.")
    page.section("Numbers")
    for section in sections(facts):
        page.table(section.title, section.header, section.rows)
        if section.note:
            page.note(section.note)
    page.section("Figures")
    if facts["labelled"]:
        page.figure(
            figures.votes(facts),
            "Votes and consensus of the six classes; bars are labelled with counts.",
        )
        page.figure(
            figures.raters(facts), "How many raters voted on a window, and how far they agree."
        )
    page.figure(
        figures.overlap(facts),
        "Windows of one EEG overlap: if each counts as an example, a few recordings dominate.",
    )
    if (picture := figures.gaps(survey.missing)) is not None:
        page.figure(picture, "How much is missing in windows with missing values.")
    page.section("Windows as they are in the files")
    page.note(
        "One random window of each class, then some with missing values: grey in spectrograms, a "
        "gap in traces. Nothing is clipped or filled. EEG is band-passed for display; power below "
        f"{LOG_FLOOR:g} uV^2/Hz is drawn as that value."
    )
    rows = choose(survey)
    if not rows:
        page.text("No window has both an EEG and a spectrogram, so there is nothing to draw.")
    for row in rows:
        window = raw_window(survey, row)
        page.figure(draw(window), window.title, dpi=90, quality=75)
    return page
