"""Notes, progress and results -> what the user reads: results on stdout, all else on stderr."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hmsstore.plain.screen import PlainLines, Screen
from hmsstore.plain.text import json_line, plain
from hmstrain.runs.outcome import score_text
from hmstrain.runs.stopping import Interrupted, exit_code, raising
from hmstrain.words import plural

errors = Screen(stderr=True)
log = logging.getLogger("hmstrain")
progress_log = logging.getLogger("hmstrain.progress")
LINE_PARTS, LINE_S = 10, 30.0
"""Where there is no terminal, a line of progress comes per tenth, or after so many seconds."""
TRAIN_LINE_S = 30.0
"""Seconds between lines of training figures, where stderr is not a terminal and in a log file."""
OWN_SCORES = ("infonce", "elbo", "explained")
"""Of validations of what gives no probabilities."""


# Notes, warnings, errors, the log file


class _OnStderr(logging.Handler):
    """Shows records as the user reads them; lines of progress only where no bar can be shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        if record.name == progress_log.name and errors.is_terminal:
            return
        warning = record.levelno >= logging.WARNING
        prefix = ("warning: ", "bold yellow") if warning else ""
        errors.print(
            Text.assemble(prefix, plain(record.getMessage())),
            soft_wrap=not errors.is_terminal,
            highlight=False,
        )


