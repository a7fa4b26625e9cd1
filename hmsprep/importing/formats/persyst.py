"""Persyst recordings (`.lay` beside `.dat`) -> a recording, through MNE."""

from __future__ import annotations

from collections.abc import Iterator
from configparser import ConfigParser, Error
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import Ends, mne_format

VALUE_BYTES = {"0": 2, "7": 4}
"""By `DataType`."""
TOLERANCE_S = 0.1
"""By which two entries of the table of times may differ from the rate."""


def check_times(path: Path) -> None:
    """Refuse a recording whose table of times has gaps, which MNE closes up.

    The section [SampleTimes] says of some samples when they were taken. A header ahead of the
    signals, which MNE would take for signals, is refused too.
    """
    try:
        parser = _parsed(path)
        about = parser["FileInfo"]
        rate_hz = float(about["SamplingRate"])
        ahead = int(about.get("HeaderLength") or 0)
        times = _times(parser)
    except (KeyError, ValueError, Error):
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


def ends(path: Path, raw: Any) -> Ends:
    """Compare the size of the signals with times and comments: the header states no length."""
    parser, data = _parsed(path), Path(raw.filenames[0])
    about = parser["FileInfo"]
    frame_bytes = int(about["WaveformCount"]) * VALUE_BYTES[about["DataType"].strip()]
    there, rest = divmod(data.stat().st_size, frame_bytes)
    seconds = there / float(raw.info["sfreq"])
    try:
        sample = max((sample for sample, _ in _times(parser)), default=0)
    except ValueError:  # which MNE does not read
        sample = 0
    comment_s = max(_comments(path), default=0.0)
    cut = ""
    if rest:
        cut = f"{data.name} ends within a sample, after {there:,} whole ones"
    elif sample > there:
        cut = f"it says when sample {sample:,} was taken, and {data.name} holds {there:,}"
    elif comment_s > seconds + TOLERANCE_S:
        cut = f"a comment is at {comment_s:,.1f} s, and {data.name} ends at {seconds:,.1f} s"
    return Ends(cut)


def _parsed(path: Path) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    parser.read_string(path.read_text("latin-1"))
    return parser


def _times(parser: ConfigParser) -> list[tuple[int, float]]:
    """Samples and when they were taken."""
    entries = parser["SampleTimes"].items() if parser.has_section("SampleTimes") else ()
    return [(int(sample), float(time)) for sample, time in entries if time]


def _comments(path: Path) -> Iterator[float]:
    """When the comments are, in seconds from the start: the first field of their lines."""
    _, _, after = path.read_text("latin-1").partition("[Comments]")
    for line in after.partition("\n[")[0].splitlines():
        with suppress(ValueError):
            yield float(line.split(",")[0])


FORMAT = mne_format("Persyst", (".lay",), "read_raw_persyst", check_times, ends=ends)
