"""What the command lines print on terminals and write into log files: text from files as text.

Only they import this: it needs rich.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from hmsstore.plain.text import discard, plain


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

    def on_broken_pipe(self) -> None:
        """Go on when the reader has gone away, where rich ends the program."""
        discard(self.file)


class PlainLines(logging.Formatter):
    """Lines of a log file, which is read on a terminal too."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as text."""
        return plain(super().format(record))


def column_blocks(
    columns: Sequence[Sequence[str]], room: int, gap: int = 3, whole: Collection[int] = (0,)
) -> list[dict[int, int]]:
    """Divide columns into blocks that fit beside each other without breaking a word.

    Parameters
    ----------
    columns : sequence of sequence of str
        Texts of each column, its header included.
    room : int
        Characters of a line.
    gap : int
        Characters between two columns.
    whole : collection of int
        Columns that are not wrapped.

    Returns
    -------
    list of dict of int to int
        For each block, the columns it holds and their widths; each begins with the first column.
    """
    least = [
        max((len(w) for text in column for w in text.split()), default=0) for column in columns
    ]
    most = [max(map(len, column), default=0) for column in columns]
    for number in whole:
        least[number] = most[number]
    widest = max(least[1:], default=0)
    if 0 not in whole and least[0] + gap + widest > room:
        least[0] = max(1, room - gap - widest)  # a long name is folded, so that nothing is cut
    blocks: list[dict[int, int]] = [{0: least[0]}]
    for number in range(1, len(columns)):
        used = sum(blocks[-1].values()) + gap * len(blocks[-1])
        if used + least[number] > room and len(blocks[-1]) > 1:
            blocks.append({0: least[0]})
        blocks[-1][number] = least[number]
    for block in blocks:
        left = room - sum(block.values()) - gap * (len(block) - 1)
        for number in sorted(block, key=lambda number: most[number] - least[number]):
            wider = max(0, min(left, most[number] - least[number]))
            block[number] += wider
            left -= wider
    return blocks
