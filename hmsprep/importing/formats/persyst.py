"""Persyst recordings (`.lay` beside `.dat`) -> a recording, through MNE."""

from __future__ import annotations

from configparser import ConfigParser, Error
from itertools import pairwise
from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.formats.through_mne import mne_format

TOLERANCE_S = 0.1
"""By which two entries of the table of times may differ from the rate."""


def check_times(path: Path) -> None:
    """Refuse a recording whose table of times has gaps, which MNE closes up.

    The section [SampleTimes] says of some samples when they were taken.
    """
    parser = ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(path.read_text("latin-1"))
        rate_hz = float(parser["FileInfo"]["SamplingRate"])
        times = [
            (int(sample), float(time)) for sample, time in parser["SampleTimes"].items() if time
        ]
    except (KeyError, ValueError, Error):
        return  # what is wrong with it MNE will find
    for (sample, time), (later, then) in pairwise(times):
        if abs((then - time) - (later - sample) / rate_hz) > TOLERANCE_S:
            raise DataError(
                f"{path} was paused at {later / rate_hz:,.1f} s: what stands on either side was "
                "not recorded one after the other. Export each part by itself."
            )


FORMAT = mne_format("Persyst", (".lay",), "read_raw_persyst", check_times)
