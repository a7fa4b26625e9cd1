"""What a build has finished -> an append-only file, and back after a crash.

One line each: the CRC-32 of a JSON object, then the object. The parent process alone writes, and
forces every line to disk. What a crash left of a last line is cut off when the journal is opened
again. Later lines replace earlier ones.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmsprep.building.values.statistics import Moments
from hmsprep.building.worker import Ingested, Normalised

Key = tuple[str, int]
"""Signal and number of a shard."""


@dataclass(frozen=True, slots=True)
class Read:
    """A shard that was read into its scratch file."""

    size: int
    crc: int
    moments: Moments
    missing: dict[int, int]
    """Row of the window table -> missing values in the window, where there are any."""
    fingerprints: dict[str, tuple[int, int]]
    """Source file -> size and CRC-32."""
    stamps: dict[str, list[int]]
    """Source file -> how it looked before it was read."""
    saturated: int


@dataclass(frozen=True, slots=True)
class Written:
    """A final shard under its name, and what it was made from."""

    size: int
    crc: int
    scratch_crc: int
    statistics: str
    """Digest of the statistics that it was normalised with."""
    saturated: int


class Journal:
    """The journal of one build.

    Attributes
    ----------
    read, written : dict
        What is done, by signal and shard.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read: dict[Key, Read] = {}
        self.written: dict[Key, Written] = {}
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

    def add_read(self, result: Ingested, stamps: dict[str, list[int]]) -> None:
        """Note that a shard was read."""
        self._append(
            {
                "stage": "ingest",
                "signal": result.signal,
                "shard": result.shard,
                "bytes": result.size,
                "crc32": result.crc,
                "moments": result.moments.to_json(),
                "missing": list(result.missing.items()),
                "sources": [
                    [name, size, crc, stamps[name]]
                    for name, (size, crc) in result.fingerprints.items()
                ],
                "saturated": result.saturated,
            }
        )

    def add_written(self, result: Normalised, scratch_crc: int, statistics: str) -> None:
        """Note that a final shard stands under its name."""
        self._append(
            {
                "stage": "normalise",
                "signal": result.signal,
                "shard": result.shard,
                "bytes": result.size,
                "crc32": result.crc,
                "scratch_crc32": scratch_crc,
                "statistics": statistics,
                "saturated": result.saturated,
            }
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, entry: dict[str, Any]) -> None:
        body = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        self._file.write(b"%08x %s" % (zlib.crc32(body), body))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._remember(entry)

    def _remember(self, entry: dict[str, Any]) -> None:
        key = (entry["signal"], entry["shard"])
        if entry["stage"] == "normalise":
            self.written[key] = Written(
                entry["bytes"],
                entry["crc32"],
                entry["scratch_crc32"],
                entry["statistics"],
                entry["saturated"],
            )
            return
        self.read[key] = Read(
            entry["bytes"],
            entry["crc32"],
            Moments.from_json(entry["moments"]),
            {int(window): int(count) for window, count in entry["missing"]},
            {name: (size, crc) for name, size, crc, _ in entry["sources"]},
            {name: stamp for name, _, _, stamp in entry["sources"]},
            entry["saturated"],
        )
