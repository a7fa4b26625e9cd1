"""A recorder's file -> its import, kept in a cache folder by the file's SHA-256.

::

    CACHE/
        9f86d081...-4d967... SHA-256 of the recorder's file, and twelve digits of how it is imported
            import/          what `hmsprep import` made of it
            eeg/             its pieces, unpacked
            lock             held while it is imported

The same file under another name is not imported again, but has that name from then on; a file that
changed is imported. An import is there whole or not at all. All of a cache can be removed at any
time, by hand or by `clear_cache`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hmsstore.atomic import remove_leftovers
from hmsstore.recordings import RECORDINGS_NAME, import_words
from hmsstore.sums import DIGITS, names_beside, of_recording
from hmstrain.errors import DataError
from hmstrain.prediction.hmsprep import check_installed, end, run_hmsprep
from hmstrain.reading.asked import AskedFile
from hmstrain.reading.clock import clock_start
from hmstrain.reading.coming import ComingRecording
from hmstrain.reading.pieces import PRIVATE
from hmstrain.reading.recording import Recording
from hmstrain.runs.stopping import held_back

IMPORT, UNPACKED, LOCK = "import", "eeg", "lock"
KEY = re.compile(rf"[0-9a-f]{{64}}(-[0-9a-f]{{{DIGITS}}})?")
"""Names of what is kept; nothing else in the folder is touched."""
IMPORTED = 2
"""Raised whenever an import gives other values: what is kept of earlier ones is not opened."""
NICE = 10
"""How far an import steps back behind the pages that are read meanwhile."""


def default_cache() -> Path:
    """Folder of this user for what can be made again: `~/.cache/hms-eeg` on Linux."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "hms-eeg"
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "hms-eeg"


def open_or_import(
    path: Path,
    cache: Path | None = None,
    *,
    name: str | None = None,
    importing: Mapping[str, Any] | None = None,
) -> Recording:
    """Open a recording; a recorder's file is imported first, unless the cache has its import.

    The import runs in a process of its own, which is ended with this one. What a killed one left is
    removed when the next recording is opened.

    Parameters
    ----------
    path : Path
        A recorder's file of any format that `hmsprep import` reads, or a folder that it made.
    cache : Path, optional
        Folder to keep imports in; made if it does not exist. By default `default_cache()`.
    name : str, optional
        Which recording of a folder with several.
    importing : mapping, optional
        How the file is to be read: options of `hmsprep import`.

    Raises
    ------
    DataError
        There is neither, or the file cannot be imported: hmsprep's own sentence.
    RecordingsError
        The folder's `recordings.json` is not what an import writes.
    RunError
        What importing takes is not installed.
    """
    found = open_at_once(path, cache, name=name, importing=importing)
    if isinstance(found, Recording):
        return found
    try:
        return found.whole()
    finally:
        found.stop()


def open_at_once(
    path: Path,
    cache: Path | None = None,
    *,
    name: str | None = None,
    importing: Mapping[str, Any] | None = None,
) -> Recording | ComingRecording:
    """Open a recording; a recorder's file that the cache does not have is imported meanwhile.

    Its import is kept, or nothing of it, when it is stopped. If this process is killed, the import
    comes to its end without it, and whoever opens the file next has it.

    Parameters and errors are those of `open_or_import`; what an import finds wrong only in reading
    all of the file is told by `ComingRecording.problem`.
    """
    home = default_cache() if cache is None else cache
    told = import_words(importing or {})
    try:
        if path.is_dir():
            return _open_folder(path, home, name, told)
        with path.open("rb"):
            pass
        check_installed(f"{path} must be imported first")
        file = AskedFile(path, told)
        try:
            return _open_file(path, home, told, file)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise DataError(f"{error.filename or path}: {error.strerror}.") from None


