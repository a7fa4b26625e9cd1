"""What a worker process is given -> what it reports back, as plain values that pickle.

A report also goes into the journal, as it stands: what was learned is written once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.values.statistics import Moments, Statistics
from hmsprep.planning.parameters import Parameters

Key = tuple[str, int]
"""Signal and number of a shard."""
Stamps = dict[str, list[int]]
"""Source file -> how it looked before it was read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One segment of a recording to store."""

    file: str
    source_start: int
    rows: int
    shared: int
    start: int
    """First row in the store's array."""
    training: bool
    """Whether its samples count in the statistics."""
    needed_rows: int
    """Rows that the file must have for the recording's last window in the table."""
    by_pair: bool = False
    """Whether only differences of neighbours on a chain are known, so that those are clipped."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a final shard is laid out."""

    chunk: tuple[int, int]
    """Rows of a window, and features."""
    rows: int
    """Rows of the shard in the array, filling included."""
    shard_rows: int


@dataclass(frozen=True, slots=True)
class IngestTask:
    """Read, clean and concatenate the recordings of one shard."""

    source: Path
    signal: str
    shard: int
    pieces: tuple[Piece, ...]
    parameters: Parameters
    stamps: Stamps
    partial: Path
    """Folder for the scratch file."""
    layout: Layout
    final: bool = False
    """Whether to write the final shard at once, since no value changes any more."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """A scratch shard, and what was learned while reading it."""

    signal: str
    shard: int
    size: int
    crc: int
    moments: Moments
    gaps: NDArray[np.int64]
    """(gaps, 3): feature or -1, first row in the store's array, rows; in ascending order."""
    fingerprints: dict[str, tuple[int, int]]
    """Source file -> size and CRC-32."""
    stamps: Stamps
    saturated: int
    """Stored values that no clip limited and half precision cannot hold."""
    clipped: dict[str, list[int]] = field(default_factory=dict)
    """Source file -> values of each channel beyond the clip, where there are any."""

    @property
    def key(self) -> Key:
        """Which shard it is."""
        return self.signal, self.shard

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "signal": self.signal,
            "shard": self.shard,
            "bytes": self.size,
            "crc32": self.crc,
            "clipped": self.clipped,
            "moments": self.moments.to_json(),
            "gaps": self.gaps.tolist(),
            "sources": [
                [name, *found, self.stamps[name]] for name, found in self.fingerprints.items()
            ],
            "saturated": self.saturated,
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Ingested:
        """Read back what `to_json` wrote."""
        return cls(
            entry["signal"],
            entry["shard"],
            entry["bytes"],
            entry["crc32"],
            Moments.from_json(entry["moments"]),
            np.asarray(entry["gaps"], np.int64).reshape(-1, 3),
            {name: (size, crc) for name, size, crc, _ in entry["sources"]},
            {name: stamp for name, _, _, stamp in entry["sources"]},
            entry["saturated"],
            entry.get("clipped", {}),
        )


@dataclass(frozen=True, slots=True)
class NormaliseTask:
    """Turn one scratch shard into the final one, in the same file."""

    signal: str
    shard: int
    layout: Layout
    scratch: Path
    """Under a temporary name, so that nobody takes it for the scratch shard once it is changed."""
    scratch_crc: int
    statistics: Statistics
    zscore: bool


@dataclass(frozen=True, slots=True)
class Normalised:
    """A final shard, and what it was made from."""

    signal: str
    shard: int
    size: int
    crc: int
    scratch_crc: int
    statistics: str
    """Digest of the statistics that it was normalised with; empty if written before these were."""
    saturated: int

    @property
    def key(self) -> Key:
        """Which shard it is."""
        return self.signal, self.shard

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "signal": self.signal,
            "shard": self.shard,
            "bytes": self.size,
            "crc32": self.crc,
            "scratch_crc32": self.scratch_crc,
            "statistics": self.statistics,
            "saturated": self.saturated,
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Normalised:
        """Read back what `to_json` wrote."""
        return cls(
            entry["signal"],
            entry["shard"],
            entry["bytes"],
            entry["crc32"],
            entry["scratch_crc32"],
            entry["statistics"],
            entry["saturated"],
        )
