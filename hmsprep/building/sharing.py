"""Shares of a build, on any machines, in any order -> one store, sealed once all have been read.

Each share is a process that reads every so many-th shard into the one folder NAME.zarr.building,
beside the others. Statistics need all shards, so only a share that finds all of them read
normalises its part; sealing normalises what is left. Shares hold the store's lock together, and
each a lock of its own; whoever seals holds the store's lock alone.
"""

from __future__ import annotations

import shlex
import shutil
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hmsprep import processes
from hmsprep.building.build import check_sources, check_space, explained, fill
from hmsprep.building.division import Division, Share, ranges
from hmsprep.building.durable import locked
from hmsprep.building.journal import Journal
from hmsprep.building.passes import Passes
from hmsprep.building.site import Site, State
from hmsprep.errors import BuildError
from hmsprep.planning.load import Planned
from hmsprep.processes import Progress, silent
from hmsprep.words import plural


@dataclass(frozen=True, slots=True)
class ShareBuilt:
    """What one share of a build has done, and what is missing of the others."""

    share: Share
    shards: int
    """Files of the store that are this share's."""
    normalised: int
    """How many of them are in their final form; the others are read."""
    unread: tuple[int, ...]
    """Numbers of the shares that are not read yet."""
    sealed: bool = False
    """Whether there is nothing left to do, since the store is sealed."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self) | {"share": str(self.share), "unread": list(self.unread)}

    def __str__(self) -> str:
        if self.sealed:
            return f"Share {self.share}: nothing is left to do, the store is sealed."
        done = f"Share {self.share} is read: {plural(self.shards, 'file')} of the store."
        if self.unread:
            noun = "share" if len(self.unread) == 1 else "shares"
            return f"{done} Not read yet: {noun} {ranges(self.unread)}."
        if self.normalised < self.shards:
            return f"{done} All shares are read."
        return f"{done} All shares are read, and this one is normalised: `hmsprep seal` finishes."


def build_share(
    dataset: Planned,
    store: Path,
    share: Share,
    division: Division,
    *,
    workers: int = 2,
    executor: Executor | None = None,
    progress: Progress = silent,
) -> ShareBuilt:
    """Build a share of a store, or resume it; what is finished is kept whatever happens.

    Parameters
    ----------
    dataset : Planned
        The data and the plan, the same for all shares.
    store : Path
        Where the store will stand, on a file system that all shares see.
    share : Share
        Which part to build.
    division : Division
        What all shares agree on.
    workers, executor, progress
        As `hmsprep.building.build.build` takes them.

    Raises
    ------
    PrepError
        The data are not as expected, the share is being built already, or what is in the way is
        of another plan or division.
    KeyboardInterrupt
        Once the shards in hand are finished.
    """
    site = Site(store.resolve(), share)
    busy = f"Another process is building share {share} of {site.store} now."
    with explained(site):
        site.check_target()
        with locked(site.lock, shared=True):
            state = site.join(dataset.plan, division)
            if state is State.BUILT:
                check_sources(dataset, site)
            if state in (State.BUILT, State.SEALED):
                return ShareBuilt(share, 0, 0, (), sealed=True)
            with locked(site.share_lock, held=busy):
                shutil.rmtree(site.partial, ignore_errors=True)
                site.partial.mkdir(parents=True, exist_ok=True)
                check_space(dataset.plan, site, workers)
                return _fill_share(site, share, dataset, workers, executor, progress)


def _fill_share(
    site: Site,
    share: Share,
    dataset: Planned,
    workers: int,
    executor: Executor | None,
    progress: Progress,
) -> ShareBuilt:
    journal = Journal(site.journal, site.other_journals)
    try:
        with processes.executor(workers, executor) as pool:
            passes = Passes(
                dataset.source, dataset.plan, site, journal, pool, workers + 1, progress
            )
            passes.check_versions(force=False)
            passes.read_share()
            unread = _unread(passes, share.of)
            if not unread:
                passes.run()
        normalised = sum(key in journal.written for key in passes.mine)
        return ShareBuilt(share, len(passes.mine), normalised, tuple(unread))
    finally:
        journal.close()


def seal_shares(
    dataset: Planned,
    store: Path,
    division: Division,
    *,
    workers: int = 2,
    executor: Executor | None = None,
    force: bool = False,
    clipped: bool = False,
    progress: Progress = silent,
) -> State:
    """Seal a store whose shares have all been read; normalise what is not yet.

    Raises
    ------
    PrepError
        A share is missing or at work, or what `hmsprep.building.build.build` raises.
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
                check_space(dataset.plan, site, workers)

                def whole(passes: Passes) -> None:
                    if missing := _unread(passes, division.of):
                        raise BuildError(_missing(missing, division, site))

                fill(
                    site, dataset, workers, executor, progress,
                    force=False, clipped=clipped, check=whole,
                )  # fmt: skip
            site.finish(force=force)
    return state


def finish_sealed(store: Path, *, force: bool = False) -> bool:
    """Give a sealed store its name if it only lacks that; False if it is not sealed."""
    site = Site(store.resolve())
    with explained(site):
        site.check_target()
        with locked(site.lock):
            if not site.is_sealed():
                return False
            site.finish(force=force)
    return True


def _unread(passes: Passes, of: int) -> list[int]:
    """Numbers of the shares of which a shard has not been read."""
    unread = set(passes.unread())
    numbers = (n % of + 1 for n, key in enumerate(passes.keys) if key in unread)
    return sorted(set(numbers))


def _missing(numbers: list[int], division: Division, site: Site) -> str:
    one = len(numbers) == 1
    build = shlex.join(["hmsprep", "build", str(division.data), str(site.store)])
    return (
        f"{'Share' if one else 'Shares'} {ranges(numbers)} of {division.of} "
        f"{'is' if one else 'are'} missing from {site.building}: run "
        f"`{build} --share N/{division.of}` for {'it' if one else 'each'}, with the options of the "
        "others, and seal again."
    )
