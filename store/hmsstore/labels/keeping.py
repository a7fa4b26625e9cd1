"""A file that several programs write -> each change on top of the last, whole and at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Generic, TypeVar

from hmsstore.atomic import hidden, whole_file
from hmsstore.errors import LabelsError
from hmsstore.json_shapes import ShapeError, read_bytes

T = TypeVar("T")

LARGEST = 64 << 20
"""Bytes; a year of marks is smaller."""
WAITING_S, TRIED_S = 10.0, 0.01
"""How long another program may write, and how often it is looked after."""


class Kept(Generic[T]):
    """Things in a file, which other programs may change too.

    Parameters
    ----------
    path : Path
        The file; need not be there yet. Beside it lies an empty hidden file as its lock.
    read : callable
        Content of the file -> the things; raises LabelsError.
    write : callable
        Things -> content.

    Raises
    ------
    LabelsError
        The file is there and cannot be read.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[bytes], Sequence[T]],
        write: Callable[[Sequence[T]], bytes],
    ) -> None:
        self.path = path
        self._read, self._write = read, write
        self._content: bytes | None = None
        self._things: tuple[T, ...] = ()
        self.refresh()

    @property
    def things(self) -> tuple[T, ...]:
        """As they were when the file was last read or written here, in the file's order."""
        return self._things

    def refresh(self) -> bool:
        """Read what others wrote since; tell whether anything changed.

        A file that was removed meanwhile is written again with the next change.

        Raises
        ------
        LabelsError
            The file cannot be read any more.
        """
        content = read_file(self.path)
        if content is None or content == self._content:
            return False
        self._things, self._content = tuple(self._read(content)), content
        return True

    def add(self, thing: T) -> None:
        """Append one to what the file holds now.

        Raises
        ------
        LabelsError
            The file cannot be read or written; it is as it was.
        """
        self.change(lambda now: [*now, thing])

    def remove(self, index: int) -> None:
        """Take one away, by its place among `things`; raises as `replace`."""
        self._at(index, [])

    def replace(self, index: int, thing: T) -> None:
        """Put another in the place of one, by its place among `things`.

        Raises
        ------
        LabelsError
            Another program changed or removed it, or the file cannot be read or written.
        """
        self._at(index, [thing])

    def _at(self, index: int, instead: list[T]) -> None:
        if not 0 <= index < len(self._things):
            raise LabelsError(
                f"{self.path} has no entry {index}: expected one of 0 to {len(self._things) - 1}."
            )
        meant = self._things[index]

        def change(now: Sequence[T]) -> list[T]:
            place = index if index < len(now) and now[index] == meant else _place(now, meant)
            if place is None:
                raise LabelsError(
                    f"{self.path}: this entry was changed or removed by another program "
                    "meanwhile. Look at the entries again."
                )
            return [*now[:place], *instead, *now[place + 1 :]]

        self.change(change)

    def change(self, change: Callable[[Sequence[T]], list[T]]) -> None:
        """Make others of the things that the file holds now.

        Parameters
        ----------
        change : callable
            All things -> those that are to be there. If they are there already, nothing is written.

        Raises
        ------
        LabelsError
            The file cannot be read or written; it is as it was.
        """
        try:
            with _locked(self.path):
                self.refresh()
                changed = tuple(change(self._things))
                content = self._write(changed)
                if content != read_file(self.path):
                    with whole_file(self.path) as partial:
                        partial.write_bytes(content)
                self._things, self._content = changed, content
        except OSError as error:
            raise LabelsError(
                f"{self.path} cannot be written ({error.strerror or error}): the last change was "
                "not kept. Make room or close other programs that hold the file, and try again."
            ) from None


def read_file(path: Path) -> bytes | None:
    """Content of a file; None if there is none; raises LabelsError if it cannot be read."""
    try:
        return read_bytes(path, LARGEST)
    except FileNotFoundError:
        return None
    except ShapeError as error:
        raise LabelsError(f"{path} cannot be read: {error}.") from None


def _place(now: Sequence[T], meant: T) -> int | None:
    return next((place for place, one in enumerate(now) if one == meant), None)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other programs from writing the file; the kernel ends it if this one is killed."""
    lock = hidden(path, "lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        until = monotonic() + WAITING_S
        while not _lock(descriptor, path):
            if monotonic() > until:
                raise LabelsError(
                    f"{path} is being written by another program for over {WAITING_S:g} s: end "
                    "it, and try again."
                )
            sleep(TRIED_S)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LabelsError(
            f"{path} cannot be locked ({error.strerror}): expected a file system with locks. "
            "Keep labels in a folder of another file system."
        ) from None
    return True
