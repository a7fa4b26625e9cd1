"""The two passes over all shards: source files -> scratch shards -> final shards, each recorded.

Workers only write temporary files; this, in the one parent process, names them and keeps the
journal. So a worker that outlives its parent for a moment can spoil nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from typing import TypeVar

from hmsprep.errors import DataError, several
from hmsprep.files import publish
from hmsprep.journal import Journal, Key
from hmsprep.plan import Plan
from hmsprep.progress import Progress
from hmsprep.site import Site
from hmsprep.source import Source
from hmsprep.statistics import Statistics, finish, merge
from hmsprep.tasks import ingest_task, normalise_task, shard_keys, shard_pieces
from hmsprep.worker import IngestTask, ingest, normalise
from hmsstore.manifest import digest
from hmsstore.schema import DTYPE, SIGNALS

Task = TypeVar("Task")
Result = TypeVar("Result")


class Passes:
    """What is left to do of one build, and the doing of it."""

    def __init__(
        self,
        source: Source,
        plan: Plan,
        site: Site,
        journal: Journal,
        pool: Executor,
        at_once: int,
        progress: Progress,
    ) -> None:
        self.source, self.plan, self.site, self.journal = source, plan, site, journal
        self.pool, self.at_once, self.progress = pool, at_once, progress
        self.keys = shard_keys(plan)
        self.pieces = shard_pieces(plan, source)

    def run(self) -> dict[str, Statistics]:
        """Do all that is left of both passes; return the statistics per signal."""
        while True:
            self._read([key for key in self.keys if not self._is_read(key)])
            statistics = self._statistics()
            left = [key for key in self.keys if not self._is_normalised(key, statistics)]
            if not left:
                self._tell("normalise", left)
                return statistics
            self._read([key for key in left if not self.site.scratch(*key).exists()])
            self._normalise(left, statistics)

    def _is_read(self, key: Key) -> bool:
        """Whether a shard was read, from files that are as they were then."""
        line = self.journal.ingested.get(key)
        return line is not None and line.stamps == self._stamps(key)

    def _is_normalised(self, key: Key, statistics: dict[str, Statistics]) -> bool:
        """Whether the final shard is there, of this scratch shard and these statistics."""
        line = self.journal.normalised.get(key)
        final = self.site.building / self.site.shard_name(*key)
        return (
            line is not None
            and line.scratch_crc == self.journal.ingested[key].result.crc
            and line.statistics == digest(statistics[key[0]].to_json())
            and final.exists()
            and final.stat().st_size == line.result.size
        )

    def _stamps(self, key: Key) -> dict[str, list[int]]:
        return {piece.file: self.source.files.stamp(piece.file) for piece in self.pieces[key]}

    def _read(self, keys: list[Key]) -> None:
        """First pass: source files -> scratch shards."""
        stamps: dict[Key, dict[str, list[int]]] = {}

        def tasks() -> Iterator[IngestTask]:
            for key in keys:
                stamps[key] = self._stamps(key)
                yield ingest_task(key, self.pieces[key], self.plan, self.source, self.site)

        left = set(keys)
        self._tell("ingest", left)
        for task, result in run_tasks(self.pool, ingest, tasks(), self.at_once):
            key = (task.signal, task.shard)
            task.output.replace(self.site.scratch(*key))
            self.journal.add_ingested(result, stamps[key])
            left.discard(key)
            self._tell("ingest", left)

    def _normalise(self, keys: list[Key], statistics: dict[str, Statistics]) -> None:
        """Second pass: scratch shards -> final shards; a damaged scratch shard is read anew."""
        tasks = (
            normalise_task(
                key, self.journal.ingested[key], self.plan, statistics[key[0]], self.site
            )
            for key in keys
        )
        left = set(keys)
        self._tell("normalise", left)
        for task, result in run_tasks(self.pool, normalise, tasks, self.at_once):
            key = (task.signal, task.shard)
            if result is not None:
                publish(task.output, self.site.building / self.site.shard_name(*key))
                made_with = digest(statistics[key[0]].to_json())
                self.journal.add_normalised(result, task.scratch_crc, made_with)
                left.discard(key)
            task.scratch.unlink()
            self._tell("normalise", left)

    def _statistics(self) -> dict[str, Statistics]:
        """Merge the moments of all shards in plan order."""
        result = {}
        for name, signal in SIGNALS.items():
            parts = (
                self.journal.ingested[key].result.moments for key in self.keys if key[0] == name
            )
            result[name] = finish(merge(parts, len(signal.features)))
        return result

    def _tell(self, stage: str, left: Iterable[Key]) -> None:
        def nbytes(keys: Iterable[Key]) -> int:
            return sum(
                self.plan.rows_in_shard(*key) * len(SIGNALS[key[0]].features) * DTYPE.itemsize
                for key in keys
            )

        total = nbytes(self.keys)
        self.progress(stage, total - nbytes(left), total)


def run_tasks(
    pool: Executor, work: Callable[[Task], Result], tasks: Iterable[Task], at_once: int
) -> Iterator[tuple[Task, Result]]:
    """Run tasks on an executor, yielding each with its result as they finish.

    Only `at_once` tasks wait at a time. After bad data or Ctrl-C no task is started, those in hand
    are still finished and yielded, and then the error is raised; a second Ctrl-C is obeyed at once.

    Raises
    ------
    DataError
        What the tasks found wrong with the data, together.
    KeyboardInterrupt
        As it came.
    """
    queue = iter(tasks)
    waiting: dict[Future[Result], Task] = {}
    problems: list[str] = []
    stop: KeyboardInterrupt | None = None
    while True:
        if not problems and stop is None:
            for task in islice(queue, at_once - len(waiting)):
                waiting[pool.submit(work, task)] = task
        if not waiting:
            break
        try:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        except KeyboardInterrupt as interrupt:
            if stop is not None:
                raise
            stop = interrupt
            continue
        for future in done:
            task = waiting.pop(future)
            try:
                result = future.result()
            except DataError as error:
                problems.append(str(error))
                continue
            yield task, result
    if stop is not None:
        raise stop
    if len(problems) == 1:
        raise DataError(problems[0])
    if problems:
        raise DataError(several("Recordings cannot be used:", problems))
