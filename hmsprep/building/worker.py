"""What a worker process does: one shard of recordings -> scratch; one scratch shard -> final shard.

Both are plain functions of their task, so that any `concurrent.futures.Executor` can run them. They
write only a temporary file under a name of their own; naming and recording it is the parent's part.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.shards import ChecksummedFile, filling, shard_index
from hmsprep.building.values.clean import clean, missing_in_windows, missing_values
from hmsprep.building.values.float16 import from_float16, rows_to_float16, to_float16
from hmsprep.building.values.statistics import Moments, Statistics, moments
from hmsprep.errors import DataError, several
from hmsprep.kaggle.files import open_files, read_ahead
from hmsprep.kaggle.recording import decode
from hmsprep.planning.parameters import HALF_MAX, Parameters
from hmsstore.schema import DTYPE
from hmsstore.spec import Signal


@dataclass(frozen=True, slots=True)
class Piece:
    """One segment of a recording to store, and the windows on it."""

    file: str
    source_start: int
    rows: int
    shared: int
    training: bool
    """Whether its samples count in the statistics."""
    needed_rows: int
    """Rows that the file must have for the recording's last window in the table."""
    windows: tuple[int, ...]
    """Rows of the window table on this segment."""
    window_starts: tuple[int, ...]
    """First rows of these windows in the source file."""


@dataclass(frozen=True, slots=True)
class IngestTask:
    """Read, clean and concatenate the recordings of one shard."""

    source: Path
    signal: str
    shard: int
    pieces: tuple[Piece, ...]
    parameters: Parameters
    partial: Path
    """Folder for the scratch file."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """A scratch shard, and what was learned while reading it."""

    file: Path
    """Where it lies for the time being."""
    signal: str
    shard: int
    size: int
    crc: int
    moments: Moments
    missing: dict[int, int]
    """Row of the window table -> missing values in the window, where there are any."""
    fingerprints: dict[str, tuple[int, int]]
    """KaggleData file -> size and CRC-32."""
    saturated: int
    """Stored values that no clip limited and half precision cannot hold."""


@dataclass(frozen=True, slots=True)
class NormaliseTask:
    """Turn one scratch shard into the final one."""

    signal: str
    shard: int
    chunk: tuple[int, int]
    """Rows of a window, and features."""
    rows: int
    """Rows of the shard in the array, filling included."""
    shard_rows: int
    scratch: Path
    scratch_crc: int
    statistics: Statistics
    zscore: bool
    partial: Path
    """Folder for the final file, not yet under its name."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """A final shard, not yet under its name."""

    file: Path | None
    """None: the scratch shard was damaged."""
    signal: str
    shard: int
    size: int
    crc: int
    saturated: int


def ingest(task: IngestTask) -> Ingested:
    """Read the recordings of a shard into a scratch file of float16 (rows, features).

    Raises
    ------
    DataError
        Listing every recording of this shard that is not as expected.
    """
    signal = task.parameters.spec.signals[task.signal]
    files = open_files(task.source)
    result = _Ingesting(signal, task.parameters)
    problems: list[str] = []
    with ChecksummedFile(task.partial / uuid4().hex) as scratch:
        contents = read_ahead(files, [piece.file for piece in task.pieces])
        for piece, content in zip(task.pieces, contents, strict=True):
            try:
                half = result.add(piece, content.result())
                scratch.write(half)
            except DataError as error:
                problems.append(str(error))
        if len(problems) == 1:
            raise DataError(problems[0])
        if problems:
            raise DataError(several(f"{len(problems)} recordings cannot be used:", problems))
        size, crc = scratch.close()
    return Ingested(
        scratch.path,
        task.signal,
        task.shard,
        size,
        crc,
        result.moments,
        result.missing,
        result.fingerprints,
        result.saturated,
    )


class _Ingesting:
    """What accumulates over the recordings of a shard."""

    def __init__(self, signal: Signal, parameters: Parameters) -> None:
        self.signal = signal
        self.parameters = parameters
        self.moments = Moments.none(len(signal.features))
        self.missing: dict[int, int] = {}
        self.fingerprints: dict[str, tuple[int, int]] = {}
        self.saturated = 0

    def add(self, piece: Piece, content: bytes) -> NDArray[np.float16]:
        """Clean one recording and return the rows to store."""
        raw = decode(content, self.signal, piece.file)
        if raw.shape[1] < piece.needed_rows:
            rate = self.signal.row_rate_hz
            raise DataError(
                f"{piece.file} has {raw.shape[1]:,} rows ({raw.shape[1] / rate:g} s), but "
                f"its windows in the table need {piece.needed_rows:,} "
                f"({piece.needed_rows / rate:g} s). The file is cut short, or an offset is wrong."
            )
        self.fingerprints[piece.file] = (len(content), zlib.crc32(content))
        missing = missing_values(raw)
        if missing is not None:
            rows = self.signal.window_rows
            found = missing_in_windows(missing, piece.windows, piece.window_starts, rows)
            self.missing |= found
        cleaned = clean(raw, missing, self.signal, self.parameters)
        span = slice(piece.source_start, piece.source_start + piece.rows)
        if piece.training:
            fresh = slice(span.start + piece.shared, span.stop)
            values = np.ascontiguousarray(cleaned[:, fresh])
            gaps = None if missing is None else missing[:, fresh]
            self.moments = self.moments.merged(moments(values, gaps))
        self.saturated += int(np.count_nonzero(np.abs(cleaned[:, span]) >= HALF_MAX))
        return rows_to_float16(cleaned[:, span])


def normalise(task: NormaliseTask) -> Normalised:
    """Write the final shard from its scratch shard; no file if that is not as it was written."""
    window_rows, width = task.chunk
    stored = task.scratch.stat().st_size // (width * DTYPE.itemsize)
    mean = task.statistics.mean.astype(np.float32)
    std = task.statistics.std.astype(np.float32)
    scratch_crc = 0
    saturated = 0
    with (
        ChecksummedFile(task.partial / uuid4().hex) as final,
        task.scratch.open("rb") as scratch,
    ):
        for first in range(0, stored, window_rows):
            rows = min(window_rows, stored - first)
            raw = scratch.read(rows * width * DTYPE.itemsize)
            scratch_crc = zlib.crc32(raw, scratch_crc)
            values = from_float16(np.frombuffer(raw, DTYPE).reshape(rows, width))
            gaps = np.isnan(values)
            if gaps.any():
                np.copyto(values, mean, where=gaps)
            if task.zscore:
                values -= mean
                values /= std
                saturated += int(np.count_nonzero(np.abs(values) > HALF_MAX))
                np.clip(values, -HALF_MAX, HALF_MAX, out=values)
            final.write(to_float16(values))
        if scratch_crc != task.scratch_crc:
            final.close()
            final.path.unlink()
            return Normalised(None, task.signal, task.shard, 0, 0, 0)
        chunked = -(-task.rows // window_rows) * window_rows
        for rows_of_nan in filling(task.chunk, chunked - stored):
            final.write(rows_of_nan)
        final.write(np.frombuffer(shard_index(task.chunk, task.rows, task.shard_rows), np.uint8))
        size, crc = final.close()
    return Normalised(final.path, task.signal, task.shard, size, crc, saturated)
