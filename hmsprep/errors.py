"""What a user can get wrong while preparing data, as one small tree of exceptions.

::

    PrepError               everything below; the command line prints its text and exits with 1
    |-- ParameterError      an option's value makes no sense
    |-- DataError           train.csv or a parquet file is not as the competition's are
    |-- MissingFilesError   train.csv names recordings that are not there
    |-- BuildError          the store cannot be written here and now
    |-- TransferError       a store cannot be sent to an address, or fetched from one
    `-- WorkerError         a worker process was killed, or none could start

A message says what is wrong, where, what was expected, what was found and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence


class PrepError(Exception):
    """The command cannot do what it was asked."""


class ParameterError(PrepError):
    """An option's value makes no sense."""


class DataError(PrepError):
    """The data are not as expected."""


class MissingFilesError(DataError):
    """Recordings that the table names are not there."""


class BuildError(PrepError):
    """The store cannot be written here and now."""


class TransferError(PrepError):
    """A store cannot be sent to an address, or fetched from one."""


class WorkerError(PrepError):
    """A worker process was killed, or none could start."""


def several(heading: str, problems: Sequence[str], most: int = 10) -> str:
    """Put a heading over a list of problems, the first ten of them shown."""
    lines = [heading, *(f"  {problem}" for problem in problems[:most])]
    if len(problems) > most:
        lines.append(f"  and {len(problems) - most:,} more")
    return "\n".join(lines)
