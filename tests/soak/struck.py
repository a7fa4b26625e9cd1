"""A block of work -> the same, with its N-th change to the disk, or look at it, failing or fatal.

Changes are what Python's audit hooks see below a folder: files opened for writing, renames,
removals, folders made. Writing into an open file, forcing it to disk and writing of rights are seen
by replacing three functions of `os` that the packages call; libraries write below those. Looks are
files opened for reading and folders listed.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.chmod"}
REASONS = (
    errno.ENOSPC, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.EMFILE,
)  # fmt: skip
LOOKS = {"os.listdir", "os.scandir"}
REFUSALS = (errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.EMFILE)
"""Why something that is there cannot be read."""


@dataclass
class Strike:
    """What happens at which change."""

    below: Path
    at: int = 0
    """0: nothing; the changes are counted."""
    kill: bool = False
    reason: int = errno.ENOSPC
    lasting: bool = False
    """Whether all later changes fail too, as on a full disk."""
    looks: bool = False
    """What is read is counted and struck, in place of what is changed."""
    instead: Callable[[], object] | None = None
    """Done at that moment, where nothing fails and nobody is killed."""
    seen: int = field(default=0, init=False)

    def happens(self, what: object) -> None:
        """Count a change, and let it fail or be fatal if it is its turn."""
        self.seen += 1
        if not self.at or self.seen < self.at or (self.seen > self.at and not self.lasting):
            return
        if self.instead is not None:
            if self.seen == self.at:
                self.instead()
            return
        if self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(self.reason, os.strerror(self.reason), str(what))


tally: Counter[str] = Counter()
"""How many processes were killed, in this process's life."""
_now: list[Strike] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _now:
        return
    strike, opened = _now[0], event == "open" and isinstance(arguments[2], int)
    if strike.looks:
        hit = event in LOOKS or (opened and not arguments[2] & 3)
    else:
        hit = event in CHANGES or (opened and arguments[2] & 3)
    if hit and _is_below(arguments[0], strike):
        strike.happens(arguments[0])


def _is_below(path: object, strike: Strike) -> bool:
    """Whether a path lies in the folder; what is opened relative to an open folder counts as so."""
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    name = os.fsdecode(path)
    return name.startswith(str(strike.below)) or (strike.looks and not Path(name).is_absolute())


_hooked: list[bool] = []


@contextmanager
def struck(strike: Strike) -> Iterator[Strike]:
    """Let a strike hit what the block does."""
    if not _hooked:
        sys.addaudithook(_hook)  # there is no way to take it away again
        _hooked.append(True)

    def watched(name: str) -> Any:
        real: Callable[..., Any] = getattr(os, name)

        def call(descriptor: Any, *more: Any, **named: Any) -> Any:
            if _now and not _now[0].looks:
                _now[0].happens(name)
            return real(descriptor, *more, **named)

        return patch.object(os, name, call)

    with watched("fsync"), watched("write"), watched("pwrite"):
        _now.append(strike)
        try:
            yield strike
        finally:
            _now.clear()


def killed(work: Callable[[], object], strike: Strike) -> bool:
    """Do the work in a forked process that is killed; tell whether it came so far."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            with struck(strike):
                work()
            code = 0
        finally:
            os._exit(code)
    try:
        was_killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        tally["killed"] += was_killed
        return was_killed
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
