"""Progress of a stage -> a bar at a terminal; elsewhere, and in a log file, a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hmsprep.cli.console import errors, progress_log, shown
from hmsprep.words import plural, size

LINE_PARTS, LINE_S = 10, 30.0
"""Where there is no terminal, progress is a line per tenth of a stage, or after so many seconds."""
SHORTEST_LINE_S = 2.0
"""No two such lines come closer than this, so that a quick stage has only its last."""


class Stage(NamedTuple):
    """A stage of progress as the user reads it."""

    label: str
    noun: str = ""
    """What is counted, in the singular; 'bytes' are said as MB; nothing if it has no measure."""
    nouns: str = ""
    """Its plural, if that is not the noun with an 's'."""

    def amount(self, done: int, total: int) -> str:
        """Say how much is done: '1.2 GB of 3.0 GB', '12 of 90 recordings'."""
        if not self.noun:
            return ""
        if self.noun == "bytes":
            return f"{size(done)} of {size(total)}"
        return f"{done:,} of {plural(total, self.noun, self.nouns)}"


def spinner(what: str) -> AbstractContextManager[object]:
    """Show that work without a measure is going on, if stderr is a terminal."""
    if errors.is_terminal and shown():
        return errors.status(Text(what))
    return nullcontext()


@contextmanager
def bars(stages: Mapping[str, Stage]) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar per stage, with the time left; where stderr is no terminal, a line now and then.

    Parameters
    ----------
    stages : dict of str to Stage
        What to say of each stage, by its name.

    Yields
    ------
    callable
        Takes a stage's name, how much of it is done, and how much there is.
    """
    shown_bars = Progress(
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(bar_width=20),
        _Amount(),
        TimeRemainingColumn(compact=True),
        console=errors,
        disable=not (errors.is_terminal and shown()),
    )
    tasks: dict[str, TaskID] = {}
    lines = Lines(stages, lambda line: progress_log.info("%s", line))

    def show(stage: str, done: int, total: int) -> None:
        about = stages[stage]
        measured = bool(about.noun) or done >= total
        if stage not in tasks:
            tasks[stage] = shown_bars.add_task(about.label, total=None, about=about)
        shown_bars.update(tasks[stage], completed=done, total=total if measured else None)
        lines.show(stage, done, total)

    with shown_bars:
        yield show


class _Amount(ProgressColumn):
    """How much of a stage is done."""

    def render(self, task: Task) -> Text:
        """Say it, in the stage's unit."""
        return Text(task.fields["about"].amount(int(task.completed), int(task.total or 0)))


class Lines:
    """Progress as lines of text: one per tenth of a stage or half minute, and one at its end.

    Parameters
    ----------
    stages : dict of str to Stage
        What to say of each stage, by its name.
    emit : callable
        Takes a line.
    clock : callable
        Gives the time in seconds.
    """

    def __init__(
        self,
        stages: Mapping[str, Stage],
        emit: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stages, self.emit, self.clock = stages, emit, clock
        self.going: dict[str, _Going] = {}

    def show(self, stage: str, done: int, total: int) -> None:
        """Take note of progress, and say it if it is time."""
        now = self.clock()
        going = self.going.setdefault(stage, _Going(now, now))
        if going.ended:
            return
        about = self.stages[stage]
        part = LINE_PARTS * done // total if total else LINE_PARTS
        since, going.ended = now - going.said, done >= total
        if going.ended:
            due = bool(about.noun) or since >= SHORTEST_LINE_S
        else:
            due = (part > going.part and since >= SHORTEST_LINE_S) or since >= LINE_S
        if not due:
            return
        seconds = f"{now - going.begun:.0f} s"
        if about.noun:
            share = done / total if total else 1.0
            self.emit(f"{about.label}: {share:.0%}, {about.amount(done, total)}, {seconds}")
        else:
            self.emit(f"{about.label}: {'done in ' if going.ended else ''}{seconds}")
        going.said, going.part = now, part


@dataclass
class _Going:
    """A stage of which something may have been said."""

    begun: float
    said: float
    part: int = 0
    ended: bool = False
