"""Tasks -> how each ended, every one in a process of its own, all at the same time.

A process that forks must have no threads: a fork has none of them, and Polars would wait for its
own for ever. So the forks are made by a process that imports everything and starts none:

    python -m soak.forks    a line of tasks, as JSON -> a line of how they ended, as JSON
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from soak.struck import Strike, struck, tally

NOBODY = 65534
LIMIT_S = 40.0
"""Longer than anything here takes."""
LONGEST_TEXT = 8000
READY = "ready\n"
ONE_THREAD = dict.fromkeys(
    ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Task:
    """What one process does, and what happens to it meanwhile."""

    act: str
    """One of `soak.acts.ACTS`."""
    given: dict[str, Any]
    after_s: float = 0.0
    """Seconds that it waits before it begins."""
    nobody: bool = False
    """Whether it gives up the rights of root, if it has them: permissions do not bind root."""
    strike: dict[str, Any] = field(default_factory=dict)
    """Fields of a `Strike`."""
    pause_s: float = 0.0
    """It sleeps at the moment of the strike, and does not fail."""
    revoked: tuple[str, int] | None = None
    """A path and its new rights from the moment of the strike on; it does not fail by itself."""
    kill_s: float | None = None
    """Seconds after which it is killed."""


@dataclass(frozen=True)
class Ended:
    """How a task ended."""

    how: str
    """'well'; 'refused', by an error of the packages; 'system', by an OSError that names a file;
    'killed', as it was meant to be; 'foreign', by anything else; 'hangs'."""
    text: str = ""
    value: Any = None
    seen: int = 0
    """Changes or looks that were counted."""


class Forks:
    """The process that forks, while it is entered."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._end()

    def run(self, *tasks: Task) -> list[Ended]:
        """Do the tasks at the same time; return how each of them ended."""
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([asdict(task) for task in tasks]) + "\n")
            self._process.stdin.flush()
            ended = [Ended(**one) for one in json.loads(self._line())]
        except BaseException:  # what it still says answers these tasks, not the next ones
            self._end()
            self._start()
            raise
        tally["killed"] += sum(one.how == "killed" for one in ended)
        return ended

    def _start(self) -> None:
        top = Path(__file__).parents[2]
        places = os.pathsep.join(map(str, (top, top / "store", top / "tests")))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "soak.forks"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": places},
        )  # fmt: skip
        assert self._line() == READY

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _end(self) -> None:
        """End the process, and those that it has forked."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None


def main() -> None:
    """Answer lines until there are no more."""
    from soak.acts import ACTS

    assert ACTS
    print(READY, end="", flush=True)
    for line in sys.stdin:
        print(json.dumps([asdict(one) for one in _at_once(json.loads(line))]), flush=True)


def _at_once(tasks: Sequence[dict[str, Any]]) -> list[Ended]:
    start = time.monotonic()
    pids, pipes = [], []
    for one in tasks:
        mine, theirs = os.pipe()
        pid = os.fork()
        if not pid:
            _child(Task(**one), theirs)
        os.close(theirs)
        pids.append(pid)
        pipes.append(mine)
    told, late = [b""] * len(tasks), [False] * len(tasks)
    left = set(range(len(tasks)))
    while left:
        now = time.monotonic() - start
        due = [LIMIT_S if one["kill_s"] is None else one["kill_s"] for one in tasks]
        for place in left:
            if now >= due[place] and not late[place]:
                late[place] = True
                os.kill(pids[place], signal.SIGKILL)
        wait_s = min([due[place] - now for place in left if not late[place]], default=LIMIT_S)
        ready, _, _ = select.select([pipes[place] for place in left], [], [], max(wait_s, 0))
        for place in [one for one in left if pipes[one] in ready]:
            if piece := os.read(pipes[place], 1 << 16):
                told[place] += piece
            else:
                left.discard(place)
    ended = []
    for task, pid, pipe, text, was_late in zip(tasks, pids, pipes, told, late, strict=True):
        os.close(pipe)
        status = os.waitpid(pid, 0)[1]
        if text.endswith(b"\n"):
            ended.append(Ended(**json.loads(text)))
        elif was_late and task["kill_s"] is None:
            ended.append(Ended("hangs", f"nothing after {LIMIT_S} s"))
        elif os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            ended.append(Ended("killed"))
        else:
            ended.append(Ended("foreign", f"the process ended with status {status}"))
    return ended


def _child(task: Task, report: int) -> None:
    """Do a task and end this process."""
    try:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):
            os.dup2(silence, stream)
        ended = _done(task)
        content = json.dumps(asdict(ended)).encode() + b"\n"
        while content:
            content = content[os.write(report, content) :]
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _done(task: Task) -> Ended:
    from soak.acts import ACTS
    from soak.readers import OWN

    fields = dict(task.strike)
    below = Path(fields.pop("below", "/nowhere"))
    instead = None
    if task.pause_s:
        instead = lambda: time.sleep(task.pause_s)  # noqa: E731
    if task.revoked is not None:
        path, rights = task.revoked
        instead = lambda: _revoke(path, rights)  # noqa: E731
    strike = Strike(below, **fields, instead=instead)
    if task.nobody:
        give_up_rights()
    time.sleep(task.after_s)
    how, text, value = "well", "", None
    try:
        with struck(strike):
            value = ACTS[task.act](**task.given)
    except OWN as error:
        how, text = "refused", str(error)
    except OSError as error:
        how = "system" if error.filename is not None else "foreign"
        text = traceback.format_exc()
    except BaseException:
        how, text = "foreign", traceback.format_exc()
    return Ended(how, text[-LONGEST_TEXT:], value, strike.seen)


def give_up_rights() -> None:
    """Become nobody, if this process is root's; the rights of files bind every other user."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def _revoke(path: str, rights: int) -> None:
    try:
        os.chmod(path, rights)  # noqa: PTH101
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EACCES):  # it is gone, or out of reach by now
            raise


if __name__ == "__main__":
    main()
