"""EEG files of an import -> rows of microvolts, decoded, or unpacked into a plain file.

Legend: T samples, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.atomic import whole_file
from hmsstore.recordings import RECORDINGS_NAME, ImportedRecording
from hmsstore.schema import CHANNELS, EEG
from hmstrain.errors import DataError

EEG_FOLDERS = ("train_eegs", "test_eegs")
RATE_HZ = EEG.row_rate_hz
DTYPE = np.dtype("<f4")
MOST_ROWS = round(2 * 3600 * RATE_HZ)
"""Of a piece: twice what an import makes, so that no file can ask for more memory."""
BATCH = round(60 * RATE_HZ)
"""Rows of a parquet file that are decoded at once for a page."""
MOST_DAYS = 31
"""Length of a recording."""
PRIVATE = 0o700
"""Rights of a folder of what is unpacked: nobody but its owner enters it."""


@dataclass(frozen=True, slots=True)
class Part:
    """The samples of one EEG file that no file before it has."""

    path: Path
    first: int
    """First sample of the recording, and the one after the last."""
    stop: int
    skipped: int
    """Rows of the file that the file before it has, too."""


def parts_of(folder: Path, described: ImportedRecording) -> tuple[Part, ...]:
    """Find the EEG files of a recording; what two of them share is taken from the first."""
    import pyarrow as pa
    from pyarrow import parquet

    samples = round(described.seconds * RATE_HZ)
    if not 0 < described.seconds <= MOST_DAYS * 86_400:
        raise DataError(
            f"{folder / RECORDINGS_NAME}: {described.file} lasts {described.seconds:g} s; expected "
            f"more than 0 and at most {MOST_DAYS} days."
        )
    home = next((folder / one for one in EEG_FOLDERS if (folder / one).is_dir()), None)
    if home is None:
        raise DataError(f"{folder} has no folder {' or '.join(EEG_FOLDERS)}. Import it again.")
    parts: list[Part] = []
    end = 0
    for piece in sorted(described.pieces, key=lambda one: one.start_s):
        path = home / f"{piece.eeg_id}.parquet"
        try:
            about = parquet.read_metadata(path)
        except FileNotFoundError:
            raise DataError(f"{path} is missing. Import {described.file} again.") from None
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path} cannot be read: {_short(error)}.") from None
        begin = round(piece.start_s * RATE_HZ)
        first, stop = max(begin, end), begin + about.num_rows
        if begin < 0 or about.num_rows > MOST_ROWS or stop > samples + 1:
            raise DataError(
                f"{path} holds {about.num_rows:,} rows from second {piece.start_s:g} on; expected "
                f"at most {MOST_ROWS:,}, within the {described.seconds:g} s of {described.file}. "
                "Import it again."
            )
        if first < stop:
            parts.append(Part(path, first, stop, first - begin))
            end = stop
    if not parts:
        raise DataError(f"{folder / RECORDINGS_NAME}: {described.file} has no EEG file.")
    return tuple(parts)


def decoded(part: Part, first: int, stop: int) -> NDArray[np.float32]:
    """Read rows of a part from its parquet file, (T, C), NaN where it holds nothing."""
    import pyarrow as pa
    from pyarrow import parquet

    eeg_uv_TC = np.empty((stop - first, len(CHANNELS)), DTYPE)
    begin = -first - part.skipped  # of a batch, in what is asked for
    try:
        with parquet.ParquetFile(part.path) as file:
            for batch in file.iter_batches(BATCH, columns=list(CHANNELS), use_threads=False):
                end = begin + batch.num_rows
                into = slice(max(begin, 0), min(end, len(eeg_uv_TC)))
                if into.start < into.stop:
                    for place, name in enumerate(CHANNELS):
                        values = _values(batch.column(name))
                        eeg_uv_TC[into, place] = values[into.start - begin : into.stop - begin]
                begin = end
                if begin >= len(eeg_uv_TC):
                    break
        if begin < len(eeg_uv_TC):
            raise DataError(f"{part.path} was changed while it was read. Open it again.")
    except FileNotFoundError:
        raise DataError(f"{part.path} is missing. Import the recording again.") from None
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise DataError(f"{part.path} cannot be read: {_short(error)}.") from None
    return eeg_uv_TC


def _values(column: Any) -> NDArray[np.float32]:
    """Values of an Arrow array, NaN where it has none; its own `to_numpy` would import pandas."""
    import pyarrow as pa

    if column.type != pa.float32():
        column = column.cast(pa.float32())  # of text it raises
    if column.null_count:
        column = column.fill_null(np.nan)
    return np.frombuffer(column.buffers()[1], np.float32, len(column), 4 * column.offset)


def unpack(part: Part, path: Path) -> None:
    """Write a part as plain numbers, for nobody but the user to read."""
    values = decoded(part, 0, part.stop - part.first)
    try:
        path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        with whole_file(path) as partial:
            partial.write_bytes(values.data)  # `tofile` would not say why
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror}. Name another folder for the cache."
        ) from None


def _short(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
