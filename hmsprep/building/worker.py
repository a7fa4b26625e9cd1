"""What a worker process does: one shard of recordings -> scratch; one scratch shard -> final shard.

Both are plain functions of their task, so that any `concurrent.futures.Executor` can run them. They
write only a temporary file under a name of their own; naming and recording it is the parent's part.
"""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.checksums import crc32
from hmsprep.building.shards import ChecksummedFile, filling, shard_index
from hmsprep.building.tasks import Ingested, IngestTask, Layout, Normalised, NormaliseTask, Piece
from hmsprep.building.values.clean import clean, count_clipped, missing_values
from hmsprep.building.values.float16 import rows_in_float16
from hmsprep.building.values.gaps import find_gaps, no_gaps
from hmsprep.building.values.normalise import Normaliser
from hmsprep.building.values.statistics import Moments, moments
from hmsprep.errors import DataError, several
from hmsprep.kaggle.files import open_files, read_ahead
from hmsprep.kaggle.recording import decode
from hmsprep.planning.parameters import HALF_MAX, Parameters
from hmsstore.manifest import digest
from hmsstore.schema import DTYPE
from hmsstore.spec import Signal


def ingest(task: IngestTask) -> tuple[Path, Ingested, Normalised | None]:
    """Read the recordings of a shard into a scratch file of float16 (rows, features).

    Returns
    -------
    file : Path
        Where the scratch file, or the final shard, lies for the time being.
    report : Ingested
        What was learned.
    made : Normalised or None
        What was made, if the file is the final shard.

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
                stored = result.add(piece, content.result())
                for rows in rows_in_float16(stored):
                    scratch.write(rows)
            except DataError as error:
                problems.append(str(error))
        if len(problems) == 1:
            raise DataError(problems[0])
        if problems:
            raise DataError(several(f"{len(problems)} recordings cannot be used:", problems))
        read_size, read_crc = scratch.size, scratch.crc
        if task.final:
            _complete(scratch, task.layout)
        size, crc = scratch.close()
    report = Ingested(
        task.signal,
        task.shard,
        read_size,
        read_crc,
        result.moments,
        np.concatenate(result.gaps),
        result.fingerprints,
        task.stamps,
        result.saturated,
        result.clipped,
    )
    made = Normalised(task.signal, task.shard, size, crc, read_crc, "", 0) if task.final else None
    return scratch.path, report, made


class _Ingesting:
    """What accumulates over the recordings of a shard."""

    def __init__(self, signal: Signal, parameters: Parameters) -> None:
        self.signal = signal
        self.parameters = parameters
        self.moments = Moments.none(len(signal.features))
        self.gaps = [no_gaps()]
        self.fingerprints: dict[str, tuple[int, int]] = {}
        self.saturated = 0
        self.clipped: dict[str, list[int]] = {}

    def add(self, piece: Piece, content: bytes) -> NDArray[np.float32]:
        """Clean one recording and return what is to be stored of it, (features, rows)."""
        raw = decode(content, self.signal, piece.file)
        if raw.shape[1] < piece.needed_rows:
            rate = self.signal.row_rate_hz
            raise DataError(
                f"{piece.file} has {raw.shape[1]:,} rows ({raw.shape[1] / rate:g} s), but "
                f"its windows in the table need {piece.needed_rows:,} "
                f"({piece.needed_rows / rate:g} s). The file is cut short, or an offset is wrong."
            )
        self.fingerprints[piece.file] = (len(content), crc32(content))
        missing = missing_values(raw)
        fresh = slice(piece.source_start + piece.shared, piece.source_start + piece.rows)
        if self.signal.name == "eeg":
            beyond = count_clipped(raw[:, fresh], self.parameters, by_pair=piece.by_pair)
            if beyond.any():
                self.clipped[piece.file] = beyond.tolist()
        cleaned = clean(raw, missing, self.signal, self.parameters, by_pair=piece.by_pair)
        span = slice(piece.source_start, piece.source_start + piece.rows)
        if missing is not None:
            self.gaps.append(find_gaps(missing[:, span], piece.start))
        if piece.training:
            values = np.ascontiguousarray(cleaned[:, fresh])
            gaps = None if missing is None else missing[:, fresh]
            self.moments = self.moments.merged(moments(values, gaps))
        stored = cleaned[:, span]
        if not max(stored.max(), -stored.min()) < HALF_MAX:  # so, too, where one is NaN
            self.saturated += int(np.count_nonzero(np.abs(stored) >= HALF_MAX))
        return stored


def normalise(task: NormaliseTask) -> tuple[Path | None, Normalised]:
    """Turn a scratch shard into the final one where it lies; no file if it was not as written.

    What is cut short in the middle is neither of the two, and of no use any more.

    Returns
    -------
    file : Path or None
        The final shard, not yet under its name. None: the scratch shard was damaged, and is gone.
    report : Normalised
        What was made.
    """
    window_rows, width = task.layout.chunk
    stored = task.scratch.stat().st_size // (width * DTYPE.itemsize)
    normaliser = Normaliser(task.statistics.mean, task.statistics.std, zscore=task.zscore)
    scratch_crc = 0
    with (
        ChecksummedFile(task.scratch, over=True) as final,
        task.scratch.open("rb", buffering=0) as scratch,  # always ahead of what is written
    ):
        for first in range(0, stored, window_rows):
            rows = min(window_rows, stored - first)
            raw = scratch.read(rows * width * DTYPE.itemsize)
            scratch_crc = crc32(raw, scratch_crc)
            stored_rows = np.frombuffer(raw, DTYPE).reshape(rows, width)
            final.write(normaliser.rows(stored_rows))
        whole = scratch_crc == task.scratch_crc
        if whole:
            _complete(final, task.layout)
        size, crc = final.close()
    if not whole:
        final.path.unlink()
    return final.path if whole else None, Normalised(
        task.signal,
        task.shard,
        size,
        crc,
        task.scratch_crc,
        digest(task.statistics.to_json()),
        normaliser.saturated,
    )


def _complete(file: ChecksummedFile, layout: Layout) -> None:
    """Add to the rows that were stored what else a final shard has: filling, and the index."""
    window_rows, width = layout.chunk
    stored = file.size // (width * DTYPE.itemsize)
    chunked = -(-layout.rows // window_rows) * window_rows
    for rows_of_nan in filling(layout.chunk, chunked - stored):
        file.write(rows_of_nan)
    index = shard_index(layout.chunk, layout.rows, layout.shard_rows)
    file.write(np.frombuffer(index, np.uint8))
