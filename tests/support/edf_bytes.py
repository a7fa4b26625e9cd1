"""EDF and BDF files byte by byte, so that tests can write what libraries refuse to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import CHANNELS

QUANTUM_UV = 0.1
"""Of a signal whose ranges are left as they are."""
WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)


@dataclass(frozen=True)
class Signal:
    """A signal; fields of the header may be any text or bytes."""

    label: str | bytes
    values: NDArray[Any] | Sequence[bytes]
    """Digital values, or of an annotation signal the bytes of each record."""
    samples: int
    """Per record."""
    unit: str | bytes = "uV"
    physical: tuple[Any, Any] = ("-3276.8", "3276.7")
    digital: tuple[Any, Any] = ("-32768", "32767")
    filtering: str = ""


@dataclass(frozen=True)
class Head:
    """The first part of a header."""

    patient: str | bytes = "X X X X"
    recording: str = "Startdate X X X X"
    date: str = "01.02.03"
    kind: str = ""
    records: Any = None
    """As it is to be stated; the true number if None."""
    duration: str = "1"
    bdf: bool = False
    fields: dict[str, Any] = field(default_factory=dict)


def wave(channel: str, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Microvolts of an electrode at any time: sines of its own, known exactly."""
    n = CHANNELS.index(channel)
    slow = np.sin(2 * np.pi * (0.8 + 0.33 * n) * seconds + 0.7 * n)
    return (60 + n) * slow + 9 * np.sin(2 * np.pi * (21.5 - 0.4 * n) * seconds)


def eeg(
    records: int,
    samples: int,
    rate_hz: float,
    *,
    channels: Sequence[str] = CHANNELS,
    uv: Callable[[str, NDArray[np.float64]], NDArray[np.float64]] = wave,
    at: NDArray[np.float64] | None = None,
    **more: Any,
) -> list[Signal]:
    """All electrodes as 16-bit signals; `at` are the seconds of all samples."""
    seconds = np.arange(records * samples) / rate_hz if at is None else at
    return [
        Signal(name, np.rint(uv(name, seconds) / QUANTUM_UV).astype(int), samples, **more)
        for name in channels
    ]


def tal(onset: float | str, *texts: bytes, duration: str = "") -> bytes:
    """A list of annotations, as EDF+ has them; without a text it tells when a record begins."""
    word = onset if isinstance(onset, str) else f"{onset:+.6f}".rstrip("0").rstrip(".")
    head = word.encode() + (b"\x15" + duration.encode() if duration else b"")
    return head + b"\x14" + b"".join(text + b"\x14" for text in texts or (b"",)) + b"\0"


def annotations(
    per_record: Sequence[bytes], room: int = 40, label: str = "EDF Annotations"
) -> Signal:
    """The annotation signal."""
    return Signal(label, list(per_record), room, "", ("-1", "1"))


def write(path: Path, signals: Sequence[Signal], head: Head = Head(), tail: bytes = b"") -> Path:
    """Write a file."""
    width = 3 if head.bdf else 2
    first = signals[0]
    records = len(first.values) // (1 if isinstance(first.values, list) else first.samples)
    start = [
        (b"\xffBIOSEMI" if head.bdf else b"0", 8), (head.patient, 80), (head.recording, 80),
        (head.date, 8), ("00.00.00", 8), (256 * (1 + len(signals)), 8), (head.kind, 44),
        (records if head.records is None else head.records, 8), (head.duration, 8),
        (len(signals), 4),
    ]  # fmt: skip
    content = [_padded(text, size) for text, size in start]
    rows = [
        (one.label, "", one.unit, *one.physical, *one.digital, one.filtering, one.samples, "")
        for one in signals
    ]
    content += [_padded(row[place], size) for place, size in enumerate(WIDTHS) for row in rows]
    bodies = [_body(one, records, width) for one in signals]
    content += [body[record] for record in range(records) for body in bodies]
    path.write_bytes(b"".join(content) + tail)
    return path


def _padded(text: Any, size: int) -> bytes:
    raw = text if isinstance(text, bytes) else str(text).encode("latin-1")
    assert len(raw) <= size, (text, size)
    return raw.ljust(size)


def _body(signal: Signal, records: int, width: int) -> list[bytes]:
    size = signal.samples * width
    if isinstance(signal.values, list):
        assert max(map(len, signal.values)) <= size
        return [one.ljust(size, b"\0") for one in signal.values]
    whole = np.asarray(signal.values).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
    flat = whole.tobytes()
    return [flat[record * size :][:size] for record in range(records)]


def changed(signals: Sequence[Signal], channel: str, **fields: Any) -> list[Signal]:
    """The same signals, of which one has other fields."""
    return [replace(one, **fields) if one.label == channel else one for one in signals]
