"""Lists of the Siena scalp EEG database (`Seizures-list-PN00.txt`) -> marked seizures.

Times are of the clock; some lists write 'Start time' for 'Seizure start time', and ':' for '.'::

    File name: PN00-1.edf
    Registration start time: 19.39.33
    Registration end time: 20.22.58
    Seizure start time: 19.58.36
    Seizure end time: 19.59.46
"""

from __future__ import annotations

import re
from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.labels.layout import Layout, Marked, Said, Source
from hmsprep.importing.recording import Recording, read_text, stem_of

NAME = re.compile(r"(PN\d+)", flags=re.I)
LINE = re.compile(
    r"(file name|registration (?:start|end) time|(?:seizure )?(?:start|end) time)\s*[:.]?(.*)",
    flags=re.I,
)
CLOCK = re.compile(r"(\d{1,2})\s*[.:]\s*(\d{1,2})\s*[.:]\s*(\d{1,2})")
DAY_S = 86_400
TOLERANCE_S = 60.0
"""By which the list and the file may differ in the length of the recording before it is said."""


def find(recording: Path) -> Path | None:
    """Find the list of a recording's patient in its folder."""
    named = NAME.match(recording.name)
    if named is None:
        return None
    listed = recording.parent.glob(f"[Ss]eizure*list*{named[1]}.txt")
    return next(iter(sorted(listed)), None)


def read(source: Source) -> Said | None:
    """Read the seizures of a recording; a list that does not name it says nothing.

    Raises
    ------
    DataError
        A seizure has no time, or lies outside the recording.
    """
    path, recording = source.path, source.recording
    stem = stem_of(recording.path).lower()
    name, clock, notes = "", dict[str, float](), list[str]()
    marked: list[Marked] = []
    for line in map(str.strip, read_text(path).splitlines()):
        found = LINE.fullmatch(line)
        if found is None:
            continue
        key, value = found[1].lower(), found[2].strip()
        if key in ("file name", "start time", "seizure start time") and "start time" in clock:
            raise DataError(f"{path}: a seizure of {recording.path.name} has no end time.")
        if key == "file name":
            name, clock = re.sub(r"\.edf$", "", value.lower()).strip(), {}
            continue
        if name != stem:
            continue
        clock[key.removeprefix("seizure ")] = _seconds(path, line, value)
        if key.endswith("end time") and not key.startswith("registration"):
            marked.append(_seizure(path, clock, recording))
        elif key == "registration end time":
            notes += _length(path, clock, recording)
    if "start time" in clock:
        raise DataError(f"{path}: a seizure of {recording.path.name} has no end time.")
    if not marked:
        return None
    return Said(tuple(marked), complete=True, notes=tuple(notes))


def _seconds(path: Path, line: str, value: str) -> float:
    """Take a time of the clock, in seconds of the day."""
    time = CLOCK.search(value)
    hours, minutes, seconds = map(int, time.groups()) if time else (24, 0, 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise DataError(f"{path}: expected a time such as 19.58.36, got {line!r}.")
    return hours * 3600 + minutes * 60 + seconds


def _seizure(path: Path, clock: dict[str, float], recording: Recording) -> Marked:
    """Put a seizure into the recording's own time; the clock may have passed midnight."""
    absent = [k for k in ("registration start time", "start time") if k not in clock]
    if absent:
        raise DataError(f"{path}: a seizure of {recording.path.name} has no {absent[0]}.")
    start = (clock.pop("start time") - clock["registration start time"]) % DAY_S
    length = (clock.pop("end time") - clock["registration start time"] - start) % DAY_S
    if start + length > recording.duration_s + TOLERANCE_S:
        raise DataError(
            f"{path} puts a seizure from {start:,.0f} to {start + length:,.0f} s of "
            f"{recording.path.name}, which is {recording.duration_s:,.0f} s long. Is the list "
            "right? To import it without labels, use --unlabelled."
        )
    return Marked(start, start + length, "seizure")


def _length(path: Path, clock: dict[str, float], recording: Recording) -> list[str]:
    """Say it if the list's times of the recording do not fit its length."""
    if "registration start time" not in clock:
        return []
    listed = (clock["registration end time"] - clock["registration start time"]) % DAY_S
    if abs(listed - recording.duration_s % DAY_S) <= TOLERANCE_S:
        return []
    return [
        f"{recording.path.name} is {recording.duration_s:,.0f} s long and {listed:,.0f} s by "
        f"{path.name}: see whether the times of its seizures are right."
    ]


LAYOUT = Layout("Siena: Seizures-list-PNxx.txt", find, read)
