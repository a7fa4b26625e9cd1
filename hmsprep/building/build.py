"""Data and plan -> a sealed store: read every recording once, normalise, seal. Top to bottom.

Everything happens in NAME.zarr.building beside the store. Whatever kills a build, running it again
keeps every finished shard and gives the same bytes; only the last rename makes the store appear.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from pathlib import Path

from hmsprep import processes
from hmsprep.building.clipped import check_clipped
from hmsprep.building.durable import locked
from hmsprep.building.journal import Journal, finished_shards
from hmsprep.building.passes import Passes
from hmsprep.building.seal import seal
from hmsprep.building.site import Site, State
from hmsprep.errors import BuildError, DataError, WorkerError
from hmsprep.planning.load import Planned
from hmsprep.planning.plan import Plan
from hmsprep.processes import Progress, silent
from hmsprep.words import plural
from hmsstore import Store, StoreError
from hmsstore.manifest import MANIFEST_NAME

log = logging.getLogger(__name__)
WORTH_KEEPING = 8
"""Finished shards (of some 64 MB) that stay when the build stops at bad data."""


def build(
    dataset: Planned,
    store: Path,
    *,
    workers: int = 2,
    executor: Executor | None = None,
    force: bool = False,
    clipped: bool = False,
    progress: Progress = silent,
) -> State:
    """Build a store, or resume a build that was interrupted.

    Parameters
    ----------
    dataset : Planned
        The data and the plan, as `hmsprep.planning.load.load` gives them.
    store : Path
        Where to put the sealed store. A link is followed.
    workers : int
        Shards worked on at a time.
    executor : Executor, optional
        What runs the work: `workers` processes on this machine if not given. Any executor whose
        workers see the same files will do, such as that of a Dask client.
    force : bool
        Replace an existing store once the new one is sealed; discard an unfinished build that
        cannot be resumed.
    clipped : bool
        Build what is for the most part beyond the clip, too.
    progress : callable
        Called with the stages 'ingest' and 'normalise' in bytes.

    Returns
    -------
    State
        What was found: BUILT if this very store existed already.

    Raises
    ------
    PrepError
        The data are not as expected, or the store cannot be written. Finished shards are kept
        to resume from; if there are none, or few and the data are bad, nothing is kept.
    KeyboardInterrupt
        Once the shards in hand are finished.
    """
    site = Site(store.resolve())
    with explained(site):
        site.check_target()
        with locked(site.lock):
            state = site.prepare(dataset.plan, force=force)
            if state is State.BUILT:
                check_sources(dataset, site)
                return state
            if state is not State.SEALED:
                with _kept_if_useful(site):
                    check_space(dataset.plan, site, workers)
                    fill(site, dataset, workers, executor, progress, force=force, clipped=clipped)
            site.finish(force=force)
            if state is State.SEALED:  # by a process that ended before it could give the name
                check_sources(dataset, site)
    return state


def fill(
    site: Site,
    dataset: Planned,
    workers: int,
    executor: Executor | None,
    progress: Progress,
    *,
    force: bool,
    clipped: bool,
    check: Callable[[Passes], None] | None = None,
) -> None:
    """Take the folder of the store in the making to its seal, unless a check refuses."""
    plan = dataset.plan
    journal = Journal(site.journal, site.other_journals)
    try:
        with processes.executor(workers, executor, here=_is_small(plan)) as pool:
            # One task more than workers, so that none waits for this process.
            passes = Passes(dataset.source, plan, site, journal, pool, workers + 1, progress)
            passes.check_versions(force=force)
            if check is not None:
                check(passes)
            statistics = passes.run()
        if not clipped:
            check_clipped(plan, journal.read.values())
        seal(site, plan, journal, statistics)
    finally:
        journal.close()


def _is_small(plan: Plan) -> bool:
    """Whether a build takes less time than starting processes for it.

    Not where pairs of bipolar recordings are clipped, in products of matrices: those are rounded by
    the number of threads, and worker processes have one.
    """
    one_each = all(plan.shards(name) == 1 for name in plan.spec.signals)
    return one_each and plan.nbytes <= processes.SMALL_BYTES and not plan.montage.chains


def check_sources(dataset: Planned, site: Site) -> None:
    """Refuse to call a store built if the recordings' files have other sizes than they had.

    Those of the same sizes that were written since may have been copied, or mended: warn of them.
    """
    source = dataset.source
    files = {
        source.file_name(name, int(recording))
        for name in dataset.plan.spec.signals
        for recording in dataset.plan.segments[name].recording
    }
    found = {"files": len(files), "bytes": sum(source.sizes[file] for file in files)}
    remedy = "Name another place" if site.share else "Use --force to rebuild it"
    if found != Store.open(site.store).info["sources"]:
        raise BuildError(
            f"{site.store} was built from the same table, but the recordings' files have changed "
            f"since. {remedy}."
        )
    sealed_ns = (site.store / MANIFEST_NAME).stat().st_mtime_ns
    newer = sum(source.files.changed_ns(file) > sealed_ns for file in files)
    if newer:
        log.warning(
            "%s of %s %s newer than %s. If the values have changed: %s.",
            f"{newer:,}", plural(len(files), "recording file"), "is" if newer == 1 else "are",
            site.store, remedy[0].lower() + remedy[1:],
        )  # fmt: skip


@contextmanager
def _kept_if_useful(site: Site) -> Iterator[None]:
    """Remove what a failed build made, unless there are finished shards worth resuming from.

    After bad data that takes more of them than after anything else: the data may never be mended.
    """
    try:
        yield
    except BaseException as error:
        enough = WORTH_KEEPING if isinstance(error, DataError) else 1
        if finished_shards(*site.journals()) < enough:
            site.discard(site.building)
        raise


@contextmanager
def explained(site: Site) -> Iterator[None]:
    """Turn what the machine refuses into one sentence for the user."""
    try:
        yield
    except StoreError as error:
        raise BuildError(str(error)) from None
    except WorkerError as error:
        raise BuildError(f"{error} {_how_to_resume(site)}") from None
    except OSError as error:
        where = error.filename or site.building
        raise BuildError(f"{where}: {error.strerror or error}. {_how_to_resume(site)}") from error


def _how_to_resume(site: Site) -> str:
    try:
        if not site.building.exists():
            return "Nothing was left behind."
    except OSError:  # nobody may look there any more
        return "Fix that, then run the same command again to resume."
    return "Run the same command again to resume."


def check_space(plan: Plan, site: Site, workers: int) -> None:
    """Refuse to start what the disk cannot hold: the store, and the shards in hand."""
    there = 0
    for folder, _, names in os.walk(site.building):
        for name in names:
            with suppress(FileNotFoundError):  # other shares may be renaming theirs
                there += Path(folder, name).stat().st_size
    largest = max(plan.nbytes // max(1, sum(map(plan.shards, plan.segments))), 1)
    needed = max(0, plan.nbytes - there) + 2 * workers * largest
    free = shutil.disk_usage(site.building).free
    if free < needed:
        raise BuildError(
            f"{site.store.parent} has {free / 1e6:,.0f} MB free; the build needs "
            f"{needed / 1e6:,.0f} MB. Make room, name another place, or use --half."
        )
