"""Recordings -> a data set in the competition's layout, with sliding windows and spectrograms.

::

    train.csv or test.csv   windows; test.csv if nothing is annotated
    train_eegs/ ...         one EEG file per piece of at most an hour
    train_spectrograms/ ... its spectrogram
    recordings.json         which piece is of which file, from which second on; channels filled
    annotations.csv         what the files' own annotations say
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor
from pathlib import Path
from typing import Any

import numpy as np

from hmsprep.errors import DataError, ParameterError, several
from hmsprep.importing.gathering import Gathered, gathered
from hmsprep.importing.labels import Labels
from hmsprep.importing.labels.words import Words
from hmsprep.importing.patients import find_patients
from hmsprep.importing.pieces import RATE, Piece, cut, stride_samples, unrecorded
from hmsprep.importing.recording import Options, Recording
from hmsprep.importing.values import SETTLING, SETTLING_UV
from hmsprep.importing.writing import Task, write_pieces
from hmsprep.kaggle.files import recordings_folder
from hmsprep.kaggle.table import CONSENSUS, OFFSETS, VOTES
from hmsprep.kaggle.write import write_csv
from hmsprep.planning import checks
from hmsprep.planning.choices import CLIP_REFUSED, CLIP_WARNED, EEG_CLIP_UV, EKG_CLIP_UV
from hmsprep.processes import Progress, silent
from hmsprep.words import plural
from hmsstore.atomic import whole_folder
from hmsstore.manifest import MANIFEST_NAME
from hmsstore.reading.observed import LEAST_JUDGED
from hmsstore.recordings import ImportedPiece, ImportedRecording, LeftOut, write_recordings
from hmsstore.schema import CLASS_TITLES, CLASSES, JUDGED_S
from hmsstore.sums import of_recording

ANNOTATIONS = "annotations.csv"
MANY_CHANNELS = 4
"""From so many on, not each is named."""
MOSTLY_GAPS = 0.9
"""Share of a recording from which on its gaps are warned of."""
MOST_PIECES = 10_000
"""Of a recording; its pieces are numbered from its own number times this on."""


@dataclass
class Imported:
    """What was imported."""

    labelled: bool
    hours: float = 0.0
    windows: int = 0
    left_out: int = 0
    """Windows that no annotation covers, of labelled recordings."""
    patients: int = 0
    patients_known: str = "known"
    """How sure it is whose recordings are whose: 'known', 'guessed' or 'unknown'."""
    by_class: dict[str, int] = field(default_factory=dict)
    recordings: list[ImportedRecording] = field(default_factory=list)
    """Each recording, as `recordings.json` describes it."""
    notes: list[str] = field(default_factory=list)
    """What else to know of how the files were read, a sentence each."""
    refused: list[LeftOut] = field(default_factory=list)
    """Files that could not be imported, and why."""

    @property
    def warnings(self) -> list[str]:
        """What the user should know, a sentence each."""
        return [*self.remarks, *self.refusals]

    @property
    def remarks(self) -> list[str]:
        """What the recordings lack and how they were read, a sentence each."""
        found = []
        for one in self.recordings:
            if one.filled:
                found.append(f"{one.file} has no {', '.join(one.filled)}: filled with 0.")
            if one.reference != "scalp":
                found.append(
                    f"{one.file} has no reference that its electrodes share: differences along "
                    "each chain are right, such as Fp1-F7, single electrodes and averages are not."
                )
            if one.interpolated:
                found.append(
                    f"{one.file}: {', '.join(one.interpolated)} interpolated from the other "
                    "electrodes, at the user's request."
                )
            if one.highpass_hz is not None:
                found.append(
                    f"{one.file} was high-passed at {one.highpass_hz:g} Hz, which takes offset and "
                    f"drift off. In the first and last {SETTLING / one.highpass_hz:.2g} s, and as "
                    f"long beside gaps, its baseline is uncertain by some {SETTLING_UV} uV, and by "
                    "more where an electrode jumps there."
                )
            if one.missing:
                found.append(f"{one.file}: {_missing(one.missing)}.")
            worst = sorted(one.clipped.items(), key=lambda item: -item[1])
            if worst and worst[0][1] >= CLIP_WARNED:
                told = [f"{share:.0%} of {name}" for name, share in worst if share >= CLIP_WARNED]
                found.append(
                    f"{one.file}: {', '.join(told)} is beyond the clip of a store "
                    f"({EEG_CLIP_UV:,.0f} uV, {EKG_CLIP_UV:,.0f} for the EKG), which holds the "
                    "clip there."
                )
            for names, what in (
                (one.flat, "flat in at least a tenth of the recording"),
                (one.railed, "at the rail of the amplifier in at least a tenth of the recording"),
                (one.bridged, "bridged: both electrodes measure the same"),
            ):
                if names:
                    found.append(f"{one.file}: {', '.join(names)} {what}.")
        return [*found, *self.notes]

    @property
    def refusals(self) -> list[str]:
        """What was left out and why, a sentence each."""
        return [
            one.reason if one.file in one.reason else f"{one.file}: {one.reason}"
            for one in self.refused
        ]


def _missing(missing: Mapping[str, float]) -> str:
    """Say how long channels have no values: '3.5 s of Fp1, 7 s of O2 hold no numbers ...'."""
    least_s, most_s = min(missing.values()), max(missing.values())
    if len(missing) > MANY_CHANNELS:
        long = f"{least_s:,.6g}" + (f" to {most_s:,.6g}" if most_s > least_s else "")
        told = f"{long} s of {len(missing)} channels ({', '.join(list(missing)[:3])} ...)"
    else:
        told = ", ".join(f"{seconds:,.6g} s of {name}" for name, seconds in missing.items())
    return f"{told} hold no number in the file: missing values there"


def import_recordings(
    files: Any,
    out: str | Path,
    *,
    stride: float = JUDGED_S,
    rename: Mapping[str, str] | None = None,
    label: Mapping[str, str] | None = None,
    interpolate: bool = False,
    unit: str | None = None,
    truncated: bool = False,
    contiguous: bool = False,
    patients: str | Path | None = None,
    highpass: str | float | None = "auto",
    clipped: bool = False,
    unlabelled: bool = False,
    progress: Progress = silent,
) -> Imported:
    """Convert recordings of any length into a data set for `build`, with spectrograms.

    Parameters
    ----------
    files : str, Path or mne.io.BaseRaw, or sequence of these
        Files of any format in `importing.formats`, also packed by gzip; folders, which are
        searched with all below them; and recordings of MNE. Labels beside them, of any layout in
        `importing.labels`, become votes.
    out : str or Path
        Folder to make.
    stride : float
        Seconds from window to window: a whole number of samples at 200 Hz.
    rename : mapping, optional
        Label of a signal, or '#' and its number from 1 on -> the channel to read it as, or 'none'.
    label : mapping, optional
        Word of the labels -> class that it stands for, or 'none'; '*' is whatever is not
        annotated.
    interpolate : bool
        Compute electrodes that are missing or hold no EEG from the others, by spherical splines.
    unit : {'uV', 'mV', 'V'}, optional
        Unit of signals whose file names none, or one that cannot be.
    truncated : bool
        Read files that are shorter than they say as far as they go.
    contiguous : bool
        Read records whose onsets contradict each other one after the other, as they stand in the
        file.
    patients : str or Path, optional
        A CSV file with the columns file and patient: whose each recording is. Else names of known
        corpora, headers, folders and file names tell (see `importing.patients`).
    highpass : {'auto', 'none'} or float, optional
        Edge in Hz of a zero-phase high-pass that takes offset and drift off. 'auto': at 0.1 Hz, of
        those recordings alone of which more than 1% of a channel is beyond the clip of a store.
    clipped : bool
        Import recordings of which half of all values or more is beyond the clip, too.
    unlabelled : bool
        Ignore labels.
    progress : callable
        Called with the stage 'import' and a number of seconds of EEG.

    Returns
    -------
    Imported
        Its `refused` lists the files that could not be read, or have no labels while others have.

    Raises
    ------
    DataError
        No file can be imported. Each is named with the reason.
    ParameterError
        The folder exists already, the stride is not a whole number of samples, no file is given or
        one twice, a class of `label` is none, or the list of patients lacks a recording.

    Examples
    --------
    >>> hmsprep.import_recordings(["night.edf"], "night", stride=5).windows
    5750
    """
    out = Path(out)
    samples = stride_samples(stride)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ParameterError(f"{out} exists already. Name a folder that does not exist.")
    if not out.resolve().parent.is_dir():
        raise ParameterError(f"{out} cannot be made: there is no folder {out.parent}.")
    if any((folder / MANIFEST_NAME).is_file() for folder in out.resolve().parents):
        raise ParameterError(f"{out} cannot be made: it would lie inside a sealed store.")
    listed = None if patients is None else Path(patients)
    options = Options(
        rename=rename or {},
        interpolate=interpolate,
        unit=unit,
        truncated=truncated,
        contiguous=contiguous,
        highpass=highpass,
        clipped=clipped,
    )
    words = Words.of(label or {})
    with (
        gathered(checks.each_of(files), options, words, unlabelled=unlabelled) as found,
        whole_folder(out) as unfinished,
    ):
        return _write(found, unfinished, samples, listed, options, progress)


def _write(
    found: Gathered,
    folder: Path,
    stride: int,
    listed: Path | None,
    options: Options,
    progress: Progress,
) -> Imported:
    recordings = found.recordings
    part = "test" if found.labels[0] is None else "train"
    for signal in ("eeg", "spectrogram"):
        (folder / recordings_folder(part, signal)).mkdir(parents=True)
    whose = find_patients(recordings, listed)
    patients = whose.numbers
    made = Imported(part == "train", patients=len(set(patients)), patients_known=whose.known)
    made.notes = [
        note
        for recording, known in zip(recordings, found.labels, strict=True)
        for note in (*notes_of(recording), *notes_of_gaps(recording, known, stride))
    ]
    made.notes += [*found.notes, *whose.notes]
    made.refused = found.left_out
    rows: list[dict[str, Any]] = []
    work: list[Task] = []
    for number, (recording, known) in enumerate(zip(recordings, found.labels, strict=True)):
        pieces, fresh = [], 0
        for place, piece in enumerate(cut(recording.samples, stride, left_out(recording, known))):
            eeg_id = (number + 1) * MOST_PIECES + place
            windows = list(_windows(piece, known))
            made.left_out += len(piece.offsets_s) - len(windows)
            if windows:
                eeg_file, spectrogram_file = (
                    folder / recordings_folder(part, signal) / f"{eeg_id}.parquet"
                    for signal in ("eeg", "spectrogram")
                )
                new = max(fresh, piece.first)
                work.append(Task(recording, number, piece, new, eeg_file, spectrogram_file))
                fresh = piece.stop
                pieces.append(ImportedPiece(eeg_id, piece.start_s))
                rows += [row | _ids(eeg_id, patients[number]) for row in windows]
        made.hours += recording.duration_s / 3600
        sha256 = of_recording(recording.path) if recording.path.is_file() else ""
        made.recordings.append(described(recording, patients[number], pieces, sha256))
    _check_labelled(rows, found)
    made.windows = len(rows)
    written, broken = write_pieces(work, options, progress)
    for number, how in written.items():
        beyond = {name: share for name, share in how.beyond.items() if share}
        made.recordings[number] = replace(
            made.recordings[number],
            highpass_hz=how.highpass_hz,
            clipped=beyond,
            missing=how.missing,
        )
        if how.share >= CLIP_REFUSED and not options.clipped:
            broken[recordings[number].name] = how.refusal(recordings[number].path)
    if broken:
        rows = _drop(broken, found, made, rows, folder)
    _write_tables(folder, part, rows, found.recordings, made, stride)
    return made


def _drop(
    broken: Mapping[str, str],
    found: Gathered,
    made: Imported,
    rows: Sequence[dict[str, Any]],
    folder: Path,
) -> list[dict[str, Any]]:
    """Leave out recordings that could not be read to their end; give the rows of the others.

    Raises
    ------
    DataError
        Nothing is left, or no window of what is left is annotated.
    """
    for name, reason in broken.items():
        found.leave(name, reason)
    found.recordings = [one for one in found.recordings if one.name not in broken]
    found.check()
    dropped = {
        piece.eeg_id for one in made.recordings if one.file in broken for piece in one.pieces
    }
    for path in folder.glob("*/*.parquet"):
        if int(path.stem) in dropped:
            path.unlink()
    made.recordings = [one for one in made.recordings if one.file not in broken]
    made.hours = sum(one.seconds for one in made.recordings) / 3600
    made.patients = len({one.patient_id for one in made.recordings})
    kept = [row for row in rows if row["eeg_id"] not in dropped]
    _check_labelled(kept, found)
    made.windows = len(kept)
    return kept


def _check_labelled(rows: Sequence[dict[str, Any]], found: Gathered) -> None:
    """Refuse to make a table without rows."""
    if rows:
        return
    told = (
        "No window of these recordings is annotated and recorded, so there is nothing to import. "
        "Use --unlabelled to import them without labels."
    )
    reasons = [one.reason for one in found.left_out]
    if reasons:
        told = several(f"{told} {plural(len(reasons), 'file')} left out:", reasons, len(reasons))
    raise DataError(told)


def _ids(eeg_id: int, patient: int) -> dict[str, int]:
    return {"eeg_id": eeg_id, "spectrogram_id": eeg_id, "patient_id": patient}


def _windows(piece: Piece, labels: Labels | None) -> Iterator[dict[str, Any]]:
    """Rows of the table: all windows, or those that are labelled, with a vote or the experts'."""
    offsets = piece.offsets_s
    codes = None if labels is None else labels.codes(offsets + piece.start_s).tolist()
    for place, offset in enumerate(offsets.tolist()):
        row = dict.fromkeys(OFFSETS, offset) | {"eeg_sub_id": place, "spectrogram_sub_id": place}
        if labels is None or codes is None:
            yield row
        elif codes[place] >= 0:
            one = dict.fromkeys(VOTES, 0) | {VOTES[codes[place]]: 1}
            votes = one if labels.votes is None else dict(zip(VOTES, labels.votes, strict=True))
            yield row | {CONSENSUS: CLASS_TITLES[codes[place]]} | votes


