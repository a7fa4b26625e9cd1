"""An import takes as much memory for a day as for an hour, and all processors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.importing import writing
from hmsprep.importing.channels import Chosen
from hmsprep.importing.pieces import Piece, cut
from hmsprep.importing.recording import Options, Recording
from hmsprep.importing.writing import (
    AT_ONCE,
    AT_ONCE_SAMPLES,
    BLOCK,
    Task,
    grouped,
    in_blocks,
    write_pieces,
)
from hmsstore.schema import CHANNELS

HOUR, DAY = 3_600 * 200, 24 * 3_600 * 200


class Source:
    """A recording of ramps that knows what was read of it."""

    def __init__(self, samples: int) -> None:
        self.samples, self.lock = samples, Lock()
        self.reads: list[tuple[int, int]] = []

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        with self.lock:
            self.reads.append((first, stop))
        row = np.arange(first, stop, dtype=np.float32) % 997
        return row + 10 * np.arange(len(CHANNELS), dtype=np.float32)[:, None]

    @property
    def recording(self) -> Recording:
        return Recording(Path("night.edf"), self.samples, Chosen({}), {}, (), "", self.read)


def tasks_of(recording: Recording, folder: Path, pieces: list[Piece]) -> list[Task]:
    return [
        Task(recording, 0, one, one.first, folder / f"{n}.parquet", folder / f"{n}-s.parquet")
        for n, one in enumerate(pieces)
    ]


@pytest.mark.parametrize("samples", [10_000, 60 * 200, 25_001, 7 * BLOCK + 3])
def test_a_piece_is_read_a_block_at_a_time_and_is_what_it_would_be_at_once(samples: int) -> None:
    source = Source(samples + 500)
    with ThreadPoolExecutor(2) as pool:
        found = in_blocks(source.recording, pool).read(500, 500 + samples)
    reads = sorted(source.reads)
    assert max(stop - first for first, stop in reads) <= BLOCK
    assert [first for first, _ in reads] == [500, *(stop for _, stop in reads[:-1])]
    np.testing.assert_array_equal(found, source.read(500, 500 + samples))


def test_a_recording_of_minutes_is_written_block_by_block(tmp_path: Path) -> None:
    source = Source(3 * BLOCK + 100)
    (piece,) = cut(source.samples, 2_000)
    written, broken = write_pieces(
        tasks_of(source.recording, tmp_path, [piece]), Options(highpass="none"), lambda *_: None
    )
    assert (list(written), broken) == ([0], {})
    assert max(stop - first for first, stop in source.reads) <= BLOCK
    stored = pl.read_parquet(tmp_path / "0.parquet").to_numpy().T
    np.testing.assert_array_equal(stored, source.read(0, source.samples))


def test_whole_hours_are_worked_on_alone_and_short_pieces_together(tmp_path: Path) -> None:
    whole = tasks_of(Source(DAY).recording, tmp_path, list(cut(DAY, 2_000)))
    assert {len(group) for group in grouped(whole[:-1])} == {1}
    short = tasks_of(Source(DAY).recording, tmp_path, list(cut(BLOCK, 2_000)) * 100)
    groups = list(grouped(short))
    assert [len(group) for group in groups] == [60, 40]
    mixed = [*short[:3], whole[0], *short[3:5]]
    assert [task for group in grouped(mixed) for task in group] == mixed
    for group in grouped(mixed):
        assert sum(one.piece.stop - one.piece.first for one in group) <= AT_ONCE_SAMPLES
    assert list(grouped([])) == []


def test_a_long_piece_has_all_processors_and_short_ones_share_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    compute = writing.matching_spectrogram

    def power(
        eeg_uv_TC: NDArray[np.float32], before: int, after: int, *, threads: int
    ) -> NDArray[np.float32]:
        asked.append(threads)
        found = compute(eeg_uv_TC, before, after, threads=threads)
        np.testing.assert_array_equal(found, compute(eeg_uv_TC, before, after, threads=1))
        return found

    monkeypatch.setattr(writing, "matching_spectrogram", power)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    source = Source(2 * BLOCK)
    for count, threads in ((1, AT_ONCE), (2, AT_ONCE // 2), (5, 1)):
        pieces = list(cut(source.samples, 2_000)) * count
        asked.clear()
        write_pieces(
            tasks_of(source.recording, tmp_path, pieces),
            Options(highpass="none"),
            lambda *_: None,
        )
        assert asked == [threads] * count


def test_a_block_that_cannot_be_read_fails_its_recording_alone(tmp_path: Path) -> None:
    good, bad = Source(BLOCK), Source(3 * BLOCK)

    def read(first: int, stop: int) -> NDArray[np.float32]:
        if first >= BLOCK:
            raise DataError("bad.edf became shorter while it was read. Import it again.")
        return Source.read(bad, first, stop)

    broken_one = Recording(Path("bad.edf"), bad.samples, Chosen({}), {}, (), "", read)
    tasks = [
        *tasks_of(good.recording, tmp_path, list(cut(good.samples, 2_000))),
        Task(broken_one, 1, *list(cut(bad.samples, 2_000)), 0, tmp_path / "b", tmp_path / "b-s"),
    ]
    written, broken = write_pieces(tasks, Options(highpass="none"), lambda *_: None)
    assert list(written) == [0]
    assert list(broken) == ["bad.edf"]
    assert "became shorter" in broken["bad.edf"]
