"""Which objects of a store were written below an address, and how <-> JSON, also below it.

A push writes it first, now and then, and before the manifest. It names what is still to be written,
too, so that all that a killed push has left can be removed. An object is taken to be whole if the
server still gives it the size and the tag that it had when it was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hmsprep.sealed.transport.objects import Found
from hmsstore.json_shapes import (
    ShapeError,
    entry,
    entry_or,
    mapping,
    parse_json,
    text,
    texts,
    truth,
    whole,
)
from hmsstore.manifest import MANIFEST_NAME, digest

LEDGER_NAME = ".transport.json"
"""Hidden, since hidden files do not count in a store, which the objects become in a folder."""
PACKED_SUFFIX = ".packed"
"""Of packed objects, so that no Zarr reader takes them for a store without chunks."""
FORMAT, VERSION = "hms-eeg transport", 1
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(slots=True)
class Ledger:
    """What a push has written."""

    manifest: str
    """SHA-256 of the MANIFEST.json of the store that is pushed."""
    packed: bool
    """Whether files are packed."""
    files: dict[str, Found] = field(default_factory=dict)
    """File of the store -> its object."""
    planned: Iterable[str] = ()
    """Files that are written, too, or will be."""

    def objects(self) -> set[str]:
        """Names of all objects that the push has written, or may have."""
        return {self.object_of(file) for file in (*self.files, *self.planned)}

    def object_of(self, file: str) -> str:
        """Name of the object that a file becomes."""
        return file + PACKED_SUFFIX if self.packed else file

    def to_bytes(self) -> bytes:
        """Write as JSON whose last key is the SHA-256 of all that stands before it."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "format_version": VERSION,
            "manifest": self.manifest,
            "packed": self.packed,
            "files": {
                name: {"bytes": found.nbytes, "e_tag": found.tag}
                for name, found in sorted(self.files.items())
            },
        }
        if missing := sorted(set(self.planned) - self.files.keys()):
            body["missing"] = missing
        body["sha256"] = digest(body)
        return (json.dumps(body, indent=1) + "\n").encode()


def read_ledger(content: bytes) -> Ledger:
    """Read a ledger that anybody may have written.

    Raises
    ------
    ShapeError
        It is not a ledger, or was changed.
    """
    body = dict(mapping(parse_json(content, finite=True)))
    stated = entry(body, "sha256", text)
    del body["sha256"]
    if stated != digest(body):
        raise ShapeError("it was changed after it was written")
    kind, version = entry(body, "format", text), entry(body, "format_version", whole)
    if (kind, version) != (FORMAT, VERSION):
        raise ShapeError(f"expected {FORMAT} {VERSION}, got {kind} {version}: upgrade hms-eeg")
    manifest = entry(body, "manifest", text)
    if not SHA256.fullmatch(manifest):
        raise ShapeError(f"manifest: expected a SHA-256, got {manifest!r}")
    files = entry(body, "files", mapping)
    return Ledger(
        manifest,
        entry(body, "packed", truth),
        {name: entry(files, name, _found) for name in files},
        entry_or(body, "missing", texts, ()),
    )


def own_names(files: Iterable[str]) -> set[str]:
    """Every object that a push of these files may write."""
    return {MANIFEST_NAME, LEDGER_NAME}.union(*((name, name + PACKED_SUFFIX) for name in files))


def _found(value: object) -> Found:
    nbytes = entry(value, "bytes", whole)
    if nbytes < 0:
        raise ShapeError(f"bytes: expected a size, got {nbytes}")
    return Found(nbytes, entry(value, "e_tag", text))
