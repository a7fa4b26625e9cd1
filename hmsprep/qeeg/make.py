"""A store -> the sealed table of its windows' features: `hmsprep.features`. Top to bottom.

::

    NAME/            the sealed table
    NAME.building/   the table in the making
        plan.json      of what, by which versions
        00000000-00000128.npy ...   rows that are done
    NAME.lock        held by the one process that makes it

Whatever kills it, running it again keeps the rows that are done and gives the same bytes.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import write_array_header_1_0

from hmsprep import processes
from hmsprep.building.durable import locked, put_in_place
from hmsprep.building.large_files import LargeFile
from hmsprep.errors import BuildError, ParameterError, WorkerError
from hmsprep.planning import checks
from hmsprep.processes import Progress, run_tasks, silent
from hmsprep.qeeg.columns import Layout
from hmsprep.qeeg.sets import MeasureSet, measure_set
from hmsprep.qeeg.table import Part, measure_part, not_recorded
from hmsprep.words import plural, size
from hmsstore import DamagedStoreError, FeatureTable, NotAStoreError, Store
from hmsstore.atomic import refuse_fixed, whole_folder
from hmsstore.manifest import MANIFEST_NAME
from hmsstore.reading.feature_table import (
    DESCRIPTION,
    FORMAT_NAME,
    FORMAT_VERSION,
    VALUES,
    WINDOW,
    beside,
)
from hmsstore.sums import FILES, sealed, sums_of

PART_WINDOWS = 128
"""Windows of a task: some seconds of work, so that little is lost and Ctrl-C waits no longer."""
NOTE = "plan.json"
"""In the folder of unfinished work: what is being made."""
PACKAGES = ("numpy", "scipy", "PyWavelets")
"""Those that decide the values, in their last digits."""


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """What making a table comes to."""

    store: Path
    identity: str
    span: str
    out: Path
    windows: int
    version: int
    columns: int
    nbytes: int
    not_recorded: int
    """Windows without values: too little of their judged seconds was recorded."""
    observed_known: bool
    """Whether it is known which part of windows was recorded; else all of each is measured."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self) | {"store": str(self.store), "out": str(self.out)}


def plan_features(
    store: Store | Path | str, *, out: Path | str | None = None, span: str = WINDOW
) -> FeaturePlan:
    """Tell what `features` would make, writing nothing; raises as it does."""
    opened = store if isinstance(store, Store) else Store.open(store)
    path = opened.path.resolve()
    measured = _set(opened, span)
    target = _target(path, None if out is None else Path(out), span)
    columns = len(measured.columns)
    return FeaturePlan(
        path,
        opened.identity,
        span,
        target,
        len(opened),
        measured.version,
        columns,
        len(opened) * columns * 4,
        len(not_recorded(opened)),
        opened.gaps is not None,
    )


def features(
    store: Store | Path | str,
    *,
    out: Path | str | None = None,
    span: str = WINDOW,
    workers: int | None = None,
    executor: Executor | None = None,
    force: bool = False,
    progress: Progress = silent,
    part_windows: int = PART_WINDOWS,
) -> FeatureTable:
    """Compute hand features of all windows of a store, into a sealed table beside it.

    Each window is measured over its observed run and over the judged seconds within it. If the work
    is interrupted, calling this again resumes it.

    Parameters
    ----------
    store : Store or path
        The store.
    out : path, optional
        Folder of the table; by default STORE-features, or STORE-features-judged.
    span : str
        'window': measures of whole windows and of their judged seconds, by place; 'judged': of
        the judged seconds alone, what tells their pattern.
    workers : int, optional
        Number of processes; by default one per processor.
    executor : Executor, optional
        What runs the work instead: its workers must see the same files.
    force : bool
        Replace a table that is there once the new one is whole.
    progress : callable
        Called with the stage 'features' and a number of windows.
    part_windows : int
        Windows of a task. Changes nothing about the table.

    Returns
    -------
    FeatureTable
        The table; the one that was there, if it is of this very store and version.

    Raises
    ------
    StoreError
        The store cannot be opened.
    BuildError
        Something else is in the way, or there is no room.
    KeyboardInterrupt
        Once the parts in hand are finished.

    Examples
    --------
    >>> table = hmsprep.features("hms.zarr")
    >>> table.values.shape
    (106800, 2038)
    """
    opened = store if isinstance(store, Store) else Store.open(store)
    plan = plan_features(opened, out=out, span=span)
    if part_windows < 1:
        raise ParameterError(f"part_windows must be 1 or more, got {part_windows}.")
    workers = checks.workers(workers, processes.default_workers())
    checks.truth(force=force)
    building = plan.out.with_name(f"{plan.out.name}.building")
    with _explained(building), locked(plan.out.with_name(f"{plan.out.name}.lock")):
        there = _found(plan, force=force)
        _refuse_others(building)
        if there is None:
            refuse_fixed(plan.out)
            with _kept_if_useful(building):
                _begin(building, plan, part_windows)
                parts = _measure(plan, building, workers, executor, progress, part_windows)
                _seal(plan, opened, parts, force=force)
        shutil.rmtree(building, ignore_errors=True)
    return there or FeatureTable.open(plan.out)


