"""Results, notes and progress -> what the user reads: results on stdout, all else on stderr.

The library logs its notes and warnings under 'hmsprep'. `reporting` shows them on stderr, and
writes them to a log file if asked.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from hmsprep.words import LEAK_WARNING, plural, size
from hmsstore.spec import HMS

if TYPE_CHECKING:
    from hmsprep.planning.preview import Preview
    from hmsprep.simulator.make import Simulated
    from hmsprep.summary import StoreSummary

errors = Console(stderr=True)
log = logging.getLogger("hmsprep")
progress_log = logging.getLogger("hmsprep.progress")
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


# Reporting: notes, warnings, errors, the log file


class _OnStderr(logging.Handler):
    """Shows records as the user reads them; progress only where no bar can be shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        if record.name == progress_log.name and errors.is_terminal:
            return
        warning = record.levelno >= logging.WARNING
        prefix = ("warning: ", "bold yellow") if warning else ""
        say(Text.assemble(prefix, record.getMessage()))


def say(message: str | Text) -> None:
    """Print to stderr: at a terminal, lines are broken between words; elsewhere nowhere."""
    text = Text(message) if isinstance(message, str) else message
    errors.print(
        text, soft_wrap=not errors.is_terminal, overflow="ignore", crop=False, highlight=False
    )


@contextmanager
def reporting(
    *,
    quiet: bool = False,
    log_file: Path | None = None,
    interrupted: str | Callable[[], str] = "Stopped.",
) -> Iterator[None]:
    """Show notes, warnings and progress while a command runs; on Ctrl-C, say so and exit with 130.

    Parameters
    ----------
    quiet : bool
        Show warnings only.
    log_file : Path, optional
        File to which all of it is appended, and the error that ends the command.
    interrupted : str or callable
        What to say on Ctrl-C.

    Raises
    ------
    ParameterError
        The log file cannot be written.
    """
    handlers: list[logging.Handler] = [_OnStderr(logging.WARNING if quiet else logging.INFO)]
    if log_file is not None:
        handlers.append(_open_log(log_file))
    before = log.level
    log.setLevel(logging.INFO)
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield
    except KeyboardInterrupt:
        log.info(interrupted if isinstance(interrupted, str) else interrupted())
        raise typer.Exit(130) from None
    except (typer.Exit, SystemExit):
        raise
    except Exception as error:
        for handler in handlers[1:]:  # stderr gets it from `main`
            handler.handle(log.makeRecord(log.name, logging.ERROR, "", 0, str(error), (), None))
        raise
    finally:
        log.setLevel(before)
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


def _open_log(path: Path) -> logging.Handler:
    from hmsprep.errors import ParameterError
    from hmsstore.manifest import MANIFEST_NAME

    if any((folder / MANIFEST_NAME).is_file() for folder in path.resolve().parents):
        raise ParameterError(f"--log-file {path}: expected a file outside of a sealed store.")
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ParameterError(f"--log-file {path} cannot be written: {error.strerror}.") from None
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    return handler


def note(message: str) -> None:
    """Tell the user something."""
    log.info("%s", message)


def warn_all(messages: Iterable[str]) -> None:
    """Warn the user of each of these."""
    for message in messages:
        log.warning("%s", message)


def warn_of_leak(leaks: bool) -> None:
    """Say that a store leaks: every command that opens one does."""
    if leaks:
        log.warning(LEAK_WARNING)


# Progress


def spinner(what: str) -> AbstractContextManager[object]:
    """Show that work without a measure is going on, if stderr is a terminal."""
    if errors.is_terminal and _shown():
        return errors.status(what)
    return nullcontext()


def _shown() -> bool:
    """Whether notes and progress are shown on stderr now."""
    return any(isinstance(one, _OnStderr) and one.level <= logging.INFO for one in log.handlers)


@contextmanager
def progress(stages: Mapping[str, Stage]) -> Iterator[Callable[[str, int, int], None]]:
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
    bars = Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=20),
        _Amount(),
        TimeRemainingColumn(compact=True),
        console=errors,
        disable=not (errors.is_terminal and _shown()),
    )
    tasks: dict[str, TaskID] = {}
    lines = Lines(stages, lambda line: progress_log.info("%s", line))

    def show(stage: str, done: int, total: int) -> None:
        about = stages[stage]
        measured = bool(about.noun) or done >= total
        if stage not in tasks:
            tasks[stage] = bars.add_task(about.label, total=None, about=about)
        bars.update(tasks[stage], completed=done, total=total if measured else None)
        lines.show(stage, done, total)

    with bars:
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


# Results


def print_json(value: Any) -> None:
    """Print a value for another program, on one line."""
    print(json.dumps(value))


def print_section(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]], note_: str = ""
) -> None:
    """Print one table under its title; numbers stand to the right, words are never broken.

    Columns that do not fit beside the others follow below, after the first column once more.
    """
    out = Console()
    columns = list(zip(header, *rows, strict=True))
    blocks = column_blocks(columns, out.width)
    out.print(Text(title, style="bold"))
    for place, block in enumerate(blocks):
        if place:
            out.print()
        table = Table(box=box.SIMPLE_HEAD, show_header=any(header), pad_edge=False, show_edge=False)
        for number, width in block.items():
            name, *cells = columns[number]
            numeric = all(cell.lstrip("-")[:1].isdigit() or not cell for cell in cells)
            justify: Literal["left", "right"] = "right" if numeric and number else "left"
            table.add_column(name, justify=justify, width=width)
        for row in zip(*(columns[number][1:] for number in block), strict=True):
            table.add_row(*map(Text, row))
        out.print(table)
    if note_:
        out.print(Text(note_, style="dim italic"))
    out.print()


