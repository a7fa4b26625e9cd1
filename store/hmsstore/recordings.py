"""`recordings.json` of an imported data set <-> which recording each of its EEG files comes from.

Also what an import can be told, since `hmstrain predict` passes it on to `hmsprep import`.

`hmsprep import` writes the file, `hmstrain predict` reads it: a recording is cut into pieces of at
most an hour, each an EEG file of its own, and a timeline puts them together again::

    {
     "format_version": 1,                  files of before it was stated are of the first
     "stride_s": 10.0,                     seconds from window to window
     "patients": "known",                  'guessed', 'unknown': how sure the patients' numbers are
     "recordings": [
      {
       "file": "night.edf",                name, without its folder
       "seconds": 28800.0,                 length
       "patient_id": 1,                    number in this data set
       "rates_hz": [256.0],                rates of the signals that were read
       "filled": ["EKG"],                  channels that the file lacks, filled with 0
       "references": ["A1A2"],             what the electrodes were recorded against
       "reference": "scalp",               'chains': only differences along chains are known
       "interpolated": ["F7"],             electrodes that were computed from the others
       "flat": [], "railed": ["O2"],       electrodes or pairs without EEG in a tenth or more of it
       "bridged": ["F3-C3"],               neighbours that gel connects
       "contiguous": false,                records were read as they stand, against their onsets
       "missing": {"F7": 3.5},             seconds without a value where the file has samples
       "sha256": "9f86d081 ...",           of the recorder's file, by which it is known; or ""
       "pieces": [{"eeg_id": 10000, "start_s": 0.0}]
      }
     ],
     "left_out": [                         files that could not be imported
      {"file": "short.edf", "reason": "short.edf is 30 s long; expected ..."}
     ]
    }

Keys that are not listed here are left alone by readers.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

from hmsstore.errors import RecordingsError, RequestError
from hmsstore.json_shapes import (
    ShapeError,
    entry,
    entry_or,
    finite,
    items,
    mapping,
    one_of,
    optional,
    parse_json,
    read_json,
    text,
    texts,
    truth,
    whole,
)
from hmsstore.sums import VERSION, newer

RECORDINGS_NAME = "recordings.json"
RECORDINGS_VERSION = 1
"""Raised when an older package would misread a new file."""
T = TypeVar("T")


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
    reference: str = "scalp"
    """'scalp' if all electrodes share a reference; 'chains' if only differences of neighbours on a
    chain are known."""
    interpolated: tuple[str, ...] = ()
    """Electrodes that were computed from the others."""
    highpass_hz: float | None = None
    """Edge of the high-pass that took offset and drift off, if one did."""
    clipped: Mapping[str, float] = field(default_factory=dict)
    """Channel, or pair of a bipolar recording -> share of its values beyond the default clip of a
    store; those that have any."""
    flat: tuple[str, ...] = ()
    """Electrodes, or pairs, that do not change in a tenth of the recording or more."""
    railed: tuple[str, ...] = ()
    """Those that are at the rail of the amplifier in a tenth or more."""
    bridged: tuple[str, ...] = ()
    """Neighbours that measure the same, such as 'F3-C3'."""
    contiguous: bool = False
    """Whether its records were read as they stand in the file, though their onsets contradict each
    other: pauses were not seen."""
    missing: Mapping[str, float] = field(default_factory=dict)
    """Channel -> seconds without a value where the file has samples, such as NaN; those that have
    any."""
    sha256: str = ""
    """Of the recorder's file as `hmsstore.sums.of_recording` has it; '' where there is none, or it
    was imported by a version that did not note it."""

    @classmethod
    def from_json(cls, value: object) -> ImportedRecording:
        """Check a JSON value and take it.

        Raises
        ------
        ShapeError
            A key is missing or holds another kind of value.
        """
        from hmsstore.schema import REFERENCES

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
            reference=entry_or(value, "reference", one_of(REFERENCES), REFERENCES[0]),
            interpolated=entry_or(value, "interpolated", texts, ()),
            highpass_hz=entry_or(value, "highpass_hz", optional(finite), None),
            clipped=entry_or(value, "clipped", shares, {}),
            flat=entry_or(value, "flat", texts, ()),
            railed=entry_or(value, "railed", texts, ()),
            bridged=entry_or(value, "bridged", texts, ()),
            contiguous=entry_or(value, "contiguous", truth, False),
            missing=entry_or(value, "missing", shares, {}),
            sha256=entry_or(value, "sha256", text, ""),
        )


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that was to be imported and could not be."""

    file: str
    reason: str
    """A sentence for the user."""


