"""`hmsprep` in a process of its own: what needs its packages does not burden training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Self

from hmstrain.errors import DataError, RunError
from hmstrain.runs.stopping import held_back

SHOWN_ELSEWHERE = "HMSPREP_WARNINGS_SHOWN_ELSEWHERE"
"""Environment variable by which hmsprep is told to leave its warnings to whoever called it."""
END_S = 5.0
"""Seconds that hmsprep gets to end its own processes; after that it is killed with them."""


def is_installed() -> bool:
    """Whether hmsprep is here, with what it imports."""
    return find_spec("polars") is not None and find_spec("hmsprep") is not None


def check_installed(need: str) -> None:
    """Refuse to go on without hmsprep and what it imports.

    Parameters
    ----------
    need : str
        What it is needed for, as the beginning of a sentence.

    Raises
    ------
    RunError
        It is not installed.
    """
    if not is_installed():
        raise RunError(f"{need}, which needs more packages: pip install 'hms-eeg[prep]'")


def run_hmsprep(
    *words: object,
    warnings: bool = True,
    started: Callable[[subprocess.Popen[str]], object] | None = None,
    said: Callable[[str], object] | None = None,
    held: Sequence[int] = (),
) -> None:
    """Run a command of hmsprep; its progress is shown on a terminal, its errors become ours.

    It gets a process group of its own, so that it can be killed with all that it started.

    Parameters
    ----------
    words
        The command and its arguments.
    warnings : bool
        Show its warnings on a terminal, too; False where the caller passes them on.
    started : callable, optional
        Called with the process, which others may `end`.
    said : callable, optional
        Called with each line that it says; then it says nothing to a terminal.
    held : sequence of int
        Open files that it is to hold, too, for as long as it lives.

    Raises
    ------
    DataError
        The command failed: its own sentence.
    """
    with start_hmsprep(*words, warnings=warnings, said=said, held=held) as running:
        if started is not None:
            started(running.child)
        running.wait()


@dataclass(frozen=True, slots=True)
class Running:
    """A command of hmsprep that runs; as a context, it is ended with it."""

    child: subprocess.Popen[str]
    said: Callable[[str], object] | None = None
    """Called with each line that it says."""

    def __enter__(self) -> Self:
        """Nothing but itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End it, if it still runs, and whatever it started if something went wrong."""
        if kind is not None or self.child.poll() is None:
            with held_back():
                end(self.child)
        if self.child.stderr is not None:
            self.child.stderr.close()

    def wait(self) -> None:
        """Wait until it is done.

        Raises
        ------
        DataError
            It failed: its own sentence.
        """
        errors = _errors(self.child, self.said)
        if not self.child.returncode:
            return
        if errors is None:
            raise DataError("hmsprep failed; see its message above.")
        raise DataError(sentence(errors) or f"hmsprep ended with {self.child.returncode}.")


def start_hmsprep(
    *words: object,
    warnings: bool = True,
    said: Callable[[str], object] | None = None,
    held: Sequence[int] = (),
) -> Running:
    """Start a command of hmsprep, as `run_hmsprep` runs it."""
    shown = said is None and sys.stderr.isatty()
    return Running(
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "hmsprep", *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=None if shown else subprocess.PIPE,
            text=True,
            env=os.environ | ({} if warnings else {SHOWN_ELSEWHERE: "1"}),
            process_group=0,
            pass_fds=held,
        ),
        said,
    )


def sentence(errors: str) -> str:
    """What hmsprep's error output says went wrong; '' if it says nothing."""
    return errors.strip().rpartition("hmsprep: ")[2]


def _errors(child: subprocess.Popen[str], said: Callable[[str], object] | None) -> str | None:
    """What a process writes to its error output until it ends, told line by line.

    None where it writes to the terminal itself.
    """
    if said is None:
        _, errors = child.communicate()
        return errors
    assert child.stderr is not None
    lines = []
    for line in child.stderr:
        lines.append(line)
        said(line.strip())
    child.wait()
    return "".join(lines)


def end(child: subprocess.Popen[str]) -> None:
    """End a process that leads a group, and whatever of the group outlives it."""
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(END_S)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
