"""Runs and a recording -> the model's probabilities, from a process of its own, page first."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from hmsstore import HMS, Spec
from hmsstore.atomic import whole_file
from hmsstore.errors import StoreError
from hmsstore.recordings import ImportedRecording
from hmstrain.errors import DataError, TrainError
from hmstrain.prediction.episodes import Episode, EpisodeRule
from hmstrain.prediction.timeline import Timeline, make_timeline
from hmstrain.reading.coming import Readable
from hmstrain.reading.pieces import PRIVATE
from hmstrain.reading.recording import WORDS, Recording
from hmstrain.runs.notice import read_notice

WINDOWS = "predictions.csv"
VERSION = 1
"""Of kept answers; raised whenever the same files would give others."""
SUM = b"# sha256 "
"""Begins the last line of kept answers, by which damage is seen."""
OTHER_CODE = "--model"
"""Option by which a run's network comes from outside of its folder, so that the folder does not
tell what it answers."""
UNREAD_FOLDERS, UNREAD = {"last"}, {".jsonl", ".png", ".html"}
"""Of a run's folder: what its answers do not depend on."""
UNREAD_FILES = re.compile(r"precision\.json|(predictions|test-.*)\.(npz|json)")
"""Nor on which arithmetic was measured to be fast, nor on what the run's tests wrote."""
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
            self.timeline = self._kept(imported) or self._computed(imported)
        except (TrainError, StoreError, OSError) as error:
            self.problem = str(error)
        with self._lock:
            told = [] if self._stopped else list(self._told)
        for then in told:
            then()

    def _computed(self, imported: Recording) -> Timeline:
        with tempfile.TemporaryDirectory(prefix="hms-view-") as folder:
            self._run(imported.folder, Path(folder) / "answers")
            content = (Path(folder) / "answers" / WINDOWS).read_bytes()
        found = read_answers(content, WINDOWS, imported.described, self.spec)
        path = self._path(imported)
        if path is not None:
            with suppress(OSError):  # then they are computed again the next time
                path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
                with whole_file(path) as partial:
                    partial.write_bytes(content + SUM + _sha256(content) + b"\n")
        return found

    def _kept(self, imported: Recording) -> Timeline | None:
        """Answers of an earlier opening; None if there are none, or they are damaged."""
        path = self._path(imported)
        try:
            content, _, said = (b"" if path is None else path.read_bytes()).rpartition(SUM)
        except OSError:
            return None
        if said.strip() != _sha256(content):
            return None
        return read_answers(content, WINDOWS, imported.described, self.spec)

    def _path(self, imported: Recording) -> Path | None:
        """Where answers of these very runs on this recording are kept; None if nowhere."""
        if OTHER_CODE in self.words:
            return None
        return imported.cache / f"answers-{runs_identity(self.runs)}.csv"

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


def runs_identity(runs: Sequence[Path]) -> str:
    """What tells runs, and what they would answer, from all others: 64 hexadecimal digits.

    Of the contents of their files, those of the members of a blend included, but for checkpoints to
    resume from, logs and pictures.

    Raises
    ------
    TrainError
        A blend cannot be read.
    """
    from hmstrain.scoring.blending import FILE, networks_of, read_blend

    try:
        package = version("hms-eeg")
    except PackageNotFoundError:
        package = ""
    found = hashlib.sha256(f"{VERSION} {package}".encode())
    for run in runs:
        folders = [run]
        if (run / FILE).is_file():
            folders += [one for each in networks_of(read_blend(run), run) for one in each]
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder)
                unread = (
                    {*name.parts} & UNREAD_FOLDERS
                    or path.suffix in UNREAD
                    or UNREAD_FILES.fullmatch(name.name)
                    or not path.is_file()
                )
                if not unread:
                    with path.open("rb") as file:
                        digest = hashlib.file_digest(file, "sha256").hexdigest()
                    found.update(f"\n{name.as_posix()} {digest}".encode())
        found.update(b"\n")
    return found.hexdigest()


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def read_answers(
    content: bytes, where: object, described: ImportedRecording, spec: Spec
) -> Timeline:
    """Read what `hmstrain predict` wrote of an imported data set, of one recording of it.

    Parameters
    ----------
    content : bytes
        Of the table.
    where : object
        What it is called in errors.
    described : ImportedRecording
    spec : Spec

    Raises
    ------
    DataError
        It is not such a table, or has no window of the recording.
    """
    try:
        rows = list(csv.DictReader(content.decode().splitlines()))
        windows = {
            "eeg_id": np.asarray([int(row["eeg_id"]) for row in rows], np.int64),
            "eeg_offset_s": np.asarray([float(row["eeg_offset_s"]) for row in rows]),
            "eeg_nan_fraction": np.zeros(len(rows)),
            "spectrogram_nan_fraction": np.zeros(len(rows)),
        }
        prediction = np.asarray(
            [[float(row[key] or "nan") for key in spec.class_keys] for row in rows]
        ).reshape(len(rows), len(spec.classes))
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(f"{where} is not what `hmstrain predict` writes: {error}.") from None
    said = {word: getattr(described, word) for word in WORDS}
    caveats = {word: names for word, names in said.items() if names}
    timeline = make_timeline(described, windows, prediction, spec, caveats)
    if not len(timeline.centre_s):
        raise DataError(f"{where} has no window of {described.file}.")
    return timeline