def shares(value: object) -> dict[str, float]:
    """Take an object of numbers."""
    return {name: finite(share) for name, share in mapping(value).items()}


def write_recordings(
    folder: Path,
    recordings: tuple[ImportedRecording, ...],
    stride_s: float,
    left_out: Sequence[LeftOut] = (),
    patients: str = "known",
    warnings: Sequence[str] = (),
) -> None:
    """Write `recordings.json` into the folder of a data set that is being made."""
    content = {
        VERSION: RECORDINGS_VERSION,
        "stride_s": stride_s,
        "patients": patients,
        "recordings": [asdict(one) for one in recordings],
        "left_out": [asdict(one) for one in left_out],
        "warnings": list(warnings),
    }
    (folder / RECORDINGS_NAME).write_text(json.dumps(content, indent=1) + "\n")


def read_recordings(folder: Path) -> tuple[ImportedRecording, ...]:
    """Read the recordings of `recordings.json` of a data set.

    Raises
    ------
    RecordingsError
        The file is not there, or it does not hold what an import writes.
    """
    return _read(folder, _recordings)


def read_left_out(folder: Path) -> tuple[LeftOut, ...]:
    """Read which files an import left out, by `recordings.json` of a data set.

    Raises
    ------
    RecordingsError
        The file is not there, or it does not hold what an import writes.
    """
    return _read(folder, _left_out)


def read_warnings(folder: Path) -> tuple[str, ...]:
    """Read what an import said of the recordings, a sentence each.

    Raises
    ------
    RecordingsError
        The file is not there, or it does not hold what an import writes.
    """
    return _read(folder, _warnings)


@dataclass(frozen=True, slots=True)
class Montages:
    """What a build must know of an import."""

    recordings: tuple[ImportedRecording, ...]
    patients: str
    """How sure the patients' numbers are: 'known', 'guessed' or 'unknown'."""


def parse_montages(content: bytes, where: str) -> Montages:
    """Read what a build must know from the content of `recordings.json`.

    Raises
    ------
    RecordingsError
        It is not what an import writes.
    """
    from hmsstore.schema import PATIENTS

    try:
        value = parse_json(content)
        _refuse_newer(where, value)
        patients = entry_or(value, "patients", one_of(PATIENTS), PATIENTS[0])
        return Montages(_recordings(value), patients)
    except ShapeError as error:
        raise RecordingsError(
            f"{where} is not what `hmsprep import` writes: {error}. Import the recordings again."
        ) from None


def _recordings(content: object) -> tuple[ImportedRecording, ...]:
    return tuple(map(ImportedRecording.from_json, entry(content, "recordings", items)))


def _left_out(content: object) -> tuple[LeftOut, ...]:
    if isinstance(content, dict) and "left_out" not in content:
        return ()  # of an import that left nothing out, or would have refused all
    return tuple(
        LeftOut(entry(one, "file", text), entry(one, "reason", text))
        for one in entry(content, "left_out", items)
    )


def _warnings(content: object) -> tuple[str, ...]:
    return entry_or(content, "warnings", texts, ())


def _read(folder: Path, take: Callable[[object], T]) -> T:
    path = folder / RECORDINGS_NAME
    try:
        value = read_json(path)
        _refuse_newer(path, value)
        return take(value)
    except FileNotFoundError as error:
        raise RecordingsError(f"{path} cannot be read: {error.strerror}.") from None
    except ShapeError as error:
        raise RecordingsError(
            f"{path} is not what `hmsprep import` writes: {error}. Import the recordings again."
        ) from None