def notes_of(recording: Recording) -> list[str]:
    """What else to know of how a file is read, a sentence each that begins with its name."""
    name, found = recording.name, []
    own = recording.path.name, re.sub(r"\.gz$", "", recording.path.name, flags=re.IGNORECASE)
    for note in recording.notes:
        said = next((one for one in own if note.startswith((f"{one} ", f"{one}:"))), None)
        found.append(f"{name}: {note}" if said is None else name + note.removeprefix(said))
    return [*(f"{name}: {note}" for note in recording.chosen.notes), *found]


def left_out(recording: Recording, labels: Labels | None) -> tuple[tuple[int, int], ...]:
    """Gaps, as spans of samples, whose windows are not imported.

    Only of recordings with labels: without, each window stands in a timeline, to be predicted.
    """
    return () if labels is None else recording.gaps


def notes_of_gaps(recording: Recording, labels: Labels | None, stride: int) -> list[str]:
    """How many windows are left out for gaps, and whether there is hardly anything else."""
    found = []
    lost = unrecorded(recording.samples, stride, left_out(recording, labels))
    if lost:
        found.append(
            f"{recording.name}: {plural(lost, 'window')} left out, since more than "
            f"{1 - LEAST_JUDGED:.0%} of the judged {JUDGED_S:g} s lie in gaps."
        )
    gone = sum(stop - first for first, stop in recording.gaps) / recording.samples
    if gone > MOSTLY_GAPS:
        found.append(
            f"{recording.name}: gaps make up {floor(gone * 1000) / 10:.1f}% of its "
            f"{recording.duration_s / 3600:,.3g} h: see whether its times are right."
        )
    return found


