"""MATLAB files of IIIC segments (`.mat`): EEG beside the votes of experts -> a recording.

The layout of the data that the competition's were drawn from (Jing et al. 2023): `data` or `seg`,
20 x samples in microvolts at 200 Hz, in the order of the store's channels; and `votes`, a number
for each class. Ten seconds are the judged ones of a window of which nothing else is known.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from functools import partial
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.importing.channels import choose_signals
from hmsprep.importing.formats.edf_units import microvolts
from hmsprep.importing.formats.mne_recording import exact_rate
from hmsprep.importing.labels.words import Words
from hmsprep.importing.pieces import RATE
from hmsprep.importing.recording import Format, Options, Recording
from hmsprep.importing.resampling import resampled
from hmsstore.schema import CHANNELS, CLASSES, EEG, JUDGED_S
from hmsstore.spec import HMS

SIGNALS = ("data", "seg", "data_50sec", "eeg")
"""What the array of EEG may be called."""
VOTES = ("votes", "vote", "y")
"""What the votes may be called, in lower case."""
NAMES = ("classes", "class_names", "labels", "patterns")
"""What the names of the classes may be called, in the order of the votes."""
ELECTRODES = ("channels", "channel_names", "chan_labels", "electrodes")
MOST_BYTES = 256_000_000
"""Of a file when unpacked: a segment takes 2 MB, with ten minutes of spectrograms a few more."""
HEADER_BYTES, COMPRESSED = 128, 15
"""Of version 5 of the format: length of what precedes the elements, kind of a compressed one."""
RATES = ("fs", "srate", "sfreq", "sampling_rate")


def is_segment(path: Path) -> bool:
    """Whether a file holds EEG in this layout; other .mat files in a folder are passed over."""
    from scipy.io import whosmat

    try:
        shapes = {name: shape for name, shape, _ in whosmat(path)}
    except Exception:  # scipy has no error of its own for what files can hold
        return False
    return any(name in shapes and len(CHANNELS) in shapes[name] for name in SIGNALS)


def is_hdf5(path: Path) -> bool:
    """Whether a file is of version 7.3 of MATLAB's format, which SciPy does not read."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    return head.startswith(b"MATLAB 7.3") or head[1:4] == b"HDF"


def open_mat(path: Path, options: Options) -> Recording:
    """Open a file and read it; it is small.

    Raises
    ------
    DataError
        It is of version 7.3, lacks the array, or its votes make no sense.
    """
    content = _load(path)
    values = next((content[name] for name in SIGNALS if name in content), None)
    if values is None or values.ndim != 2 or values.dtype.kind not in "fiu":
        raise DataError(
            f"{path} has {_listed(content)}; expected `data`, {len(CHANNELS)} x samples in "
            "microvolts, and `votes`."
        )
    labels = _texts(content, ELECTRODES) or CHANNELS[: min(values.shape)]
    if values.shape[0] != len(labels):
        values = values.T
    if values.shape[0] != len(labels) or len(labels) < len(CHANNELS) - 1:
        raise DataError(
            f"{path}: expected EEG of {len(CHANNELS)} channels, got an array of "
            f"{' x '.join(map(str, values.shape))}."
        )
    chosen = choose_signals(
        list(labels), options.rename, str(path), unusable=options.broken,
        interpolate=options.interpolate,
    )  # fmt: skip
    rate_hz = exact_rate(_rate(content))
    scale_uv = microvolts(options.unit or "")
    votes, notes = _votes(path, content)
    count = values.shape[1]
    samples = floor(count / rate_hz * RATE)
    before, end = 0, samples
    if samples == JUDGED_S * RATE:
        before, samples = round(HMS.judged_from_s * RATE), EEG.window_rows
        end = before + round(JUDGED_S * RATE)
    if votes is not None and samples != EEG.window_rows:
        raise DataError(
            f"{path} has votes and {samples / RATE:g} s of EEG; expected {EEG.window_s:g} s, or "
            f"the {JUDGED_S:g} s that were judged."
        )

    def read(numbers: Any, first: int, stop: int) -> NDArray[np.float64]:
        recorded = floor(count / rate_hz * RATE)
        signals_uv = np.full((len(numbers), stop - first), np.nan)
        begin, end = max(first - before, 0), min(stop - before, recorded)
        if begin < end:
            for row, number in zip(signals_uv, numbers, strict=True):
                part = resampled(partial(_slice, values[number]), rate_hz, count, begin, end)
                row[begin + before - first : end + before - first] = part * scale_uv
        return signals_uv

    return Recording(
        path=path,
        samples=samples,
        chosen=chosen,
        rates_hz={name: float(rate_hz) for name, parts in chosen.mix.items() if parts},
        annotations=(),
        patient="",
        read=partial(chosen.mixed, read),
        read_signals=read,
        notes=notes,
        signals=tuple(labels),
        units=("",),
        gaps=tuple(span for span in ((0, before), (end, samples)) if span[0] < span[1]),
        votes=votes,
    )


