"""Annotations of an EDF+ or BDF+ file, read leniently from their bytes, and its records' onsets.

A record holds lists of annotations (TALs) of the form ``+onset[<15>duration]<14>text<14>...<00>``
in bytes 0x14, 0x15 and 0x00; the first one of a record has no text and says when the record begins
(Kemp and Olivan 2003, section 2.2.2). A text must be UTF-8, but many recorders write that of their
country; it may hold several lines. What cannot be understood is counted, and never costs the EEG.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from hmsprep.importing.formats.edf_header import EdfHeader, exact_number

_NUMBER = rb"\d+(?:[.,]\d*)?"
LONGEST_S = 10**9
"""Thirty years: seconds beyond are of a damaged annotation."""
_LIST = re.compile(
    rb"(?:^|(?<=\x00))([+-]?" + _NUMBER + rb")(?:\x15(" + _NUMBER + rb")?)?\x14"
    rb"(.*?)(?=\x00[+-]?" + _NUMBER + rb"[\x14\x15]|\Z)",
    re.DOTALL,
)
"""A TAL, from the record's begin or a NUL on: onset, duration, texts up to the next one."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation."""

    onset_s: Fraction
    """From the file's start time, as it stands there."""
    duration_s: float | None
    text: str
    record: int
    """Number of the record that holds it."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """All that the annotation signals of a file hold."""

    annotations: tuple[Annotation, ...]
    onsets_s: tuple[Fraction | None, ...]
    """When each record begins, from the file's start time; None where it does not say. Empty in a
    file without annotation signals."""
    from_notes: bool
    """Whether these are the onsets of each record's first note, since none has one without text."""
    not_understood: int
    """Stretches of bytes that are no annotation."""
    not_utf8: int
    """Texts that were read as Windows-1252."""


def read_annotations(header: EdfHeader) -> Annotations:
    """Read the annotations of all records."""
    numbers = [n for n, signal in enumerate(header.signals) if signal.is_annotations]
    annotations: list[Annotation] = []
    onsets: list[Fraction | None] = [None] * header.records if numbers else []
    firsts: dict[int, Fraction] = {}
    not_understood = not_utf8 = 0
    for place, number in enumerate(numbers):
        for record, content in enumerate(header.column(number)):
            for found in parse(content):
                if found is None:
                    not_understood += 1
                    continue
                onset_s, duration_s, texts = found
                if place == 0:
                    firsts.setdefault(record, onset_s)
                if place == 0 and onsets[record] is None and texts[0] == b"":
                    onsets[record] = onset_s
                for raw in filter(None, texts):
                    text, is_utf8 = decode(raw)
                    not_utf8 += not is_utf8
                    annotations.append(Annotation(onset_s, duration_s, text, record))
    unsaid = all(onset_s is None for onset_s in onsets)
    from_notes = header.is_discontinuous and unsaid and len(firsts) == header.records
    if from_notes:
        onsets = [firsts[record] for record in range(header.records)]
    return Annotations(tuple(annotations), tuple(onsets), from_notes, not_understood, not_utf8)


def parse(content: bytes) -> Iterator[tuple[Fraction, float | None, list[bytes]] | None]:
    """Take a record's annotations apart.

    Yields
    ------
    (Fraction, float or None, list of bytes) or None
        Onset, duration, texts; None for bytes that are no annotation.
    """
    end = 0
    for found in _LIST.finditer(content):
        yield from unreadable(content[end : found.start()])
        end = found.end()
        texts, _, rest = found[3].partition(b"\x14\0")
        onset_s = exact_number(found[1].decode())
        duration_s = exact_number(found[2].decode()) if found[2] else Fraction(0)
        if onset_s is None or duration_s is None or max(abs(onset_s), duration_s) > LONGEST_S:
            yield None
        else:
            seconds = float(duration_s) if found[2] else None
            yield onset_s, seconds, [text.replace(b"\0", b"") for text in texts.split(b"\x14")]
        yield from unreadable(rest)
    yield from unreadable(content[end:])


def unreadable(content: bytes) -> Iterator[None]:
    """Yield None for each piece of bytes between annotations that ends as one does."""
    for piece in content.split(b"\x14\0"):
        if piece.strip(b"\0\x14"):
            yield None


def decode(raw: bytes) -> tuple[str, bool]:
    """Decode a text as UTF-8, else as Windows-1252; say whether it was UTF-8."""
    try:
        return raw.decode("utf-8").strip(), True
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("cp1252").strip(), False
    except UnicodeDecodeError:  # five bytes mean nothing there
        return raw.decode("latin-1").strip(), False
