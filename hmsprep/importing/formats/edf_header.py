"""The header of an EDF, EDF+, BDF or BDF+ file, read leniently from its bytes.

Kemp et al. (1992), "A simple format for exchange of digitized polygraphic recordings"; Kemp and
Olivan (2003), "European data format 'plus'"; BioSemi's 24-bit variant. Writers differ: numbers have
decimal commas or a point where a whole number belongs, fields end in NUL instead of spaces, text is
of any encoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError

FIXED_BYTES = 256
"""Of the header's first part, and of its second for each signal."""
WIDTHS = {
    "label": 16, "transducer": 80, "unit": 8, "physical_min": 8, "physical_max": 8,
    "digital_min": 8, "digital_max": 8, "filtering": 80, "samples": 8, "reserved": 32,
}  # fmt: skip
"""Bytes of each signal's fields; each field stands there for all signals, one after the other."""
LOOKED_AT, MANY_FEEDS = 1 << 20, 20
"""Bytes of the signals that are searched for line feeds, and as many as never are all of lines."""
LARGEST = 1e100
"""Magnitude of a field's number."""
LARGEST_NARROW = 1 << 15
"""Largest magnitude of a sample of 16 bits."""
_ANNOTATIONS = re.compile(r"[EB]DF\s*\+?\s*ANNOTATIONS?", re.IGNORECASE)
"""Label of signals that hold text, as the formats have it and as writers do."""


