"""What an import knows of a recording and of a file format, whichever it is."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError, ParameterError
from hmsprep.importing.channels import Chosen, ReadSignals
from hmsprep.importing.pieces import RATE
from hmsprep.planning import checks

UNITS = ("uV", "mV", "V", "nV")
"""Of EEG."""
HIGHPASS_HZ = (0.01, 10.0)
"""Range of the high-pass: below, minutes would have to be read around each part."""


def stem_of(path: Path) -> str:
    """Name of a recording's file without its ending: 'night' of 'night.edf' and 'night.edf.gz'."""
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return name.rpartition(".")[0] or name


def read_text(path: Path) -> str:
    """Read a text of any usual encoding, with or without a byte-order mark.

    Raises
    ------
    DataError
        It cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def read_rows(
    path: Path, lines: Iterable[str], delimiter: str, *, quoted: bool = True
) -> tuple[list[str], list[dict[str, str]]]:
    """Read lines of a table, which begins with the names of its columns.

    Returns
    -------
    names : list of str
    rows : list of dict
        Cells by the names; '' where a row is shorter.

    Raises
    ------
    DataError
        A cell cannot be read, such as one that is longer than Python's reader takes.
    """
    table = csv.DictReader(
        lines,
        delimiter=delimiter,
        restval="",
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )
    try:
        return list(table.fieldnames or ()), list(table)
    except csv.Error as error:
        raise DataError(
            f"{path}: expected cells of text in row {table.line_num} below the header, got {error}."
        ) from None


@dataclass(frozen=True, slots=True)
class Options:
    """How recordings are to be read, where their files leave it open."""

    rename: Mapping[str, str] = field(default_factory=dict)
    """Label of a signal, or '#' and its number from 1 on -> what to read it as."""
    interpolate: bool = False
    """Compute electrodes that are missing or hold no EEG from the others."""
    broken: Mapping[int, str] = field(default_factory=dict)
    """Number of a signal, from 0 on, that was found to hold no EEG -> why, a sentence."""
    unit: str | None = None
    """One of `UNITS`: of signals whose file names no unit, or one that cannot be."""
    misnamed: bool = False
    """Whether the unit that the file names for its electrodes turned out to be impossible, so that
    `unit` is taken for it."""
    truncated: bool = False
    """Read files that are shorter than they say as far as they go."""
    contiguous: bool = False
    """Read records whose onsets contradict each other one after the other, as they stand in the
    file."""
    highpass: str | float | None = "auto"
    """Hz of the high-pass that takes offset and drift off, 'none', or 'auto': only of recordings
    of which more than 1% of a channel is beyond the clip."""
    clipped: bool = False
    """Import recordings of which half or more is beyond the clip."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        checks.truth(
            interpolate=self.interpolate,
            truncated=self.truncated,
            contiguous=self.contiguous,
            clipped=self.clipped,
        )
        if self.unit not in (None, *UNITS):
            raise ParameterError(f"--unit {self.unit}: expected {' or '.join(UNITS)}.")
        if self.highpass is None:
            object.__setattr__(self, "highpass", "auto")
        low, high = HIGHPASS_HZ
        if self.highpass not in ("auto", "none") and not low <= (self.highpass_hz or 0.0) <= high:
            raise ParameterError(
                f"--highpass {self.highpass}: expected auto, none, or {low:g} to {high:g} (Hz)."
            )

    @property
    def highpass_hz(self) -> float | None:
        """Hz of the high-pass, if a number is asked for."""
        try:
            return None if isinstance(self.highpass, bool) else float(self.highpass or "auto")
        except (ValueError, TypeError):
            return None


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
    """What the header says of who was recorded, as it stands there, only to be compared."""

    read: Callable[[int, int], NDArray[np.float32]]
    """First sample at 200 Hz and the one after the last -> (20, samples) microvolts, 0 where the
    file has no such channel, NaN where nothing was recorded. Called from several threads at
    once."""
    read_signals: ReadSignals | None = None
    """Numbers of the file's signals, first sample at 200 Hz, the one after the last -> (signals,
    samples) microvolts as recorded, unmixed and unfiltered; None: signals cannot be examined."""
    notes: tuple[str, ...] = ()
    """What the user should know of how the file was read, a sentence each."""
    flat: tuple[str, ...] = ()
    """Electrodes, or pairs, that do not change in a tenth of the recording or more."""
    railed: tuple[str, ...] = ()
    """Those that are at the rail of the amplifier in a tenth or more."""
    bridged: tuple[str, ...] = ()
    """Neighbours that measure the same, such as 'F3-C3': gel connects them."""
    signals: tuple[str, ...] = ()
    """Labels of all its signals, as they stand in the file."""
    units: tuple[str, ...] = ()
    """Units of the signals that are read, as the file names them."""
    contiguous: bool = False
    """Whether its records are read as they stand in the file, since their onsets contradict each
    other."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Spans of samples at 200 Hz that are known not to have been recorded, and said."""
    votes: tuple[int, ...] | None = None
    """Votes of experts, in the order of the classes, of a recording of a single window."""
    name: str = ""
    """As it is listed: the file's name, with folders where several have it."""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.path.name)

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
    open: Callable[[Path, Options], Recording]
    """Path and options -> recording; raises DataError."""
    is_one: Callable[[Path], bool] | None = None
    """Whether a file that is found in a folder is one, where the ending does not tell."""
