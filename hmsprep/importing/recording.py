"""What an import knows of a recording and of a file format, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.importing.channels import Chosen, ReadSignals
from hmsprep.importing.pieces import RATE


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that was looked through; each part is read from it by itself."""

    path: Path
    samples: int
    """Length at 200 Hz."""
    chosen: Chosen
    """How the twenty channels are mixed from its signals."""
    rates_hz: Mapping[str, float]
    """Channel -> its rate in the file."""
    annotations: tuple[tuple[float, float | None, str], ...]
    """Onset and duration in seconds, text."""
    patient: str
    """What the header says of who was recorded, only to be compared; '' if nobody is named."""

    read: Callable[[int, int], NDArray[np.float32]]
    """First sample at 200 Hz and the one after the last -> (20, samples) microvolts, 0 where the
    file has no such channel. Called from several threads at once."""
    read_signals: ReadSignals | None = None
    """Numbers of the file's signals, first sample at 200 Hz, the one after the last -> (signals,
    samples) microvolts as recorded, unmixed and unfiltered; None: signals cannot be examined."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / RATE


@dataclass(frozen=True, slots=True)
class Format:
    """A file format of recorders."""

    title: str
    """As it is listed: 'EDF, EDF+ and BDF'."""
    suffixes: tuple[str, ...]
    """Endings of its files, in lower case."""
    open: Callable[[Path, Mapping[str, str]], Recording]
    """Path and label -> channel (what the user renamed) -> recording; raises DataError."""
