"""The seal of a store: every file with its size and checksum -> MANIFEST.json, and back.

The manifest is the last file that a build writes. A folder without a valid one is not a store.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmsstore.atomic import is_address, without_user
from hmsstore.errors import (
    DamagedStoreError,
    NewerStoreError,
    NotAStoreError,
    StoreError,
    UnsealedStoreError,
)
from hmsstore.json_shapes import AccessError, ShapeError, entry, mapping, read_json, text, whole
from hmsstore.schema import FORMAT_NAME, FORMAT_VERSION, READABLE

MANIFEST_NAME = "MANIFEST.json"
BUILDING_SUFFIX = ".building"
READ_BYTES = 1 << 22
CRC = re.compile("[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a sealed store consists of."""

    identity: str
    """The store's name for itself: see `contents_identity`."""
    plan: str
    """SHA-256 of the plan that the store was built from."""
    files: Mapping[str, tuple[int, int]]
    """Path within the store -> size in bytes and CRC-32, of every file but the manifest."""
    format_version: int = FORMAT_VERSION
    """1 for stores of HMS, 2 for those of other data."""

    def to_text(self) -> str:
        """Write as JSON whose last key is the SHA-256 of all that stands before it."""
        body: dict[str, Any] = {
            "format": FORMAT_NAME,
            "format_version": self.format_version,
            "identity": self.identity,
            "plan": self.plan,
            "files": {
                name: {"bytes": size, "crc32": f"{checksum:08x}"}
                for name, (size, checksum) in sorted(self.files.items())
            },
        }
        body["sha256"] = digest(body)
        return json.dumps(body, indent=1) + "\n"


