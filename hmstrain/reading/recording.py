"""An imported recording -> any stretch of it in microvolts, whatever its length.

An import cuts a recording into parquet files of at most an hour. Each is unpacked once, when a
stretch of it is first asked for, into a plain file of a cache folder; from then on a stretch is one
read of as many bytes as it has. Memory holds a piece while it is unpacked, and what is asked for.

Legend: T samples, C channels.
"""

from __future__ import annotations

import csv
import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsstore.atomic import whole_file
from hmsstore.plain.text import uncell
from hmsstore.recordings import (
    RECORDINGS_NAME,
    ImportedRecording,
    read_recordings,
    read_warnings,
)
from hmsstore.schema import CHANNELS, EEG
from hmstrain.errors import DataError
from hmstrain.prediction.hmsprep import check_installed

ANNOTATIONS_NAME = "annotations.csv"
EEG_FOLDERS = ("train_eegs", "test_eegs")
RATE_HZ = EEG.row_rate_hz
WORDS = ("filled", "interpolated", "railed", "flat", "bridged")
"""What an import says of electrodes; `Recording.states` has these and 'missing'."""
DTYPE = np.dtype("<f4")
MOST_ROWS = round(2 * 3600 * RATE_HZ)
"""Of a piece: twice what an import makes, so that no file can ask for more memory."""
MOST_DAYS = 31
"""Length of a recording."""
PRIVATE = 0o700
"""Rights of a folder of what is unpacked: nobody but its owner enters it."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a recorder or a technician noted in the file."""

    onset_s: float
    """From the start of the recording."""
    duration_s: float | None
    """None if the file gives none."""
    text: str


@dataclass(frozen=True, slots=True)
class _Part:
    """The samples of one EEG file that no file before it has."""

    path: Path
    first: int
    """First sample of the recording, and the one after the last."""
    stop: int
    skipped: int
    """Rows of the file that the file before it has, too."""


