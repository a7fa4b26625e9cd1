"""Files and folders -> what an import would do with them, before it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hmsprep.importing.convert import left_out, notes_of_gaps
from hmsprep.importing.gathering import gathered
from hmsprep.importing.labels import Labels
from hmsprep.importing.labels.words import Words
from hmsprep.importing.patients import find_patients
from hmsprep.importing.pieces import RATE, cut, stride_samples
from hmsprep.importing.recording import Options, Recording
from hmsprep.planning import checks
from hmsstore.recordings import LeftOut
from hmsstore.schema import CLASSES, JUDGED_S


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of a recording before any signal is read."""

    file: str
    patient: int
    """Number of its patient."""
    seconds: float
    signals: tuple[str, ...]
    """Labels of all signals of the file, as they stand there."""
    channels: dict[str, str]
    """Channel -> the signals that it is made of, as a sum; 0 of those that are filled."""
    rates_hz: tuple[float, ...]
    units: tuple[str, ...]
    """Units of the signals that are read, as the file names them; '' if it names none."""
    reference: str
    """'scalp' or 'chains'."""
    references: tuple[str, ...]
    interpolated: tuple[str, ...]
    filled: tuple[str, ...]
    labels: str
    """Name of the file that labels are read from; '' if there are none."""
    windows: int
    """That would be written."""
    by_class: dict[str, int]
    """Labelled windows of each class."""
    notes: tuple[str, ...]
    """What the user should know of how it is read, a sentence each."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What an import would do."""

    recordings: tuple[Listed, ...]
    refused: tuple[LeftOut, ...]
    """Files that cannot be imported, and why."""
    notes: tuple[str, ...] = field(default=())
    """What the user should know of them together."""
    patients: str = "known"
    """How sure it is whose recordings are whose: 'known', 'guessed' or 'unknown'."""

    @property
    def labelled(self) -> bool:
        """Whether there are labels, so that a training set would be made."""
        return any(one.labels for one in self.recordings)


def list_recordings(
    files: Any,
    *,
    stride: float = JUDGED_S,
    label: Mapping[str, str] | None = None,
    unlabelled: bool = False,
    patients: str | Path | None = None,
    **reading: Any,
) -> Listing:
    """Say what an import would do with recordings: nothing is written, no signal is converted.

    Parameters
    ----------
    files : str, Path or mne.io.BaseRaw, or sequence of these
        As `import_recordings` takes them.
    stride : float
        Seconds from window to window.
    label : mapping, optional
        Word of the labels -> class.
    unlabelled : bool
        Ignore labels.
    patients : str or Path, optional
        List of whose recordings they are.
    reading
        How files are to be read: the other keywords of `import_recordings`.

    Returns
    -------
    Listing

    Raises
    ------
    DataError
        No file can be imported. Each is named with the reason.
    ParameterError
        As `import_recordings`.

    Examples
    --------
    >>> hmsprep.list_recordings(["night.edf"]).recordings[0].channels["Fp1"]  # doctest: +SKIP
    'EEG FP1-REF'
    """
    samples, options, words = stride_samples(stride), Options(**reading), Words.of(label or {})
    with gathered(checks.each_of(files), options, words, unlabelled=unlabelled) as found:
        whose = find_patients(found.recordings, None if patients is None else Path(patients))
        each = zip(found.recordings, found.labels, whose.numbers, strict=True)
        listed = tuple(_listed(*one, samples) for one in each)
        return Listing(
            listed, tuple(found.left_out), (*found.notes, *whose.notes), patients=whose.known
        )


def _listed(recording: Recording, labels: Labels | None, patient: int, stride: int) -> Listed:
    pieces = cut(recording.samples, stride, left_out(recording, labels))
    begins = np.concatenate(
        [np.zeros(0), *(piece.offsets_s + piece.first / RATE for piece in pieces)]
    )
    codes = None if labels is None else labels.codes(begins)
    counts = {} if codes is None else {
        name: int((codes == code).sum()) for code, name in enumerate(CLASSES)
    }  # fmt: skip
    return Listed(
        file=recording.name,
        patient=patient,
        seconds=recording.duration_s,
        signals=recording.signals,
        channels={
            channel: _sum(parts, recording.signals)
            for channel, parts in recording.chosen.mix.items()
        },
        rates_hz=tuple(sorted(set(recording.rates_hz.values()))),
        units=recording.units,
        reference=recording.chosen.reference,
        references=recording.chosen.references,
        interpolated=recording.chosen.interpolated,
        filled=recording.chosen.filled,
        labels="" if labels is None else labels.source,
        windows=len(begins) if codes is None else int((codes >= 0).sum()),
        by_class={name: count for name, count in counts.items() if count},
        notes=(
            *recording.chosen.notes,
            *recording.notes,
            *notes_of_gaps(recording, labels, stride),
        ),
    )


def _sum(parts: Mapping[int, float], signals: Sequence[str]) -> str:
    """Write a channel as a sum of signals: 'Fp1-F7 + F7-T3'."""
    terms = []
    for number, weight in parts.items():
        name = signals[number].strip() if number < len(signals) else f"#{number + 1}"
        sign = "-" if weight < 0 else "+"
        factor = "" if abs(abs(weight) - 1) < 1e-9 else f"{abs(weight):.3g} "
        terms.append(f"{sign} {factor}{name}")
    return " ".join(terms).removeprefix("+ ") or "0"
