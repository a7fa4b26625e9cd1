"""A folder or zip in Kaggle's layout -> which files there are, and their bytes.

This file and `kaggle_table` are the only ones that know the competition's names.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from hmsprep.errors import DataError
from hmsprep.kaggle.frames import LARGEST_CSV
from hmsstore.json_shapes import ShapeError, read_bytes
from hmsstore.reading.zip_members import ZipError, ZipMembers
from hmsstore.schema import SIGNALS

PARTS = ("train", "test")
"""Parts of the competition's data; the first whose table is there is used."""
SUFFIX = ".parquet"
ID = re.compile(r"0|[1-9][0-9]{0,17}")
"""Name of a recording's file, which an int64 holds: leading zeros would name another file."""
ZIP = b"PK\x03\x04"
"""What an archive with a file in it begins with."""
AHEAD = 4
"""Files read at a time: cold ones of 1 MB come a third faster than one by one, and a slow disk is
waited for less. Each takes its size in memory."""


class Files(Protocol):
    """Named files, read whole: a folder, or a zip archive that is never unpacked."""

    def sizes(self) -> dict[str, int]:
        """Size in bytes of every file, by its path from the top."""

    def stamp(self, name: str) -> list[int]:
        """Numbers that change when the file is replaced: size, and time or checksum."""

    def changed_ns(self, name: str) -> int:
        """When the file, or the archive that holds it, was last changed."""

    def read(self, name: str) -> bytes:
        """Content of one file."""


class Folder:
    """Files below a folder, two levels deep."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def sizes(self) -> dict[str, int]:
        """Size in bytes of the tables and of everything in the folders of recordings."""
        folders = [
            self.path,
            *(self.path / recordings_folder(p, s) for p in PARTS for s in SIGNALS),
        ]
        found = {}
        for folder in folders:
            if folder.is_dir():
                prefix = "" if folder is self.path else f"{folder.name}/"
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_file():
                            found[prefix + entry.name] = entry.stat().st_size
        return found

    def stamp(self, name: str) -> list[int]:
        """Size and time of last change."""
        status = (self.path / name).stat()
        return [status.st_size, status.st_mtime_ns]

    def changed_ns(self, name: str) -> int:
        """Time of last change."""
        return (self.path / name).stat().st_mtime_ns

    def read(self, name: str) -> bytes:
        """Content of one file, which is read once: the page cache is left as it was.

        Else a data set larger than memory would push out the scratch shards, which are read again.
        """
        with (self.path / name).open("rb", buffering=0) as file:
            cached = _starts_in_cache(file.fileno())
            content = file.readall()
            if not cached:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return content


def _starts_in_cache(descriptor: int) -> bool:
    """Whether a file's first byte can be had without waiting for a disk; True if none can tell."""
    if not hasattr(os, "RWF_NOWAIT") or not hasattr(os, "posix_fadvise"):
        return True
    try:
        os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True  # this file system does not know
    return True


class Archive:
    """Files in a zip archive, wherever in it train.csv or test.csv lies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.zip = ZipMembers(path)
        except ZipError as error:
            raise DataError(
                f"{path} is not a whole zip archive ({error}). Download it again."
            ) from None
        names = self.zip.names()
        first, *_ = tables = [f"{part}.csv" for part in PARTS]
        found = [name for name in names if name.rpartition("/")[2] in tables]
        self.top = min((name.rpartition("/")[0] for name in found), key=len, default="")
        self.top += "/" if self.top else ""
        elsewhere = [name for name in found if name.endswith(first)]
        if elsewhere and self.top + first not in elsewhere:
            raise DataError(
                f"{path} holds {self.top}{PARTS[1]}.csv and {elsewhere[0]}, expected both in one "
                "folder. Unpack it, and give the folder to use."
            )
        self.names = [name for name in names if name.startswith(self.top)]

    def sizes(self) -> dict[str, int]:
        """Size in bytes of every file, unpacked."""
        return {name[len(self.top) :]: self.zip.size(name) for name in self.names}

    def stamp(self, name: str) -> list[int]:
        """Size and CRC-32."""
        return [self.zip.size(self.top + name), self.zip.checksum(self.top + name)]

    def changed_ns(self, name: str) -> int:  # noqa: ARG002
        """Time of the archive's last change: those in it are of before it was packed."""
        return self.path.stat().st_mtime_ns

    def read(self, name: str) -> bytes:
        """Content of one file; it is checked against its CRC-32."""
        try:
            return self.zip.read(self.top + name)
        except ZipError as error:
            raise DataError(
                f"{name} in {self.path} is damaged, or cannot be unpacked ({error}). Download it "
                "again."
            ) from None


