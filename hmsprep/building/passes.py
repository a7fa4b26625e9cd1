"""The two passes over all shards: source files -> scratch shards -> final shards, each recorded.

Where values do not depend on the statistics, the first pass writes the final shards.

Workers only write temporary files; this, in the one parent process, names them and keeps the
journal. So a worker that outlives its parent for a moment can spoil nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np

from hmsprep.building.durable import put_in_place
from hmsprep.building.journal import Journal
from hmsprep.building.site import Site
from hmsprep.building.tasks import IngestTask, Key, Layout, NormaliseTask, Piece, Stamps
from hmsprep.building.values.statistics import Statistics, finish, merge
from hmsprep.building.versions import difference, versions
from hmsprep.building.worker import ingest, normalise
from hmsprep.errors import BuildError
from hmsprep.kaggle.files import KaggleData
from hmsprep.planning.plan import Plan
from hmsprep.processes import Progress, run_tasks
from hmsstore.manifest import digest
from hmsstore.reading.arrays import shard_name
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
        self.mine = site.share.part(self.keys) if site.share else self.keys
        self.pieces = shard_pieces(plan, source)
        self.single = plan.parameters.single_pass

    def run(self) -> dict[str, Statistics]:
        """Do all that is left of both passes; return the statistics per signal.

        A pass may have to be repeated for a shard whose scratch file was damaged or whose source
        files changed; a third time means that something is wrong with the machine.
        """
        for _ in range(3):
            self._read([key for key in self.mine if not self._is_read(key)])
            statistics = self._statistics()
            left = [key for key in self.mine if not self._is_written(key, statistics)]
            if not left:
                return statistics
            self._read([key for key in left if not self.site.scratch(*key).exists()])
            self._write([key for key in left if self.site.scratch(*key).exists()], statistics)
        raise BuildError(
            f"{self.site.ingest} does not return the data written to it, or the source files keep "
            "changing. Check the disk and the data, then run the same command again."
        )

    def read_share(self) -> None:
        """First pass over the share's own shards; then look what the others have done."""
        self._read([key for key in self.mine if not self._is_read(key)])
        self.journal.look_again()

    def unread(self) -> list[Key]:
        """Shards that nobody has read yet, in all shares."""
        return [key for key in self.keys if key not in self.journal.read]

    def check_versions(self, *, force: bool) -> None:
        """Make sure that the installed packages make what those made that the build began with.

        Where versions differ, one finished shard of each signal is built again and compared; of a
        build that is shared out, of each share. With `force` a build that cannot be resumed is
        started over.

        Raises
        ------
        BuildError
            A shard comes out otherwise, and `force` is false.
        """
        now = versions()
        for before, made in self.journal.makers():
            if before == now or not (shard := self._shard_that_differs(made)):
                continue
            if not force:
                theirs, ours = difference(before, now)
                shared = self.site.shares.is_dir()
                otherwise = "name another place" if shared else "use --force to discard it"
                raise BuildError(
                    f"{self.site.building} was started with {theirs}, but the installed {ours} "
                    f"gives different bytes for {shard}. Install the versions it started with, or "
                    f"{otherwise} and start over."
                )
            self.journal.restart()
            break
        if self.journal.versions != now:
            self.journal.add_versions(now)

    def _shard_that_differs(self, made: Set[Key]) -> str:
        """Build one of these shards of each signal again; name the first that comes out otherwise.

        Shards whose source files have changed since do not count: they are built again anyway.
        """
        done = [key for key in self.keys if self._is_read(key)]
        statistics = self._statistics() if len(done) == len(self.keys) else {}
        for name in self.plan.spec.signals:
            theirs = [key for key in done if key[0] == name and key in made]
            if not theirs:
                continue
            written = [key for key in theirs if statistics and self._is_written(key, statistics)]
            key = (written or theirs)[0]
            task = replace(self._ingest_task(key), final=False)
            ((scratch, read, _),) = run_tasks(self.pool, ingest, [task], 1)
            before = self.journal.read[key]  # which may be of a version that counted no clipping
            same = replace(read, clipped={}).to_json() == replace(before, clipped={}).to_json()
            if same and written:
                finish_task = self._normalise_task(key, scratch, statistics[name])
                ((_, report),) = run_tasks(self.pool, normalise, [finish_task], 1)
                stands = self.journal.written[key]  # of these statistics, or of none
                same = replace(report, statistics=stands.statistics) == stands
            scratch.unlink(missing_ok=True)
            if not same:
                return shard_name(*key)
        return ""

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
            and (self.single or done.statistics == digest(statistics[key[0]].to_json()))
            and final.exists()
            and final.stat().st_size == done.size
        )

    def _stamps(self, key: Key) -> Stamps:
        return {piece.file: self.source.files.stamp(piece.file) for piece in self.pieces[key]}

    def _read(self, keys: list[Key]) -> None:
        """First pass: source files -> scratch shards, or final ones where no second is needed."""
        left = set(keys)
        self._tell("ingest", left)
        tasks = map(self._ingest_task, keys)
        for file, report, made in run_tasks(self.pool, ingest, tasks, self.at_once):
            if made is None:
                file.replace(self.site.scratch(*report.key))
            else:
                put_in_place(file, self.site.building / shard_name(*report.key))
            self.journal.add_read(report)
            if made is not None:
                self.journal.add_written(made)
            left.discard(report.key)
            self._tell("ingest", left)

    def _write(self, keys: list[Key], statistics: dict[str, Statistics]) -> None:
        """Second pass: scratch shards -> final shards, in the same files."""
        left = set(keys)
        self._tell("normalise", left)
        tasks = (self._normalise_task(key, self._taken(key), statistics[key[0]]) for key in keys)
        for file, report in run_tasks(self.pool, normalise, tasks, self.at_once):
            if file is not None:
                put_in_place(file, self.site.building / shard_name(*report.key))
                self.journal.add_written(report)
                left.discard(report.key)
            self._tell("normalise", left)

    def _taken(self, key: Key) -> Path:
        """Take a scratch shard's name away, so that none is found half changed after a kill."""
        return self.site.scratch(*key).rename(self.site.partial / uuid4().hex)

    def _ingest_task(self, key: Key) -> IngestTask:
        return IngestTask(
            self.source.path.absolute(),  # workers elsewhere have another working folder
            *key,
            pieces=self.pieces[key],
            parameters=self.plan.parameters,
            stamps=self._stamps(key),
            partial=self.site.partial,
            layout=self._layout(key),
            final=self.single,
        )

    def _layout(self, key: Key) -> Layout:
        return Layout(
            chunk=self.plan.spec.signals[key[0]].chunk,
            rows=self.plan.rows_in_shard(*key),
            shard_rows=self.plan.parameters.shard_rows(key[0]),
        )

    def _normalise_task(self, key: Key, scratch: Path, statistics: Statistics) -> NormaliseTask:
        return NormaliseTask(
            *key,
            layout=self._layout(key),
            scratch=scratch,
            scratch_crc=self.journal.read[key].crc,
            statistics=statistics,
            zscore=self.plan.parameters.normalise == "zscore",
        )

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

        total = nbytes(self.mine)
        self.progress(stage, total - nbytes(left), total)


def shard_pieces(plan: Plan, source: KaggleData) -> dict[Key, tuple[Piece, ...]]:
    """Say what each shard holds, piece by piece in plan order."""
    pieces: dict[Key, list[Piece]] = defaultdict(list)
    for name in plan.spec.signals:
        segments = plan.segments[name]
        training = plan.training(name)
        ids, recording = np.unique(segments.recording, return_inverse=True)
        needed = np.zeros(len(ids), np.int64)
        np.maximum.at(needed, recording, segments.source_start + segments.rows)
        for index in np.argsort(segments.start).tolist():
            pieces[name, int(segments.shard[index])].append(
                Piece(
                    file=source.file_name(name, int(segments.recording[index])),
                    source_start=int(segments.source_start[index]),
                    rows=int(segments.rows[index]),
                    shared=int(segments.shared[index]),
                    start=int(segments.start[index]),
                    training=bool(training[index]),
                    needed_rows=int(needed[recording[index]]),
                    by_pair=name == "eeg" and int(segments.recording[index]) in plan.montage.chains,
                )
            )
    return {key: tuple(value) for key, value in pieces.items()}
