"""BrainVision recordings (`.vhdr` beside `.vmrk` and `.eeg`) -> a recording, through MNE.

The header names of each channel what it was measured against, which MNE passes over::

    Ch1=Fp1,FCz,0.1,µV

MNE takes endings in lower case, names of files just as they are, and markers in UTF-8: it is given
paths, and copies of what is otherwise.

Most headers do not say how long a recording is: that its signals were cut short is known where they
end within a sample, or before a marker.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import Ends, Told, mne_format, read_raw

HEADER, MARKERS = ".vhdr", ".vmrk"
CHANNEL = re.compile(r"^\s*Ch(\d+)\s*=([^,\n]*),([^,\n]*),", re.MULTILINE)
FILE = re.compile(r"^\s*(DataFile|MarkerFile)\s*=[^\S\n]*(.*?)\s*$", re.MULTILINE)
ABOUT = re.compile(
    r"^\s*(DataFormat|DataOrientation|DataPoints|NumberOfChannels|BinaryFormat|SegmentationType)"
    r"\s*=\s*(\w+)",
    re.MULTILINE,
)
BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}
"""Of a value, by `BinaryFormat`."""
CODEPAGE = re.compile(r"^\s*Codepage\s*=\s*(\S+)", re.MULTILINE)
ANSI = "cp1252"
"""What files that are not UTF-8 are written in, as Windows calls it."""
MARKER = re.compile(r"^\s*Mk\d+\s*=[^,\n]*,[^,\n]*,\s*(\d+)", re.MULTILINE)
"""A marker, up to its sample, from 1 on."""


def look(path: Path) -> Told:
    """Read what channels were measured against, and whether the files that belong to it are there.

    Raises
    ------
    DataError
        The file of the signals is not there.
    """
    text = _text(path)
    beside = _beside(path, text)
    data, marks = beside.get("DataFile"), beside.get("MarkerFile")
    if data is not None and not data.is_file():
        raise DataError(
            f"{path} needs {data.name}, which is not in the same folder. Copy both; if it was "
            "renamed, restore its name."
        )
    if _about(text).get("SegmentationType", "").upper() == "MARKERBASED":
        raise DataError(
            f"{path} is not a continuous recording: it is cut into segments. Save the continuous "
            "one."
        )
    notes: tuple[str, ...] = ()
    if marks is not None and _file_of_markers(path, text) is None:
        notes = (
            f"{path.name} needs {marks.name}, which is not in the same folder: its notes are not "
            "read, and it is unknown whether it was paused.",
        )
    channels = CHANNEL.findall(_section(text, "Channel Infos"))
    found = {int(number): (name, against.strip()) for number, name, against in channels}
    several = len({against for _, against in found.values()}) > 1
    seconds = {number - 1: against for number, (_, against) in found.items() if several and against}
    return Told(seconds, notes)


def read(path: Path) -> Any:
    """Open a recording by MNE, which is given the files that belong to it."""
    text = _text(path)
    data, markers = _beside(path, text).get("DataFile"), _file_of_markers(path, text)
    header, named = path, dict[str, str]()
    with ExitStack() as copies:
        if path.suffix != HEADER:
            header = _copy(path.read_bytes(), HEADER, copies)
        if data is not None:
            named["data_fname"] = str(data.absolute())
        if markers is not None:
            content = markers.read_bytes()
            plain = _from_ansi(content)
            if plain is not None or markers.suffix != MARKERS:
                markers = _copy(content if plain is None else plain.encode(), MARKERS, copies)
            named["marker_fname"] = str(markers.absolute())
        return read_raw("read_raw_brainvision", {"overrides": named}, header)


def signals(path: Path) -> set[Path]:
    """Files that hold the signals of a header, or are called as if they did."""
    found = {path.with_suffix(".eeg")}
    with suppress(OSError):  # which is said where it is opened
        found = {_there(path.with_suffix(".eeg"))}
        found |= {file for key, file in _beside(path, _text(path)).items() if key == "DataFile"}
    return found


def _copy(content: bytes, ending: str, copies: ExitStack) -> Path:
    """Write a copy that lasts as long as the others."""
    copy = Path(copies.enter_context(tempfile.TemporaryDirectory()), f"copy{ending}")
    copy.write_bytes(content)
    return copy


def _from_ansi(content: bytes) -> str | None:
    """Text of a file in the code page that it names, as if it named UTF-8; None if it is that."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        named = CODEPAGE.search(content.decode("latin-1"))
        try:
            text = content.decode(named[1] if named else ANSI)
        except (LookupError, ValueError):  # 'ANSI', or it is not in that
            text = content.decode(ANSI, errors="replace")
        return CODEPAGE.sub("Codepage=UTF-8", text)
    return None


