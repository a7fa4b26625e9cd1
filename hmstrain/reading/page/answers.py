"""Runs and a recording -> the model's probabilities, from a process of its own, page first."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from hmsstore import HMS, Spec
from hmsstore.recordings import ImportedRecording
from hmstrain.errors import DataError, TrainError
from hmstrain.prediction.episodes import Episode, EpisodeRule
from hmstrain.prediction.timeline import Timeline, make_timeline
from hmstrain.reading.coming import Readable
from hmstrain.reading.recording import WORDS
from hmstrain.runs.notice import read_notice

WINDOWS = "predictions.csv"
END_S = 5.0
"""Seconds that a prediction gets to remove what it built; after that it is killed."""


class Answers:
    """Probabilities of a recording that a process computes while pages are read.

    Parameters
    ----------
    runs : sequence of Path
        Whose probabilities are averaged.
    recording : Recording, or one that is imported meanwhile
    words : sequence of str
        More options of `hmstrain predict`.
    """

    def __init__(
        self, runs: Sequence[Path], recording: Readable, words: Sequence[str] = ()
    ) -> None:
        self.runs, self.recording, self.words = tuple(runs), recording, tuple(words)
        self.spec: Spec = HMS  # a prediction of a recording refuses runs of other classes
        self.rule = EpisodeRule()
        self.limits = tuple(dict.fromkeys(filter(None, map(read_notice, self.runs))))
        """What must be said of the runs; where there is something, they give no episodes."""
        self.timeline: Timeline | None = None
        self.problem = ""
        self._told: list[Callable[[], object]] = []
        self._child: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = False

    @property
    def done(self) -> bool:
        """Whether there are answers, or none will come."""
        return self.timeline is not None or bool(self.problem)

    @property
    def episodes(self) -> list[Episode]:
        """The model's, once there are answers; none of runs that give probabilities alone."""
        if self.timeline is None or self.limits:
            return []
        return self.timeline.episodes(self.rule)

    def tell(self, then: Callable[[], object]) -> None:
        """Call, from a thread, once it is done; the first caller starts the process."""
        with self._lock:
            self._told.append(then)
            if self._thread is None:
                self._thread = threading.Thread(target=self._predict, daemon=True)
                self._thread.start()
        if self.done:
            then()

    def forget(self, then: Callable[[], object]) -> None:
        """Call no more."""
        with self._lock:
            if then in self._told:
                self._told.remove(then)

    def stop(self) -> None:
        """End the process, and what it started."""
        with self._lock:
            self._stopped, child = True, self._child
        if child is not None:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(END_S)
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        if self._thread is not None:
            self._thread.join(END_S)

    def _predict(self) -> None:
        try:
            imported = self.recording.whole()
            with tempfile.TemporaryDirectory(prefix="hms-view-") as folder:
                self._run(imported.folder, Path(folder) / "answers")
                table = Path(folder) / "answers" / WINDOWS
                self.timeline = read_answers(table, imported.described, self.spec)
        except (TrainError, OSError) as error:
            self.problem = str(error)
        with self._lock:
            told = [] if self._stopped else list(self._told)
        for then in told:
            then()

    def _run(self, folder: Path, out: Path) -> None:
        words = [*map(str, self.runs), str(folder), "--out", str(out)]
        with self._lock:
            if self._stopped:
                return
            self._child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "hmstrain", "predict", *words, "--quiet", *self.words],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                process_group=0,
            )
        _, said = self._child.communicate()
        if self._child.returncode:
            told = said.strip().rpartition("hmstrain: ")[2]
            raise DataError(told or f"hmstrain predict ended with {self._child.returncode}.")


def read_answers(path: Path, described: ImportedRecording, spec: Spec) -> Timeline:
    """Read what `hmstrain predict` wrote of an imported data set, of one recording of it.

    Raises
    ------
    DataError
        It is not such a table, or has no window of the recording.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        windows = {
            "eeg_id": np.asarray([int(row["eeg_id"]) for row in rows], np.int64),
            "eeg_offset_s": np.asarray([float(row["eeg_offset_s"]) for row in rows]),
            "eeg_nan_fraction": np.zeros(len(rows)),
            "spectrogram_nan_fraction": np.zeros(len(rows)),
        }
        prediction = np.asarray(
            [[float(row[key] or "nan") for key in spec.class_keys] for row in rows]
        ).reshape(len(rows), len(spec.classes))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is not what `hmstrain predict` writes: {error}.") from None
    said = {word: getattr(described, word) for word in WORDS}
    caveats = {word: names for word, names in said.items() if names}
    timeline = make_timeline(described, windows, prediction, spec, caveats)
    if not len(timeline.centre_s):
        raise DataError(f"{path} has no window of {described.file}.")
    return timeline
