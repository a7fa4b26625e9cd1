"""Notes, warnings and errors -> stderr, and a log file if asked.

The library logs its notes and warnings under 'hmsprep'. `reporting` shows them on stderr, and
writes them to a log file if asked.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.text import Text

from hmsprep.processes.stopping import exit_code, raising
from hmsprep.words import LEAK_WARNING
from hmsstore.plain.screen import PlainLines, Screen
from hmsstore.plain.text import plain

SHOWN_ELSEWHERE = "HMSPREP_WARNINGS_SHOWN_ELSEWHERE"
"""Environment variable that a program sets which shows the warnings of a command itself."""


errors = Screen(stderr=True)
log = logging.getLogger("hmsprep")
progress_log = logging.getLogger("hmsprep.progress")


class _OnStderr(logging.Handler):
    """Shows records as the user reads them; progress only where no bar can be shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        if record.name == progress_log.name and errors.is_terminal:
            return
        warning = record.levelno >= logging.WARNING
        if warning and os.environ.get(SHOWN_ELSEWHERE):
            return
        prefix = ("warning: ", "bold yellow") if warning else ""
        say(Text.assemble(prefix, plain(record.getMessage())))


def say(message: str | Text) -> None:
    """Print to stderr: at a terminal, lines are broken between words; elsewhere nowhere."""
    text = Text(plain(message)) if isinstance(message, str) else message
    errors.print(text, soft_wrap=not errors.is_terminal, highlight=False)


@contextmanager
def reporting(
    *,
    quiet: bool = False,
    log_file: Path | None = None,
    interrupted: str | Callable[[], str] = "Stopped.",
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
        with raising():
            yield
    except KeyboardInterrupt as stop:
        log.info(interrupted if isinstance(interrupted, str) else interrupted())
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


def _open_log(path: Path) -> logging.Handler:
    from hmsprep.errors import ParameterError
    from hmsstore.manifest import MANIFEST_NAME

    if any((folder / MANIFEST_NAME).is_file() for folder in path.resolve().parents):
        raise ParameterError(f"--log-file {path}: expected a file outside of a sealed store.")
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ParameterError(f"--log-file {path} cannot be written: {error.strerror}.") from None
    handler.setFormatter(PlainLines("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
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


def shown() -> bool:
    """Whether notes and progress are shown on stderr now."""
    return any(isinstance(one, _OnStderr) and one.level <= logging.INFO for one in log.handlers)