@dataclass(frozen=True)
class Recording:
    """Random access to one recording of an imported data set; `open` makes one.

    Threads may share it.
    """

    folder: Path
    """Of the import."""
    described: ImportedRecording
    """As `recordings.json` describes it."""
    annotations: tuple[Annotation, ...]
    """By onset."""
    cache: Path
    """Where pieces are unpacked, which may be removed at any time."""
    start: time | None = None
    """Time of day at which it starts, if the recorder's file was at hand to tell."""
    _parts: tuple[_Part, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def open(
        cls,
        folder: Path,
        name: str | None = None,
        *,
        cache: Path,
        start: time | None = None,
    ) -> Recording:
        """Open a recording of a data set that `hmsprep import` made; nothing is unpacked yet.

        Parameters
        ----------
        folder : Path
            The data set.
        name : str, optional
            The recording's file as `recordings.json` lists it; needed if there are several.
        cache : Path
            Folder for what is unpacked, some 58 MB for an hour; made if it does not exist. It must
            be this data set's alone.
        start : time, optional
            Time of day at which the recording starts.

        Raises
        ------
        RecordingsError
            `recordings.json` is missing, or it is not what an import writes.
        DataError
            There is no such recording, or a file of it is missing or cannot be read.
        RunError
            What reading parquet files takes is not installed.
        """
        check_installed(f"{folder} holds parquet files")
        described = _one_of(folder, read_recordings(folder), name)
        return cls(
            folder, described, _annotations(folder, described.file), cache, start,
            _parts_of(folder, described),
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return self.described.file

    @property
    def seconds(self) -> float:
        """Length."""
        return self.described.seconds

    @property
    def samples(self) -> int:
        """Length at `rate_hz`."""
        return round(self.seconds * RATE_HZ)

    @property
    def rate_hz(self) -> float:
        """Samples a second of what `read` gives."""
        return RATE_HZ

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of what `read` gives, in order: nineteen electrodes and the EKG."""
        return CHANNELS

    @property
    def chains_only(self) -> bool:
        """Whether only differences of neighbours on a chain are known, not single electrodes."""
        return self.described.reference != "scalp"

    @property
    def states(self) -> Mapping[str, tuple[str, ...]]:
        """Channel, or pair of a bipolar recording -> what the import says of it.

        Of 'filled' (the file has no such channel), 'interpolated' (computed from others), 'railed',
        'flat' (a tenth of the recording or more), 'bridged' (measures the same as a neighbour) and
        'missing' (the file holds no number somewhere). Those of which nothing is said are left out.
        """
        found: dict[str, list[str]] = {}
        for word in WORDS:
            for name in getattr(self.described, word):
                both = name.split("-") if word == "bridged" and name not in CHANNELS else [name]
                for one in both:
                    if word not in found.setdefault(one, []):
                        found[one].append(word)
        for name in self.described.missing:
            found.setdefault(name, []).append("missing")
        return {name: tuple(words) for name, words in found.items()}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the import said of its recordings, a sentence each."""
        return read_warnings(self.folder)

    @property
    def sha256(self) -> str:
        """SHA-256 of the recorder's file, 64 hexadecimal digits.

        Of an import by a version that did not note it, that of the first piece's parquet file.
        """
        if self.described.sha256:
            return self.described.sha256
        with self._parts[0].path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def read(self, start_s: float, stop_s: float) -> NDArray[np.float32]:
        """Read a stretch.

        Parameters
        ----------
        start_s, stop_s : float
            Seconds from the start of the recording, taken to the nearest sample; they may lie
            outside of it.

        Returns
        -------
        float32 (T, C)
            Microvolts. NaN where nothing was recorded: in gaps, in channels that the file lacks,
            and before and after the recording.

        Raises
        ------
        DataError
            The stretch is none, or a file cannot be read.
        """
        if not (np.isfinite([start_s, stop_s]).all() and start_s < stop_s):
            raise DataError(
                f"{self.name}: expected a stretch of some seconds, got {start_s:g} to {stop_s:g} s."
            )
        return self.read_samples(round(start_s * RATE_HZ), round(stop_s * RATE_HZ))

    def read_samples(self, first: int, stop: int) -> NDArray[np.float32]:
        """Read from one sample to the one before another, as `read` does."""
        eeg_uv_TC = np.full((max(0, stop - first), len(CHANNELS)), np.nan, DTYPE)
        for part in self._parts:
            begin, end = max(first, part.first), min(stop, part.stop)
            if begin < end:
                rows = self._rows(part, begin - part.first, end - part.first)
                eeg_uv_TC[begin - first : end - first] = rows
        for name in self.described.filled:
            if name in CHANNELS:
                eeg_uv_TC[:, CHANNELS.index(name)] = np.nan
        return eeg_uv_TC

    def _rows(self, part: _Part, first: int, stop: int) -> NDArray[np.float32]:
        """Rows of a part, from its unpacked file."""
        width = len(CHANNELS)
        path = self.cache / f"{part.path.stem}.f4"
        expected = (part.stop - part.first) * width * DTYPE.itemsize
        for _ in range(2):  # somebody may clear the cache at any moment
            try:
                if path.stat().st_size == expected:
                    offset = first * width * DTYPE.itemsize
                    return np.fromfile(path, DTYPE, (stop - first) * width, offset=offset).reshape(
                        stop - first, width
                    )
            except FileNotFoundError:
                pass
            except OSError as error:
                raise DataError(f"{path} cannot be read: {error.strerror}.") from None
            with self._lock:
                if not path.is_file() or path.stat().st_size != expected:
                    _unpack(part, path)
        return _decoded(part)[first:stop]


def _one_of(
    folder: Path, recordings: tuple[ImportedRecording, ...], name: str | None
) -> ImportedRecording:
    chosen = [one for one in recordings if name is None or one.file == name]
    if len(chosen) == 1:
        return chosen[0]
    known = ", ".join(one.file for one in recordings[:10])
    more = f" and {len(recordings) - 10} more" if len(recordings) > 10 else ""
    if name is None:
        raise DataError(
            f"{folder} holds {len(recordings)} recordings ({known}{more}); expected one. Name the "
            "one to read."
        )
    raise DataError(f"{folder} has no recording {name}; it has {known}{more}.")


def _annotations(folder: Path, name: str) -> tuple[Annotation, ...]:
    """Read what files' own annotations say; none of an import that noted none."""
    path = folder / ANNOTATIONS_NAME
    found = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if uncell(row["file"]) == name:
                    lasting = float(row["duration_s"]) if row["duration_s"] else None
                    text = uncell(row["text"] or "")
                    found.append(Annotation(float(row["onset_s"]), lasting, text))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise DataError(
            f"{path} is not what `hmsprep import` writes: expected the columns file, onset_s, "
            "duration_s and text. Import the recordings again."
        ) from None
    return tuple(sorted(found, key=lambda one: one.onset_s))


def _parts_of(folder: Path, described: ImportedRecording) -> tuple[_Part, ...]:
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
    parts: list[_Part] = []
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
            parts.append(_Part(path, first, stop, first - begin))
            end = stop
    if not parts:
        raise DataError(f"{folder / RECORDINGS_NAME}: {described.file} has no EEG file.")
    return tuple(parts)


def _decoded(part: _Part) -> NDArray[np.float32]:
    """Read a part from its parquet file, (T, C), NaN where it holds nothing."""
    import pyarrow as pa
    from pyarrow import parquet

    eeg_uv_TC = np.empty((part.stop - part.first, len(CHANNELS)), DTYPE)
    try:
        table = parquet.read_table(part.path, columns=list(CHANNELS), use_threads=False)
        if table.num_rows != part.skipped + len(eeg_uv_TC):
            raise DataError(f"{part.path} was changed while it was read. Open it again.")
        for place, name in enumerate(CHANNELS):
            values = table[name].to_numpy()  # nothing becomes NaN
            eeg_uv_TC[:, place] = values[part.skipped :]
    except FileNotFoundError:
        raise DataError(f"{part.path} is missing. Import the recording again.") from None
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise DataError(f"{part.path} cannot be read: {_short(error)}.") from None
    return eeg_uv_TC


def _unpack(part: _Part, path: Path) -> None:
    """Write a part as plain numbers, for nobody but the user to read."""
    values = _decoded(part)
    try:
        path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        with whole_file(path) as partial:
            values.tofile(partial)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror}. Name another folder for the cache."
        ) from None


def _short(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
