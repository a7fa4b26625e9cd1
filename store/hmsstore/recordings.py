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
from dataclasses import asdict, dataclass
from pathlib import Path

from hmsstore.errors import RecordingsError
from hmsstore.json_shapes import entry, finite, items, text, texts, whole

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
    def from_json(cls, value: object) -> ImportedRecording:
        """Check a JSON value and take it.

        Raises
        ------
        ShapeError
            A key is missing or holds another kind of value.
        """
        return cls(
            file=entry(value, "file", text),
            seconds=entry(value, "seconds", finite),
            patient_id=entry(value, "patient_id", whole),
            rates_hz=tuple(map(finite, entry(value, "rates_hz", items))),
            filled=entry(value, "filled", texts),
            references=entry(value, "references", texts),
            pieces=tuple(
                ImportedPiece(entry(piece, "eeg_id", whole), entry(piece, "start_s", finite))
                for piece in entry(value, "pieces", items)
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
        return tuple(map(ImportedRecording.from_json, entry(content, "recordings", items)))
    except OSError as error:
        raise RecordingsError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise RecordingsError(
            f"{path} is not what `hmsprep import` writes: {error}. Import the recordings again."
        ) from None