@dataclass(frozen=True, slots=True)
class EdfSignal:
    """What the header says of one signal."""

    label: str
    unit: bytes
    """As it stands there."""
    physical: tuple[float, float]
    """Values of the two ends of `digital`, in its unit; NaN where the field is no number."""
    digital: tuple[float, float]
    filtering: str
    """Filters that were applied, such as 'HP:0.1Hz LP:75Hz N:50Hz'."""
    samples: int
    """Per record."""
    first_byte: int
    """Where its samples begin in a record."""

    @property
    def is_annotations(self) -> bool:
        """Whether it holds text instead of samples."""
        return _ANNOTATIONS.fullmatch(self.label) is not None

    @property
    def is_wide(self) -> bool:
        """Whether its digital values do not fit in 16 bits; a writer may be off by one."""
        return max(map(abs, self.digital)) > LARGEST_NARROW


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """What the header says of the file."""

    path: Path
    width: int
    """Bytes of a sample: 2, or 3 in a BDF file, whatever its version."""
    patient: str
    recording: str
    date: str
    """Of the start: 'dd.mm.yy'."""
    kind: str
    """'EDF+C', 'EDF+D', 'BDF+C' ... or whatever stands there."""
    misnamed: bool
    """Whether it has the version of EDF, and by `kind` and ranges the samples of BDF."""
    records: int
    """Whole records that are there, and that are to be read."""
    stated: int
    """Records by the header; -1 if it does not say."""
    surplus: int
    """Whole records beyond those that the header states."""
    rest_bytes: int
    """Bytes after the last whole record."""
    record_s: Fraction
    signals: tuple[EdfSignal, ...]

    @property
    def is_discontinuous(self) -> bool:
        """Whether it is EDF+D or BDF+D, whose records need not follow each other."""
        return self.kind.upper() in ("EDF+D", "BDF+D")

    @property
    def size(self) -> int:
        """Bytes of the header."""
        return FIXED_BYTES * (1 + len(self.signals))

    @property
    def record_bytes(self) -> int:
        """Bytes of a record."""
        return self.width * sum(signal.samples for signal in self.signals)

    def rate_hz(self, number: int) -> Fraction:
        """Samples a second of a signal, exactly as the header has it."""
        return self.signals[number].samples / self.record_s

    def read_records(self, first: int, stop: int) -> NDArray[np.uint8]:
        """Read records [first, stop): (records, bytes of a record)."""
        count = (stop - first) * self.record_bytes
        content = self._bytes(self.size + first * self.record_bytes, count)
        return content.reshape(stop - first, self.record_bytes)

    def samples(self, records: NDArray[np.uint8], number: int) -> NDArray[np.int32]:
        """Take a signal's samples, as digital values, out of records that were read."""
        signal = self.signals[number]
        span = slice(signal.first_byte, signal.first_byte + signal.samples * self.width)
        return self._whole_numbers(np.ascontiguousarray(records[:, span]).ravel())

    def read_samples(self, number: int, begin: int, count: int) -> NDArray[np.int32]:
        """Read `count` samples of a signal from the file's sample `begin` on."""
        signal = self.signals[number]
        parts = []
        while count:
            record, skipped = divmod(begin, signal.samples)
            here = min(count, signal.samples - skipped)
            offset = self.size + record * self.record_bytes + signal.first_byte
            parts.append(self._bytes(offset + skipped * self.width, here * self.width))
            begin, count = begin + here, count - here
        return self._whole_numbers(np.concatenate([*parts, np.empty(0, np.uint8)]))

    def _bytes(self, offset: int, count: int) -> NDArray[np.uint8]:
        """Read so many bytes of the file."""
        content = np.fromfile(self.path, np.uint8, count, offset=offset)
        if len(content) < count:
            raise DataError(f"{self.path} became shorter while it was read. Import it again.")
        return content

    def _whole_numbers(self, content: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Make numbers of bytes, the least significant first."""
        if self.width == 2:
            return content.view("<i2").astype(np.int32)
        wide = np.zeros((content.size // 3, 4), np.uint8)
        wide[:, 1:] = content.reshape(-1, 3)
        values: NDArray[np.int32] = wide.view("<i4").ravel() >> 8  # which keeps the sign
        return values

    def column(self, number: int, at_once: int = 1024) -> Iterator[bytes]:
        """Go through a signal's bytes record by record, mapping no more than its own."""
        signal = self.signals[number]
        span = slice(signal.first_byte, signal.first_byte + signal.samples * self.width)
        for first in range(0, self.records, at_once):
            shape = (min(at_once, self.records - first), self.record_bytes)
            offset = self.size + first * self.record_bytes
            mapped = np.memmap(self.path, np.uint8, "r", offset, shape)
            for row in np.array(mapped[:, span]):
                yield row.tobytes()


def is_edf(path: Path) -> bool:
    """Whether a file begins as EDF or BDF files do, whatever its name."""
    with path.open("rb") as file:
        return file.read(8) in (b"0".ljust(8), b"\xffBIOSEMI")


def holds_only_annotations(path: Path) -> bool:
    """Whether a file is of annotations alone, beside the file of the signals that they are of.

    EDF+ allows it (Kemp and Olivan 2003, section 2.1.2).
    """
    width = WIDTHS["label"]
    with path.open("rb") as file:
        head = file.read(FIXED_BYTES)
        count = whole_number(head[252:256]) or 0
        labels = [_text(file.read(width)) for _ in range(max(0, min(count, 9999)))]
    return bool(labels) and all(map(_ANNOTATIONS.fullmatch, labels))


def read_header(path: Path) -> EdfHeader:
    """Read and check a header.

    Raises
    ------
    DataError
        It is no EDF or BDF file, or its header contradicts itself.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(FIXED_BYTES)
        is_bdf = head[:1] == b"\xff"
        if len(head) < FIXED_BYTES or not (is_bdf or _text(head[:8]) == "0"):
            raise _unreadable(path, size, head, "expected '0' or 'BIOSEMI' first")
        count = whole_number(head[252:256])
        if count is None or not 0 <= count <= 9999:
            raise _unreadable(path, size, head, f"{_text(head[252:256])!r} signals by its header")
        rest = file.read(FIXED_BYTES * count)
    if len(rest) < FIXED_BYTES * count:
        raise _unreadable(path, size, head, "it ends within its header")
    stated_bytes, expected_bytes = whole_number(head[184:192]), FIXED_BYTES * (1 + count)
    if stated_bytes is not None and stated_bytes != expected_bytes:
        raise DataError(
            f"{path} is damaged: its header has {stated_bytes:,} bytes, expected "
            f"{expected_bytes:,} for {count} signals. Copy it again."
        )
    record_s = exact_number(head[244:252])
    kind = _text(head[192:236])[:5]
    signals = tuple(_signals(path, rest, count, 3 if is_bdf else 2))
    misnamed = (
        not is_bdf
        and kind.upper().startswith(("24BIT", "BDF"))
        and any(signal.is_wide for signal in signals)
    )
    if misnamed:
        signals = tuple(_signals(path, rest, count, 3))
    width = 3 if is_bdf or misnamed else 2
    record_bytes = width * sum(signal.samples for signal in signals)
    if signals and all(signal.is_annotations for signal in signals):
        raise DataError(f"{path} holds only annotations: nothing to import.")
    if not record_bytes:
        raise DataError(f"{path} has no signals: nothing to import.")
    if record_s is None or record_s <= 0:
        raise _unreadable(path, size, head, f"its records last {_text(head[244:252])!r} seconds")
    stated = whole_number(head[236:244])
    if stated is None or stated <= 0:  # a recorder that died may leave 0
        stated = -1
    there, rest_bytes = divmod(size - expected_bytes, record_bytes)
    if rest_bytes and _is_text(path, expected_bytes):
        raise DataError(
            f"{path} is damaged: each line feed in it follows a carriage return, as if it was sent "
            "in text mode. Copy it again, in binary mode."
        )
    if not there:
        raise DataError(f"{path} has no signals: it ends with its header.")
    return EdfHeader(
        path=path,
        width=width,
        patient=_text(head[8:88]),
        recording=_text(head[88:168]),
        date=_text(head[168:176]),
        kind=kind,
        misnamed=misnamed,
        records=there if stated < 0 else min(there, stated),
        stated=stated,
        surplus=max(0, there - stated) if stated > 0 else 0,
        rest_bytes=rest_bytes,
        record_s=record_s,
        signals=signals,
    )


def _is_text(path: Path, offset: int) -> bool:
    """Whether no line feed after a header is without a carriage return, though there are many."""
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(LOOKED_AT)
    feeds = content.count(b"\n")
    return feeds >= MANY_FEEDS and feeds == content.count(b"\r\n")


def _signals(path: Path, content: bytes, count: int, width: int) -> Iterator[EdfSignal]:
    fields: dict[str, list[bytes]] = {}
    begin = 0
    for name, size in WIDTHS.items():
        fields[name] = [content[begin + n * size :][:size] for n in range(count)]
        begin += count * size
    first_byte = 0
    for n in range(count):
        samples = whole_number(fields["samples"][n])
        if samples is None or samples < 0:
            raise DataError(
                f"{path} cannot be read: its signal #{n + 1} {_text(fields['label'][n])!r} has "
                f"{_text(fields['samples'][n])!r} samples in a record by its header, expected a "
                "whole number, without which other signals cannot be found. Export it again."
            )
        yield EdfSignal(
            label=_text(fields["label"][n]),
            unit=fields["unit"][n],
            physical=(_number(fields["physical_min"][n]), _number(fields["physical_max"][n])),
            digital=(_number(fields["digital_min"][n]), _number(fields["digital_max"][n])),
            filtering=_text(fields["filtering"][n]),
            samples=samples,
            first_byte=first_byte,
        )
        first_byte += samples * width


def exact_number(field: bytes | str) -> Fraction | None:
    """Read a number in decimal digits exactly, with a point or a comma; None if it is none.

    Beyond `LARGEST`, or nearer to 0 than its inverse, it is of a damaged field.
    """
    text = (_text(field) if isinstance(field, bytes) else field).strip().replace(",", ".")
    try:
        size = nan if "/" in text or "_" in text else abs(float(text))
        if size == 0:
            return Fraction(0)
        return Fraction(text) if 1 / LARGEST <= size <= LARGEST else None
    except ValueError:
        return None


def whole_number(field: bytes) -> int | None:
    """Read a whole number, which may be written as '256.0'; None if it is none."""
    value = exact_number(field)
    return int(value) if value is not None and value.denominator == 1 else None


def _number(field: bytes) -> float:
    value = exact_number(field)
    return nan if value is None else float(value)


def _text(field: bytes) -> str:
    """Text of a field, which ends at a NUL or with its padding."""
    return field.split(b"\0")[0].decode("latin-1").strip()


def _unreadable(path: Path, size: int, head: bytes, why: str) -> DataError:
    return DataError(
        f"{path} is not a readable EDF or BDF file: {size:,} bytes that begin with "
        f"{head[:8]!r} ({why}). Export it again."
    )