def _refuse_newer(where: str | Path, value: object) -> None:
    if problem := newer(where, value, RECORDINGS_VERSION):
        raise RecordingsError(problem)


@dataclass(frozen=True, slots=True)
class ImportOption:
    """What the user may say of how recordings are read: an option of two command lines."""

    name: str
    """Of the keyword of `hmsprep.import_recordings`; the option is called so with dashes."""
    help: str
    metavar: str | None = None
    """What follows the option; None if nothing does."""
    repeated: bool = False

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def type(self) -> Any:
        """Type of its value: a word, words, or whether it was given."""
        if self.metavar is None:
            return bool
        return list[str] | None if self.repeated else str | None


IMPORT_OPTIONS = (
    ImportOption(
        "rename",
        "Read the signal LABEL, or '#' and its number, as the channel NAME, such as EEG1=Fp1; "
        "'none' leaves it out; repeatable.",
        "LABEL=NAME",
        repeated=True,
    ),
    ImportOption(
        "interpolate", "Compute electrodes that are missing or hold no EEG from the others."
    ),
    ImportOption(
        "unit",
        "Unit of signals for which the file has none, or an impossible one.",
        "uV|mV|V|nV",
    ),
    ImportOption("truncated", "Read files that end before their stated length, as far as they go."),
    ImportOption(
        "contiguous",
        "Read records in file order, even if their onsets contradict each other.",
    ),
    ImportOption(
        "highpass",
        "Filter out offset and drift, without delay; auto: below 0.1 Hz, if more than 1% of a "
        "channel is beyond the clip.",
        "auto|HZ|none",
    ),
    ImportOption(
        "clipped", "Import recordings even if half or more is beyond the clip of a store."
    ),
)
"""What holds for an import and for a prediction of recordings."""


def with_import_options(
    command: Callable[..., Any], declare: Callable[[ImportOption], Any]
) -> Callable[..., Any]:
    """Give a function of a command line the options of an import.

    Parameters
    ----------
    command : callable
        It takes a keyword `importing`, a mapping from the names of options to their values, which
        stands where the options are to be.
    declare : callable
        Option -> what annotates a parameter of the command line.

    Returns
    -------
    callable
        It takes the options in place of `importing`.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = []
    for one in signature.parameters.values():
        if one.name != "importing":
            parameters.append(one)
            continue
        for option in IMPORT_OPTIONS:
            kind = Annotated[option.type, declare(option)]  # type: ignore[name-defined]
            default = False if option.metavar is None else None
            parameters.append(one.replace(name=option.name, annotation=kind, default=default))

    @wraps(command)
    def taking(**values: Any) -> Any:
        importing = {option.name: values.pop(option.name) for option in IMPORT_OPTIONS}
        return command(**values, importing=importing)

    taking.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    taking.__annotations__ = {one.name: one.annotation for one in parameters}
    return taking


def import_words(importing: Mapping[str, Any]) -> list[str]:
    """Write options of an import as the words of a command line, without those that are unset.

    Parameters
    ----------
    importing : mapping
        Name of an option -> its value; of a repeated one a list of words, or a mapping for those
        that are typed as KEY=VALUE.

    Raises
    ------
    RequestError
        There is no such option.
    """
    known = {option.name: option for option in IMPORT_OPTIONS}
    words: list[str] = []
    for name, value in importing.items():
        if name not in known:
            raise RequestError(f"There is no option {name!r} of an import: use {', '.join(known)}.")
        option = known[name]
        if value is None or value is False:
            continue
        if option.metavar is None:
            words.append(option.flag)
        elif not option.repeated:
            words += [option.flag, str(value)]
        else:
            pairs = value.items() if isinstance(value, Mapping) else None
            each = value if pairs is None else [f"{key}={to}" for key, to in pairs]
            words += [word for one in each for word in (option.flag, str(one))]
    return words
