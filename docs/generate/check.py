"""A built site -> an error if a page would load anything from another host."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "input": "src",
}
"""Attributes whose address a browser loads without being asked."""
LOADED_LINKS = set("stylesheet icon preload prefetch preconnect dns-prefetch manifest".split())
FROM_OUTSIDE = re.compile(r"^(?:[a-z]+:)?//", re.I)
IN_STYLE = re.compile(r"""(?:url\(|@import\s+)\s*["']?((?:https?:)?//[^"')\s]+)""", re.I)


class _Page(HTMLParser):
    """Collects the addresses that a page loads from another host."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at what a tag loads."""
        given = {name: value or "" for name, value in attrs}
        addresses = [given.get(LOADS.get(tag, ""), ""), given.get("poster", "")]
        addresses += re.findall(r"(?:^|,)\s*([^\s,]+)", given.get("srcset", ""))
        if tag == "link" and LOADED_LINKS & set(given.get("rel", "").lower().split()):
            addresses.append(given.get("href", ""))
        addresses += IN_STYLE.findall(given.get("style", ""))
        self.found += [address for address in addresses if FROM_OUTSIDE.match(address)]


def loaded_from_outside(site: Path) -> list[str]:
    """Name every page or style of a site that loads from another host, and the address."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            page = _Page()
            text = path.read_text()
            page.feed(text)
            styles = re.findall(r"<style[^>]*>(.*?)</style>", text, flags=re.S)
            addresses = page.found + [a for style in styles for a in IN_STYLE.findall(style)]
        elif path.suffix == ".css":
            addresses = IN_STYLE.findall(path.read_text())
        else:
            continue
        found += [f"{path.relative_to(site)} loads {address}" for address in addresses]
    return found


if __name__ == "__main__":
    problems = loaded_from_outside(Path(sys.argv[1]))
    sys.exit("\n".join(problems) or 0)
