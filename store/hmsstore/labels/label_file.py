"""A folder, a recording and a reader -> the marks in their file, read and changed.

A file `night.edf.AB.csv` holds the marks of the reader AB in night.edf. The SHA-256 of the
recording in it keeps marks from being taken for those of another recording of the same name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hmsstore.errors import LabelsError
from hmsstore.labels.keeping import Kept, read_file
from hmsstore.labels.mark import COLUMNS, REQUIRED, Mark, check_class
from hmsstore.labels.owner import BACKGROUND, EVENTS, Owner
from hmsstore.labels.sheet import read_sheet, write_sheet
from hmsstore.spec import HMS, Spec

KIND = "labels 1"
OTHERS = tuple(f".{ending}.csv" for ending in (EVENTS, BACKGROUND))


@dataclass(frozen=True)
class Labels:
    """What a label file holds."""

    path: Path
    recording: str
    """Name of the recording, or what stands for it."""
    sha256: str
    """Of the recording's file; the identity of a store."""
    reader: str
    """Initials, in capitals."""
    marks: tuple[Mark, ...]
    """In the order in which they were made."""


class LabelFile:
    """The marks of one reader in one recording, each change kept at once.

    >>> labels = LabelFile.open(Path("labels"), "night.edf", sha256, "AB")  # doctest: +SKIP
    >>> labels.add(Mark(12.5, 24.0, "seizure"))  # doctest: +SKIP
    """

    def __init__(self, path: Path, owner: Owner, spec: Spec) -> None:
        self.path, self.owner = path, owner
        self._classes = spec.class_keys
        self._kept: Kept[Mark] = Kept(path, self._read, self._write)

    @classmethod
    def open(
        cls, folder: Path, recording: str, sha256: str, reader: str, *, spec: Spec = HMS
    ) -> LabelFile:
        """Read a reader's file of a recording, or start one; it is written with the first mark.

        Parameters
        ----------
        folder : Path
            Where label files lie; made if it is not there.
        recording : str
            Name of the recording's file, or what is to stand for it.
        sha256 : str
            Of the recording's file, 64 hexadecimal digits; of a store its identity.
        reader : str
            Initials: 1 to 12 letters and digits of ASCII; small letters become capitals.
        spec : Spec
            Whose classes may be marked.

        Raises
        ------
        LabelsError
            The initials or the name cannot be part of a file's name, the folder cannot be made, or
            the file is of another recording or reader, was cut short or edited into something else.
        """
        owner = Owner.of(recording, sha256, reader)
        return cls(owner.path(folder), owner, spec)

    @property
    def recording(self) -> str:
        """Name of the recording, or what stands for it."""
        return self.owner.recording

    @property
    def sha256(self) -> str:
        """Of the recording's file."""
        return self.owner.sha256

    @property
    def reader(self) -> str:
        """Initials, in capitals."""
        return self.owner.reader

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks as the file was last read or written here, in the order they were made."""
        return self._kept.things

    def refresh(self) -> bool:
        """Read what other programs wrote since; tell whether anything changed.

        Raises
        ------
        LabelsError
            The file cannot be read any more.
        """
        return self._kept.refresh()

    def add(self, mark: Mark) -> None:
        """Append a mark, with the present time unless it says when it was made.

        Raises
        ------
        LabelsError
            Its class is unknown, or the file cannot be written, or was spoilt meanwhile; nothing
            has changed then.
        """
        self._kept.add(self._checked(mark))

    def remove(self, index: int) -> None:
        """Take a mark away, by its place in `marks`; raises as `replace`."""
        self._kept.remove(index)

    def replace(self, index: int, mark: Mark) -> None:
        """Put a mark in the place of another.

        Raises
        ------
        LabelsError
            As for `add`; also if another program changed or removed that mark.
        """
        self._kept.replace(index, self._checked(mark))

    def place(self, mark: Mark) -> int:
        """Tell the place of a mark in `marks`.

        Raises
        ------
        LabelsError
            It is there no more: another program changed or removed it.
        """
        if mark not in self.marks:
            raise LabelsError(
                f"{self.path}: this mark was changed or removed by another page or program "
                "meanwhile. Look at the marks again."
            )
        return self.marks.index(mark)

    def _checked(self, mark: Mark) -> Mark:
        check_class(mark.label, self._classes)
        return mark if mark.marked_at else replace(mark, marked_at=now())

    def _read(self, content: bytes) -> Sequence[Mark]:
        found, marks = _parse(self.path, content, self._classes)
        self.owner.check(self.path, found)
        return marks

    def _write(self, marks: Sequence[Mark]) -> bytes:
        return write_sheet(KIND, self.owner.head(), COLUMNS, (mark.row() for mark in marks))


def now() -> str:
    """The present time in UTC: '2026-01-31T12:00:00Z'."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_labels(path: Path, *, spec: Spec = HMS) -> Labels:
    """Read a label file.

    Raises
    ------
    LabelsError
        There is none, it was cut short or edited into something else.
    """
    content = read_file(path)
    if content is None:
        raise LabelsError(f"{path} cannot be read: there is no such file.")
    owner, marks = _parse(path, content, spec.class_keys)
    return Labels(path, owner.recording, owner.sha256, owner.reader, tuple(marks))


def label_files(folder: Path) -> tuple[Path, ...]:
    """Files of a folder that may hold labels, by name; raises LabelsError if there is no folder.

    Readers' other files, of events and background, are left out.
    """
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    except OSError as error:
        raise LabelsError(f"{folder} cannot be read: {error.strerror}.") from None
    return tuple(
        path for path in found if not path.name.startswith(".") and not path.name.endswith(OTHERS)
    )


def _parse(path: Path, content: bytes, classes: Sequence[str]) -> tuple[Owner, list[Mark]]:
    sheet = read_sheet(path, content, KIND, REQUIRED, COLUMNS)
    owner = Owner.of_head(path, sheet.head)
    marks: list[Mark] = []
    sheet.each(path, lambda row, commas: marks.append(Mark.from_row(row, classes, commas)))
    return owner, marks
