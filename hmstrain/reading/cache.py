"""A recorder's file -> its import, kept in a cache folder by the file's SHA-256.

::

    CACHE/
        9f86d081...          SHA-256 of the recorder's file; a dash and twelve digits more where it
                             was imported with options
            import/          what `hmsprep import` made of it
            eeg/             its pieces, unpacked
            lock             held while it is imported

The same file under another name is not imported again, and a file that changed is. An import is
there whole or not at all. All of a cache can be removed at any time, by hand or by `clear_cache`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hmsstore.atomic import remove_leftovers
from hmsstore.recordings import RECORDINGS_NAME, import_words
from hmsstore.sums import DIGITS, of_recording
from hmstrain.errors import DataError
from hmstrain.prediction.hmsprep import check_installed, run_hmsprep
from hmstrain.reading.clock import clock_start
from hmstrain.reading.recording import PRIVATE, Recording
from hmstrain.runs.stopping import held_back

IMPORT, UNPACKED, LOCK = "import", "eeg", "lock"
KEY = re.compile(rf"[0-9a-f]{{64}}(-[0-9a-f]{{{DIGITS}}})?")
"""Names of what is kept; nothing else in the folder is touched."""


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
    home = default_cache() if cache is None else cache
    told = import_words(importing or {})
    try:
        if path.is_dir():
            return _open_folder(path, home, name, told)
        with path.open("rb"):
            pass
        check_installed(f"{path} must be imported first")
        sha256 = of_recording(path)
        key = sha256 + (f"-{_digest(json.dumps(told))[:DIGITS]}" if told else "")
        home.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        _sweep(home)
        kept = home / key
        with _alone(kept):
            if not (kept / IMPORT).is_dir():
                _import(path, kept, told, sha256)
    except OSError as error:
        raise DataError(f"{error.filename or path}: {error.strerror}.") from None
    return Recording.open(kept / IMPORT, cache=kept / UNPACKED, start=clock_start(path))


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
            if not alone:
                continue
            try:
                freed += sum(one.stat().st_size for one in kept.rglob("*") if one.is_file())
                shutil.rmtree(kept)
            except OSError as error:
                raise DataError(f"{error.filename or kept}: {error.strerror}.") from None
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


def _import(path: Path, kept: Path, told: list[str], sha256: str) -> None:
    """Import a file; nothing of it stays if that fails or is stopped, or the file changes."""
    try:
        remove_leftovers(kept)
        run_hmsprep("import", path, kept / IMPORT, *told, "--unlabelled", "--json", warnings=False)
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
            if alone:
                remove_leftovers(kept)
                if not (kept / IMPORT).is_dir() and not (kept / UNPACKED).is_dir():
                    shutil.rmtree(kept, ignore_errors=True)


@contextmanager
def _alone(kept: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of what is kept; yield whether it was got.

    The file of a lock that was waited for may be gone since: then there is another to wait for.
    """
    while True:
        kept.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        descriptor = os.open(kept / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            yield False
            return
        if (kept / LOCK).exists() and os.path.samestat(os.fstat(descriptor), (kept / LOCK).stat()):
            break
        os.close(descriptor)
    try:
        yield True
    finally:
        os.close(descriptor)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
