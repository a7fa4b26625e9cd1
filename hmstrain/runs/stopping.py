"""Signals that ask to stop -> an exception at once, or a note that training reads between steps.

INT is Ctrl-C, TERM is how `kill`, `docker stop` and SLURM stop a process, USR1 is what SLURM's
`--signal` sends before time is up, HUP says that the terminal was closed. Handlers are installed in
the main thread only, replace none that somebody else set, and are taken away afterwards.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmstrain.distributed import World
    from hmstrain.events import Events

AT_ONCE = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
SIGNALS = (signal.SIGINT, *AT_ONCE)
SAME_S = 5.0
"""Under torchrun, signals so close to the first are taken for the same one: a process gets it from
its sender, and again from torchrun."""
WAIT = (
    "Stopping after this step, or after the validation in progress. Another signal stops at once."
)


class Interrupted(KeyboardInterrupt):
    """A signal stopped the work.

    Parameters
    ----------
    number : int
        The signal.
    step : int, optional
        Step at which the run was saved, if it was.
    folder : Path, optional
        Folder of that run.
    """

    def __init__(self, number: int, step: int | None = None, folder: Path | None = None) -> None:
        name = signal.Signals(number).name
        super().__init__(name if step is None else f"{name}: step {step} is saved in {folder}")
        self.number, self.step, self.folder = number, step, folder


def exit_code(stop: KeyboardInterrupt) -> int:
    """128 and the number of the signal, as shells count: 130 after INT, 143 after TERM."""
    return 128 + (stop.number if isinstance(stop, Interrupted) else signal.SIGINT)


def raise_at_once(number: int, _frame: FrameType | None) -> None:
    """Handle a signal by raising `Interrupted`, so that files and processes are cleaned up."""
    raise Interrupted(number)


@contextmanager
def raising() -> Iterator[None]:
    """While the block runs, signals that would kill the process raise `Interrupted` instead."""
    with _handled(AT_ONCE, raise_at_once):
        yield


@contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back while the block runs: what it removes is removed whole."""
    came: list[int] = []
    with _handled(SIGNALS, lambda number, _frame: came.append(number)):
        yield
    if came:
        signal.raise_signal(came[0])


class StopRequest:
    """Takes note of a signal while it is entered; a second one raises `Interrupted`.

    A signal that nobody asked about until the end goes to the handler of before.
    """

    def __init__(self, world: World, events: Events) -> None:
        self.world, self.events = world, events
        self.number = 0
        self._since = 0.0
        self._held = ExitStack()

    def __enter__(self) -> StopRequest:
        self._held.enter_context(_handled(SIGNALS, self._note))
        return self

    def __exit__(self, kind: type[BaseException] | None, *failure: object) -> None:
        self._held.close()
        if kind is None and self.number:
            signal.raise_signal(self.number)

    def asked(self) -> int:
        """The signal that one of the processes got, the same in all of them; 0 if none did."""
        return self.world.greatest(self.number)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.number:
            if self.world.size == 1 or now - self._since > SAME_S:
                raise Interrupted(number)
            return
        self.number, self._since = number, now
        if self.world.main:
            with suppress(RuntimeError):  # the signal came while this very stream was written to
                self.events("notice", {"text": WAIT})


@contextmanager
def _handled(
    signals: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Have a handler for those signals that stop the process anyway."""
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        ours = (signal.SIG_DFL, signal.default_int_handler, raise_at_once)
        before = {one: signal.getsignal(one) for one in signals if signal.getsignal(one) in ours}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)