def digest(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def contents_identity(files: Mapping[str, tuple[int, int]]) -> str:
    """Name a store by its contents.

    Parameters
    ----------
    files : mapping of str to (int, int)
        Path within the store -> size in bytes and CRC-32, of every shard and table column.

    Returns
    -------
    str
        SHA-256 of the sorted (path, size, CRC-32), whatever made those files.
    """
    return digest([[name, size, crc] for name, (size, crc) in sorted(files.items())])


def checksum(path: Path, advance: Callable[[int], object] | None = None) -> int:
    """CRC-32 of a file (as in zip archives), reading it in pieces of 4 MiB."""
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            crc = zlib.crc32(piece, crc)
            if advance is not None:
                advance(len(piece))
    return crc


def read_manifest(store: Path) -> Manifest:
    """Read and check the seal of the store in this folder.

    Raises
    ------
    NotAStoreError
        There is no folder, or it holds no store.
    NewerStoreError
        A newer version of this package made it.
    UnsealedStoreError
        The folder is an unfinished build.
    DamagedStoreError
        The manifest does not agree with its own checksum.
    StoreError
        This user may not read it.
    """
    building = store.with_name(store.name + BUILDING_SUFFIX)
    if store.name.endswith(BUILDING_SUFFIX) and store.is_dir():
        raise UnsealedStoreError(
            f"{store} is an unfinished build, not a store. Run the same `hmsprep build` again: "
            "it resumes where it stopped."
        )
    if not store.is_dir():
        if building.is_dir():
            raise UnsealedStoreError(
                f"{store} is not built yet: {building} holds an unfinished build. Run the same "
                "`hmsprep build` again: it resumes where it stopped."
            )
        if is_address(store):
            raise NotAStoreError(
                f"Expected a store (a folder) at {without_user(store)}, found an address: only "
                "folders of this machine are opened. Fetch the store with `hmsprep pull ADDRESS "
                "STORE` first."
            )
        found = "a file" if store.exists() else "nothing"
        if store.is_symlink() and not store.exists():
            found = "a link that leads nowhere"
        raise NotAStoreError(
            f"Expected a store (a folder) at {store}, found {found}. "
            "Make one with `hmsprep build DATA STORE`, or name the right folder."
        )
    return parse_manifest(store)


def parse_manifest(folder: Path) -> Manifest:
    """Read MANIFEST.json of a folder, whatever the folder is called; raises as `read_manifest`."""
    try:
        value = read_json(folder / MANIFEST_NAME, finite=True)
    except FileNotFoundError:
        raise NotAStoreError(
            f"{folder} holds no {MANIFEST_NAME}, so it is not a sealed store. "
            "Make one with `hmsprep build DATA STORE`, or name the right folder."
        ) from None
    except AccessError:
        raise no_access(folder / MANIFEST_NAME) from None
    except ShapeError as error:
        raise DamagedStoreError(folder, [f"{MANIFEST_NAME} is not a manifest: {error}"]) from None
    return check_manifest(value, folder)


def no_access(path: object) -> StoreError:
    """Say that a user may not read a file or folder of a store, which need not be damaged."""
    return StoreError(
        f"No permission to read {path}: change its permissions, or those of its folder."
    )


def check_manifest(value: object, where: object) -> Manifest:
    """Check the JSON value of a manifest, wherever it was read.

    Parameters
    ----------
    value : object
        What MANIFEST.json holds.
    where : object
        What errors call the store: its folder or address.

    Raises
    ------
    DamagedStoreError
        It does not agree with its own checksum, or it names files outside the store.
    NewerStoreError
        A newer version of this package made it.
    NotAStoreError
        It is of another format.
    """
    try:
        body = dict(mapping(value))
        stated = entry(body, "sha256", text)
        name, version = entry(body, "format", text), entry(body, "format_version", whole)
    except ShapeError as error:
        raise DamagedStoreError(where, [f"{MANIFEST_NAME} is not a manifest: {error}"]) from None
    del body["sha256"]
    if stated != digest(body):
        raise DamagedStoreError(where, [f"{MANIFEST_NAME} was changed after it was sealed"])
    if name != FORMAT_NAME or version not in READABLE:
        newer = name == FORMAT_NAME and version > max(READABLE)
        help_ = "Upgrade hms-eeg" if newer else "Install the hms-eeg that wrote it"
        raise (NewerStoreError if newer else NotAStoreError)(
            f"{where} is of format {name} version {version}; this package reads {FORMAT_NAME} "
            f"versions {' and '.join(map(str, READABLE))}. {help_}, or build the store again."
        )
    try:
        files = {
            _name_within(name): entry(entry(body, "files", mapping), name, _size_and_checksum)
            for name in entry(body, "files", mapping)
        }
        return Manifest(entry(body, "identity", text), entry(body, "plan", text), files, version)
    except ShapeError as error:
        raise DamagedStoreError(where, [f"{MANIFEST_NAME}: {error}"]) from None


def check_sizes(folder: Path, manifest: Manifest) -> list[str]:
    """Compare the size of every file with the manifest; one sentence for each that differs.

    Also refused is whatever would have something outside the store read: a link that leads out of
    it, or a pipe or device in a file's place.

    Raises
    ------
    StoreError
        This user may not look at one.
    """
    problems: list[str] = []
    linked: dict[str, bool] = {}
    for name, (size, _) in manifest.files.items():
        try:
            status = os.lstat(folder / name)
            if stat.S_ISLNK(status.st_mode) or _folder_is_linked(folder, name, linked):
                if not _leads_within(folder, name):
                    problems.append(f"{name} is a link that leads out of the store")
                    continue
                status = (folder / name).stat()
        except FileNotFoundError:
            problems.append(f"{name} is missing")
            continue
        except PermissionError:
            raise no_access(folder / name) from None
        except OSError as error:
            problems.append(f"{name} cannot be read: {error.strerror}")
            continue
        if not stat.S_ISREG(status.st_mode):
            problems.append(f"{name} is not a file")
        elif status.st_size != size:
            problems.append(f"{name} has {status.st_size:,} bytes, sealed with {size:,}")
    return problems


def _name_within(name: str) -> str:
    """Take the path of a file within a store; refuse one that could mean a place outside."""
    parts = name.split("/")
    odd = any(part in ("", ".", "..") or not part.isprintable() for part in parts)
    if odd or "\\" in name or ":" in parts[0]:
        raise ShapeError(f"files: expected paths within the store, got {name!r}")
    return name


def _size_and_checksum(value: object) -> tuple[int, int]:
    size, crc = entry(value, "bytes", whole), entry(value, "crc32", text)
    if size < 0 or not CRC.fullmatch(crc):
        raise ShapeError(f"expected a size and eight hexadecimal digits, got {size} and {crc!r}")
    return size, int(crc, 16)


def _folder_is_linked(folder: Path, name: str, known: dict[str, bool]) -> bool:
    """Whether a folder on the way from the store to a file is a link; each is looked at once."""
    parent = name.rpartition("/")[0]
    if not parent:
        return False
    if parent not in known:
        link = stat.S_ISLNK(os.lstat(folder / parent).st_mode)
        known[parent] = link or _folder_is_linked(folder, parent, known)
    return known[parent]


def _leads_within(folder: Path, name: str) -> bool:
    return Path(os.path.realpath(folder / name)).is_relative_to(os.path.realpath(folder))
