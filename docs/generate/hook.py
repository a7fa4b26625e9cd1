"""The repository's documents, commands and docstrings -> the pages of one site.

MkDocs calls the `on_...` functions. Pages that lie outside `docs/` (README, records, the format's
specification) are added under names of the site, and links between files of the repository become
links between pages, so that the same link holds in a clone, on the project's page and on the site.
"""

from __future__ import annotations

import posixpath
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "store"), str(ROOT / "docs")]

from generate.api import api_page  # noqa: E402
from generate.commands import command_page  # noqa: E402
from generate.settings import settings_page  # noqa: E402

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "store/FORMAT.md": "format.md",
    "benchmarks/README.md": "benchmarks/index.md",
    "benchmarks/LOG.md": "benchmarks/log.md",
}
"""Documents outside `docs/`, and what their pages are called."""
PLACES = {page: source for source, page in PAGES.items()}
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
HOME = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated, or that lie elsewhere in the repository."""
    import hmsprep.cli
    import hmstrain.cli

    texts = {page: (ROOT / source).read_text() for source, page in PAGES.items()}
    for record in sorted((ROOT / "benchmarks" / "results").glob("*.md")):
        page = f"benchmarks/results/{record.name}"
        texts[page] = record.read_text()
        PLACES[page] = page
    texts["reference/hmsprep-commands.md"] = command_page("hmsprep", hmsprep.cli.app)
    texts["reference/hmstrain-commands.md"] = command_page("hmstrain", hmstrain.cli.app)
    texts["reference/settings.md"] = settings_page()
    for package, also in PUBLIC.items():
        texts[f"reference/{package}.md"] = api_page(package, also)
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    return files


PUBLIC: dict[str, tuple[str, ...]] = {
    "hmsstore": (
        "hmsstore.view.window.draw_window",
        "hmsstore.mne_raw.raw_recording",
    ),
    "hmsprep": (),
    "hmstrain": (),
}
"""The packages, and public objects that are imported from a module of theirs."""


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between files of the repository into links between pages."""
    here = page.file.src_uri
    if here.startswith("reference/"):
        return markdown
    source = PLACES.get(here, f"docs/{here}")
    return LINK.sub(lambda found: found[1] + _target(found[2], source, here) + found[3], markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Mark code of a word or two, which a browser should not break after its hyphens."""
    return re.sub(r"<code>([^<\n]{1,32})</code>", r'<code class="short">\1</code>', html)


def _target(link: str, source: str, here: str) -> str:
    """Where a link of a document leads on the site."""
    if re.match(r"[a-z]+:|#", link):
        return link
    path, hash_, anchor = link.partition("#")
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if not (ROOT / place).exists():
        raise PluginError(f"{source} links to {link}, but there is no {place}.")
    page = _page(place)
    if page is None:
        return f"{HOME}/blob/main/{place}{hash_}{anchor}"
    return posixpath.relpath(page, posixpath.dirname(here) or ".") + hash_ + anchor


def _page(place: str) -> str | None:
    """Which page of the site shows a file of the repository."""
    if place in PAGES:
        return PAGES[place]
    if place.startswith("benchmarks/results/") and place.endswith(".md"):
        return place
    return place.removeprefix("docs/") if place.startswith("docs/") else None