@contextmanager
def _kept_if_useful(building: Path) -> Iterator[None]:
    """Remove what failed work made, unless there are rows to resume from."""
    try:
        yield
    except BaseException:
        if not any(building.glob("*.npy")):
            shutil.rmtree(building, ignore_errors=True)
        raise


@contextmanager
def _explained(building: Path) -> Iterator[None]:
    """Turn what the machine refuses into one sentence for the user."""
    resume = "Run the same command again to resume."
    try:
        yield
    except WorkerError as error:
        raise BuildError(f"{error} {resume}") from None
    except OSError as error:
        where = error.filename or building
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EBUSY):
            resume = "Name another place with --out."
        raise BuildError(f"{where}: {error.strerror or error}. {resume}") from error


def unfinished(store: Path, out: Path | None = None, span: str = WINDOW) -> bool:
    """Whether rows of a table are done that another call would keep."""
    target = _target(store.resolve(), out, span)
    return any(target.with_name(f"{target.name}.building").glob("*.npy"))


def _target(store: Path, out: Path | None, span: str) -> Path:
    target = beside(store, span) if out is None else out.resolve()
    if target.is_relative_to(store):
        raise BuildError(f"{target} lies within the store, which is sealed: name another --out.")
    if not target.parent.is_dir():
        raise BuildError(f"There is no folder {target.parent}: make it, or name another --out.")
    if (target / MANIFEST_NAME).is_file():
        raise BuildError(f"{target} is a store: name another --out.")
    return target


def _set(store: Store, span: str) -> MeasureSet:
    if not Layout(store.spec).pairs:
        raise ParameterError(f"{store.path} describes no bipolar chains to measure features along.")
    pairs_only = int(store.chains_only(np.arange(len(store))).sum())
    if pairs_only:
        raise ParameterError(
            f"{plural(pairs_only, 'window')} of {store.path} are of bipolar recordings, whose "
            "electrodes share no reference: coherence and phase locking are measured on the common "
            "average, which they lack. Import referential recordings, or use inputs of pairs or "
            "spectrograms."
        )
    return measure_set(store.spec, span)


def _found(plan: FeaturePlan, *, force: bool) -> FeatureTable | None:
    """The table that is there, if it is the one to make.

    Raises
    ------
    BuildError
        Something else is there, and is not to be replaced.
    """
    if not plan.out.exists() or (plan.out.is_dir() and not any(plan.out.iterdir())):
        return None
    try:
        found = FeatureTable.open(plan.out)
    except NotAStoreError:
        if not (plan.out / DESCRIPTION).exists():
            raise BuildError(
                f"{plan.out} holds something other than a table of features: name another --out."
            ) from None
        what = "a table of another version"
    except DamagedStoreError:
        what = "a damaged table"
    else:
        if force:
            return None
        if found.identity != plan.identity:
            what = f"features of another store ({found.identity[:12]})"
        elif found.span != plan.span:
            what = f"a table of the span '{found.span}'"
        elif found.version != plan.version:
            what = f"a table of version {found.version}, expected {plan.version}"
        else:
            return found
    if force:
        return None
    raise BuildError(
        f"{plan.out} holds {what}. Name another --out, or use --force to replace it once the new "
        "one is whole."
    )