FORMAT = Format("IIIC segments with votes", (".mat",), open_mat, is_segment)


def _slice(values: NDArray[Any], begin: int, end: int) -> NDArray[np.float64]:
    return values[begin:end].astype(np.float64)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    from scipy.io import loadmat

    if is_hdf5(path):
        raise DataError(
            f"{path} is of version 7.3 of MATLAB's format, expected one up to 7. Save it with "
            "save(..., '-v7')."
        )
    try:
        unpacked = _unpacked(path)
        content = loadmat(path) if unpacked <= MOST_BYTES else {}
    except Exception:  # scipy has no error of its own for what files can hold
        raise DataError(f"{path} is not a readable .mat file. Copy it again.") from None
    if unpacked > MOST_BYTES:
        raise DataError(
            f"{path} unpacks to more than {MOST_BYTES / 1e6:,.0f} MB; expected a segment of "
            f"{EEG.window_s:g} s. Save one segment to a file."
        )
    return {name: value for name, value in content.items() if isinstance(value, np.ndarray)}


def _unpacked(path: Path) -> int:
    """Bytes that a file's elements have when unpacked, counted no further than is allowed."""
    total = path.stat().st_size
    with path.open("rb") as file:
        order = "<" if file.read(HEADER_BYTES)[126:128] == b"IM" else ">"
        while total <= MOST_BYTES and len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(f"{order}2I", tag)
            if kind != COMPRESSED:
                file.seek(size, os.SEEK_CUR)
                continue
            inflate, left = zlib.decompressobj(), size
            while total <= MOST_BYTES and not inflate.eof:
                packed = inflate.unconsumed_tail
                if not packed:
                    packed = file.read(min(left, 1 << 16))
                    left -= len(packed)
                    if not packed:
                        break
                total += len(inflate.decompress(packed, 1 << 20))
            file.seek(left, os.SEEK_CUR)
    return total


def _listed(content: Mapping[str, NDArray[Any]]) -> str:
    names = [f"{name} ({' x '.join(map(str, one.shape))})" for name, one in content.items()]
    return ", ".join(names) or "nothing"


def _texts(content: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> list[str]:
    """Texts of a cell array, or lines of a matrix of characters."""
    value = next((one for name, one in content.items() if name.lower() in names), None)
    if value is None or value.dtype.kind not in "OU":
        return []
    return [str(np.ravel(one)[0] if np.size(one) else "").strip() for one in value.ravel()]


def _rate(content: Mapping[str, NDArray[Any]]) -> float:
    found = [one for name, one in content.items() if name.lower() in RATES and one.size == 1]
    return float(found[0].ravel()[0]) if found and float(found[0].ravel()[0]) > 0 else float(RATE)


def _votes(
    path: Path, content: Mapping[str, NDArray[Any]]
) -> tuple[tuple[int, ...] | None, tuple[str, ...]]:
    """Votes in the order of the classes; where the file does not name them, in its own."""
    value = next((one for name, one in content.items() if name.lower() in VOTES), None)
    if value is None:
        return None, ()
    votes = value.ravel().astype(float) if value.dtype.kind in "fiu" else np.zeros(0)
    whole = votes == np.floor(votes)
    if len(votes) != len(CLASSES) or not whole.all() or (votes < 0).any() or not votes.sum():
        raise DataError(
            f"{path}: expected votes of {len(CLASSES)} classes, whole numbers that are not all 0, "
            f"got {value.ravel().tolist()[:10]}. To import it without, use --unlabelled."
        )
    named = _texts(content, NAMES)
    if not named:
        return tuple(map(int, votes)), (
            f"{path.name} does not name the classes of its votes: taken for {', '.join(CLASSES)}.",
        )
    found = [Words().find(name) for name in named]
    if sorted(map(str, found)) != sorted(CLASSES):
        raise DataError(
            f"{path}: expected the classes {', '.join(CLASSES)} in any order, got "
            f"{', '.join(map(repr, named))}."
        )
    return tuple(int(votes[found.index(one)]) for one in CLASSES), ()
