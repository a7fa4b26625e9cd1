"""`hmsprep` in a process of its own: what needs its packages does not burden training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec

from hmstrain.errors import DataError, RunError
from hmstrain.runs.stopping import held_back

SHOWN_ELSEWHERE = "HMSPREP_WARNINGS_SHOWN_ELSEWHERE"
"""Environment variable by which hmsprep is told to leave its warnings to whoever called it."""
END_S = 5.0
"""Seconds that hmsprep gets to end its own processes; after that it is killed with them."""


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
    if find_spec("polars") is None or find_spec("hmsprep") is None:
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
    shown = said is None and sys.stderr.isatty()
    environment = os.environ | ({} if warnings else {SHOWN_ELSEWHERE: "1"})
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "hmsprep", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=None if shown else subprocess.PIPE,
        text=True,
        env=environment,
        process_group=0,
        pass_fds=held,
    ) as child:
        try:
            if started is not None:
                started(child)
            errors = _errors(child, said)
        except BaseException:
            with held_back():
                end(child)
            raise
    if child.returncode:
        if shown:
            raise DataError("hmsprep failed; see its message above.")
        raise DataError(sentence(errors) or f"hmsprep ended with {child.returncode}.")


def sentence(errors: str) -> str:
    """What hmsprep's error output says went wrong; '' if it says nothing."""
    return errors.strip().rpartition("hmsprep: ")[2]


def _errors(child: subprocess.Popen[str], said: Callable[[str], object] | None) -> str:
    """What a process writes to its error output until it ends, told line by line."""
    if said is None:
        return child.communicate()[1]
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
