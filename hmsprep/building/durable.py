"""Files that appear whole or not at all, and a lock that one process holds."""

from __future__ import annotations

import fcntl
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hmsprep.errors import BuildError
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
    partial.mkdir(exist_ok=True)
    temporary = partial / f"{os.getpid()}"
    temporary.write_bytes(content)
    put_in_place(temporary, path)
    return len(content), zlib.crc32(content)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; the kernel lets go of it however the process ends.

    Raises
    ------
    BuildError
        Another process holds it, or something else has its name.
    """
    if _is_in_the_way(path):
        raise BuildError(
            f"{path} is in the way: a build holds an empty file of this name as its lock. Move it "
            "away, or name another place."
        )
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            store = path.with_suffix("")
            raise BuildError(
                f"Another process is building {store} now. Wait for it, or name another store."
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