class KaggleData:
    """A data set in Kaggle's layout.

    Attributes
    ----------
    path : Path
        The folder or zip archive.
    part : str
        'train' if train.csv is there and nothing else was asked for, else 'test'.
    table : Path, optional
        A table of its windows in place of its own, such as one with other votes.
    sizes : dict of str to int
        Size of every file by its name.
    """

    def __init__(self, path: Path, part: str | None = None, table: Path | None = None) -> None:
        self.path = path
        self.table = table
        self.files = open_files(path)
        self.sizes = self.files.sizes()
        for self.part in PARTS if part is None else (part,):
            if f"{self.part}.csv" in self.sizes:
                return
        if part is not None:
            raise DataError(f"{path} has no {part}.csv, so --part {part} cannot be used.")
        raise DataError(
            f"{path} has neither train.csv nor test.csv, so it is not the competition's data."
            f"{self._elsewhere()}"
        )

    def _elsewhere(self) -> str:
        """Say where the table is instead, if a file or folder tells."""
        for part in PARTS:
            if f"{part}.csv.zip" in self.sizes:
                return f" It holds {part}.csv.zip: unpack that file there."
        below = {one.parent for part in PARTS for one in self.path.glob(f"*/{part}.csv")}
        if len(below) == 1:
            return f" {below.pop()} has one: name that folder instead."
        zips = [name for name in self.sizes if name.endswith(".zip")]
        return f" It holds {zips[0]}: name that file instead." if zips else ""

    @property
    def table_name(self) -> str:
        """Name of the table of windows."""
        return f"{self.part}.csv" if self.table is None else str(self.table)

    def read_table(self) -> bytes:
        """Content of the table of windows.

        Raises
        ------
        DataError
            A table that was given cannot be read.
        """
        return self.files.read(self.table_name) if self.table is None else read_given(self.table)

    def file_name(self, signal: str, recording: int) -> str:
        """Name of the file that holds a recording."""
        return f"{recordings_folder(self.part, signal)}/{recording}{SUFFIX}"

    def recordings(self, signal: str) -> set[int]:
        """Ids of the recordings of a signal that have a file."""
        prefix = f"{recordings_folder(self.part, signal)}/"
        stems = (
            name[len(prefix) : -len(SUFFIX)]
            for name in self.sizes
            if name.startswith(prefix) and name.endswith(SUFFIX)
        )
        return {int(stem) for stem in stems if ID.fullmatch(stem)}


def read_given(path: Path) -> bytes:
    """Content of a table that a user named; raises DataError if it cannot be read."""
    try:
        return read_bytes(path, LARGEST_CSV)
    except FileNotFoundError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except ShapeError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None


def is_table(path: Path) -> bool:
    """Whether a path names a table of windows rather than a data set."""
    return path.suffix in (".csv", SUFFIX)


def recordings_folder(part: str, signal: str) -> str:
    """Name of the folder of a signal's recordings: 'train_eegs', 'test_spectrograms' ..."""
    return f"{part}_{signal}s"


def open_files(path: Path) -> Files:
    """Open a folder or zip archive.

    Raises
    ------
    DataError
        There is neither at this path, or the archive is not whole.
    """
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        if zipfile.is_zipfile(path):
            status = path.stat()
            return _archive(path, status.st_size, status.st_mtime_ns)
        with path.open("rb") as file:
            if file.read(len(ZIP)) == ZIP:
                raise DataError(
                    f"{path} is not a whole zip archive: its end is missing, as where a download "
                    "was cut short. Download it again."
                )
        if path.suffix == ".zip":
            raise DataError(f"{path} is not a zip archive. Download it again.")
    found = "another kind of file" if path.exists() else "nothing"
    raise DataError(
        f"Expected the competition's data (a folder with train.csv, or its .zip) at {path}, found "
        f"{found}. Give its path as the first argument or in HMS_DATA, or simulate a data set with "
        "`hmsprep synth`."
    )


def read_ahead(files: Files, names: Sequence[str]) -> Iterator[Future[bytes]]:
    """Read files in this order, AHEAD at a time, while their user is busy with those before."""
    with ThreadPoolExecutor(AHEAD) as readers:
        coming = deque(readers.submit(files.read, name) for name in names[:AHEAD])
        for name in names[AHEAD:]:
            coming.append(readers.submit(files.read, name))
            yield coming.popleft()
        yield from coming


@lru_cache(maxsize=4)
def _archive(path: Path, size: int, changed_ns: int) -> Archive:  # noqa: ARG001
    """Keep an archive open for as long as it is the same: its directory is long."""
    return Archive(path)
