"""What inspect, montage and show do once their options are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hmsprep.cli import console
from hmsstore import Store
from hmsstore.view.page import PAGES
from hmsstore.view.saving import check_suffix, save, save_pages

if TYPE_CHECKING:
    from hmsstore.view import Display


def inspect(
    data: Path, part: str | None, html: Path | None, *, workers: int, as_json: bool
) -> None:
    """Survey a data set; print it, and write a page if asked."""
    from hmsprep.errors import ParameterError
    from hmsprep.inspection.sections import findings, sections
    from hmsprep.inspection.survey import survey
    from hmsprep.kaggle.files import KaggleData

    if html is not None:  # better now than after minutes
        check_suffix(html, PAGES)
        if not html.parent.is_dir():
            raise ParameterError(f"--html {html}: there is no folder {html.parent}.")
    with (
        console.stoppable("Stopped."),
        console.progress({"look": "Looking"}) as progress,
    ):
        found = survey(KaggleData(data, part), workers=workers, progress=progress)
    if as_json:
        console.print_json(found.facts | {"warnings": findings(found.facts)})
    else:
        for section in sections(found.facts):
            console.print_section(section.title, section.header, section.rows, section.note)
        console.warn(findings(found.facts))
    if html is not None:
        from hmsprep.inspection.page import make_page

        with console.stoppable("Stopped."), console.thinking("Drawing"):
            make_page(found).write(html)
        console.note(f"Wrote {html}.")


def montage(out: Path, *, as_json: bool) -> None:
    """Explain the channels, and draw them on a head."""
    from hmsprep.inspection.channels import LOBES, READING, SOURCES, channel_rows, draw_montage

    save(draw_montage(), out)
    console.note(f"Wrote {out}.")
    rows = channel_rows()
    if as_json:
        console.print_json(rows)
        return
    console.print_section(
        "Columns of an EEG file", tuple(rows[0]), [tuple(row.values()) for row in rows]
    )
    lobes = (f"{lobe} ({letters}): {about}" for letters, (lobe, about) in LOBES.items())
    console.print_list("What lies below the electrodes", lobes)
    console.print_list("How to read them", READING)
    console.print_list("Sources", SOURCES)


def show(store: Store, rows: Sequence[int], display: Display, out: Path | None) -> None:
    """Draw one window, several on one picture, or several on pages of a PDF."""
    from hmsstore.view import draw, draw_grid, load_window

    out = out or Path(f"window-{rows[0]}.png" if len(rows) == 1 else "windows.png")
    windows = [load_window(store, row) for row in rows]
    if len(windows) == 1:
        save(draw(windows[0], display), out)
    elif out.suffix == ".pdf":
        save_pages((draw(window, display) for window in windows), out)
    else:
        save(draw_grid(windows, display), out)
    console.note(f"Wrote {out}: {', '.join(window.short_title for window in windows)}.")


def say_how_many(store: Store, eeg: int) -> None:
    """Say of how many windows of an EEG only the middle one was drawn."""
    windows = int((store.windows["eeg_id"] == eeg).sum())
    if windows > 1:
        console.note(f"The middle one of {windows} windows: --count {windows} draws them all.")
