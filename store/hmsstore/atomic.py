"""A path and a block that writes it -> the whole new file or folder, or what was there before.

The block writes under a temporary name beside the target. Only when it ends well is the content
forced to disk and renamed, so no reader, no crash and no power cut ever meets half a file. If the
block fails, Ctrl-C included, the temporary name is removed. Only a killed process leaves one:
`remove_leftovers` clears a folder of them.

>>> with whole_file(Path("table.csv")) as partial:  # doctest: +SKIP
...     partial.write_text("a,b")
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import TypeVar
from uuid import uuid4

T = TypeVar("T")

LEFTOVER = re.compile(r"\..*\.[0-9a-f]{8}\.partial", re.DOTALL)
"""Temporary names."""
NAME_LENGTH = 50
"""Characters of the target's name in a temporary one, so that a long name stays a valid one."""
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""Begin of an address, whose two slashes a path makes one. One letter may be a drive's."""
NO_SYNC = (errno.EINVAL, errno.ENOTSUP)
"""Some network file systems answer fsync of a folder so: they have none."""
TAKEN = "exists already: another process has made it in the meantime; choose another name"
"""What to say of a name that was free at the beginning."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What only writing raises, without saying of which file."""
FIXED = "a mount point or the current folder, which no new one can replace; name a folder in it"
"""What to say of such a folder."""
REPLACED_AT_MOST, REPLACED_S = 100, 0.02
"""How often a folder is read again that is replaced meanwhile, and the time in between."""


@contextmanager
def whole_file(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Write a file whole or not at all.

    The file gets the rights that the umask gives to any new file, whoever writes it: some writers
    (safetensors) make files that only their owner can read.

    Parameters
    ----------
    path : Path
        Target, in a folder that exists. A file of this name stays until the new one is whole.
    replace : bool
        False: refuse a name that is taken, before the block and again after it.

    Yields
    ------
    Path
        Free name in the same folder, for the block to write to.

    Raises
    ------
    FileExistsError
        The name is taken and `replace` is False.
    OSError
        The file cannot be written. An error about the temporary name names the target instead, and
        so does one of a full disk.
    """
    partial = _partial(path)
    with _speaking_of(path, partial):
        if not replace:
            _refuse_taken(path)
        rights = _usual_rights(partial)
        try:
            yield partial
            if partial.stat().st_mode & 0o777 != rights:
                partial.chmod(rights)
            sync(partial)
            if not replace:
                _refuse_taken(path)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync(path.parent)


@contextmanager
def whole_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Write a folder whole or not at all.

    Parameters
    ----------
    path : Path
        Target, in a folder that exists.
    replace : bool
        True: a folder of this name is moved to `previous(path)` and removed once the new one
        stands; a process killed in between leaves it there, whole. False: refuse a name that is
        taken, unless by an empty folder. A link stays, and the folder that it leads to is replaced.

    Yields
    ------
    Path
        New empty folder beside the target, for the block to fill.

    Raises
    ------
    FileExistsError
        The name is taken and `replace` is False.
    OSError
        The folder cannot be written, or its place not be taken (see `refuse_fixed`). An error about
        the temporary name names the target instead, and so does one of a full disk.
    """
    if path.is_symlink() and (replace or _is_empty_folder(path)):
        path = Path(os.path.realpath(path))
    refuse_fixed(path)
    partial = _partial(path)
    with _speaking_of(path, partial):
        if not replace and not _is_empty_folder(path):
            _refuse_taken(path)
        partial.mkdir()
        try:
            yield partial
            sync_tree(partial)
            _swap(partial, path, replace)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def refuse_fixed(path: Path) -> None:
    """Refuse a folder whose place no new one can take, before work is done for nothing.

    Of an empty folder it is found out by trying, since not every mount point looks like one.

    Raises
    ------
    OSError
        It is a mount point or the current folder.
    """
    fixed = OSError(errno.EBUSY, FIXED, str(path))
    if not path.name or path.is_mount():
        raise fixed
    if not _is_empty_folder(path):
        return
    partial = _partial(path)
    with _speaking_of(path, partial):
        partial.mkdir()
        try:
            shutil.copymode(path, partial)
            partial.rename(path)
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.EXDEV):
                raise fixed from None
            raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def read_whole(
    folder: Path, read: Callable[[], T], problems: type[Exception] | tuple[type[Exception], ...]
) -> T:
    """Read a folder that others may replace meanwhile: all of the old one, or all of the new one.

    Parameters
    ----------
    folder : Path
        The folder.
    read : callable
        Reads it; called again where the folder was replaced meanwhile.
    problems : exception types
        What `read` raises of a folder of which a part is gone. It is raised if nobody replaced the
        folder.
    """
    for _ in range(REPLACED_AT_MOST):
        before = _folder_id(folder)
        try:
            found = read()
        except problems:
            if not _being_replaced(folder) and _folder_id(folder) == before:
                raise
            sleep(REPLACED_S)
        else:
            if _folder_id(folder) == before:
                return found
    return read()


