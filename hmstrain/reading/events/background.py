"""A reader's description of the background of a recording's stretches, kept as events are.

Fields are free; `acns.BACKGROUND_TERMS` has the terms for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path

from hmsstore.errors import LabelsError
from hmsstore.labels import Kept
from hmsstore.labels.label_file import now
from hmsstore.labels.owner import BACKGROUND, Owner
from hmsstore.labels.sheet import read_sheet, seconds, write_sheet
from hmstrain.reading.events.acns import BACKGROUND_TERMS
from hmstrain.words import clock

KIND = "background 1"
REQUIRED = ("start_s", "stop_s")
FIELDS = (*BACKGROUND_TERMS, "text")
COLUMNS = (*REQUIRED, *FIELDS, "described_at")


@dataclass(frozen=True)
class Background:
    """How a reader describes the background of a stretch.

    Raises
    ------
    LabelsError
        A field is unknown, or the times are not as they must be.
    """

    start_s: float
    """From the start of the recording."""
    stop_s: float
    fields: Mapping[str, str] = field(default_factory=dict)
    """Some of `acns.BACKGROUND_TERMS`, and 'text' -> what the reader wrote."""
    described_at: str = ""

    def __post_init__(self) -> None:
        """Round, and check."""
        if other := [name for name in self.fields if name not in FIELDS]:
            raise LabelsError(f"expected fields of {', '.join(FIELDS)}, got {other[0]!r}")
        for name in REQUIRED:
            value = getattr(self, name)
            if not isinstance(value, int | float) or not isfinite(value):
                raise LabelsError(f"expected a number of seconds as {name}, got {value!r}")
            object.__setattr__(self, name, round(float(value), 2))
        if not 0 <= self.start_s < self.stop_s:
            raise LabelsError(
                f"expected a start from 0 s on and a stop behind it, got {self.start_s:.2f} s to "
                f"{self.stop_s:.2f} s"
            )
        kept = {key: " ".join(value.split()) for key, value in self.fields.items()}
        object.__setattr__(self, "fields", {key: value for key, value in kept.items() if value})

    @property
    def words(self) -> str:
        """As one reads it: '0:00:00 to 1:00:00: voltage low; continuity continuous'."""
        told = [
            value if key == "text" else f"{key.replace('_', ' ')} {value}"
            for key, value in self.fields.items()
        ]
        return f"{clock(self.start_s)} to {clock(self.stop_s)}: {'; '.join(told) or 'nothing'}."


class BackgroundFile:
    """Descriptions of the background by one reader, each change kept at once."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self.path, self.owner = path, owner
        self._kept: Kept[Background] = Kept(path, self._read, self._write)

    @classmethod
    def open(cls, folder: Path, recording: str, sha256: str, reader: str) -> BackgroundFile:
        """Read a reader's descriptions of a recording, or start; as `LabelFile.open`."""
        owner = Owner.of(recording, sha256, reader)
        return cls(owner.path(folder, BACKGROUND), owner)

    @property
    def descriptions(self) -> tuple[Background, ...]:
        """As the file was last read or written here."""
        return self._kept.things

    def refresh(self) -> bool:
        """Read what other programs wrote since; tell whether anything changed."""
        return self._kept.refresh()

    def describe(self, background: Background) -> None:
        """Add a description, in place of one of the very same stretch; raises LabelsError."""
        new = background
        if not new.described_at:
            new = replace(new, described_at=now())
        span = (new.start_s, new.stop_s)
        self._kept.change(
            lambda here: [*(one for one in here if (one.start_s, one.stop_s) != span), new]
        )

    def remove(self, index: int) -> None:
        """Take a description away, by its place among `descriptions`; raises LabelsError."""
        self._kept.remove(index)

    def _read(self, content: bytes) -> Sequence[Background]:
        sheet = read_sheet(self.path, content, KIND, REQUIRED, COLUMNS)
        self.owner.check(self.path, Owner.of_head(self.path, sheet.head))
        found: list[Background] = []

        def take(row: Mapping[str, str], commas: bool) -> None:
            start_s, stop_s = (seconds(row[name], commas) for name in REQUIRED)
            told = {name: row.get(name, "") for name in FIELDS}
            found.append(Background(start_s, stop_s, told, row.get("described_at", "")))

        sheet.each(self.path, take)
        return found

    def _write(self, things: Sequence[Background]) -> bytes:
        rows = (
            {
                "start_s": f"{one.start_s:.2f}",
                "stop_s": f"{one.stop_s:.2f}",
                "described_at": one.described_at,
                **one.fields,
            }
            for one in things
        )
        return write_sheet(KIND, self.owner.head(), COLUMNS, rows)
