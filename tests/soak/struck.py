"""A block of work -> the same, with its N-th change to the disk failing or fatal.

Changes are what Python's audit hooks see below a folder: files opened for writing, renames,
removals, folders made. Writing into an open file, forcing it to disk and writing of rights are seen
by replacing three functions of `os` that the packages call; libraries write below those.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.chmod"}
REASONS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EMFILE)


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
    seen: int = field(default=0, init=False)

    def happens(self, what: object) -> None:
        """Count a change, and let it fail or be fatal if it is its turn."""
        self.seen += 1
        if not self.at or self.seen < self.at or (self.seen > self.at and not self.lasting):
            return
        if self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(self.reason, os.strerror(self.reason), str(what))


_now: list[Strike] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _now:
        return
    writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
    if (writing or event in CHANGES) and str(arguments[0]).startswith(str(_now[0].below)):
        _now[0].happens(arguments[0])


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
            if _now:
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
        return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
