"""What a build has finished -> an append-only file, and back after a crash.

One line each: the CRC-32 of a JSON object, then the object. The parent process alone writes, and
forces every line to disk. What a crash left of a last line is cut off when the journal is opened
again. Later lines replace earlier ones. Where a build is shared out, each share has a journal of
its own and reads those of the others.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hmsprep.building.tasks import Ingested, Key, Normalised

JOURNAL_VERSION = 2
"""Changes when an unfinished build can no longer be resumed. 1 kept no gaps."""


@dataclass
class Notes:
    """What one file says."""

    read: dict[Key, Ingested] = field(default_factory=dict)
    written: dict[Key, Normalised] = field(default_factory=dict)
    versions: dict[str, str] | None = None

    def add(self, entry: dict[str, Any]) -> None:
        """Take note of a line."""
        if entry["stage"] == "versions":
            self.versions = entry["versions"]
        elif entry["stage"] == "normalise":
            written = Normalised.from_json(entry)
            self.written[written.key] = written
        else:
            read = Ingested.from_json(entry)
            self.read[read.key] = read


def _nobody() -> Iterable[Path]:
    return ()


class Journal:
    """The journal of one build, or of one share of a build beside those of the others.

    Parameters
    ----------
    path : Path
        The file, which only this process writes.
    beside : callable, optional
        Lists the journals of others, which are read as far as they are whole.

    Attributes
    ----------
    read : dict of Ingested
        Shards that were read into their scratch files, by signal and number.
    written : dict of Normalised
        Final shards under their names, likewise.
    """

    def __init__(self, path: Path, beside: Callable[[], Iterable[Path]] = _nobody) -> None:
        self.path, self.beside = path, beside
        self.own, whole = _notes(path)
        self._file = path.open("ab")
        self._file.truncate(whole)
        self.look_again()

    @property
    def versions(self) -> dict[str, str] | None:
        """Versions of the packages that made the shards noted last here; None at the start."""
        return self.own.versions

    def look_again(self) -> None:
        """Read what the others have noted by now."""
        self._others = [_notes(path)[0] for path in self.beside()]
        self.read: dict[Key, Ingested] = {}
        self.written: dict[Key, Normalised] = {}
        for notes in (*self._others, self.own):
            self.read |= notes.read
            self.written |= notes.written

    def makers(self) -> Iterator[tuple[dict[str, str], Set[Key]]]:
        """Versions that made shards, and the shards, of each of the journals."""
        for notes in (self.own, *self._others):
            if notes.versions is not None:
                yield notes.versions, notes.read.keys() | notes.written.keys()

    def add_read(self, report: Ingested) -> None:
        """Note that a shard was read."""
        self._append({"stage": "ingest"} | report.to_json())

    def add_written(self, report: Normalised) -> None:
        """Note that a final shard stands under its name."""
        self._append({"stage": "normalise"} | report.to_json())

    def add_versions(self, versions: dict[str, str]) -> None:
        """Note which versions of packages make the shards noted from now on."""
        self._append({"stage": "versions", "versions": versions})

    def restart(self) -> None:
        """Forget all that was noted, by others too."""
        self._file.truncate(0)
        for path in self.beside():
            path.unlink()
        self.own = Notes()
        self.look_again()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, entry: dict[str, Any]) -> None:
        body = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        self._file.write(b"%08x %s" % (zlib.crc32(body), body))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.own.add(entry)
        key = entry.get("signal", ""), entry.get("shard", 0)
        if key in self.own.read:
            self.read[key] = self.own.read[key]
        if key in self.own.written:
            self.written[key] = self.own.written[key]


def _notes(path: Path) -> tuple[Notes, int]:
    """What a file says, and how many of its bytes are whole lines."""
    notes, whole = Notes(), 0
    text = path.read_bytes() if path.exists() else b""
    for line in text.splitlines(keepends=True):
        checksum, _, body = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(body) or not body.endswith(b"\n"):
            break
        notes.add(json.loads(body))
        whole += len(line)
    return notes, whole


def finished_shards(*paths: Path) -> int:
    """Count what the journals of a build note as done, in both passes together."""
    return sum(
        b'"stage":"versions"' not in line
        for path in paths
        if path.exists()
        for line in path.read_bytes().splitlines()
    )
