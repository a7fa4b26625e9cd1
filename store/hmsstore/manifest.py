"""The seal of a store: every file with its size and checksum -> MANIFEST.json, and back.

The manifest is the last file that a build writes. A folder without a valid one is not a store.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmsstore.errors import (
    DamagedStoreError,
    NewerStoreError,
    NotAStoreError,
    UnsealedStoreError,
)
from hmsstore.schema import FORMAT_NAME, FORMAT_VERSION, READABLE

MANIFEST_NAME = "MANIFEST.json"
BUILDING_SUFFIX = ".building"
READ_BYTES = 1 << 22


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
        found = "a file" if store.exists() else "nothing"
        raise NotAStoreError(
            f"Expected a store (a folder) at {store}, found {found}. "
            "Make one with `hmsprep build DATA STORE`, or name the right folder."
        )
    return parse_manifest(store)


def parse_manifest(folder: Path) -> Manifest:
    """Read MANIFEST.json of a folder, whatever the folder is called; raises as `read_manifest`."""
    path = folder / MANIFEST_NAME
    try:
        body = json.loads(path.read_bytes())
        stated = body.pop("sha256")
        name, version = body["format"], body["format_version"]
    except FileNotFoundError:
        raise NotAStoreError(
            f"{folder} holds no {MANIFEST_NAME}, so it is not a sealed store. "
            "Make one with `hmsprep build DATA STORE`, or name the right folder."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedStoreError(folder, [f"{MANIFEST_NAME} is not a manifest"]) from None
    if stated != digest(body):
        raise DamagedStoreError(folder, [f"{MANIFEST_NAME} was changed after it was sealed"])
    if name != FORMAT_NAME or version not in READABLE:
        newer = name == FORMAT_NAME and isinstance(version, int) and version > max(READABLE)
        help_ = "Upgrade hms-eeg" if newer else "Install the hms-eeg that wrote it"
        raise (NewerStoreError if newer else NotAStoreError)(
            f"{folder} is of format {name} version {version}; this package reads {FORMAT_NAME} "
            f"versions {' and '.join(map(str, READABLE))}. {help_}, or build the store again."
        )
    files = {
        path: (entry["bytes"], int(entry["crc32"], 16)) for path, entry in body["files"].items()
    }
    return Manifest(body["identity"], body["plan"], files, version)


def check_sizes(folder: Path, manifest: Manifest) -> list[str]:
    """Compare the size of every file with the manifest; one sentence for each that differs."""
    problems = []
    for name, (size, _) in manifest.files.items():
        try:
            found = (folder / name).stat().st_size
        except FileNotFoundError:
            problems.append(f"{name} is missing")
            continue
        if found != size:
            problems.append(f"{name} has {found:,} bytes, sealed with {size:,}")
    return problems
