"""Work on worker processes, with progress on the way, and signals that ask to stop.

::

    stopping.py  signals -> an exception at once, or a note that is read between two tasks
    tasks.py     tasks -> results, on worker processes or any executor, and progress
"""

from hmsprep.processes.tasks import (
    SMALL_BYTES,
    Progress,
    default_workers,
    end_unguarded,
    executor,
    own_processes,
    run_tasks,
    silent,
)

__all__ = [
    "SMALL_BYTES",
    "Progress",
    "default_workers",
    "end_unguarded",
    "executor",
    "own_processes",
    "run_tasks",
    "silent",
]
