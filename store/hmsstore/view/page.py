"""Texts, tables and figures -> one HTML file that needs nothing else, for any screen."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from hmsstore.view.dark import for_dark_page
from hmsstore.view.saving import check_suffix, new_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGES = "html", "htm"
LONG = 20
"""A column with a cell of more characters stays wide enough on a narrow screen to be read."""
STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8881; --warn: #b45309; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 76rem; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
nav { font-size: .9rem; } nav a { margin-right: .9rem; white-space: nowrap; }
.wide { overflow-x: auto; display: inline-block; max-width: 100%; vertical-align: top;
  margin: 0 2.5rem 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
td.number, th.number { text-align: right; }
td.long { min-width: 14rem; }
thead th { border-bottom-width: 2px; vertical-align: bottom; }
figure { margin: 1.2rem 0; }
figure img { max-width: 100%; height: auto; border: 1px solid var(--line); }
figcaption, .note { font-size: .9rem; opacity: .85; }
.warning { border-left: 4px solid var(--warn); background: var(--soft); padding: .5rem .8rem; }
code { background: var(--soft); padding: 0 .2rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  .wide { display: block; margin-right: 0; }
  th, td { padding: .25rem .2rem; font-size: .75rem; }
  td.long { min-width: 6.5rem; }
  table:not(:has(thead)) td { overflow-wrap: anywhere; }
  nav a { white-space: normal; }
}
"""


class Page:
    """A page in the making, part by part.

    All text given is shown as it stands; markup in it is not interpreted.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.parts: list[str] = []
        self.headings: list[str] = []

    def section(self, heading: str) -> None:
        """Begin a section."""
        self.headings.append(heading)
        self.parts.append(f'<h2 id="s{len(self.headings)}">{escape(heading)}</h2>')

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self.parts.append(f"<p>{escape(text)}</p>")

    def note(self, text: str) -> None:
        """Add a paragraph in small type."""
        self.parts.append(f'<p class="note">{escape(text)}</p>')

    def warning(self, text: str) -> None:
        """Add a paragraph that catches the eye."""
        self.parts.append(f'<p class="warning">{escape(text)}</p>')

    def table(self, caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table; a column whose cells all begin with a digit or a sign is set as numbers."""
        cells = [[str(cell) for cell in row] for row in rows]
        numeric = [all(_is_number(row[n]) for row in cells) for n in range(len(header))]
        long = [any(len(row[n]) > LONG for row in cells) for n in range(len(header))]

        def line(tag: str, row: Sequence[str]) -> str:
            marked = (
                f"<{tag}{' class=number' * number or ' class=long' * words}>{escape(cell)}</{tag}>"
                for cell, number, words in zip(row, numeric, long, strict=True)
            )
            return f"<tr>{''.join(marked)}</tr>"

        head = f"<thead>{line('th', header)}</thead>" if any(header) else ""
        body = "".join(line("td", row) for row in cells)
        title = f"<caption>{escape(caption)}</caption>" if caption else ""
        self.parts.append(
            f'<div class="wide"><table>{title}{head}<tbody>{body}</tbody></table></div>'
        )

    def figure(self, figure: Figure, caption: str, *, dpi: int = 110, quality: int = 90) -> None:
        """Add a figure as a picture within the page; the caption is its description too.

        A reader whose system asks for dark pages sees it on dark ground.
        """

        def picture() -> str:
            into = BytesIO()
            figure.savefig(into, format="webp", dpi=dpi, pil_kwargs={"quality": quality})
            return f"data:image/webp;base64,{base64.b64encode(into.getvalue()).decode()}"

        light = picture()
        with for_dark_page(figure):
            dark = picture()
        self.parts.append(
            f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
            f'<img alt="{escape(caption)}" src="{light}"></picture>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def to_html(self) -> str:
        """The whole page."""
        links = " ".join(
            f'<a href="#s{number}">{escape(heading)}</a>'
            for number, heading in enumerate(self.headings, 1)
        )
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{STYLE}</style></head><body>"
            f"<h1>{escape(self.title)}</h1><nav>{links}</nav>{''.join(self.parts)}</body></html>\n"
        )

    def write(self, path: Path) -> None:
        """Write the page, whole or not at all.

        Raises
        ------
        ViewError
            It cannot be written there, or the name is not that of a page.
        """
        check_suffix(path, PAGES)
        with new_file(path) as partial:
            partial.write_text(self.to_html(), encoding="utf-8")


def _is_number(cell: str) -> bool:
    return cell.lstrip("+-~<>= ")[:1].isdigit() or cell in ("", "-")