@contextmanager
def reporting(
    *,
    quiet: bool = False,
    log_file: Path | None = None,
    interrupted: str | Callable[[KeyboardInterrupt], str] = "Stopped.",
) -> Iterator[None]:
    """Show notes, warnings and progress while a command runs; say so if it is stopped.

    It then exits with 128 and the signal's number: 130 after Ctrl-C, 143 after TERM.

    Parameters
    ----------
    quiet : bool
        Show warnings only.
    log_file : Path, optional
        File to which all of it is appended, and the error that ends the command.
    interrupted : str or callable
        What to say when it is stopped; nothing if empty.

    Raises
    ------
    ConfigError
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
        with raising():
            yield
    except KeyboardInterrupt as stop:
        if said := interrupted if isinstance(interrupted, str) else interrupted(stop):
            log.info(said)
        raise typer.Exit(exit_code(stop)) from None
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


def stopped(stop: KeyboardInterrupt, out: Path, how: str) -> str:
    """Say what was saved of a run or a study in `out` that was stopped, and how to resume it."""
    from hmstrain.events import is_main

    if not is_main():
        return ""
    if isinstance(stop, Interrupted) and stop.step is not None:
        return f"Stopped; step {stop.step:,} is saved in {stop.folder}. {how}"
    if not any(out.rglob("model.json")):
        return "Stopped. There was no checkpoint yet, so nothing is kept."
    return f"Stopped; everything saved so far is in {out}. {how}"


def _open_log(path: Path) -> logging.Handler:
    from hmsstore.manifest import MANIFEST_NAME
    from hmstrain.errors import ConfigError

    if any((folder / MANIFEST_NAME).is_file() for folder in path.resolve().parents):
        raise ConfigError(f"--log-file {path}: expected a file outside of a sealed store.")
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--log-file {path} cannot be written: {error.strerror}.") from None
    handler.setFormatter(PlainLines("%(asctime)s %(levelname)s %(message)s"))
    return handler


def note(message: str) -> None:
    """Tell the user something."""
    log.info("%s", message)


def warn(message: str) -> None:
    """Warn the user."""
    log.warning("%s", message)


def shows_bars() -> bool:
    """Whether bars are drawn: on a terminal, unless quiet."""
    shown = any(isinstance(one, _OnStderr) and one.level <= logging.INFO for one in log.handlers)
    return errors.is_terminal and shown


def print_text(text: str) -> None:
    """Print a result in words: at a terminal, lines are broken between words; elsewhere nowhere."""
    screen = Screen()
    screen.print(Text(plain(text)), soft_wrap=not screen.is_terminal, highlight=False)


def print_json(value: Any) -> None:
    """Print a value for another program, on one line."""
    print(json_line(value))


# Progress


@contextmanager
def counting(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar while something is counted, or where there is no terminal a line now and then.

    What is yielded is called with (done, total).
    """
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not shows_bars(),
    ) as bar:
        task = bar.add_task(what, total=None)
        spoken, part = time.monotonic(), 0

        def show(done: int, total: int) -> None:
            nonlocal spoken, part
            bar.update(task, completed=done, total=total)
            now, reached = time.monotonic(), done * LINE_PARTS // max(total, 1)
            if reached > part or now - spoken > LINE_S:
                progress_log.info("%s: %s of %s", what, f"{done:,}", plural(total, unit[:-1]))
                spoken, part = now, reached

        yield show


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show a spinner at a terminal while something is computed in one go."""
    if not shows_bars():
        yield
        return
    with errors.status(Text(what)):
        yield


class RunProgress:
    """Shows a run as it goes: a bar with loss, rate and share of waiting; a line per validation.

    It is called with the events of `hmstrain.events.Events`.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.spoken = time.monotonic()
        self.shows: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "system": self.show_system,
            "network": self.show_network,
            "start": self.show_start,
            "notice": self.show_notice,
            "train": self.show_steps,
            "valid": self.show_validation,
            "test": self.show_test,
            "kept": self.show_kept,
        }

    def __call__(self, event: str, values: Mapping[str, Any]) -> None:
        """Show an event."""
        self.shows[event](values)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def show_system(self, values: Mapping[str, Any]) -> None:
        """A study begins its next system."""
        self.close()
        self.title = values["name"]

    def show_network(self, values: Mapping[str, Any]) -> None:
        """A network of several, of a fold or a seed, begins."""
        self.close()
        note(f"{values['name']}, network {values['number'] + 1} of {values['networks']}.")

    def show_start(self, values: Mapping[str, Any]) -> None:
        """A run begins or resumes."""
        resuming = f"; resuming at step {values['step']:,}" if values["step"] else ""
        which = " (one of each EEG and votes)" if values["sampled"] else ""
        size = "columns" if "columns" in values else "parameters"
        note(
            f"{self.title}: {values['model']}, {values[size]:,} {size} on "
            f"{values['device']}; {plural(values['train'], 'training window')}, "
            f"{plural(values['valid'], 'window')} to validate on{which}, "
            f"{plural(values['test'], 'test window')}; {plural(values['steps'], 'step')} in "
            f"{plural(values['epochs'], 'epoch')}{resuming}."
        )
        if values["random"] and not values["step"]:
            note("Starting from random weights; --pretrained or --weights start from others.")
        if values["rotating"]:
            warn("--fold rotate trains on every fold in turn: validation leaks patients.")
        self.bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=12),
            TextColumn("{task.description}", markup=False),
            TimeRemainingColumn(compact=True),
            console=errors,
            disable=not shows_bars(),
        )
        self.bar.start()
        self.task = self.bar.add_task("", total=values["steps"], completed=values["step"])

    def show_notice(self, values: Mapping[str, Any]) -> None:
        """Something about the run that its user should know."""
        note(values["text"])

    def show_steps(self, values: Mapping[str, Any]) -> None:
        """Some steps are done."""
        rate = f"{values['windows_per_s']:.0f} windows/s"
        waiting = f"{values['waiting']:.1%} waiting"
        loss = f"loss {values['loss']:.3f}"
        if self.bar is not None and self.task is not None:
            shown = ", ".join((loss, rate, waiting))
            self.bar.update(self.task, completed=values["step"], description=shown)
        if time.monotonic() - self.spoken > TRAIN_LINE_S:
            progress_log.info("step %s: %s, %s, %s", f"{values['step']:,}", loss, rate, waiting)
            self.spoken = time.monotonic()

    def show_validation(self, values: Mapping[str, Any]) -> None:
        """The held-out fold was scored."""
        aligned = ""
        if "retrieval_at_1" in values:
            aligned = (
                f", cosine {values['positive_cosine']:.2f} / {values['negative_cosine']:.2f}, "
                f"retrieval {values['retrieval_at_1']:.0%} (chance {values['chance']:.0%})"
            )
        by = values["best_by"]
        best = " (best)" if values["best"] and by != "last" else ""  # the latest is kept anyway
        if "kl_votes" not in values:  # there are no probabilities
            own = [f"{name} {score_text(values[name])}" for name in OWN_SCORES if name in values]
            self._note(values, f"validation {', '.join(own)}{aligned}{best}")
            return
        judged = "" if by in ("kl_votes", "last") else f", {by} {score_text(values[by])}"
        self._say("validation", values, f"{judged}{aligned}{best}")

    def show_test(self, values: Mapping[str, Any]) -> None:
        """The test split was scored after an epoch."""
        self._say("test", values, "")

    def show_kept(self, values: Mapping[str, Any]) -> None:
        """The run of a network, of several, is finished."""
        note(f"{values['name']}: {values['text']}")

    def _say(self, word: str, values: Mapping[str, Any], more: str) -> None:
        self._note(
            values,
            f"{word} kl_votes {score_text(values['kl_votes'])}, accuracy "
            f"{score_text(values['accuracy'])}{more}",
        )

    def _note(self, values: Mapping[str, Any], text: str) -> None:
        note(f"step {values['step']:,}, epoch {values['epoch'] + 1}: {text}")


@contextmanager
def run_progress(title: str) -> Iterator[RunProgress]:
    """What shows a run's events, its bar taken away at the end."""
    shown = RunProgress(title)
    try:
        yield shown
    finally:
        shown.close()


def width() -> int:
    """Columns of the screen, or 80."""
    return Screen().width