def described(
    recording: Recording, patient: int, pieces: Sequence[ImportedPiece], sha256: str
) -> ImportedRecording:
    """Describe a recording as far as it is known before its values were read."""
    return ImportedRecording(
        file=recording.name,
        seconds=recording.duration_s,
        patient_id=patient,
        rates_hz=tuple(sorted(set(recording.rates_hz.values()))),
        filled=tuple(recording.chosen.filled),
        references=tuple(recording.chosen.references),
        pieces=tuple(pieces),
        reference=recording.chosen.reference,
        interpolated=recording.chosen.interpolated,
        flat=recording.flat,
        railed=recording.railed,
        bridged=recording.bridged,
        contiguous=recording.contiguous,
        sha256=sha256,
    )


def _write_tables(
    folder: Path,
    part: str,
    rows: list[dict[str, Any]],
    recordings: Sequence[Recording],
    made: Imported,
    stride: int,
) -> None:
    columns = {name: np.asarray([row[name] for row in rows]) for name in rows[0]}
    if part == "train":
        columns["label_id"] = np.arange(len(rows))
        counts = [int(columns[name].sum()) for name in VOTES]
        made.by_class = dict(zip(CLASSES, counts, strict=True))
    write_csv(folder / f"{part}.csv", columns)
    described = tuple(made.recordings)
    known = made.patients_known
    write_recordings(folder, described, stride / RATE, made.refused, known, made.remarks)
    notes = [
        (recording.name, onset, duration, text)
        for recording in recordings
        for onset, duration, text in recording.annotations
    ]
    names = ("file", "onset_s", "duration_s", "text")
    write_csv(
        folder / ANNOTATIONS,
        {name: [note[n] for note in notes] for n, name in enumerate(names)},
    )
