"""`recordings.json` of an imported data set <-> which recording each of its EEG files comes from.

`hmsprep import` writes the file, `hmstrain predict` reads it: a recording is cut into pieces of at
most an hour, each an EEG file of its own, and a timeline puts them together again::

    {
     "stride_s": 10.0,                     seconds from window to window
     "recordings": [
      {
       "file": "night.edf",                name, without its folder
       "seconds": 28800.0,                 length
       "patient_id": 1,                    number in this data set
       "rates_hz": [256.0],                rates of the signals that were read
       "filled": ["EKG"],                  channels that the file lacks, filled with 0
       "references": ["A1A2"],             what the electrodes were recorded against
       "pieces": [{"eeg_id": 10000, "start_s": 0.0}]
      }
     ]
    }

Keys that are not listed here are left alone by readers.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hmsstore.errors import RecordingsError

RECORDINGS_NAME = "recordings.json"


@dataclass(frozen=True, slots=True)
class ImportedPiece:
    """A stretch of a recording that became an EEG file."""

    eeg_id: int
    start_s: float
    """From the start of the recording to that of the piece."""


@dataclass(frozen=True, slots=True)
class ImportedRecording:
    """One recording of an imported data set."""

    file: str
    """Its name, without the folder."""
    seconds: float
    patient_id: int
    rates_hz: tuple[float, ...]
    """Rates of the signals that were read, ascending."""
    filled: tuple[str, ...]
    """Channels that the file lacks; they are 0 throughout."""
    references: tuple[str, ...]
    """What the electrodes were recorded against, as far as the labels tell."""
    pieces: tuple[ImportedPiece, ...]

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ImportedRecording:
        """Check a JSON value and take it.

        Raises
        ------
        ValueError
            A key is missing or holds another kind of value.
        """
        return cls(
            file=_one(value, "file", str),
            seconds=float(_one(value, "seconds", float, int)),
            patient_id=_one(value, "patient_id", int),
            rates_hz=tuple(map(float, _all(value, "rates_hz", float, int))),
            filled=tuple(_all(value, "filled", str)),
            references=tuple(_all(value, "references", str)),
            pieces=tuple(
                ImportedPiece(_one(piece, "eeg_id", int), float(_one(piece, "start_s", float, int)))
                for piece in _all(value, "pieces", dict)
            ),
        )


def write_recordings(
    folder: Path, recordings: tuple[ImportedRecording, ...], stride_s: float
) -> None:
    """Write `recordings.json` into the folder of a data set that is being made."""
    content = {"stride_s": stride_s, "recordings": [asdict(one) for one in recordings]}
    (folder / RECORDINGS_NAME).write_text(json.dumps(content, indent=1) + "\n")


def read_recordings(folder: Path) -> tuple[ImportedRecording, ...]:
    """Read `recordings.json` of a data set.

    Raises
    ------
    RecordingsError
        The file is not there, or it does not hold what an import writes.
    """
    path = folder / RECORDINGS_NAME
    try:
        content = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"expected an object, got {content!r:.40}")
        return tuple(map(ImportedRecording.from_json, _all(content, "recordings", dict)))
    except OSError as error:
        raise RecordingsError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise RecordingsError(
            f"{path} is not what `hmsprep import` writes: {error}. Import the recordings again."
        ) from None


def _one(holder: dict[str, Any], key: str, *kinds: type) -> Any:
    if key not in holder:
        raise ValueError(f"{key} is missing")
    return _checked(holder[key], key, kinds)


def _all(holder: dict[str, Any], key: str, *kinds: type) -> list[Any]:
    return [_checked(value, key, kinds) for value in _one(holder, key, list)]


def _checked(value: Any, key: str, kinds: tuple[type, ...]) -> Any:
    fits = isinstance(value, kinds) and not isinstance(value, bool)
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"expected {key} to hold {kinds[0].__name__}, got {value!r:.40}")
    return value
