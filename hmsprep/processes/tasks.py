"""Tasks -> results, on worker processes or any executor, and progress on the way.

Worker processes leave signals to their parent and die with it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import current_process, get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from hmsprep.errors import DataError, WorkerError, several
from hmsprep.processes.stopping import Interrupts, blocked, heed_parent
from hmsstore.plain.text import write_plainly

ONE_THREAD = (
    "POLARS_MAX_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
"""What tells libraries how many threads a worker has."""
SMALL_BYTES = 32 << 20
"""So much is decoded in less time than worker processes take to start."""
KILLED = (
    "A worker process was killed, perhaps because memory ran out. If it happens again, use "
    "--workers 1."
)
GUARD = (
    "No worker process could start. In a script, put the call under "
    '`if __name__ == "__main__":`, since each worker process runs the script\'s other lines, too.'
)
Task = TypeVar("Task")
Result = TypeVar("Result")
Progress = Callable[[str, int, int], object]
"""Called with the name of a stage, how much of it is done, and how much there is in all."""


def silent(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def default_workers(most: int | None = None) -> int:
    """Number of worker processes if none is asked for: one per processor, up to `most`."""
    processors = os.cpu_count() or 1
    return processors if most is None else min(processors, most)


@contextmanager
def executor(
    workers: int, given: Executor | None = None, *, here: bool = False
) -> Iterator[Executor]:
    """Give the executor that runs the tasks of a build, an inspection or a simulation.

    Every command takes its executor from here, so another kind of executor needs only this place.

    Parameters
    ----------
    workers : int
        Processes to start, if no executor is given.
    given : Executor, optional
        An executor whose workers see the same files, such as that of a Dask client
        (`Client.get_executor()`). It is left running.
    here : bool
        If no executor is given, do one task after another in this process: for work that takes
        less time than processes take to start, and rounds no sum by the number of threads.

    Raises
    ------
    WorkerError
        A worker process was killed, or none could start.
    """
    if given is not None:
        try:
            yield given
        except BrokenProcessPool:
            raise WorkerError(KILLED) from None
    elif here:
        with ThreadPoolExecutor(1) as pool:
            yield pool
    else:
        with own_processes(workers) as pool:
            yield pool


@contextmanager
def own_processes(workers: int) -> Iterator[Executor]:
    """Spawn worker processes (a fork would inherit the lock), each computing on one thread.

    Sums of products are rounded otherwise on several, so files would depend on the machine.

    Raises
    ------
    WorkerError
        A worker process was killed, or none could start.
    """
    end_unguarded()
    context = get_context("spawn")
    started, tell = context.Pipe(duplex=False)
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        with ProcessPoolExecutor(workers, context, start_worker, (tell,)) as pool:
            yield pool
    except BrokenProcessPool:
        raise WorkerError(KILLED if started.poll() else GUARD) from None
    finally:
        started.close()
        tell.close()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def end_unguarded() -> None:
    """End a worker process that, while it starts, runs the lines of a script without a guard.

    Whatever the script catches: it must not go on, and another exception than `SystemExit` would
    print a traceback for each worker.
    """
    if getattr(current_process(), "_inheriting", False):
        raise SystemExit(GUARD)


def start_worker(tell: Connection) -> None:
    """Prepare a worker process: it dies with its parent, or when that terminates it.

    Parameters
    ----------
    tell : Connection
        Where it says that it has started.
    """
    import multiprocessing
    from multiprocessing.connection import wait

    write_plainly()  # warnings of the packages that read files name what stands in them
    parent = multiprocessing.parent_process()
    tell.send_bytes(b"started")
    tell.close()

    def follow() -> None:
        if parent is not None:
            wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    heed_parent()


def run_tasks(
    pool: Executor, work: Callable[[Task], Result], tasks: Iterable[Task], at_once: int
) -> Iterator[Result]:
    """Run tasks on an executor, yielding their results as they come.

    Only `at_once` tasks wait at a time. After an error, Ctrl-C or TERM no task is started, those in
    hand are still finished and yielded, and then the error is raised. A second signal drops them.

    Raises
    ------
    KeyboardInterrupt
        As it came; `hmsprep.processes.stopping.Interrupted` after another signal than Ctrl-C.
    DataError
        What the tasks found wrong with the data, together.
    Exception
        The first other error of a task.
    """
    queue = iter(tasks)
    waiting: set[Future[Result]] = set()
    problems: list[str] = []
    error: BaseException | None = None
    try:
        with Interrupts() as interrupts:
            while True:
                if error is None and not problems and not interrupts.number:
                    with blocked():
                        waiting |= {
                            pool.submit(work, task)
                            for task in islice(queue, at_once - len(waiting))
                        }
                if not waiting:
                    break
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    try:
                        result = future.result()
                    except DataError as problem:
                        problems.append(str(problem))
                    except Exception as other:
                        error = error or other
                    else:
                        yield result
            if interrupts.number:
                error = error or interrupts.error()
    except KeyboardInterrupt:
        for future in waiting:
            future.cancel()
        waiting = set()
        raise
    finally:
        # Whoever stopped listening must not find tasks still writing afterwards.
        for future in waiting:
            future.cancel()
        wait(waiting)
    if error is not None:
        raise error
    if problems:
        text = (
            problems[0]
            if len(problems) == 1
            else several("These recordings cannot be used:", problems)
        )
        raise DataError(text)
