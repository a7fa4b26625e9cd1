"""EDF, EDF+, BDF and BDF+ files -> microvolts at 200 Hz of any part, and annotations.

Samples are read by their number from the file's bytes, a minute at a time, however long the file.
Nothing of who was recorded or when is kept: only signals, annotations, and whether a child was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.importing.channels import NEEDED, Chosen, choose_signals, named
from hmsprep.importing.formats.edf_annotations import read_annotations
from hmsprep.importing.formats.edf_header import (
    LARGEST_NARROW,
    EdfHeader,
    holds_only_annotations,
    is_edf,
    read_header,
)
from hmsprep.importing.formats.edf_notes import describe, describe_filters, describe_late
from hmsprep.importing.formats.edf_time import (
    Stretch,
    find_gaps,
    find_stretches,
    first_onset,
    length,
    place_notes,
)
from hmsprep.importing.formats.edf_units import (
    choose_unit,
    fault,
    impossible,
    microvolts,
    shown_unit,
)
from hmsprep.importing.pieces import RATE
from hmsprep.importing.recording import Format, Options, Recording
from hmsprep.importing.resampling import resampled
from hmsprep.words import plural
from hmsstore.montage import ELECTRODES

SLOWEST_HZ = 50
"""Slower signals do not hold the 20 Hz that spectrograms reach to."""
AT_ONCE = 60 * RATE
"""Samples at 200 Hz that are read at once, of one signal after the other."""
LARGE_RECORD = 1 << 20
"""Bytes of a record from which on only the signal that is wanted is read of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a recording's samples are, and what they mean."""

    header: EdfHeader
    stretches: tuple[Stretch, ...]
    units_uv: Mapping[int, float]
    """Number of a signal -> microvolts in its unit."""

    def read(self, numbers: Sequence[int], first: int, stop: int) -> NDArray[np.float32]:
        """Read samples [first, stop) at 200 Hz of some signals: (signals, samples) microvolts.

        They are NaN where nothing was recorded.
        """
        signals_uv = np.full((len(numbers), stop - first), np.nan, np.float32)
        order = sorted(range(len(numbers)), key=lambda n: self.header.rate_hz(numbers[n]))
        for stretch in self.stretches:
            begin, end = max(first, stretch.span[0]), min(stop, stretch.span[1])
            for at in range(begin, end, AT_ONCE):
                till = min(at + AT_ONCE, end)
                block = Block(self.header, stretch)
                for place in order:
                    part = self._part(block, numbers[place], at, till)
                    signals_uv[place, at - first : till - first] = part
        return signals_uv

    def _part(self, block: Block, number: int, first: int, stop: int) -> NDArray[np.float64]:
        signal = self.header.signals[number]
        low, high = signal.physical
        step = (high - low) / (signal.digital[1] - signal.digital[0])
        samples = signal.samples * (block.stretch.stop - block.stretch.first)

        def read(begin: int, end: int) -> NDArray[np.float64]:
            steps = block.samples(number, begin, end).astype(np.float64) - signal.digital[0]
            uv: NDArray[np.float64] = (steps * step + low) * self.units_uv[number]
            return uv

        rate_hz = self.header.rate_hz(number) / block.stretch.slower
        return resampled(read, rate_hz, samples, first, stop, block.stretch.start_s)


