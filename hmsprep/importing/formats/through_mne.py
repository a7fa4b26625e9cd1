"""A recording in a format that MNE reads, through one of its readers.

MNE reads the formats of many recorders (the extra `mne`). The files beside this one say which of
its readers opens a format, and check what that reader passes over in silence: that a recording was
paused, or that its unit is a guess.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, NamedTuple

from hmsprep.errors import DataError
from hmsprep.importing.formats.mne_recording import raw_recording
from hmsprep.importing.recording import Format, Options, Recording
from hmsprep.words import plural

PRINTING = Lock()
"""Held while stdout leads nowhere, for all threads."""
log = logging.getLogger("hmsprep")


class Told(NamedTuple):
    """What a format's header says that MNE passes over."""

    seconds: Mapping[int, str] = {}
    """Number of a channel, from 0 on -> what it was measured against."""
    notes: tuple[str, ...] = ()
    """What the user should know, a sentence each."""


class Ends(NamedTuple):
    """Whether the signals end where a file says, which most readers pass over."""

    cut: str = ""
    """By what it is known to be cut short, without its name in front; '' if it is not."""
    readable: bool = True
    """Whether what is there can be read all the same."""
    notes: tuple[str, ...] = ()
    """What the user should know, a sentence each."""


def compare_size(raw: Any, data: Path, frame_bytes: int) -> Ends:
    """Compare the samples that a header states with the bytes of the file of the signals.

    A recording of which fewer are there is cropped to those.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        As long as its header says.
    data : Path
        File of the signals alone.
    frame_bytes : int
        Of one sample of all signals.
    """
    size, stated = data.stat().st_size, raw.n_times
    there = size // frame_bytes
    if there < stated:
        if there:
            raw.crop(tmax=(there - 1) / raw.info["sfreq"])
        cut = f"expected {stated:,} samples by its header, got {there:,} in {data.name}"
        return Ends(cut, readable=there > 0)
    beyond = size - stated * frame_bytes
    said = f"{data.name} continues for {plural(beyond, 'byte')} beyond its header: not read."
    return Ends(notes=(said,) if beyond else ())


def mne_format(
    title: str,
    suffixes: tuple[str, ...],
    reader: str | Callable[[Path], Any],
    check: Callable[[Path], None] | None = None,
    *,
    look: Callable[[Path], Told] | None = None,
    ends: Callable[[Path, Any], Ends] | None = None,
    is_one: Callable[[Path], bool] | None = None,
    unit_v: float | None = None,
    volts: bool = False,
    **more: Any,
) -> Format:
    """Describe a format that MNE reads.

    Parameters
    ----------
    title, suffixes
        As in `Format`.
    reader : str or callable
        Name of the function in `mne.io`, or what opens a path by it.
    check : callable, optional
        Called with the path first; raises DataError for what the reader would not see.
    look : callable, optional
        Path -> what the header says besides; raises DataError.
    ends : callable, optional
        Path and the opened recording -> whether its signals end where the file says.
    is_one : callable, optional
        As in `Format`.
    unit_v : float, optional
        The unit in volts that the reader takes for granted, of formats that name none; the user may
        name another.
    volts : bool
        Whether the reader gives volts of all channels, also of those that it does not call EEG.
    more
        Arguments of the reader.
    """
    read = partial(read_raw, reader, more) if isinstance(reader, str) else reader
    open_ = partial(_open, title, read, (check, look, ends), unit_v, volts)
    return Format(title, suffixes, open_, is_one)


def read_raw(reader: str, more: Mapping[str, Any], path: Path) -> Any:
    """Open a file by the function of `mne.io` of this name; raises whatever that does.

    Some of them print, and log to stdout whatever `verbose` says: that is for tables and JSON.
    """
    import mne

    with PRINTING, redirect_stdout(StringIO()), mne.utils.use_log_level("ERROR"):
        return getattr(mne.io, reader)(path, preload=False, verbose="ERROR", **more)


def read_renamed(reader: str, more: Mapping[str, Any], files: Mapping[str, Path | str]) -> Any:
    """Open files by a reader of MNE in a folder of their own, under the names that it looks for.

    Parameters
    ----------
    reader, more
        As those of `read_raw`.
    files : mapping
        Name -> file, or text in place of one. The first is opened; signals are in a file.
    """
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            if isinstance(content, Path):
                Path(folder, name).symlink_to(content.absolute())
            else:
                Path(folder, name).write_text(content, "utf-8")
        raw = read_raw(reader, more, Path(folder, next(iter(files))))
        raw.filenames = [files[Path(one).name] for one in raw.filenames]
    return raw


def _open(
    title: str,
    read: Callable[[Path], Any],
    looks: tuple[
        Callable[[Path], None] | None,
        Callable[[Path], Told] | None,
        Callable[[Path, Any], Ends] | None,
    ],
    unit_v: float | None,
    volts: bool,
    path: Path,
    options: Options,
) -> Recording:
    try:
        import mne
    except ImportError:
        raise DataError(
            f"{path} is a recording of {title}, which is read by MNE. Run: pip install "
            "'hms-eeg[mne]'"
        ) from None
    check, look, ends = looks
    if check is not None:
        check(path)
    told = Told() if look is None else look(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of positions, filters and the like
            raw = read(path)
    except DataError:
        raise
    except ModuleNotFoundError as error:
        raise DataError(
            f"{path} is a recording of {title}, which needs the package {error.name}. Run: pip "
            "install 'hms-eeg[mne]'"
        ) from None
    except Exception as error:  # whatever a reader meets in a file that it did not expect
        log.debug("%s: %s", path, error)
        raise DataError(_unreadable(title, path, error)) from None
    if not isinstance(raw, mne.io.BaseRaw):
        raise DataError(
            f"{path} holds no continuous recording: it is cut into epochs. Save the continuous one."
        )
    if ends is not None:
        end = ends(path, raw)
        told = told._replace(notes=(*told.notes, *end.notes, *_cut(path, end, options)))
    return raw_recording(
        raw, path, options, unit_v, volts=volts, seconds=told.seconds, notes=told.notes
    )


def _cut(path: Path, end: Ends, options: Options) -> tuple[str, ...]:
    """Say that a file is cut short, where that is asked for; else refuse it."""
    if not end.cut:
        return ()
    if options.truncated and end.readable:
        return (f"{path.name} is truncated: {end.cut}. It was read as far as it goes.",)
    otherwise = ", or read it as far as it goes with --truncated" if end.readable else ""
    raise DataError(f"{path} is truncated: {end.cut}. Copy it again{otherwise}.")


def _unreadable(title: str, path: Path, error: Exception) -> str:
    """Say in own words what a reader of MNE does not like."""
    said = str(error)
    found = re.search(r"tried (.*?) and|next file (.*?) does not exist", said)
    if found or isinstance(error, FileNotFoundError):
        name = next(filter(None, found.groups())) if found else getattr(error, "filename", None)
        missing = Path(str(name)).name if name else "another file"
        return f"{path} needs {missing}, which is not in the same folder. Copy both."
    if "number of trials" in said or "No raw data" in said:
        return (
            f"{path} is not a continuous recording: it is cut into epochs, averaged, or of another "
            "kind. Save the continuous one."
        )
    return (
        f"{path} cannot be read as a recording of {title}: it is damaged, or of a kind that MNE "
        "does not know. Export it as EDF."
    )
