"""Signals that ask to stop -> an exception at once, or a note that is read between two tasks.

TERM is how `kill`, `docker stop` and SLURM stop a process, USR1 is what SLURM's `--signal` sends
before time is up, HUP says that the terminal was closed.
Handlers are installed in the main thread only, replace none that somebody else set, and are taken
away afterwards.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

AT_ONCE = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
SIGNALS = (signal.SIGINT, *AT_ONCE)


class Interrupted(KeyboardInterrupt):
    """A signal other than Ctrl-C stopped the work; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_code(stop: KeyboardInterrupt) -> int:
    """128 and the number of the signal, as shells count: 130 after INT, 143 after TERM."""
    return 128 + (stop.number if isinstance(stop, Interrupted) else signal.SIGINT)


def raise_at_once(number: int, _frame: FrameType | None) -> None:
    """Handle a signal by raising `Interrupted`, so that files and processes are cleaned up."""
    raise Interrupted(number)


@contextmanager
def raising() -> Iterator[None]:
    """While the block runs, signals that would kill the process raise `Interrupted` instead."""
    with _handled(AT_ONCE, raise_at_once, (signal.SIG_DFL,)):
        yield


class Interrupts:
    """Takes note of signals instead of raising, so that none comes between two steps.

    A second one is raised. Signals that would not raise are left alone.
    """

    def __init__(self) -> None:
        self.number = 0
        self._held = ExitStack()

    def __enter__(self) -> Interrupts:
        raisers = (signal.default_int_handler, raise_at_once)
        self._held.enter_context(_handled(SIGNALS, self._note, raisers))
        return self

    def __exit__(self, *failure: object) -> None:
        self._held.close()

    def error(self) -> KeyboardInterrupt:
        """What the signal would have raised."""
        return KeyboardInterrupt() if self.number == signal.SIGINT else Interrupted(self.number)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        again, self.number = self.number, self.number or number
        if again:
            raise self.error()


@contextmanager
def blocked() -> Iterator[None]:
    """Hold signals back while processes are started: they inherit that, and leave them to us."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def heed_parent() -> None:
    """Let a process that was started with signals `blocked` end when its parent terminates it.

    A pool does that to what is left of it once a worker was killed.
    """

    def follow() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
            pass
        os._exit(128 + signal.SIGTERM)

    if hasattr(signal, "sigwaitinfo"):
        threading.Thread(target=follow, daemon=True).start()
    else:  # macOS: every TERM ends it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


@contextmanager
def _handled(
    signals: tuple[signal.Signals, ...],
    handler: Callable[[int, FrameType | None], None],
    instead_of: tuple[Any, ...],
) -> Iterator[None]:
    """Have a handler for those signals that have one of these now."""
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        now = {one: signal.getsignal(one) for one in signals}
        before = {one: handled for one, handled in now.items() if handled in instead_of}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)
