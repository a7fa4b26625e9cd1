"""Pieces of recordings -> EEG and spectrogram files, high-passed where their offsets ask for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.importing.pieces import PIECE_S, RATE, Piece
from hmsprep.importing.recording import Options, Recording
from hmsprep.importing.values import HEART, OFFSET_HZ, beyond_clip, high_passed
from hmsprep.kaggle.write import write_eeg, write_spectrogram
from hmsprep.planning.choices import CLIP_REFUSED, CLIP_WARNED, EEG_CLIP_UV
from hmsprep.processes import Progress
from hmsprep.spectrograms.files import matching_spectrogram
from hmsprep.spectrograms.multitaper import STEP_SAMPLES
from hmsstore.schema import CHANNELS

CONTEXT = 8 * STEP_SAMPLES
"""Samples (16 s) read around a piece, so that its spectrogram does not feel its ends."""
AT_ONCE = 4
"""Blocks read at once, short pieces written at once, and differences of a long piece whose
spectrogram is computed at once, at most one per processor."""
BLOCK = 60 * RATE
"""Samples of a block, however long the recording, and whatever its rate and its signals."""
AT_ONCE_SAMPLES = PIECE_S * RATE
"""Of all pieces worked on at once: a whole hour is worked on alone, so that a day takes as much
memory as an hour."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted of a piece, or of several."""

    beyond: dict[str, NDArray[np.int64]]
    """Channel or pair -> values beyond the clip, values recorded."""
    missing: NDArray[np.int64]
    """(20,) values that are none though the file has samples there."""

    def __add__(self, other: Counts) -> Counts:
        """Counts of both."""
        beyond = {name: count + other.beyond[name] for name, count in self.beyond.items()}
        return Counts(beyond, self.missing + other.missing)


@dataclass(frozen=True, slots=True)
class Task:
    """A piece to write."""

    recording: Recording
    number: int
    """Of the recording."""
    piece: Piece
    fresh: int
    """First sample that is in no piece before it."""
    eeg_file: Path
    spectrogram_file: Path


@dataclass(frozen=True, slots=True)
class Written:
    """How a recording was written."""

    highpass_hz: float | None
    beyond: Mapping[str, float]
    """Channel or pair -> share of its values beyond the clip."""
    missing: Mapping[str, float]
    """Channel -> seconds without a value though the file has samples there; those that have any."""

    @property
    def share(self) -> float:
        """Share of all electrodes' values that is beyond the clip."""
        return float(np.mean([share for name, share in self.beyond.items() if name != HEART]))

    def refusal(self, path: Path) -> str:
        """Say why a recording is refused for what is beyond the clip."""
        off = "Take offsets off with --highpass auto."
        return (
            f"{path}: {self.share:.0%} of its values are beyond the clip of a store "
            f"({EEG_CLIP_UV:,.0f} uV), expected less than {CLIP_REFUSED:.0%}. "
            f"{'Is its unit right (--unit)?' if self.highpass_hz else off} With --clipped it is "
            "imported unchanged."
        )


