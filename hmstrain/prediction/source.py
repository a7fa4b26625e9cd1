"""A store, a folder in Kaggle's layout, or recordings -> a store to predict.

Files go through `hmsprep` itself, in a process of its own, with the cleaning that the runs were
trained with: so their windows are made by the very code that made the training windows.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hmsstore import Store
from hmsstore.manifest import MANIFEST_NAME
from hmsstore.recordings import ImportedRecording, read_recordings
from hmstrain.errors import DataError, RunError
from hmstrain.runs.stopping import held_back

END_S = 5.0
"""Seconds that hmsprep gets to end its own processes; after that it is killed with them."""


@dataclass(frozen=True, slots=True)
class ToPredict:
    """Windows to predict."""

    store: Store
    given: bool
    """Whether it is the user's own store, not one that was built for this."""
    recordings: tuple[ImportedRecording, ...] = ()
    """The recordings that they are of, if they are."""


@contextmanager
def open_or_build(
    path: Path,
    cleaning: Mapping[str, Any],
    *,
    stride_s: float = 10.0,
    part: str | None = None,
    features: bool = False,
) -> Iterator[ToPredict]:
    """Open the store to predict, or build it; what is built is removed afterwards.

    Parameters
    ----------
    path : Path
        A store; a folder in Kaggle's layout or its zip; an EDF or BDF file, or a folder of such.
    cleaning : mapping
        How to clean the signals of files, as a run keeps it.
    stride_s : float
        Seconds from window to window of a recording.
    part : str, optional
        Of a folder in Kaggle's layout: 'train' or 'test'; 'test' if it is there.
    features : bool
        Compute hand features of what is built, too: a run is of those.

    Raises
    ------
    StoreError
        The store cannot be opened.
    DataError
        There is nothing of these kinds, or hmsprep refused it: its own sentence.
    RunError
        What building takes is not installed.
    """
    if (path / MANIFEST_NAME).is_file():
        yield ToPredict(Store.open(path), given=True)
        return
    if not path.exists():
        raise DataError(
            f"Expected a store, a folder with test.csv or train.csv (or its zip), or recordings at "
            f"{path}, got nothing."
        )
    if find_spec("polars") is None or find_spec("hmsprep") is None:
        raise RunError(
            f"{path} must be built into a store first, which needs more packages: "
            "pip install 'hms-eeg[prep]'"
        )
    with _temporary_folder() as work:
        recordings: tuple[ImportedRecording, ...] = ()
        data = path
        if not _is_kaggle(path):
            data, part = work / "data", "test"
            _hmsprep("import", path, data, "--stride", repr(stride_s), "--unlabelled", "--json")
            recordings = read_recordings(data)
            _check_names(path, recordings)
        elif path.is_dir() and part is None and (path / "test.csv").is_file():
            part = "test"
        how = work / "cleaning.json"
        how.write_text(json.dumps(dict(cleaning)))
        options = ["--cleaning", how, "--split-by", "all"]
        options += [] if part is None else ["--part", part]
        _hmsprep("build", data, work / "hms.zarr", *options, "--json")
        if features:
            _hmsprep("features", work / "hms.zarr", "--json")
        yield ToPredict(Store.open(work / "hms.zarr"), given=False, recordings=recordings)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Give a folder for a patient's signals; it is removed even if a second signal comes."""
    name = tempfile.mkdtemp(prefix="hms-predict-")
    try:
        yield Path(name)
    finally:
        with held_back():
            shutil.rmtree(name)


def _check_names(path: Path, recordings: Sequence[ImportedRecording]) -> None:
    """Refuse recordings whose results would have one name."""
    names = [Path(one.file).stem for one in recordings]
    twice = next((name for name in names if names.count(name) > 1 or name == "predictions"), None)
    if twice is not None:
        raise DataError(
            f"{path} holds recordings whose results would have one name, {twice}: rename one."
        )


def _is_kaggle(path: Path) -> bool:
    if path.is_file():
        return path.suffix == ".zip"
    return any((path / f"{part}.csv").is_file() for part in ("train", "test"))


def _hmsprep(*words: object) -> None:
    """Run hmsprep; its progress is shown on a terminal, its errors become ours.

    It gets a process group of its own, so that it can be killed with all that it started.
    """
    shown = sys.stderr.isatty()
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "hmsprep", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=None if shown else subprocess.PIPE,
        text=True,
        process_group=0,
    ) as child:
        try:
            _, errors = child.communicate()
        except BaseException:
            with held_back():
                _end(child)
            raise
    if child.returncode:
        if shown:
            raise DataError("hmsprep failed; see its message above.")
        said = errors.strip()
        raise DataError(
            said.rpartition("hmsprep: ")[2] or f"hmsprep ended with {child.returncode}."
        )


def _end(child: subprocess.Popen[str]) -> None:
    """End a process that leads a group, and whatever of the group outlives it."""
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(END_S)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