def column_blocks(
    columns: Sequence[Sequence[str]], room: int, gap: int = 3
) -> list[dict[int, int]]:
    """Divide columns into blocks that fit beside each other without breaking a word.

    Parameters
    ----------
    columns : sequence of sequence of str
        Texts of each column, its header included. The first is not wrapped.
    room : int
        Characters of a line.
    gap : int
        Characters between two columns.

    Returns
    -------
    list of dict of int to int
        For each block, the columns it holds and their widths; each begins with the first column.
    """
    least = [
        max((len(w) for text in column for w in text.split()), default=0) for column in columns
    ]
    most = [max(map(len, column), default=0) for column in columns]
    least[0] = most[0]
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


def print_list(title: str, texts: Iterable[str]) -> None:
    """Print sentences under a title, a dash before each."""
    out = Console()
    out.print(Text(title, style="bold"))
    for text in texts:
        for line in wrap(f"- {text}", out.width - 1, subsequent_indent="  "):
            out.print(Text(f" {line}"))
    out.print()


def print_plan(found: Preview) -> None:
    """Print what a build would make."""
    rows = _contents(found.to_json(), found.folds, found.patients_per_split)
    for name, signal in found.signals.items():
        title = "EEG" if name == "eeg" else name
        rows[f"{title} stored"] = (
            f"{signal['seconds']:,} s of {title} in {plural(signal['shards'], 'file')}"
        )
    rows["votes"] = ", ".join(
        f"{title} {count:,}" for title, count in zip(found.classes, found.votes, strict=True)
    )
    rows["size"] = size(found.bytes)
    print_facts(rows)


def print_info(found: StoreSummary) -> None:
    """Print what a store holds and how it was made."""
    about, counts = found.attributes, found.counts
    rows = {"store": str(found.path)}
    rows |= _contents(counts, found.folds, found.patients_per_split)
    if counts["dropped"]:
        rows["dropped"] = f"{plural(counts['dropped'], 'window')} with missing values"
    rows["with NaN"] = (
        f"EEG in {plural(counts['eeg_windows_with_nan'], 'window')}, "
        f"spectrogram in {plural(counts['spectrogram_windows_with_nan'], 'window')}"
        f"{', all dropped' if counts['dropped'] else ''}"
    )
    if found.gaps is not None:
        rows["gaps"] = ", ".join(
            f"{count:,} in {plural(recordings, noun)}"
            for (count, recordings), noun in zip(
                found.gaps.values(), ("EEG", "spectrogram"), strict=True
            )
        )
    if found.spec != HMS:
        rows["classes"] = f"{', '.join(found.spec.class_titles)} (data {found.spec.name!r})"
    rows |= _cleaning(about["parameters"])
    constant = [name for one in about["statistics"].values() for name in one["constant"]]
    if constant:
        rows["constant"] = f"{', '.join(constant[:6])}{' ...' if len(constant) > 6 else ''}"
    if any(about["saturated"].values()):
        rows["saturated"] = plural(sum(about["saturated"].values()), "value")
    if about["skipped"]:
        rows["skipped"] = (
            f"{plural(about['skipped']['windows'], 'window')} without files of their recordings"
        )
    rows["size"] = size(found.nbytes)
    rows["identity"] = found.identity[:16]
    print_facts(rows)


def print_synth(made: Simulated) -> None:
    """Print how much was simulated, and between which scores a model on it will lie."""
    rows = {
        "data": str(made.data),
        "windows": f"{made.windows:,}",
        "recordings": _recordings(made.eegs, made.spectrograms),
        "patients": f"{made.patients:,}",
    }
    if made.kl_of_truth is not None and made.kl_of_mean is not None:
        rows["best KL"] = f"{made.kl_of_truth:.2f}, reached by the simulated truth"
        rows["constant KL"] = f"{made.kl_of_mean:.2f}, reached by the mean of all votes"
    print_facts(rows)


def print_facts(rows: Mapping[str, str]) -> None:
    """Print names and values beside each other; values are broken between words."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(value))
    Console().print(table)


def _cleaning(parameters: Mapping[str, Any]) -> dict[str, str]:
    """How values were made, a line each."""
    eeg = f"+-{parameters['eeg_clip']:g} uV" if parameters["eeg_clip"] else "none"
    power = "none"
    if parameters["spectrogram_clip"]:
        power = "{:.3g} to {:.4g} uV^2/Hz".format(*parameters["spectrogram_clip"])
    rows = {"filled": parameters["nan"], "clipped": f"EEG {eeg}; spectrogram {power}, then ln"}
    if parameters["bandpass"]:
        rows["band-pass"] = "{:g} to {:g} Hz".format(*parameters["bandpass"])
    return rows | {"normalised": parameters["normalise"]}


def _contents(
    counts: Mapping[str, int], folds: Sequence[int], patients: Mapping[str, int]
) -> dict[str, str]:
    rows = {
        "windows": f"{counts['windows']:,}",
        "recordings": _recordings(counts["eegs"], counts["spectrograms"]),
        "patients": f"{counts['patients']:,}",
    }
    for word in ("train", "test"):
        rows[word] = f"{plural(counts[word], 'window')} of {plural(patients[word], 'patient')}"
    if counts["predict"]:
        rows["to predict"] = plural(counts["predict"], "window")
    if folds:
        rows["folds"] = f"{', '.join(f'{count:,}' for count in folds)} windows"
    return rows


def _recordings(eegs: int, spectrograms: int) -> str:
    return f"{plural(eegs, 'EEG')}, {plural(spectrograms, 'spectrogram')}"