def write_pieces(
    work: Sequence[Task], options: Options, progress: Progress
) -> tuple[dict[int, Written], dict[str, str]]:
    """Write all pieces.

    What is beyond the clip is known once a recording was read, so that those which turn out to need
    the high-pass are written anew.

    Returns
    -------
    written : dict
        Number of a recording -> how it was written.
    broken : dict
        Name of a recording that cannot be read -> why.
    """
    hz = options.highpass_hz
    done, total = 0, sum(task.piece.stop - task.piece.first for task in work)
    broken: dict[str, str] = {}
    progress("import", 0, total // RATE)

    def write(tasks: Sequence[Task], hz: float | None) -> dict[int, Written]:
        nonlocal done
        counts: dict[int, Counts] = {}
        threads = min(AT_ONCE, os.cpu_count() or 1)
        with ThreadPoolExecutor(threads) as readers, ThreadPoolExecutor(threads) as writers:
            tasks = [replace(one, recording=in_blocks(one.recording, readers)) for one in tasks]
            if hz is not None:
                tasks = [
                    replace(one, recording=high_passed(one.recording, hz, readers)) for one in tasks
                ]
            results = (
                result
                for group in grouped(tasks)
                for result in writers.map(
                    partial(_write_piece, threads=max(1, threads // len(group))), group
                )
            )
            for task, found in zip(tasks, results, strict=True):
                if isinstance(found, str):
                    broken.setdefault(task.recording.name, found)
                else:
                    before = counts.get(task.number)
                    counts[task.number] = found if before is None else before + found
                done += task.piece.stop - task.piece.first
                progress("import", done // RATE, total // RATE)
        return {
            number: Written(
                hz,
                {name: float(n / max(1, of)) for name, (n, of) in each.beyond.items()},
                {
                    name: count / RATE
                    for name, count in zip(CHANNELS, each.missing.tolist(), strict=True)
                    if count
                },
            )
            for number, each in counts.items()
        }

    written = write(work, hz)
    if options.highpass == "auto":
        drifting = {n for n, how in written.items() if max(how.beyond.values()) > CLIP_WARNED}
        again = [task for task in work if task.number in drifting]
        total += sum(task.piece.stop - task.piece.first for task in again)
        written |= write(again, OFFSET_HZ)
    return written, broken


def in_blocks(recording: Recording, readers: Executor) -> Recording:
    """Read a recording a block at a time, several at once.

    Only a block is held as it was recorded, of all signals and at their own rates; of what is read
    only the twenty channels at 200 Hz stay.
    """

    def read(first: int, stop: int) -> NDArray[np.float32]:
        eeg_uv = np.empty((len(CHANNELS), stop - first), np.float32)

        def fill(begin: int) -> None:
            end = min(begin + BLOCK, stop)
            eeg_uv[:, begin - first : end - first] = recording.read(begin, end)

        waiting = [readers.submit(fill, begin) for begin in range(first, stop, BLOCK)]
        try:
            for one in waiting:
                one.result()
        finally:
            for one in waiting:
                one.cancel()
        return eeg_uv

    return replace(recording, read=read)


def grouped(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Group pieces that are worked on at once, in their order: up to `AT_ONCE_SAMPLES`."""
    group: list[Task] = []
    samples = 0
    for task in tasks:
        own = task.piece.stop - task.piece.first
        if group and samples + own > AT_ONCE_SAMPLES:
            yield group
            group, samples = [], 0
        group.append(task)
        samples += own
    if group:
        yield group


def _write_piece(task: Task, threads: int) -> Counts | str:
    """Write EEG and spectrogram; return what of it is beyond the clip, or why it cannot be read."""
    recording, piece = task.recording, task.piece
    before = min(piece.first, CONTEXT)
    after = min(recording.samples - piece.stop, CONTEXT)
    try:
        around = recording.read(piece.first - before, piece.stop + after)
    except DataError as error:
        return str(error)
    except OSError as error:
        return f"{recording.path} cannot be read: {error.strerror}."
    eeg_uv = around[:, before : around.shape[1] - after]
    with ThreadPoolExecutor(1) as beside:
        # few values of resampled EEG repeat
        eeg_file = beside.submit(write_eeg, task.eeg_file, eeg_uv, dictionaries=False)
        power = matching_spectrogram(around.T, before, after, threads=threads)
        write_spectrogram(task.spectrogram_file, power, pa.int64())
        eeg_file.result()
    fresh_uv = eeg_uv[:, task.fresh - piece.first :]
    missing = np.isnan(fresh_uv)
    missing[[not recording.chosen.mix.get(name) for name in CHANNELS]] = False
    for first, stop in recording.gaps:
        missing[:, max(0, first - task.fresh) : max(0, stop - task.fresh)] = False
    return Counts(beyond_clip(fresh_uv, recording.chosen.reference), missing.sum(axis=1))
