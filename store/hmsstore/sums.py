"""Files and JSON objects <-> sizes and SHA-256, which tell whether a bit of them has changed.

A sealed object ends with the SHA-256 of all that stands before it, and may state those of files
that lie beside its own::

    {..., "files": {"model.safetensors": {"bytes": 123, "sha256": "9f86..."}}, "sha256": "2c26..."}

Objects without a seal are of older versions, or of a person, and are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hmsstore.json_shapes import ShapeError, read_json

FILES, SEAL, VERSION = "files", "sha256", "format_version"
RUN_VERSION = 1
"""Of sealed files of runs and blends; raised when an older package would misread a new file."""
AT_ONCE = 1 << 22
"""Bytes read at once."""
SHA256_DIGITS = 64
DIGITS = 12
"""Of a SHA-256, shown to a person."""
SEVERAL = frozenset(".vhdr .vmrk .eeg .set .fdt .lay .dat .dap .rs3 .data .head .pnt .log".split())
"""Endings of recorders' files that are one recording together with others of the same stem."""
NAMES = frozenset(".21e .dpa .dpo .cef .ceo".split())
"""Endings of files beside a recording of Nihon Kohden or Curry that say how it is read, such as
its channels' names, and hold nothing of it."""
NAMING = (".vhdr", ".lay")
"""Endings of those that name in their text the files that belong to them."""


def sums_of(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Name -> size in bytes and SHA-256 of each file, read in pieces; raises OSError."""
    return {path.name: _sum(path) for path in paths}


def of_recording(path: Path) -> str:
    """SHA-256 of a recorder's file, 64 hexadecimal digits, by which the recording is known again.

    Of a format that keeps a recording in several files, that of their contents one after the other,
    by name: files of the same stem, and files of any name where the header names them, in another
    case if there is none in that. Raises OSError.
    """
    found = hashlib.sha256()
    for one in _together(path):
        with one.open("rb") as file:
            while part := file.read(AT_ONCE):
                found.update(part)
    return found.hexdigest()


def names_beside(path: Path) -> dict[str, dict[str, Any]]:
    """Size and sum of the files that name a recording's channels, say, and not whose it is.

    Raises OSError.
    """
    stems = (path.stem, path.name)  # 'night.cdt.dpo' is of 'night.cdt'
    return sums_of(
        sorted(
            one
            for one in path.parent.iterdir()
            if one.suffix.lower() in NAMES and one.stem in stems and one.is_file()
        )
    )


def _together(path: Path) -> list[Path]:
    """Files in which a recording is kept, by name."""
    if path.suffix.lower() not in SEVERAL:
        return [path]
    beside = [one for one in path.parent.iterdir() if one.suffix.lower() in SEVERAL]
    found = {path, *(one for one in beside if one.stem == path.stem)}
    if path.suffix.lower() in NAMING:
        content = path.read_bytes()
        texts = (content.decode(code, errors="replace") for code in ("utf-8", "cp1252", "utf-16"))
        named = {part.strip() for text in texts for part in re.split(r"[=\\/\r\n]", text)}
        exact = named & {one.name for one in beside}
        alike = {name.lower() for name in named} - {name.lower() for name in exact}
        found |= {one for one in beside if one.name in exact or one.name.lower() in alike}
    return sorted(found)


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Add the seal to what becomes a JSON object, in place of an earlier one."""
    body: dict[str, Any] = {key: part for key, part in value.items() if key != SEAL}
    return {**body, SEAL: _digest(json.loads(json.dumps(body)))}  # as it will be read


def broken_seal(path: Path, value: object) -> str | None:
    """Say that an object read from a JSON file is not what was sealed; None if it is, or has none.

    It is compared by its values: how they are written in the file does not count.
    """
    if not isinstance(value, dict):
        return None
    if key := _misspelt_seal(value):
        return (
            f"{path} is damaged: its own checksum is called {key!r}, not {SEAL}: {_remedy(path)}."
        )
    if not value.keys() & {FILES, SEAL}:
        return None
    if SEAL not in value:
        return f"{path} is damaged: it lacks {SEAL}, its own checksum: {_remedy(path)}."
    found = _digest({key: part for key, part in value.items() if key != SEAL})
    if found == value[SEAL]:
        return None
    return (
        f"{path} is damaged: expected content with SHA-256 {_short(value[SEAL])}, got "
        f"{_short(found)}: {_remedy(path)}; if it was edited on purpose, remove its {SEAL}."
    )


def _misspelt_seal(value: dict[str, Any]) -> str | None:
    """Name of the last key if it holds the seal, as a flipped bit in the name itself leaves it."""
    last = next(reversed(value), SEAL)
    if last == SEAL or not isinstance(value[last], str) or len(value[last]) != SHA256_DIGITS:
        return None
    found = _digest({key: part for key, part in value.items() if key != last})
    return last if found == value[last] else None


def newer(
    path: Path | str, value: object, known: int = RUN_VERSION, key: str = VERSION
) -> str | None:
    """Say that an object read from a JSON file is of a later version than is known; None if not.

    Files that state no version are of the first.
    """
    version = value.get(key, 1) if isinstance(value, dict) else 1
    if isinstance(version, int) and version <= known:
        return None
    return (
        f"{path} is of format version {version!r:.20}; this package reads versions up to {known}. "
        "Upgrade hms-eeg."
    )


def damage(path: Path, stated_in: Path) -> str | None:
    """Say how a file differs from what a sealed JSON file states of it.

    None if it does not, or if nothing is stated.
    """
    try:
        value = read_json(stated_in)
    except FileNotFoundError:
        return None
    except ShapeError as error:
        return f"{stated_in} is damaged: {error}."
    if problem := broken_seal(stated_in, value):
        return problem
    files = value.get(FILES) if isinstance(value, dict) else None
    stated = files.get(path.name) if isinstance(files, dict) else None
    if stated is None:
        return None
    if not isinstance(stated, dict):
        return f"{stated_in} is damaged: {FILES}: {path.name}: expected an object, got {stated!r}."
    try:
        found = _sum(path)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}."
    if found == stated:
        return None
    return (
        f"{path} is damaged: {stated_in.name} states {_words(stated)}, got {_words(found)}: "
        f"{_remedy(path)}."
    )


def _sum(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.tell(), "sha256": found}


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _words(stated: Mapping[str, Any]) -> str:
    size, digest = (stated.get(key, "none") for key in ("bytes", SEAL))
    return f"{size:,} bytes with SHA-256 {_short(digest)}" if isinstance(size, int) else "no size"


def _short(digest: object) -> str:
    return str(digest)[:DIGITS]


def _remedy(path: Path) -> str:
    return f"restore {path.name} from a copy, or make it again"
