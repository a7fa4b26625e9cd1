"""A day of EEG: the first page, later pages, all trends, and their memory.

The recording is an import of noise with the spectrum of EEG, the same hour again and again. What is
measured runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tools.footprint import measured
from benchmarks.tools.record import command_line, write_record
from hmsprep.importing.pieces import OVERLAP_S, PIECE_S, RATE
from hmsprep.kaggle.write import write_eeg
from hmsstore import CHANNELS
from hmsstore.recordings import ImportedPiece, ImportedRecording, write_recordings
from hmstrain.reading.recording import Recording
from hmstrain.reading.trends.follow import follow_trends

PAGE_S = 60.0
COLUMNS = 1_200
NOTE = (
    "An import of 20 channels at 200 Hz, nothing of it unpacked. First page: 60 s, whose piece of "
    "an hour is unpacked for it. Page: 60 s elsewhere once all is unpacked, median of so many. "
    "Trends: all of them, in one process on one thread, with unpacking; CPU seconds tell what an "
    "idle machine would take. Kept: opening them again. Memory is of that process: own, and with "
    "mapped files."
)


def write_day(folder: Path, hours: float) -> None:
    """Write an import of so many hours."""
    (folder / "test_eegs").mkdir(parents=True)
    length = min(PIECE_S, round(hours * 3600))
    rng = np.random.default_rng(0)
    hz = np.fft.rfftfreq(length * RATE, 1 / RATE)
    eeg_uv = np.empty((len(CHANNELS), length * RATE), np.float32)
    for channel in eeg_uv:
        spectrum = np.fft.rfft(rng.normal(size=len(channel))) / np.maximum(hz, 0.5)
        values = np.fft.irfft(spectrum, len(channel))
        channel[:] = values * (25 / values.std())
    first = folder / "test_eegs" / "10000.parquet"
    write_eeg(first, eeg_uv)
    pieces = [ImportedPiece(10_000, 0.0)]
    while pieces[-1].start_s + length < hours * 3600:
        eeg_id = pieces[-1].eeg_id + 1
        os.link(first, folder / "test_eegs" / f"{eeg_id}.parquet")
        pieces.append(ImportedPiece(eeg_id, pieces[-1].start_s + PIECE_S - OVERLAP_S))
    seconds = pieces[-1].start_s + length
    one = ImportedRecording("day.edf", seconds, 1, (RATE,), (), ("A1A2",), tuple(pieces))
    write_recordings(folder, (one,), 10.0)


def seconds_of(what: Any, *arguments: Any) -> float:
    """Seconds that a call takes."""
    begun = time.perf_counter()
    what(*arguments)
    return time.perf_counter() - begun


def read_all(folder: Path, pages: int) -> dict[str, Any]:
    """Measure one recording."""
    begun = time.perf_counter()
    recording = Recording.open(folder / "data", cache=folder / "cache")
    recording.read(0, PAGE_S)
    first = time.perf_counter() - begun
    begun, cpu = time.perf_counter(), time.process_time()
    blocks = [time.perf_counter() - begun for _ in follow_trends(recording)]
    cpu = time.process_time() - cpu
    again = time.perf_counter()
    (trends, _), *_ = follow_trends(recording)
    kept = time.perf_counter() - again
    starts = np.random.default_rng(0).uniform(0, recording.seconds - PAGE_S, pages)
    each = [seconds_of(recording.read, start, start + PAGE_S) for start in starts.tolist()]
    return {
        "hours": round(recording.seconds / 3600, 1),
        "first page s": round(first, 2),
        "page ms": f"{1e3 * statistics.median(each):.2f} (of {pages})",
        "first trends s": round(blocks[0], 2),
        "trends s": round(blocks[-1], 1),
        "trends CPU s": round(cpu, 1),
        "kept s": round(kept, 2),
        f"to {COLUMNS} columns s": round(seconds_of(trends.at_resolution, COLUMNS), 2),
    }


def main() -> None:
    """Measure, and write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="length of the recording")
    parser.add_argument("--pages", type=int, default=50, help="pages to read")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside is not None:
        found = read_all(arguments.inside, arguments.pages)
        (arguments.inside / "found.json").write_text(json.dumps(found))
        return
    folder = Path(tempfile.mkdtemp(prefix="hms-trends-"))
    try:
        write_day(folder / "data", arguments.hours)
        words = [sys.executable, "-m", "benchmarks.speed.trends", "--inside", folder]
        memory = measured([*map(str, words), "--pages", str(arguments.pages)])
        row = json.loads((folder / "found.json").read_text())
        row |= {"own MiB": memory["peak own MiB"], "with files MiB": memory["peak with files MiB"]}
        write_record("trends", [row], NOTE, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
