"""A recording and a reader <-> the name and the first lines of a file of theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hmsstore.errors import LabelsError

READER = re.compile(r"[A-Z0-9]{1,12}")
SHA256 = re.compile(r"[0-9a-f]{64}")
NOT_IN_NAMES = re.compile(r'[\x00-\x1f/\\:*?"<>|]')
SHOWN = 12
"""Digits of a SHA-256 in messages."""
EVENTS, BACKGROUND = "events", "background"
"""What the names of a reader's other files end in, before '.csv'."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose file it is: of which recording, and of which reader."""

    recording: str
    sha256: str
    reader: str

    @classmethod
    def of(cls, recording: str, sha256: str, reader: str) -> Owner:
        """Check what is to own a file.

        Raises
        ------
        LabelsError
            The name cannot be part of a file's name, the SHA-256 is none, or the initials are not
            letters and digits.
        """
        if not SHA256.fullmatch(sha256):
            raise LabelsError(f"expected 64 hexadecimal digits as a SHA-256, got {sha256!r}")
        return cls(check_name(recording), sha256, check_reader(reader))

    @classmethod
    def of_head(cls, path: Path, head: Mapping[str, str]) -> Owner:
        """Read the owner from the first lines of a file.

        Raises
        ------
        LabelsError
            A line is missing, or holds something else.
        """
        for key in ("recording", "sha256", "reader"):
            if not head.get(key):
                raise LabelsError(
                    f"{path} does not say whose it is: expected a line '# {key}: ...'. Restore the "
                    "line from a copy."
                )
        if not SHA256.fullmatch(head["sha256"]):
            raise LabelsError(
                f"{path}: expected 64 hexadecimal digits as sha256, got {head['sha256']!r}."
            )
        return cls(head["recording"], head["sha256"], check_reader(head["reader"]))

    def head(self) -> dict[str, str]:
        """As first lines of a file."""
        return {"recording": self.recording, "sha256": self.sha256, "reader": self.reader}

    def path(self, folder: Path, ending: str = "") -> Path:
        """Path of a file in a folder, which is made if it is not there; raises LabelsError."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabelsError(f"{folder} cannot be made: {error.strerror}.") from None
        last = f".{ending}.csv" if ending else ".csv"
        return folder / f"{self.recording}.{self.reader}{last}"

    def check(self, path: Path, found: Owner) -> None:
        """Refuse a file that is of another recording or reader; its name of it does not count.

        Raises
        ------
        LabelsError
            It is.
        """
        if found.sha256 != self.sha256:
            raise LabelsError(
                f"{path} is of another recording: expected SHA-256 {self.sha256[:SHOWN]}, got "
                f"{found.sha256[:SHOWN]}. Use another folder for labels, or another name for the "
                "recording."
            )
        if found.reader != self.reader:
            raise LabelsError(
                f"{path} is of the reader {found.reader}: expected {self.reader}. Give the file "
                "the name that it had."
            )


def check_name(recording: str) -> str:
    """Give a recording's name; raises LabelsError if it cannot be part of a file's name."""
    if not recording.strip(". ") or NOT_IN_NAMES.search(recording):
        raise LabelsError(
            f"{recording!r} cannot be part of a file's name: give the recording an alias."
        )
    return recording


def check_reader(reader: str) -> str:
    """Give a reader's initials in capitals; raises LabelsError if they are none."""
    found = reader.strip().upper()
    if not READER.fullmatch(found):
        raise LabelsError(f"expected initials of 1 to 12 letters and digits, got {reader!r}")
    return found
