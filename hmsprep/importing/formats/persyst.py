"""Persyst recordings (`.lay` beside `.dat`) -> a recording, through MNE.

MNE takes a `.lay` in UTF-8 alone, which names its `.dat` as it is on disk, and a [Patient] with all
that it may hold, in few spellings. It takes the names of channels in the order of the lines, too,
and passes over their numbers. It is given one of the same signals and comments that is so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import Ends, mne_format, read_renamed
from hmsprep.importing.recording import read_text

VALUE_BYTES = {"0": 2, "7": 4}
"""By `DataType`."""
TOLERANCE_S = 0.1
"""By which two entries of the table of times may differ from the rate."""
PATIENT = ("BirthDate=01/01/00", "Sex=", "Hand=", "TestDate=0")
"""Lines of [Patient] that MNE takes; nothing is read of them."""
DATES = ("%m/%d/%y", "%m/%d/%Y", "%d-%m-%y", "%d-%m-%Y", "%Y-%m-%d", "%Y.%m.%d")
"""Spellings of a date of birth."""


def check(path: Path) -> None:
    """Refuse a recording whose channels are not numbered, or whose table of times has gaps.

    The section [SampleTimes] says of some samples when they were taken; MNE closes gaps up. Bytes
    ahead of the signals, which MNE would take for signals, are refused too, and missing signals.
    """
    sections = _sections(path)
    about = _values(sections.get("fileinfo", ()))
    _data(path, about)
    _channels(path, sections)
    try:
        rate_hz = float(about["samplingrate"])
        ahead = int(about.get("headerlength") or 0)
        times = _times(sections)
    except (KeyError, ValueError):
        return  # what is wrong with it MNE will find
    if ahead:
        raise DataError(
            f"{path}: its header gives {ahead:,} bytes before its signals, expected 0. Export it "
            "as EDF."
        )
    for (sample, time), (later, then) in pairwise(times):
        if abs((then - time) - (later - sample) / rate_hz) > TOLERANCE_S:
            raise DataError(
                f"{path} was paused at {later / rate_hz:,.1f} s: the parts on either side are not "
                "continuous. Export each part separately."
            )


def read(path: Path) -> Any:
    """Open a recording by MNE, by a header that it can read."""
    sections = _sections(path)
    about = _values(sections.get("fileinfo", ()))
    about["file"], data = "recording.dat", _data(path, about)
    parts = {
        "FileInfo": [f"{key}={value}" for key, value in about.items()],
        "ChannelMap": _channels(path, sections),
        "Patient": PATIENT,
        "Comments": sections.get("comments", ()),
    }
    header = "\n".join(line for name, lines in parts.items() for line in (f"[{name}]", *lines))
    files: dict[str, Path | str] = {"recording.lay": header, about["file"]: data}
    raw = read_renamed("read_raw_persyst", {}, files)
    raw.info["subject_info"] = _subject(_values(sections.get("patient", ())))
    return raw


def ends(path: Path, raw: Any) -> Ends:
    """Compare the size of the signals with times and comments: the header states no length."""
    sections, data = _sections(path), Path(raw.filenames[0])
    about = _values(sections["fileinfo"])
    frame_bytes = int(about["waveformcount"]) * VALUE_BYTES[about["datatype"]]
    there, rest = divmod(data.stat().st_size, frame_bytes)
    seconds = there / float(raw.info["sfreq"])
    try:
        sample = max((sample for sample, _ in _times(sections)), default=0)
    except ValueError:  # which MNE does not read
        sample = 0
    comment_s = max(_comments(sections), default=0.0)
    cut = ""
    if rest:
        cut = f"{data.name} ends within a sample, after {there:,} whole ones"
    elif sample > there:
        cut = f"it says when sample {sample:,} was taken, and {data.name} holds {there:,}"
    elif comment_s > seconds + TOLERANCE_S:
        cut = f"a comment is at {comment_s:,.1f} s, and {data.name} ends at {seconds:,.1f} s"
    return Ends(cut)


def _sections(path: Path) -> dict[str, list[str]]:
    """Heading in lower case -> the lines below it that are not empty."""
    sections: dict[str, list[str]] = {}
    below: list[str] = []
    for line in map(str.strip, re.split(r"[\r\n]+", read_text(path))):
        if line.startswith("[") and line.endswith("]"):
            below = sections.setdefault(line[1:-1].lower(), [])
        elif line:
            below.append(line)
    return sections


def _values(lines: Sequence[str]) -> dict[str, str]:
    """Name in lower case -> value, of lines such as `SamplingRate=256`."""
    parts = (line.partition("=") for line in lines)
    return {key.strip().lower(): value.strip() for key, sign, value in parts if sign}


def _data(path: Path, about: Mapping[str, str]) -> Path:
    """File of the signals: the one of that name, without its folder and in any case."""
    name = re.split(r"[\\/]", about.get("file", ""))[-1]
    if not name.strip("."):
        raise DataError(f"{path} does not name the file of its signals. Export it as EDF.")
    if path.with_name(name).is_file():
        return path.with_name(name)
    for one in sorted(path.parent.iterdir()):
        if one.name.lower() == name.lower() and one.is_file():
            return one
    raise DataError(
        f"{path} needs {name}, which is not in the same folder. Copy both; if it was renamed, "
        "restore its name."
    )


def _channels(path: Path, sections: Mapping[str, Sequence[str]]) -> list[str]:
    """Lines of names and numbers, such as `Fp1-Ref=1`, in the order of the signals."""
    lines = sections.get("channelmap", ())
    numbers = [line.rpartition("=")[2].strip() for line in lines]
    each = [str(number) for number in range(1, len(lines) + 1)]
    for number in numbers:
        if number not in each or numbers.count(number) > 1:
            raise DataError(
                f"{path}: expected the numbers 1 to {len(lines)} in its [ChannelMap], each once, "
                f"got {number!r}. Export it as EDF."
            )
    return [lines[numbers.index(number)] for number in each]


def _subject(about: Mapping[str, str]) -> dict[str, Any]:
    """Say who was recorded, as MNE does."""
    keys = {"his_id": "id", "first_name": "first", "last_name": "last"}
    born = _date(about.get("birthdate", ""))
    told = {name: about[key] for name, key in keys.items() if about.get(key)}
    return told | ({"birthday": born} if born else {})


def _date(text: str) -> date | None:
    for spelling in DATES:
        with suppress(ValueError):
            return datetime.strptime(text, spelling).date()
    return None


def _times(sections: Mapping[str, Sequence[str]]) -> list[tuple[int, float]]:
    """Samples and when they were taken."""
    entries = _values(sections.get("sampletimes", ()))
    return [(int(sample), float(time)) for sample, time in entries.items() if time]


def _comments(sections: Mapping[str, Sequence[str]]) -> Iterator[float]:
    """When the comments are, in seconds from the start: the first field of their lines."""
    for line in sections.get("comments", ()):
        with suppress(ValueError):
            yield float(line.split(",")[0])


FORMAT = mne_format("Persyst", (".lay",), read, check, ends=ends)
