"""A run -> what its outputs must say of it, for runs whose answers are not to be relied on."""

from __future__ import annotations

from pathlib import Path

from hmsstore.plain.text import plain
from hmstrain.errors import RunError

FILE = "notice.txt"
LONGEST = 400
"""Bytes of a notice: it is a sentence."""


def read_notice(run: Path) -> str:
    """Read what must be said wherever answers of a run are shown; '' if there is nothing.

    A run with a notice gives probabilities alone: no episodes, no annotations.

    Raises
    ------
    RunError
        The file is no short text.
    """
    path = run / FILE
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            read = file.read(LONGEST + 1)
        text = read.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text, read = "", b""
    if not text or len(read) > LONGEST:
        raise RunError(f"{path}: expected a sentence of at most {LONGEST} bytes of UTF-8.")
    return plain(text)
