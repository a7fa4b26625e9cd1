"""What a build has finished -> an append-only file, and back after a crash.

One JSON object per line, written by the parent process only and forced to disk. A line that was cut
off by a crash is removed when the journal is opened again. Later lines replace earlier ones.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmsprep.statistics import Moments
from hmsprep.worker import Ingested, Normalised

Key = tuple[str, int]
"""Signal and number of a shard."""


@dataclass(frozen=True, slots=True)
class IngestedLine:
    """A shard that was read, and how its source files looked then."""

    result: Ingested
    stamps: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class NormalisedLine:
    """A final shard under its name, and what it was made from."""

    result: Normalised
    scratch_crc: int
    statistics: str
    """Digest of the statistics that it was normalised with."""


class Journal:
    """The journal of one build.

    Attributes
    ----------
    ingested, normalised : dict
        What is done, by signal and shard.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ingested: dict[Key, IngestedLine] = {}
        self.normalised: dict[Key, NormalisedLine] = {}
        whole = 0
        text = path.read_bytes() if path.exists() else b""
        for line in text.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            self._remember(json.loads(line))
            whole += len(line)
        self._file = path.open("ab")
        self._file.truncate(whole)

    @property
    def empty(self) -> bool:
        """Whether nothing is done yet."""
        return not self.ingested

    def add_ingested(self, result: Ingested, stamps: dict[str, list[int]]) -> None:
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

    def add_normalised(self, result: Normalised, scratch_crc: int, statistics: str) -> None:
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
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._remember(entry)

    def _remember(self, entry: dict[str, Any]) -> None:
        key = (entry["signal"], entry["shard"])
        if entry["stage"] == "normalise":
            done = Normalised(*key, entry["bytes"], entry["crc32"], entry["saturated"])
            self.normalised[key] = NormalisedLine(done, entry["scratch_crc32"], entry["statistics"])
            return
        result = Ingested(
            *key,
            entry["bytes"],
            entry["crc32"],
            Moments.from_json(entry["moments"]),
            {int(window): int(count) for window, count in entry["missing"]},
            {name: (size, crc) for name, size, crc, _ in entry["sources"]},
            entry["saturated"],
        )
        self.ingested[key] = IngestedLine(result, {s[0]: s[3] for s in entry["sources"]})
