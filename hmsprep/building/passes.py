"""The two passes over all shards: source files -> scratch shards -> final shards, each recorded.

Workers only write temporary files; this, in the one parent process, names them and keeps the
journal. So a worker that outlives its parent for a moment can spoil nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor

import numpy as np

from hmsprep.building.durable import put_in_place
from hmsprep.building.journal import Journal, Key
from hmsprep.building.site import Site
from hmsprep.building.values.statistics import Statistics, finish, merge
from hmsprep.building.worker import IngestTask, NormaliseTask, Piece, ingest, normalise
from hmsprep.errors import BuildError
from hmsprep.kaggle.files import KaggleData
from hmsprep.planning.plan import Plan
from hmsprep.processes import Progress, run_tasks
from hmsstore.arrays import shard_name
from hmsstore.manifest import digest
from hmsstore.schema import DTYPE


class Passes:
    """What is left to do of one build, and the doing of it."""

    def __init__(
        self,
        source: KaggleData,
        plan: Plan,
        site: Site,
        journal: Journal,
        pool: Executor,
        at_once: int,
        progress: Progress,
    ) -> None:
        self.source, self.plan, self.site, self.journal = source, plan, site, journal
        self.pool, self.at_once, self.progress = pool, at_once, progress
        self.keys = [
            (name, shard) for name in plan.spec.signals for shard in range(plan.shards(name))
        ]
        self.pieces = shard_pieces(plan, source)

    def run(self) -> dict[str, Statistics]:
        """Do all that is left of both passes; return the statistics per signal.

        A pass may have to be repeated for a shard whose scratch file was damaged or whose source
        files changed; a third time means that something is wrong with the machine.
        """
        for _ in range(3):
            self._read([key for key in self.keys if not self._is_read(key)])
            statistics = self._statistics()
            left = [key for key in self.keys if not self._is_written(key, statistics)]
            if not left:
                return statistics
            self._read([key for key in left if not self.site.scratch(*key).exists()])
            self._write(left, statistics)
        raise BuildError(
            f"{self.site.ingest} does not give back what was written to it, or the data change all "
            "the time. Check the disk and the data, then run the same command again."
        )

    def _is_read(self, key: Key) -> bool:
        """Whether a shard was read, from files that are as they were then."""
        done = self.journal.read.get(key)
        return done is not None and done.stamps == self._stamps(key)

    def _is_written(self, key: Key, statistics: dict[str, Statistics]) -> bool:
        """Whether the final shard is there, of this scratch shard and these statistics."""
        done = self.journal.written.get(key)
        final = self.site.building / shard_name(*key)
        return (
            done is not None
            and done.scratch_crc == self.journal.read[key].crc
            and done.statistics == digest(statistics[key[0]].to_json())
            and final.exists()
            and final.stat().st_size == done.size
        )

    def _stamps(self, key: Key) -> dict[str, list[int]]:
        return {piece.file: self.source.files.stamp(piece.file) for piece in self.pieces[key]}

    def _read(self, keys: list[Key]) -> None:
        """First pass: source files -> scratch shards."""
        stamps: dict[Key, dict[str, list[int]]] = {}

        def tasks() -> Iterator[IngestTask]:
            for key in keys:
                stamps[key] = self._stamps(key)
                yield IngestTask(
                    self.source.path,
                    *key,
                    pieces=self.pieces[key],
                    parameters=self.plan.parameters,
                    partial=self.site.partial,
                )

        left = set(keys)
        self._tell("ingest", left)
        for result in run_tasks(self.pool, ingest, tasks(), self.at_once):
            key = (result.signal, result.shard)
            result.file.replace(self.site.scratch(*key))
            self.journal.add_read(result, stamps[key])
            left.discard(key)
            self._tell("ingest", left)

    def _write(self, keys: list[Key], statistics: dict[str, Statistics]) -> None:
        """Second pass: scratch shards -> final shards."""
        tasks = (
            NormaliseTask(
                *key,
                chunk=self.plan.spec.signals[key[0]].chunk,
                rows=self.plan.rows_in_shard(*key),
                shard_rows=self.plan.parameters.shard_rows(key[0]),
                scratch=self.site.scratch(*key),
                scratch_crc=self.journal.read[key].crc,
                statistics=statistics[key[0]],
                zscore=self.plan.parameters.normalise == "zscore",
                partial=self.site.partial,
            )
            for key in keys
        )
        left = set(keys)
        self._tell("normalise", left)
        for result in run_tasks(self.pool, normalise, tasks, self.at_once):
            key = (result.signal, result.shard)
            if result.file is not None:
                put_in_place(result.file, self.site.building / shard_name(*key))
                made_with = digest(statistics[key[0]].to_json())
                self.journal.add_written(result, self.journal.read[key].crc, made_with)
                left.discard(key)
            self.site.scratch(*key).unlink()
            self._tell("normalise", left)

    def _statistics(self) -> dict[str, Statistics]:
        """Merge the moments of all shards in plan order."""
        result = {}
        for name, signal in self.plan.spec.signals.items():
            parts = (self.journal.read[key].moments for key in self.keys if key[0] == name)
            result[name] = finish(merge(parts, len(signal.features)))
        return result

    def _tell(self, stage: str, left: Iterable[Key]) -> None:
        width = {name: len(signal.features) for name, signal in self.plan.spec.signals.items()}

        def nbytes(keys: Iterable[Key]) -> int:
            return sum(
                self.plan.rows_in_shard(*key) * width[key[0]] * DTYPE.itemsize for key in keys
            )

        total = nbytes(self.keys)
        self.progress(stage, total - nbytes(left), total)


def shard_pieces(plan: Plan, source: KaggleData) -> dict[Key, tuple[Piece, ...]]:
    """Say what each shard holds, piece by piece in plan order."""
    pieces: dict[Key, list[Piece]] = defaultdict(list)
    for name, signal in plan.spec.signals.items():
        segments = plan.segments[name]
        training = plan.training(name)
        ids, recording = np.unique(segments.recording, return_inverse=True)
        needed = np.zeros(len(ids), np.int64)
        np.maximum.at(needed, recording, segments.source_start + segments.rows)
        by_segment = np.argsort(segments.of_window, kind="stable")
        edges = np.searchsorted(segments.of_window[by_segment], np.arange(len(segments.start) + 1))
        starts = signal.row_at(plan.columns[f"{name}_offset_s"])
        for index in np.argsort(segments.start).tolist():
            windows = by_segment[edges[index] : edges[index + 1]]
            pieces[name, int(segments.shard[index])].append(
                Piece(
                    file=source.file_name(name, int(segments.recording[index])),
                    source_start=int(segments.source_start[index]),
                    rows=int(segments.rows[index]),
                    shared=int(segments.shared[index]),
                    training=bool(training[index]),
                    needed_rows=int(needed[recording[index]]),
                    windows=tuple(windows.tolist()),
                    window_starts=tuple(starts[windows].tolist()),
                )
            )
    return {key: tuple(value) for key, value in pieces.items()}
