"""Address or file of a Dask scheduler -> an executor whose workers run a command's tasks."""

from __future__ import annotations

import logging
import platform
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hmsprep.errors import ParameterError, PrepError
from hmsstore.json_shapes import ShapeError, mapping, read_json

CONNECT_S, WORKERS_S = 10.0, 60.0
"""How long to wait for the scheduler's answer, and for its first worker."""
PACKAGES = (
    "hms-eeg", "numpy", "polars", "pyarrow", "pywavelets", "scikit-learn", "scipy", "zarr",
    "distributed",
)  # fmt: skip
"""Packages whose versions may change a byte of a result, or what a task's message means."""
NAMED = 3
"""Workers that a sentence names."""


@contextmanager
def tasks_on(
    dask: str | None, workers: int | None, paths: Sequence[Path] = ()
) -> Iterator[tuple[Executor | None, int | None]]:
    """Give the executor of a Dask cluster, and how many tasks to hand out at a time.

    Parameters
    ----------
    dask : str, optional
        Address of a scheduler, or its file. None: this machine's processes do the work.
    workers : int, optional
        Tasks at a time; by default as many as the cluster has threads.
    paths : sequence of Path
        Files and folders that the workers must see.

    Yields
    ------
    executor : Executor or None
    workers : int or None

    Raises
    ------
    ParameterError
        Dask is not installed, no scheduler answers, it has no workers, or they have other
        versions or see other files.
    PrepError
        The cluster was lost, or its workers died at a task.
    """
    if dask is None:
        yield None, workers
        return
    try:
        import distributed
    except ModuleNotFoundError:
        raise ParameterError(
            "--dask needs the package 'distributed'. Run: pip install 'hms-eeg[dask]'"
        ) from None
    for name in ("distributed", "distributed.client"):  # what matters of it is said here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address = _address(dask)
    with _connected(address) as client:
        _check_workers(client, address, paths)
        threads = sum(client.nthreads().values())
        try:
            yield client.get_executor(), workers or threads
        except distributed.scheduler.KilledWorker as lost:
            raise PrepError(
                f"{lost.allowed_failures + 1} Dask workers of {address} died at the same task, "
                "perhaps because memory ran out; their logs tell. Give them more memory or fewer "
                "threads, and run the same command again."
            ) from None
        except CancelledError:
            raise PrepError(
                f"The Dask scheduler at {address} is gone. Run the same command again once there "
                "is one."
            ) from None


def _address(dask: str) -> str:
    """Address of a scheduler, which its file states."""
    if ":" in dask and not Path(dask).exists():
        return dask
    try:
        found = mapping(read_json(Path(dask))).get("address")
    except FileNotFoundError:
        found = None
    except ShapeError as error:
        raise ParameterError(f"--dask: {dask} is not a scheduler's file ({error}).") from None
    if not isinstance(found, str):
        raise ParameterError(
            "--dask: expected a scheduler's address, such as tcp://node1:8786, or the file that "
            f"`dask scheduler --scheduler-file` writes, got {dask}."
        )
    return found


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    import distributed

    connect: Any = distributed.Client
    try:
        with warnings.catch_warnings():  # other versions are refused below
            warnings.simplefilter("ignore")
            client = connect(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ParameterError(
            f"--dask: no scheduler answers at {address} ({reason}). Start one with `dask "
            "scheduler`, or correct the address."
        ) from None
    try:
        yield client
    finally:
        client.close()


def _check_workers(client: Any, address: str, paths: Sequence[Path]) -> None:
    """Make sure that there are workers which compute the same and see the same."""
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError:
        raise ParameterError(
            f"--dask: the scheduler at {address} has no workers. Start some with `dask worker "
            f"{address}`."
        ) from None
    here = look_around([])[0]
    absolute = [str(path.absolute()) for path in paths]
    problems = []
    for worker, found in client.run(look_around, absolute, on_error="return").items():
        if isinstance(found, Exception):
            problems.append(f"{worker} cannot run hms-eeg ({found})")
            continue
        versions, unseen = found
        other = [name for name in here if versions[name] != here[name]]
        if other:
            theirs = ", ".join(f"{name} {versions[name]}" for name in other)
            ours = ", ".join(f"{name} {here[name]}" for name in other)
            problems.append(f"{worker} has {theirs}, expected {ours} as here")
        elif unseen:
            problems.append(f"{worker} does not see {unseen[0]}")
    if problems:
        more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise ParameterError(
            f"--dask: {'; '.join(problems[:NAMED])}{more}. Workers need the versions that are "
            "installed here, and the same files under the same names."
        )


def look_around(paths: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Say which versions a process has, and which of these files and folders it does not see."""
    found = {"Python": platform.python_version().rpartition(".")[0]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "(none)"
    return found, [path for path in paths if not Path(path).exists()]
