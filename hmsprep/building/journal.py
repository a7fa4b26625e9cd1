"""What a build has finished -> an append-only file, and back after a crash.

One line each: the CRC-32 of a JSON object, then the object. The parent process alone writes, and
forces every line to disk. What a crash left of a last line is cut off when the journal is opened
again. Later lines replace earlier ones.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

from hmsprep.building.tasks import Ingested, Key, Normalised

JOURNAL_VERSION = 2
"""Changes when an unfinished build can no longer be resumed. 1 kept no gaps."""


class Journal:
    """The journal of one build.

    Attributes
    ----------
    read : dict of Ingested
        Shards that were read into their scratch files, by signal and number.
    written : dict of Normalised
        Final shards under their names, likewise.
    versions : dict of str to str, optional
        Of the packages that made the shards noted last; None at the start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()
        whole = 0
        text = path.read_bytes() if path.exists() else b""
        for line in text.splitlines(keepends=True):
            checksum, _, body = line.partition(b" ")
            if checksum != b"%08x" % zlib.crc32(body) or not body.endswith(b"\n"):
                break
            self._remember(json.loads(body))
            whole += len(line)
        self._file = path.open("ab")
        self._file.truncate(whole)

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
        """Forget all that was noted."""
        self._file.truncate(0)
        self._forget()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, entry: dict[str, Any]) -> None:
        body = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        self._file.write(b"%08x %s" % (zlib.crc32(body), body))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._remember(entry)

    def _forget(self) -> None:
        self.read: dict[Key, Ingested] = {}
        self.written: dict[Key, Normalised] = {}
        self.versions: dict[str, str] | None = None

    def _remember(self, entry: dict[str, Any]) -> None:
        if entry["stage"] == "versions":
            self.versions = entry["versions"]
        elif entry["stage"] == "normalise":
            written = Normalised.from_json(entry)
            self.written[written.key] = written
        else:
            read = Ingested.from_json(entry)
            self.read[read.key] = read


def finished_shards(path: Path) -> int:
    """Count what the journal of a build notes as done, in both passes together."""
    if not path.exists():
        return 0
    return sum(b'"stage":"versions"' not in line for line in path.read_bytes().splitlines())