def previous(path: Path) -> Path:
    """Where what is replaced under this name is kept until the new one stands."""
    return hidden(path, "replaced")


def hidden(path: Path, ending: str) -> Path:
    """Name beside a path that nobody gives to a folder of his own, the same each time.

    The checksum of the whole name tells apart those whose begins are alike.
    """
    known = zlib.crc32(os.fsencode(path.name))
    return path.with_name(f".{path.name[:NAME_LENGTH]}.{known:08x}.{ending}")


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left unfinished in a folder and below.

    Only for a folder in which nobody else is writing.
    """
    for found in sorted(folder.rglob(".*.partial")):
        if LEFTOVER.fullmatch(found.name):
            if found.is_dir():
                shutil.rmtree(found, ignore_errors=True)
            else:
                found.unlink(missing_ok=True)


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing, or only what killed processes left unfinished."""
    return all(LEFTOVER.fullmatch(path.name) for path in folder.iterdir())


def refusal(folder: Path) -> str | None:
    """Why nothing can be written into a folder, found out by trying; None if something can."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def is_address(path: Path) -> bool:
    """Whether a path was an address, such as s3://bucket/store: it is not taken for a folder."""
    return ADDRESS.match(str(path)) is not None and not path.exists()


def address_problem(values: Iterable[object]) -> str | None:
    """What to tell whoever gave an address among these paths or lists of paths, if there is one."""
    for value in values:
        for path in value if isinstance(value, list | tuple) else (value,):
            if isinstance(path, Path) and is_address(path):
                return (
                    f"{without_user(path)} is an address: only files of this machine are read and "
                    "written. Copy what is there to a folder first, or the result there afterwards."
                )
    return None


def without_user(address: object) -> str:
    """An address as text, without who asks for it: what stands there may hold a password."""
    return re.sub(r"(:/+)[^/@]*@", r"\1...@", str(address))


def sync(path: Path) -> None:
    """Force a file's content to disk, or a folder's entries, so that it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Force a folder and all that is in it to disk.

    Many at once: a file system takes files that wait together in one go.
    """
    from concurrent.futures import ThreadPoolExecutor

    found = [path for path in folder.rglob("*") if not path.is_symlink()]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(sync, [*found, folder]))


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name[:NAME_LENGTH]}.{uuid4().hex[:8]}.partial")


def _refuse_taken(path: Path) -> None:
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _folder_id(path: Path) -> tuple[int, int, int] | None:
    """What tells one folder of this name from the next; a rename changes the time."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # a name with a NUL is a ValueError
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _being_replaced(path: Path) -> bool:
    """Whether the name is free for the moment in which a new folder gets it."""
    try:
        return not path.exists() and previous(Path(os.path.realpath(path))).is_dir()
    except (OSError, ValueError):  # a name with a NUL is a ValueError
        return False


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _usual_rights(partial: Path) -> int:
    """Rights of a new file, learned by making one: reading the umask would change it."""
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return os.fstat(descriptor).st_mode & 0o777
    finally:
        os.close(descriptor)
        partial.unlink()


def _swap(partial: Path, path: Path, replace: bool) -> None:
    """Give a whole folder its name; what had the name until now goes last."""
    old = previous(path)
    try:
        if replace and path.exists():
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
        try:
            partial.rename(path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise FileExistsError(errno.EEXIST, TAKEN, str(path)) from None
            raise
    except BaseException:
        if replace and not path.exists() and old.exists():
            with suppress(OSError):
                old.rename(path)
        raise
    sync(path.parent)
    if replace:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _speaking_of(path: Path, partial: Path) -> Iterator[None]:
    """Have errors name the target, which the user knows, instead of the temporary name or none."""
    try:
        yield
    except OSError as error:
        name = os.fspath(error.filename) if isinstance(error.filename, str | Path) else ""
        if name == str(partial) or name.startswith(f"{partial}{os.sep}"):
            error.filename = f"{path}{name[len(str(partial)) :]}"
        if error.filename is None and error.errno in NO_ROOM:
            error.filename = str(path)
        raise
