"""Files that appear whole or not at all, and a lock that one process holds."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from hmsprep.building.checksums import crc32
from hmsprep.errors import BuildError
from hmsprep.processes import end_unguarded
from hmsstore.atomic import sync


def put_in_place(temporary: Path, final: Path) -> None:
    """Force a finished file to disk and give it its name there; folders are made as needed."""
    sync(temporary)
    made = []
    folder = final.parent
    while not folder.exists():
        made.append(folder)
        folder = folder.parent
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(final)
    for changed in [final.parent, *(new.parent for new in made)]:
        sync(changed)


def write_file(path: Path, content: bytes, partial: Path) -> tuple[int, int]:
    """Write a small file durably by way of a temporary one; return size and CRC-32."""
    partial.mkdir(parents=True, exist_ok=True)
    temporary = partial / f"{os.getpid()}"
    temporary.write_bytes(content)
    put_in_place(temporary, path)
    return len(content), crc32(content)


def write_first(path: Path, content: bytes) -> None:
    """Write a small file durably, unless one of its name is there or another process is first."""
    temporary = path.with_name(f"{path.name}.{uuid4().hex}")
    try:
        temporary.write_bytes(content)
        sync(temporary)
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


@contextmanager
def locked(path: Path, *, shared: bool = False, held: str = "") -> Iterator[None]:
    """Hold a lock file while the block runs; the kernel lets go of it however the process ends.

    Parameters
    ----------
    path : Path
        The lock file, removed at the end.
    shared : bool
        Hold it together with others that hold it so. The file is then left to whoever holds it
        alone: removing it would lock others out for a moment.
    held : str
        What to say if another process holds it; by default, that a store is being built.

    Raises
    ------
    BuildError
        Another process holds it, something else has its name, or the file system has no locks.
    """
    end_unguarded()  # or it would find its parent's lock
    if _is_in_the_way(path):
        raise BuildError(
            f"{path} is in the way: a build holds an empty file of this name as its lock. Move it "
            "away, or name another place."
        )
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o666)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            store = path.with_suffix("")
            raise BuildError(
                held
                or f"Another process is building {store} now. Wait for it, or name another store."
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise BuildError(
                f"{path} cannot be locked ({error.strerror}): expected a file system with locks. "
                "Name another place for the store, or have this one mounted with them (Lustre: "
                "-o flock)."
            ) from None
        # The holder before us may have removed the file between our opening and locking it.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        os.close(descriptor)
    try:
        yield
    finally:
        try:
            if not shared:
                path.unlink(missing_ok=True)
        finally:  # else this process would hold the lock for as long as it lives
            os.close(descriptor)


def _is_in_the_way(path: Path) -> bool:
    """Whether anything but a lock has this name; asked once, since its holder may remove it."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(status.st_mode) or status.st_size > 0
