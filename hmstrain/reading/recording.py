"""An imported recording -> any stretch of it in microvolts, whatever its length.

An import cuts a recording into parquet files of at most an hour. Each is unpacked once, when a
stretch of it is first asked for, into a plain file of a cache folder; from then on a stretch is one
read of as many bytes as it has. Nobody waits for that who asks for a page: it is read from the
parquet file while that is unpacked. Memory holds a piece while it is unpacked, and what is asked
for.

Legend: T samples, C channels.
"""

from __future__ import annotations

import csv
import hashlib
import re
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsstore.plain.text import uncell
from hmsstore.recordings import (
    ImportedRecording,
    read_recordings,
    read_warnings,
)
from hmsstore.schema import CHANNELS
from hmstrain.errors import DataError
from hmstrain.prediction.hmsprep import check_installed
from hmstrain.reading.pieces import DTYPE, RATE_HZ, Part, decoded, parts_of, unpack

ANNOTATIONS_NAME = "annotations.csv"
WORDS = ("filled", "interpolated", "railed", "flat", "bridged")
"""What an import says of electrodes; `Recording.states` has these and 'missing'."""
SHORT = round(120 * RATE_HZ)
"""Samples up to which a stretch is a page, which is not to wait for a piece to be unpacked."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a recorder or a technician noted in the file."""

    onset_s: float
    """From the start of the recording."""
    duration_s: float | None
    """None if the file gives none."""
    text: str


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
    _before: str = ""
    """Name of the recorder's file when it was imported, if it has another one now."""
    _parts: tuple[Part, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _behind: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "unpack"), repr=False, compare=False
    )
    _waiting: set[str] = field(default_factory=set, repr=False, compare=False)

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
            _parts=parts_of(folder, described),
        )  # fmt: skip

    def renamed(self, name: str) -> Recording:
        """The same recording by the name that its file has now."""
        before = self.described.file
        if name == before:
            return self
        return replace(self, described=replace(self.described, file=name), _before=before)

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
        return states_of(self.described)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the import said of its recordings, a sentence each."""
        said = read_warnings(self.folder)
        return (
            tuple(_renamed(one, self._before, self.name) for one in said) if self._before else said
        )

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
        return self.read_samples(*samples_between(self.name, start_s, stop_s))

    def read_samples(self, first: int, stop: int) -> NDArray[np.float32]:
        """Read from one sample to the one before another, as `read` does."""
        eeg_uv_TC = np.full((max(0, stop - first), len(CHANNELS)), np.nan, DTYPE)
        for part in self._parts:
            begin, end = max(first, part.first), min(stop, part.stop)
            if begin < end:
                wait = stop - first > SHORT
                rows = self._rows(part, begin - part.first, end - part.first, wait=wait)
                eeg_uv_TC[begin - first : end - first] = rows
        return without_filled(eeg_uv_TC, self.described)

    def whole(self) -> Recording:
        """The recording itself: nothing of it is still to come."""
        return self

    def _rows(self, part: Part, first: int, stop: int, *, wait: bool) -> NDArray[np.float32]:
        """Rows of a part, from its unpacked file, or without waiting for it."""
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
            except (FileNotFoundError, NotADirectoryError):
                pass
            except OSError as error:
                raise DataError(f"{path} cannot be read: {error.strerror}.") from None
            if not wait:
                self._unpack_behind(part, path, expected)
                return decoded(part, first, stop)
            self._unpack(part, path, expected)
        return decoded(part, first, stop)

    def wait(self) -> None:
        """Wait until nothing is being unpacked behind the pages that were read."""
        self._behind.submit(lambda: None).result()

    def _unpack(self, part: Part, path: Path, expected: int) -> None:
        with self._lock:
            if not path.is_file() or path.stat().st_size != expected:
                unpack(part, path)

    def _unpack_behind(self, part: Part, path: Path, expected: int) -> None:
        """Unpack a part in another thread; what goes wrong there is told to who asks for more."""
        if path.name in self._waiting:
            return
        self._waiting.add(path.name)

        def work() -> None:
            try:
                with suppress(DataError, OSError):
                    self._unpack(part, path, expected)
            finally:
                self._waiting.discard(path.name)

        with suppress(RuntimeError):  # the program is ending
            self._behind.submit(work)


def states_of(described: ImportedRecording) -> dict[str, tuple[str, ...]]:
    """What an import says of electrodes, as `Recording.states` has it."""
    found: dict[str, list[str]] = {}
    for word in WORDS:
        for name in getattr(described, word):
            both = name.split("-") if word == "bridged" and name not in CHANNELS else [name]
            for one in both:
                if word not in found.setdefault(one, []):
                    found[one].append(word)
    for name in described.missing:
        found.setdefault(name, []).append("missing")
    return {name: tuple(words) for name, words in found.items()}


def _renamed(sentence: str, before: str, name: str) -> str:
    """A sentence that names a file, or others of its stem, by the name that it has now."""
    old, new = (Path(one.removesuffix(".gz")).stem for one in (before, name))
    pattern = rf"(?<![\w.-])(?:{re.escape(before)}(?![\w-])|{re.escape(old)}(?=\.\w))"
    return re.sub(pattern, lambda found: name if found[0] == before else new, sentence)


def samples_between(name: str, start_s: float, stop_s: float) -> tuple[int, int]:
    """First sample of a stretch of a recording and the one after its last; raises DataError."""
    if not (np.isfinite([start_s, stop_s]).all() and start_s < stop_s):
        raise DataError(
            f"{name}: expected a stretch of some seconds, got {start_s:g} to {stop_s:g} s."
        )
    return round(start_s * RATE_HZ), round(stop_s * RATE_HZ)


def without_filled(
    eeg_uv_TC: NDArray[np.float32], described: ImportedRecording
) -> NDArray[np.float32]:
    """Put NaN where an import filled in a channel that the file lacks."""
    for name in described.filled:
        if name in CHANNELS:
            eeg_uv_TC[:, CHANNELS.index(name)] = np.nan
    return eeg_uv_TC


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