def _open_file(
    path: Path, home: Path, told: list[str], file: AskedFile
) -> Recording | ComingRecording:
    """Open a file's import, or the file while it is imported."""
    sha256 = of_recording(path)
    key = key_of(sha256, [*told, *map(str, names_beside(path).values())])
    try:
        home.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{home} cannot be made: {error.strerror}. Name another folder with --cache."
        ) from None
    _sweep(home)
    kept, start = home / key, clock_start(path)

    def opened() -> Recording:
        kept_one = Recording.open(kept / IMPORT, cache=kept / UNPACKED, start=start)
        return kept_one.renamed(os.fsencode(path.name).decode("utf-8", "backslashreplace"))

    def make(coming: ComingRecording) -> Recording:
        with _alone(kept) as lock:
            assert lock is not None
            if not (kept / IMPORT).is_dir():
                _import(path, kept, told, sha256, coming, lock)
        return opened()

    if (kept / IMPORT).is_dir():
        recording = opened()
        if recording.described.sha256 == sha256:
            file.close()
            return recording
        with _alone(kept):  # what an import made that went on by itself while the file changed
            shutil.rmtree(kept, ignore_errors=True)
    return ComingRecording(file, sha256, kept / UNPACKED, start, make)


def key_of(sha256: str, told: Sequence[str] = ()) -> str:
    """Name of the folder of a file's import, by its SHA-256 and the options that were given."""
    return f"{sha256}-{_digest(json.dumps([IMPORTED, *told]))[:DIGITS]}"


def clear_cache(cache: Path | None = None) -> int:
    """Remove all that is kept, but for what is being imported; return how many bytes it took.

    Raises
    ------
    DataError
        Something cannot be removed.
    """
    home = default_cache() if cache is None else cache
    freed = 0
    for kept in _kept(home):
        with _alone(kept, wait=False) as alone:
            if alone is None:
                continue
            try:
                freed += sum(one.stat().st_size for one in kept.rglob("*") if one.is_file())
                shutil.rmtree(kept)
            except OSError as error:
                raise DataError(
                    f"{error.filename or kept} cannot be removed: {error.strerror}. Close what "
                    "shows the recording first."
                ) from None
    return freed


def _open_folder(path: Path, home: Path, name: str | None, told: list[str]) -> Recording:
    if not (path / RECORDINGS_NAME).is_file():
        raise DataError(
            f"{path} is a folder without {RECORDINGS_NAME}: expected a recorder's file, or what "
            "`hmsprep import` made."
        )
    if told:
        raise DataError(
            f"{told[0]} is for a recorder's file, and {path} is imported: leave it out."
        )
    content = (path / RECORDINGS_NAME).read_text(encoding="utf-8", errors="replace")
    files = [
        f"{one.name} {one.stat().st_size} {one.stat().st_mtime_ns}"
        for one in sorted(path.glob("*_eegs/*.parquet"))
    ]
    key = _digest(json.dumps([str(path.resolve()), content, files]))
    return Recording.open(path, name, cache=home / key / UNPACKED)


def _import(
    path: Path, kept: Path, told: list[str], sha256: str, coming: ComingRecording, lock: int
) -> None:
    """Import a file; nothing of it stays if that fails or is stopped, or the file changes.

    The process holds the lock, too, so that nobody begins another import while it lives.
    """
    words = ("import", *told, "--unlabelled", "--json", "--", path, kept / IMPORT)

    def started(child: subprocess.Popen[str]) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, child.pid, NICE)
        coming.started(lambda: end(child))

    try:
        remove_leftovers(kept)
        run_hmsprep(*words, warnings=False, started=started, said=coming.said, held=[lock])
        if of_recording(path) != sha256:
            raise DataError(f"{path} changed while it was imported. Open it again.")
    except BaseException:
        with held_back():
            shutil.rmtree(kept, ignore_errors=True)
        raise


def _kept(home: Path) -> list[Path]:
    if not home.is_dir():
        return []
    return [one for one in sorted(home.iterdir()) if KEY.fullmatch(one.name) and one.is_dir()]


def _sweep(home: Path) -> None:
    """Remove what killed imports left."""
    for kept in _kept(home):
        with _alone(kept, wait=False) as alone:
            if alone is not None:
                remove_leftovers(kept)
                if not (kept / IMPORT).is_dir() and not (kept / UNPACKED).is_dir():
                    shutil.rmtree(kept, ignore_errors=True)


@contextmanager
def _alone(kept: Path, *, wait: bool = True) -> Iterator[int | None]:
    """Hold the lock of what is kept; yield its descriptor, None if somebody else holds it.

    The file of a lock that was waited for may be gone since: then there is another to wait for.
    """
    while True:
        kept.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        descriptor = os.open(kept / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            yield None
            return
        if (kept / LOCK).exists() and os.path.samestat(os.fstat(descriptor), (kept / LOCK).stat()):
            break
        os.close(descriptor)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