def ends(path: Path, raw: Any) -> Ends:
    """Compare the size of the signals with the header and the markers."""
    text = _text(path)
    about = _about(text)
    by_channel = about.get("DataOrientation", "").upper() == "VECTORIZED"
    stated = int(about["DataPoints"]) if about.get("DataPoints", "").isdecimal() else None
    there, rest, name = raw.n_times, 0, Path(raw.filenames[0]).name
    frame_bytes = BYTES.get(about.get("BinaryFormat", "").upper(), 0) * raw.info["nchan"]
    if about.get("DataFormat", "").upper() == "BINARY" and frame_bytes:
        there, rest = divmod(Path(raw.filenames[0]).stat().st_size, frame_bytes)
    markers = _section(_markers(path, text), "Marker Infos")
    last = max(map(int, MARKER.findall(markers)), default=0)
    notes: tuple[str, ...] = ()
    cut = ""
    if stated is not None and there < stated:
        cut = f"expected {stated:,} samples by its header, got {there:,} in {name}"
    elif rest:
        cut = f"{name} ends within a sample, after {there:,} whole ones"
    elif last > there + 1:
        cut = f"a marker is at sample {last:,}, and {name} holds {there:,}"
    elif stated is not None and there > stated:
        read = "not read" if by_channel else "read, too"
        notes = (f"{name} continues for {there - stated:,} samples beyond its header: {read}.",)
    elif stated is None and by_channel:
        notes = (
            f"{path.name} does not say how many samples it holds: its channels, which stand one "
            f"after the other in {name}, are told apart by its size alone.",
        )
    return Ends(cut, readable=not by_channel, notes=notes)


def _text(path: Path) -> str:
    content = path.read_bytes()
    text = _from_ansi(content)
    return content.decode("utf-8") if text is None else text


def _section(text: str, heading: str) -> str:
    """Lines below a heading, in any case, up to the next one; '' if it is not there.

    Other sections have lines of the same form: `Ch1=1,-90,-72` stands below `[Coordinates]`.
    """
    below = rf"^\[{heading}\](.*?)(?=^\[|\Z)"
    found = re.search(below, text, re.IGNORECASE | re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def _about(text: str) -> dict[str, str]:
    """What a header says of its signals."""
    return dict(ABOUT.findall(_section(text, "Common Infos") + _section(text, "Binary Infos")))


def _beside(path: Path, text: str) -> dict[str, Path]:
    """Files that a header names, in its own folder whatever folder it names."""
    named = FILE.findall(_section(text, "Common Infos"))
    plain = {key: re.split(r"[\\/]", name)[-1].replace("$b", path.stem) for key, name in named}
    return {key: _there(path.parent / name) for key, name in plain.items() if name}


def _there(path: Path) -> Path:
    """A file as its folder calls it, where that differs in case or form of letters alone.

    Windows and Macs do not tell these apart.
    """
    if path.is_file():
        return path
    name = _plain(path.name)
    alike = (one for one in sorted(path.parent.iterdir()) if _plain(one.name) == name)
    return next((one for one in alike if one.is_file()), path)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _file_of_markers(path: Path, text: str) -> Path | None:
    named = _beside(path, text).get("MarkerFile")
    each = (named, _there(path.with_suffix(MARKERS)))
    return next((one for one in each if one is not None and one.is_file()), None)


def _markers(path: Path, text: str) -> str:
    """Text of the file of markers, '' if there is none."""
    markers = _file_of_markers(path, text)
    return "" if markers is None else _text(markers)


FORMAT = mne_format("BrainVision", (HEADER,), read, look=look, ends=ends)