class Block:
    """Records of a stretch that were read last, since all signals are read of the same ones."""

    def __init__(self, header: EdfHeader, stretch: Stretch) -> None:
        self.header, self.stretch = header, stretch
        self.first = self.stop = 0
        self.records = np.empty((0, header.record_bytes), np.uint8)

    def samples(self, number: int, begin: int, end: int) -> NDArray[np.int32]:
        """Take samples [begin, end) of a signal, counted from the stretch's first, as digital."""
        per_record = self.header.signals[number].samples
        first = self.stretch.first + begin // per_record
        stop = self.stretch.first - (-end // per_record)
        skipped = begin - begin // per_record * per_record
        if self.header.record_bytes >= LARGE_RECORD:
            begun = self.stretch.first * per_record + begin
            return self.header.read_samples(number, begun, end - begin)
        if first < self.first or stop > self.stop:
            self.first, self.stop = first, stop
            self.records = self.header.read_records(first, stop)
        records = self.records[first - self.first : stop - self.first]
        return self.header.samples(records, number)[skipped : skipped + end - begin]


def open_edf(path: Path, options: Options) -> Recording:
    """Open a file, find its channels and read its annotations; no signal is read.

    Parameters
    ----------
    path : Path
        An EDF or BDF file.
    options : Options
        How to read it where the file leaves that open.

    Raises
    ------
    DataError
        Not an EDF or BDF file; cut short or with records out of order, and not asked for so;
        without the electrodes of the montage, or of a unit that is no voltage.
    """
    header = read_header(path)
    if header.stated > header.records and not options.truncated:
        raise DataError(
            f"{path} is truncated: expected {header.stated:,} records by its header, got "
            f"{header.records:,}. Copy it again, or read it as far as it goes with --truncated."
        )
    labels = ["" if signal.is_annotations else signal.label for signal in header.signals]
    chosen, units = _choose(header, labels, options)
    found = read_annotations(header)
    onsets_s, untimed = found.onsets_s, ""
    if len(onsets_s) > 1 and len({*onsets_s}) == 1 and not header.is_discontinuous:
        if onsets_s[0] is not None:
            untimed = "says of all its records that they begin at once: read one after the other"
        onsets_s = (onsets_s[0], *[None] * (len(onsets_s) - 1))
    stretches, disorder = find_stretches(onsets_s, header.records, header.record_s)
    zero_s = first_onset(onsets_s, header.record_s)
    places_s: list[float | None] = [float(n.onset_s - zero_s) for n in found.annotations]
    if disorder and not options.contiguous:
        raise DataError(
            f"{path} cannot be put in order of time: {disorder}. Export each part as a separate "
            "file, or read all records in file order with --contiguous."
        )
    if disorder:
        places_s = list(place_notes(found.annotations, onsets_s, header.record_s))
        lost = places_s.count(None)
        untimed = (
            f"contradicts itself in time ({disorder}): its records are read one after the other, "
            "as they stand in the file, so pauses are not seen"
            + (f"; {plural(lost, 'note')} left out, since nobody knows when" if lost else "")
        )
    units = {number: units[number] for number in chosen.signals}
    source = Source(header, stretches, {n: microvolts(unit) for n, unit in units.items()})
    rates_hz = {
        name: min(float(header.rate_hz(number)) for number in parts)
        for name, parts in chosen.mix.items()
        if parts
    }
    notes = [*describe(header, found, stretches, units, rates_hz.values())]
    electrodes = {number for name in ELECTRODES for number in chosen.mix.get(name, ())}
    notes += describe_filters([header.signals[number] for number in electrodes])
    notes.append(untimed)
    notes.append(describe_late(places_s, length(stretches) / RATE))
    return Recording(
        path=path,
        samples=length(stretches),
        chosen=chosen,
        rates_hz=rates_hz,
        annotations=tuple(
            (place_s, note.duration_s, note.text)
            for note, place_s in zip(found.annotations, places_s, strict=True)
            if place_s is not None
        ),
        patient=header.patient,
        read=partial(chosen.mixed, source.read),
        read_signals=source.read,
        signals=tuple(signal.label for signal in header.signals),
        units=tuple(sorted({shown_unit(header.signals[n]) for n in chosen.signals})),
        notes=tuple(f"{path.name} {note}." for note in notes if note),
        contiguous=bool(disorder),
        gaps=find_gaps(stretches),
    )


def is_one(path: Path) -> bool:
    """Whether a file in a folder is one.

    Some recorders end them in .rec, as others do labels; and files that hold only annotations, as
    `hmstrain predict` writes, are of a recording beside them.
    """
    try:
        if not is_edf(path):
            return path.suffix.lower() != ".rec"  # others are refused by their names
        return not holds_only_annotations(path)
    except OSError:
        return path.suffix.lower() != ".rec"


FORMAT = Format("EDF, EDF+ and BDF", (".edf", ".bdf", ".rec"), open_edf, is_one)


def _choose(
    header: EdfHeader, labels: Sequence[str], options: Options
) -> tuple[Chosen, dict[int, str]]:
    """Find the channels among the signals whose numbers mean something, and the units of those."""
    units: dict[int, str] = {}
    unusable: dict[int, str] = {}
    for number, signal in enumerate(header.signals):
        name = named(number, labels)
        unit = choose_unit(signal, options.unit, misnamed=options.misnamed)
        why = (
            fault(signal, name, unit)
            or _too_wide(header, number, name)
            or _too_slow(header, number, name)
        )
        if why or unit is None:
            unusable[number] = why
        else:
            units[number] = unit

    def choose() -> Chosen:
        return choose_signals(
            labels,
            options.rename,
            str(header.path),
            unusable={**unusable, **options.broken},
            interpolate=options.interpolate,
        )

    chosen = choose()
    needed = {number for name in NEEDED for number in chosen.mix.get(name, ())}
    for unit in {units[number] for number in chosen.signals}:
        group = [number for number in chosen.signals if units[number] == unit]
        why = impossible([header.signals[number] for number in group], unit)
        if why and options.unit:
            units |= dict.fromkeys(group, options.unit)
        elif why and needed.intersection(group):
            raise DataError(f"{header.path}: {named(group[0], labels)} {why}")
        elif why:
            unusable |= {number: f"{named(number, labels)} {why}" for number in group}
    return choose(), units


def _too_wide(header: EdfHeader, number: int, name: str) -> str:
    signal = header.signals[number]
    if header.width > 2 or not signal.is_wide:
        return ""
    return (
        f"{name} has digital values from {signal.digital[0]:,.10g} to {signal.digital[1]:,.10g} "
        f"by its header, expected at most {LARGEST_NARROW:,} in samples of 16 bits. Export it "
        "again, as BDF if samples have 24."
    )


def _too_slow(header: EdfHeader, number: int, name: str) -> str:
    rate_hz = float(header.rate_hz(number))
    if rate_hz >= SLOWEST_HZ:
        return ""
    return f"{name} has {rate_hz:g} samples a second, expected at least {SLOWEST_HZ}."