def _refuse_others(building: Path) -> None:
    """Refuse a folder of the name of ours, which is deleted in the end, that another made."""
    if not os.path.lexists(building):
        return
    ours = not building.is_symlink() and building.is_dir()
    if ours:
        names = {path.name for path in building.iterdir()}
        ours = all(name == NOTE or name.endswith((".npy", ".partial")) for name in names)
        if NOTE in names:
            try:
                ours = ours and "part_windows" in json.loads((building / NOTE).read_bytes())
            except (OSError, ValueError, TypeError):
                ours = False
        elif any(name.endswith(".npy") for name in names):
            ours = False
    if not ours:
        raise BuildError(
            f"{building} is in the way: it is not unfinished work of this command. Move it away, "
            "or name another --out."
        )


def _begin(building: Path, plan: FeaturePlan, part_windows: int) -> None:
    """Keep what an earlier call of the very same plan has done; clear away anything else."""
    described = {
        "store": plan.identity,
        "span": plan.span,
        "version": plan.version,
        "part_windows": part_windows,
        "versions": _versions(),
    }
    note = building / NOTE
    try:
        same = json.loads(note.read_bytes()) == described
    except (OSError, ValueError):
        same = False
    if same:
        for left in building.glob("*.partial"):
            left.unlink()
    else:
        shutil.rmtree(building, ignore_errors=True)
    done = sum(path.stat().st_size for path in building.glob("*.npy"))
    room, needed = shutil.disk_usage(building.parent).free, 2 * plan.nbytes - done
    if room < needed:
        raise BuildError(
            f"{building.parent} has {size(room)} free, and making the table takes {size(needed)}"
            f"{' more' if done else ''}. Make room, or name another --out."
        )
    if same:
        return
    building.mkdir()
    temporary = note.with_suffix(".partial")
    temporary.write_text(json.dumps(described, indent=1) + "\n")
    put_in_place(temporary, note)


def _measure(
    plan: FeaturePlan,
    building: Path,
    workers: int,
    executor: Executor | None,
    progress: Progress,
    part_windows: int,
) -> list[Part]:
    """Measure all windows but those that are done."""
    parts = [
        Part(
            plan.store,
            plan.identity,
            plan.span,
            first,
            min(first + part_windows, plan.windows),
            building,
        )
        for first in range(0, plan.windows, part_windows)
    ]
    missing = [part for part in parts if not part.file.is_file()]
    done = plan.windows - sum(part.stop - part.first for part in missing)
    progress("features", done, plan.windows)
    if missing:
        with processes.executor(min(workers, len(missing)), executor) as pool:
            for count in run_tasks(pool, measure_part, missing, 2 * workers):
                done += count
                progress("features", done, plan.windows)
    return parts


def _seal(plan: FeaturePlan, store: Store, parts: list[Part], *, force: bool) -> None:
    """Put the parts together; the description, which seals them, comes last."""
    measured = _set(store, plan.span)
    with whole_folder(plan.out, replace=force) as partial:
        header = {"descr": "<f4", "fortran_order": False, "shape": (plan.windows, plan.columns)}
        # Not through a mapping: a disk that fills meanwhile would end the process (SIGBUS).
        with LargeFile(partial / VALUES) as into:
            write_array_header_1_0(into, header)
            for part in parts:
                into.write(np.load(part.file, allow_pickle=False).astype("<f4", copy=False).data)
        described = {
            "format": FORMAT_NAME,
            "format_version": FORMAT_VERSION,
            "store": store.identity,
            "windows": plan.windows,
            "span": plan.span,
            "version": plan.version,
            "columns": list(measured.columns),
            "measures": measured.measures,
            "not_recorded": not_recorded(store).tolist(),
            "observed_known": plan.observed_known,
            "versions": _versions(),
            FILES: sums_of([partial / VALUES]),
        }
        text = json.dumps(sealed(described), indent=1) + "\n"
        (partial / DESCRIPTION).write_text(text)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}
