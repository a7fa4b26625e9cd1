"""Summaries of the CHB-MIT database (`chb01-summary.txt`) -> marked seizures of a recording.

::

    File Name: chb01_03.edf
    Number of Seizures in File: 1
    Seizure Start Time: 2996 seconds
    Seizure End Time: 3036 seconds
"""

from __future__ import annotations

import re
from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.labels.layout import Layout, Said, Source, interval
from hmsprep.importing.recording import read_text, stem_of
from hmsprep.words import plural

NAME = re.compile(r"(chb\d+)[a-z]?_", flags=re.I)
LINE = re.compile(
    r"(File Name|Number of Seizures in File|Seizure[\s\d]*(?:Start|End) Time)\s*:(.*)", flags=re.I
)
SECONDS = re.compile(r"([\d.]+)\s*(?:seconds?|secs?|s)?\.?")


def find(recording: Path) -> Path | None:
    """Find the summary of a recording's patient in its folder."""
    named = NAME.match(recording.name)
    path = recording.with_name(f"{named[1]}-summary.txt") if named else None
    return path if path is not None and path.is_file() else None


def read(source: Source) -> Said | None:
    """Read the seizures of a recording; a summary that does not list it says nothing.

    Raises
    ------
    DataError
        The seizures are not as many as it says, or their times are no times.
    """
    path, recording = source.path, source.recording
    stem, listed = stem_of(recording.path), False
    each: list[list[tuple[str, str]]] = []
    for line in map(str.strip, read_text(path).splitlines()):
        match = LINE.fullmatch(line)
        if match is None:
            continue
        key, value = match[1].lower(), match[2].strip()
        if key == "file name":
            listed = re.sub(r"\.edf(\.gz)?$", "", value, flags=re.I).lower() == stem.lower()
            if listed:
                each.append([])
        elif listed:
            each[-1].append((key, value))
    if not each:
        return None
    if any(one != each[0] for one in each):
        raise DataError(
            f"{path} lists {recording.path.name} {len(each)} times, each time with other seizures. "
            "Which is right? To import it without labels, use --unlabelled."
        )
    count, starts, ends = 0, list[str](), list[str]()
    for key, value in each[0]:
        if key.startswith("number"):
            count = int(value) if value.isdigit() else -1
        else:
            seconds = SECONDS.fullmatch(value)
            (starts if "start" in key else ends).append(seconds[1] if seconds else value)
    if not len(starts) == len(ends) == count:
        raise DataError(
            f"{path}: expected {plural(max(count, 0), 'seizure')} of {recording.path.name} with a "
            f"start and an end each, got {plural(len(starts), 'start')} and "
            f"{plural(len(ends), 'end')}. To import it without labels, use --unlabelled."
        )
    names = ("Seizure Start Time", "Seizure End Time")
    pairs = zip(starts, ends, strict=True)
    marked = tuple(interval(path, *pair, "seizure", names) for pair in pairs)
    return Said(marked, complete=True)


LAYOUT = Layout("CHB-MIT: chbNN-summary.txt", find, read)
