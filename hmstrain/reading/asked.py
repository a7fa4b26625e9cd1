"""A recorder's file -> any stretch of it in microvolts, as an import would write it, at once.

`hmsprep` reads the file, in a process of its own, which ends with this one.

Legend: T samples, C channels.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.json_shapes import ShapeError
from hmsstore.recordings import ImportedRecording
from hmsstore.schema import CHANNELS
from hmstrain.errors import DataError
from hmstrain.prediction.hmsprep import sentence
from hmstrain.reading.pieces import DTYPE
from hmstrain.reading.recording import Annotation

END_S = 5.0
"""Seconds that the process gets to end once nothing more is asked for."""


class AskedFile:
    """A recorder's file that another process reads as it is asked. Threads may share it.

    Parameters
    ----------
    path : Path
        The file.
    words : sequence of str
        Options of `hmsprep import`.
    """

    def __init__(self, path: Path, words: Sequence[str]) -> None:
        self.path = path
        self._said: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "hmsprep", "import", "--answer", *words, "--", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            process_group=0,
        )
        self._lock = threading.Lock()
        self._closed = False

    def describe(self) -> tuple[ImportedRecording, tuple[Annotation, ...], tuple[str, ...]]:
        """What an import will say of the recording, its annotations by onset, and warnings.

        Raises
        ------
        DataError
            The file cannot be imported: hmsprep's own sentence.
        """
        with self._lock:
            told = self._answer()
        try:
            notes = (Annotation(*note) for note in told["annotations"])
            return (
                ImportedRecording.from_json(told["recording"]),
                tuple(sorted(notes, key=lambda one: one.onset_s)),
                tuple(told["warnings"]),
            )
        except (KeyError, TypeError, ShapeError) as error:
            raise self._unexpected(error) from None

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Read (T, C) from one sample to the one before another, within the recording.

        Raises
        ------
        DataError
            That part of the file cannot be read, or the process has ended.
        """
        with self._lock:
            if self._closed:
                raise DataError(f"{self.path} was closed.")
            assert self._child.stdin is not None
            assert self._child.stdout is not None
            with suppress(OSError):  # what it says of its end is told below
                self._child.stdin.write(f"{first} {stop}\n".encode())
                self._child.stdin.flush()
            told = self._answer()
            if "problem" in told:
                raise DataError(str(told["problem"]))
            expected = (stop - first) * len(CHANNELS) * DTYPE.itemsize
            content = self._child.stdout.read(expected)
            if told.get("samples") != stop - first or len(content) != expected:
                raise self._unexpected("it ended early")
        return np.frombuffer(content, DTYPE).reshape(stop - first, len(CHANNELS)).copy()

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._child.terminate()
        with self._lock:
            assert self._child.stdin is not None
            assert self._child.stdout is not None
            with suppress(OSError):
                self._child.stdin.close()
            try:
                self._child.wait(END_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._child.stdout.close()
            self._said.close()

    def _answer(self) -> dict[str, Any]:
        """A line of what it answers, under the lock."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise self._unexpected(f"it answered {line[:60]!r}" if line else "")
        return told

    def _unexpected(self, reason: object) -> DataError:
        """Why the process did not answer."""
        if not reason:  # it ends, and may still have to say why
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(END_S)
        self._child.kill()
        code = self._child.wait()
        self._said.seek(0)
        said = sentence(self._said.read())
        return DataError(
            said or f"{self.path} cannot be read: hmsprep ended with {code}. {reason}".strip()
        )
