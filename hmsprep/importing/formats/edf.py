"""EDF, EDF+ and BDF files -> microvolts at 200 Hz of any part, and annotations.

Nothing of who was recorded or when is read into anything: only signals and annotations.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.importing.channels import Chosen, choose_signals, named
from hmsprep.importing.pieces import RATE
from hmsprep.importing.recording import Format, Options, Recording
from hmsprep.importing.resampling import resampled

MICROVOLTS = {"NV": 1e-3, "UV": 1.0, "MICROV": 1.0, "MV": 1e3, "V": 1e6}
"""Unit in capitals -> microvolts."""
SLOWEST_HZ = 50
"""Slower signals do not hold the 20 Hz that spectrograms reach to."""
LARGEST_UV = 1e7
"""Ten volts: no amplifier of EEG has such a range."""
LARGEST_BDF = 300_000_000
"""Bytes of a BDF file, which unlike EDF is not mapped but read whole."""
LARGEST_TERM = 20_000
"""Largest term of the ratio of two rates; beyond, the nearest such ratio is taken: the filter is as
long, and a day drifts by less than a sample."""


def _read(
    path: Path, chosen: Chosen, units: Mapping[int, float], first: int, stop: int
) -> NDArray[np.float32]:
    """Read samples [first, stop) at 200 Hz of all channels, in microvolts."""
    return chosen.mixed(partial(_read_signals, path, units), first, stop)


def _read_signals(
    path: Path, units: Mapping[int, float], numbers: Sequence[int], first: int, stop: int
) -> NDArray[np.float64]:
    """Read samples [first, stop) at 200 Hz of some signals: (signals, samples) microvolts."""
    content = _content(path)  # anew, or all that was ever read of it would stay in memory
    signals_uv = np.zeros((len(numbers), stop - first))
    for place, number in enumerate(numbers):
        signal = content.signals[number]
        rate_hz = _rate(signal, content)
        count = signal.samples_per_data_record * content.num_data_records
        values = resampled(partial(_slice, signal, rate_hz), rate_hz, count, first, stop)
        signals_uv[place] = values * units[number]
    return signals_uv


def _slice(signal: Any, rate_hz: Fraction, begin: int, end: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = signal.get_data_slice(
        float(begin / rate_hz), float(end / rate_hz)
    )
    return values


def open_edf(path: Path, options: Options) -> Recording:
    """Open a file and find its channels; no signal is read.

    Parameters
    ----------
    path : Path
        An EDF or BDF file.
    options : Options
        How to read it where the file leaves that open.

    Raises
    ------
    DataError
        Not an EDF or BDF file, cut short, with gaps, without the electrodes of the montage,
        or of a unit that is no voltage.
    """
    content = _open(path)
    labels = [signal.label for signal in content.signals]
    unusable = _unusable(content, labels)
    chosen = choose_signals(
        labels,
        options.rename,
        str(path),
        unusable={**unusable, **options.broken},
        interpolate=options.interpolate,
    )
    units = {number: _unit(content.signals[number]) for number in chosen.signals}
    rates = {
        name: min(float(_rate(content.signals[number], content)) for number in parts)
        for name, parts in chosen.mix.items()
        if parts
    }
    seconds = Fraction(content.num_data_records) * _record_s(content)
    annotations = tuple(
        (float(a.onset), None if a.duration is None else float(a.duration), a.text)
        for a in content.annotations
    )
    return Recording(
        path=path,
        samples=floor(seconds * RATE),
        chosen=chosen,
        rates_hz=rates,
        annotations=annotations,
        patient=_patient(content),
        read=partial(_read, path, chosen, units),
        read_signals=partial(_read_signals, path, units),
        signals=tuple(labels),
        units=tuple(sorted({content.signals[n].physical_dimension for n in chosen.signals})),
    )


FORMAT = Format("EDF, EDF+ and BDF", (".edf", ".bdf"), open_edf)


def _open(path: Path) -> Any:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(256)
    if head[:1] == b"\xff" and size > LARGEST_BDF:
        raise DataError(
            f"{path} is a BDF file of {size:,} bytes; BDF files are read whole, so "
            f"they may have at most {LARGEST_BDF:,}. Export it as EDF, or in parts."
        )
    try:
        stated = int(head[236:244])
        content = _content(path)
        labels = [signal.label for signal in content.signals]
        if not _record_s(content) > 0:
            raise ValueError(f"its records last {content.data_record_duration} s")
    except Exception as error:  # edfio has none of its own for what files can hold
        raise DataError(
            f"{path} is not a readable EDF or BDF file: {size:,} bytes that begin with "
            f"{head[:8]!r} ({str(error)[:80]}). Export it again."
        ) from None
    if content.reserved.startswith(("EDF+D", "BDF+D")):
        raise DataError(
            f"{path} is discontinuous ({content.reserved[:5]}): it has gaps that this format does "
            "not show. Export it as a continuous file, or each part by itself."
        )
    if content.bytes_in_header_record != 256 * (1 + int(head[252:256])):
        raise DataError(
            f"{path} is damaged: its header has {content.bytes_in_header_record:,} bytes, expected "
            f"{256 * (1 + int(head[252:256])):,}. Copy it again."
        )
    if stated > content.num_data_records:
        raise DataError(
            f"{path} is truncated: expected {stated:,} records by its header, got "
            f"{content.num_data_records:,}. Copy it again."
        )
    if not labels or not content.num_data_records:
        raise DataError(f"{path} has no signals.")
    return content


def _patient(content: Any) -> str:
    """EDF+ writes code, sex, birthdate and name, and X for what is left out; EDF anything."""
    words = content.local_patient_identification.split()
    if len(words) > 3 and words[1] in ("F", "M", "X"):
        words = [words[0], words[3]]
    return " ".join(word for word in words if word.upper() != "X")


def _content(path: Path) -> Any:
    """Read the header; EDF's signals are mapped into memory, BDF's read."""
    import edfio

    with path.open("rb") as file:
        is_bdf = file.read(1) == b"\xff"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lengths, which are checked
        if is_bdf:
            return edfio.read_bdf(path, header_encoding="latin-1")
        return edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1")


def _record_s(content: Any) -> Fraction:
    """Length of a record in seconds: eight characters in the file, so a decimal number."""
    return Fraction(content.data_record_duration).limit_denominator(10**8)


def _rate(signal: Any, content: Any) -> Fraction:
    """Samples a second; a ratio to 200 Hz of monstrous terms is rounded to a near one."""
    rate = Fraction(signal.samples_per_data_record) / _record_s(content)
    ratio = rate / RATE
    if max(ratio.numerator, ratio.denominator) > LARGEST_TERM:
        return ratio.limit_denominator(LARGEST_TERM // max(1, ceil(ratio))) * RATE
    return rate


def _unusable(content: Any, labels: Sequence[str]) -> dict[int, str]:
    """Why signals cannot be read as channels, a sentence each."""
    found = {}
    for number, signal in enumerate(content.signals):
        try:
            _check(signal, named(number, labels), float(_rate(signal, content)))
        except DataError as error:
            found[number] = str(error)
    return found


def _check(signal: Any, name: str, rate_hz: float) -> None:
    """Refuse a signal whose header does not say what its numbers mean, or a slow one."""
    try:
        ends = [*signal.physical_range, *signal.digital_range]
    except ValueError:
        ends = [float("nan")]
    if not np.isfinite(ends).all() or ends[0] == ends[1] or ends[2] == ends[3]:
        raise DataError(
            f"The ranges of {name} make no sense: expected two pairs of different numbers "
            f"(physical, digital), got {ends}."
        )
    unit = _unit(signal)
    if not unit:
        raise DataError(
            f"{name} is in {signal.physical_dimension!r}, expected a voltage (uV, mV, V)."
        )
    largest = max(abs(ends[0]), abs(ends[1])) * unit
    if largest > LARGEST_UV:
        raise DataError(
            f"{name} may reach {largest:g} uV by its header, expected at most {LARGEST_UV:g}. Is "
            "its unit right?"
        )
    if rate_hz < SLOWEST_HZ:
        raise DataError(f"{name} has {rate_hz:g} samples a second, expected at least {SLOWEST_HZ}.")


def _unit(signal: Any) -> float:
    """Microvolts in the signal's unit, 1 if none is named, 0 if it is no voltage."""
    unit = signal.physical_dimension.strip().upper().replace("\u00c2", "")
    unit = unit.replace("\u00b5", "U").replace("\u03bc", "U").replace("\u039c", "U")
    return MICROVOLTS.get(unit, 0.0) if unit else 1.0
