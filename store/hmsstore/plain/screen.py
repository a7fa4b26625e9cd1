"""What the command lines print on terminals and write into log files: text from files as text.

Only they import this: it needs rich.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from hmsstore.plain.text import plain


class Screen(Console):
    """A console on which text from files shows as text: no character of it acts on a terminal."""

    @property
    def file(self) -> IO[str]:
        """The stream itself, below what makes other writers plain."""
        found = super().file
        return getattr(found, "rich_proxied_file", found)

    @file.setter
    def file(self, file: IO[str]) -> None:
        self._file = file

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, and write what would act as Python writes it."""
        for part in super().render(renderable, options):
            yield part if part.control else Segment(plain(part.text), part.style)


class PlainLines(logging.Formatter):
    """Lines of a log file, which is read on a terminal too."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as text."""
        return plain(super().format(record))
