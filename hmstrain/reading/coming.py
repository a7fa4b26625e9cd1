"""A recorder's file that is being imported -> a recording that can be read from the first moment.

Until its import is whole, stretches are read from the file itself, in the way of the import. An
import may find, once it has read everything, that offset and drift must be filtered out: then
values differ from that moment on, which `ComingRecording.changed` tells.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hmsstore.recordings import ImportedRecording
from hmsstore.schema import CHANNELS
from hmstrain.errors import DataError, TrainError
from hmstrain.reading.asked import AskedFile
from hmstrain.reading.pieces import DTYPE, RATE_HZ
from hmstrain.reading.recording import (
    Annotation,
    Recording,
    samples_between,
    states_of,
    without_filled,
)

PROGRESS = re.compile(r"Importing: (\d+)%")
"""What an import says of how far it is."""
END_S = 10.0
"""Seconds that an import gets to remove what it wrote when it is stopped."""


class Readable(Protocol):
    """A recording that can be read, whether or not it is imported; as `Recording` has it."""

    @property
    def described(self) -> ImportedRecording: ...  # noqa: D102
    @property
    def annotations(self) -> tuple[Annotation, ...]: ...  # noqa: D102
    @property
    def cache(self) -> Path: ...  # noqa: D102
    @property
    def start(self) -> time | None: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102
    @property
    def rate_hz(self) -> float: ...  # noqa: D102
    @property
    def chains_only(self) -> bool: ...  # noqa: D102
    @property
    def states(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102
    @property
    def warnings(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    def read(self, start_s: float, stop_s: float) -> NDArray[np.float32]: ...  # noqa: D102
    def read_samples(self, first: int, stop: int) -> NDArray[np.float32]: ...  # noqa: D102
    def whole(self) -> Recording: ...  # noqa: D102


class ComingRecording:
    """A recording that is imported while it is read. Threads may share it.

    Parameters
    ----------
    file : AskedFile
        What it is read from until then.
    sha256 : str
        Of the recorder's file.
    cache : Path
        Where its pieces will be unpacked.
    start : time, optional
        Time of day at which it starts.
    make : callable
        Imports it, in a thread: takes this recording, whose `started` and `said` follow the
        process, and gives what was imported. Raises DataError.
    """

    def __init__(
        self,
        file: AskedFile,
        sha256: str,
        cache: Path,
        start: time | None,
        make: Callable[[ComingRecording], Recording],
    ) -> None:
        self._file, self.sha256, self.cache, self.start = file, sha256, cache, start
        found, self.annotations, self._warnings = file.describe()
        self._described = replace(found, sha256=sha256)
        self._make = make
        self._imported: Recording | None = None
        self.problem = ""
        """Why it cannot be imported; pages are then read from the file as long as that works."""
        self.progress = 0.0
        """Share of the recording that was imported."""
        self._told: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._end: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._import, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it was imported, or cannot be."""
        return self._ended.is_set()

    @property
    def described(self) -> ImportedRecording:
        """As `recordings.json` describes it; before it is imported, as far as that is known."""
        return self._described if self._imported is None else self._imported.described

    @property
    def changed(self) -> bool:
        """Whether its import filtered it, and what was read before was not filtered."""
        imported, before = self._imported, self._described.highpass_hz
        return imported is not None and imported.described.highpass_hz != before

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return self._described.file

    @property
    def seconds(self) -> float:
        """Length."""
        return self._described.seconds

    @property
    def rate_hz(self) -> float:
        """Samples a second of what `read` gives."""
        return RATE_HZ

    @property
    def chains_only(self) -> bool:
        """Whether only differences of neighbours on a chain are known."""
        return self._described.reference != "scalp"

    @property
    def states(self) -> Mapping[str, tuple[str, ...]]:
        """What the import says of electrodes, as `Recording.states` has it."""
        return states_of(self.described)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the import says of the recording, a sentence each, as far as that is known."""
        return self._warnings if self._imported is None else self._imported.warnings

    def read(self, start_s: float, stop_s: float) -> NDArray[np.float32]:
        """Read a stretch, as `Recording.read` does."""
        return self.read_samples(*samples_between(self.name, start_s, stop_s))

    def read_samples(self, first: int, stop: int) -> NDArray[np.float32]:
        """Read from one sample to the one before another, as `Recording.read_samples` does."""
        if self._imported is not None:
            return self._imported.read_samples(first, stop)
        eeg_uv_TC = np.full((max(0, stop - first), len(CHANNELS)), np.nan, DTYPE)
        begin, end = max(first, 0), min(stop, round(self.seconds * RATE_HZ))
        if begin < end:
            try:
                eeg_uv_TC[begin - first : end - first] = self._file.read(begin, end)
            except DataError:
                if self._imported is None:
                    raise
                return self._imported.read_samples(first, stop)  # its import ended meanwhile
        return without_filled(eeg_uv_TC, self._described)

    def whole(self) -> Recording:
        """Wait until it is imported, and give what was.

        Raises
        ------
        DataError
            It cannot be.
        """
        self._ended.wait()
        if self._imported is None:
            raise DataError(self.problem)
        return self._imported

    def tell(self, then: Callable[[], object]) -> None:
        """Call, from a thread, whenever there is more of the import, and once it ended."""
        with self._lock:
            self._told.append(then)

    def forget(self, then: Callable[[], object]) -> None:
        """Call no more."""
        with self._lock:
            if then in self._told:
                self._told.remove(then)

    def started(self, end: Callable[[], object]) -> None:
        """Take note of what ends the import that has begun."""
        with self._lock:
            self._end = end
            stopped = self._stopped.is_set()
        if stopped:
            end()

    def said(self, line: str) -> None:
        """Take a line that the import said."""
        if found := PROGRESS.match(line):
            self.progress = int(found[1]) / 100
            self._tell()

    def stop(self) -> None:
        """End the import, of which nothing stays, and what the file is read by."""
        with self._lock:
            self._stopped.set()
            end = self._end
        if end is not None and not self.done:
            end()
            self._thread.join(END_S)
        self.problem = self.problem or "its import was stopped."
        self._ended.set()
        self._file.close()

    def _import(self) -> None:
        try:
            self._imported = self._make(self)
        except (TrainError, OSError) as error:
            self.problem = str(error)
        except BaseException as error:
            self.problem = f"The import failed: {error!r}."
            raise
        finally:
            self._ended.set()
        if self._imported is not None:
            self._file.close()
        if not self._stopped.is_set():
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            told = list(self._told)
        for then in told:
            with suppress(RuntimeError):  # the page was left
                then()
