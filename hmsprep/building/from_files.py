"""Data and options -> a sealed store, from planning to opening it: what `hmsprep.build` does."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from hmsprep.building.build import build as build_planned
from hmsprep.building.division import Division, Share
from hmsprep.building.sharing import ShareBuilt, finish_sealed, seal_shares
from hmsprep.building.sharing import build_share as build_planned_share
from hmsprep.building.site import Site, State
from hmsprep.errors import BuildError
from hmsprep.planning import checks
from hmsprep.planning.choices import (
    EEG_CLIP_UV,
    Balance,
    Fill,
    Missing,
    Normalise,
    Part,
    SplitBy,
    Windows,
)
from hmsprep.planning.cleaning import make_cleaning
from hmsprep.planning.load import Planned, load
from hmsprep.planning.parameters import SPECTROGRAM_CLIP, Parameters
from hmsprep.planning.rates import rates_before_build
from hmsprep.processes import Progress, default_workers, silent
from hmsstore import Store
from hmsstore.manifest import BUILDING_SUFFIX, MANIFEST_NAME
from hmsstore.spec import HMS, Spec

MOST_WORKERS = 4
"""Workers by default: more wait for the disk, and each takes some hundred megabytes."""
log = logging.getLogger(__name__)


def build(
    data: str | Path = "data",
    store: str | Path = "hms.zarr",
    *,
    half: bool = False,
    windows: Windows = "all",
    balance: Balance = "none",
    split_by: SplitBy = "patient",
    missing: Missing = "error",
    part: Part | None = None,
    table: str | Path | None = None,
    nan: Fill = "zero",
    eeg_clip: float | None = EEG_CLIP_UV,
    spectrogram_clip: tuple[float, float] | None = SPECTROGRAM_CLIP,
    bandpass: tuple[float, float] | None = None,
    normalise: Normalise = "zscore",
    cleaning: str | Path | Mapping[str, Any] | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    seed: int = 42,
    force: bool = False,
    clipped: bool = False,
    spec: Spec = HMS,
    progress: Progress = silent,
) -> Store:
    """Build a store of a data set. A build that was interrupted resumes.

    What the user should know (windows left out, a resumed build) is logged under 'hmsprep' as
    warnings and notes.

    Parameters
    ----------
    data : str or Path
        A folder in Kaggle's layout, or the competition's zip.
    store : str or Path
        Store to make.
    half : bool
        Keep half of the windows, as whole recordings.
    windows : {'all', 'votes', 'eeg'}
        Every window; the most typical one per EEG and votes; or the middle one per EEG, with the
        votes summed.
    balance : {'none', 'votes'}
        'votes' thins the windows until each class has the same number of votes.
    split_by : {'patient', 'window', 'all'}
        Hold out whole patients, random windows (leaks!), or use every window for testing.
    missing : {'error', 'skip'}
        If recordings have no file: stop, or leave their windows out.
    part : {'train', 'test'}, optional
        Part of the data set; 'train' if present, else 'test'.
    table : str or Path, optional
        Table of the windows (CSV or parquet) in place of the data set's own, such as `votes` makes.
    nan : {'zero', 'interpolate', 'mean', 'drop'}
        Fill missing values with 0, by interpolation, with the mean; or drop their windows.
    eeg_clip : float, optional
        Clip EEG at +- this many microvolts, and the EKG at 32,000; None clips neither.
    spectrogram_clip : (float, float), optional
        Clip power to this range in uV^2/Hz before the logarithm; None does not.
    bandpass : (float, float), optional
        Edges in Hz of a zero-phase band-pass of the EEG.
    normalise : {'zscore', 'none'}
        z-score per channel and frequency, by the training recordings.
    cleaning : str, Path or mapping, optional
        How to clean, all in one: a JSON file or its content (see `hmsprep.planning.cleaning`). It
        replaces `nan`, `eeg_clip`, `spectrogram_clip` and `bandpass`.
    workers : int, optional
        Shards worked on at a time; one per processor by default, at most 4.
    executor : Executor, optional
        Executor that runs the work; by default `workers` processes on this machine. Any whose
        workers see the same files will do, such as that of a Dask client.
    seed : int
        Random seed.
    force : bool
        Replace an existing store once the new one is sealed; discard another plan's unfinished
        build.
    clipped : bool
        Build what is for the most part beyond the clip, too: half of all values of half of the
        recordings.
    spec : Spec
        What the data consist of: their classes, channels and rates.
    progress : callable
        Called with the stage 'plan', then with 'ingest' and 'normalise' and a number of bytes.

    Returns
    -------
    Store
        The sealed store, opened. It was not built again if it existed with the same plan.

    Raises
    ------
    PrepError
        The data are not as expected, or the store cannot be written. Finished shards are kept for
        the next call, unless the data are bad and hardly any are finished.
    KeyboardInterrupt
        Once the shards in progress are finished.

    Examples
    --------
    >>> store = hmsprep.build("hms.zip", "hms.zarr", bandpass=(0.5, 40))
    >>> len(store)
    106800
    """
    checks.truth(force=force, clipped=clipped)
    store = Path(store)
    planned = _planned(
        Path(data), missing, part, table, spec, progress,
        half=half, windows=windows, balance=balance, split_by=split_by, normalise=normalise,
        nan=nan, eeg_clip=eeg_clip, spectrogram_clip=spectrogram_clip, bandpass=bandpass,
        cleaning=cleaning, seed=seed,
    )  # fmt: skip
    for warning in planned.warnings:
        log.warning(warning)
    if unfinished(store) is not None:
        log.info("Resuming %s.", unfinished(store))
    state = build_planned(
        planned,
        store,
        workers=checks.workers(workers, default_workers(MOST_WORKERS)),
        executor=executor,
        force=force,
        clipped=clipped,
        progress=progress,
    )
    opened = _opened(store, planned.warnings)
    if state is State.BUILT:
        log.info("%s already exists and matches this plan; use --force to rebuild it.", store)
    return opened


def build_share(
    data: str | Path = "data",
    store: str | Path = "hms.zarr",
    *,
    share: tuple[int, int],
    missing: Missing = "error",
    part: Part | None = None,
    table: str | Path | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    spec: Spec = HMS,
    progress: Progress = silent,
    **choices: Any,
) -> ShareBuilt:
    """Build one of several shares of a store, beside others on any machines; `seal` finishes.

    Shares are built in any order, several at a time, and again after an interruption. They need
    one file system with locks that all machines see, the same data and options, and machines of one
    kind with the same versions of packages.

    Parameters
    ----------
    data : str or Path
        A folder in Kaggle's layout, or the competition's zip.
    store : str or Path
        Store to make. Until it is sealed everything is in STORE.building.
    share : (int, int)
        Which share, from 1, and how many there are.
    missing, part, table, workers, executor, spec
        As `build` takes them.
    progress : callable
        Called with the stage 'plan', then with 'ingest' and a number of bytes, and with
        'normalise' if all other shares are read.
    **choices
        What else decides what is built, as `build` takes it: `half`, `windows`, `balance`,
        `split_by`, `nan`, `eeg_clip`, `spectrogram_clip`, `bandpass`, `normalise`, `cleaning`,
        `seed`.

    Returns
    -------
    ShareBuilt
        What is done, and which other shares are not read yet.

    Raises
    ------
    PrepError
        The data are not as expected, this very share is being built by another process, or the
        others have other data, options, versions of packages or another number of shares.
        Finished shards are kept.
    KeyboardInterrupt
        Once the shards in progress are finished.

    Examples
    --------
    >>> for number in range(1, 17):
    ...     hmsprep.build_share("hms.zip", "hms.zarr", share=(number, 16))
    >>> store = hmsprep.seal("hms.zarr")
    """
    chosen = Share.of_pair(share)
    planned = _planned(Path(data), missing, part, table, spec, progress, **choices)
    for warning in planned.warnings:
        log.warning(warning)
    division = Division(
        chosen.of,
        Path(data).absolute(),
        planned.source.part,
        missing,
        planned.plan.parameters,
        planned.plan.hash,
        None if table is None else Path(table).absolute(),
    )
    return build_planned_share(
        planned,
        Path(store),
        chosen,
        division,
        workers=checks.workers(workers, default_workers(MOST_WORKERS)),
        executor=executor,
        progress=progress,
    )


def seal(
    store: str | Path = "hms.zarr",
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    force: bool = False,
    clipped: bool = False,
    progress: Progress = silent,
) -> Store:
    """Seal a store that was built in shares, once all of them are there.

    Normalises what the shares have not, from the data that they named. The store has the same
    bytes as one that `build` makes.

    Parameters
    ----------
    store : str or Path
        The store, or its folder STORE.building.
    workers, executor
        As `build` takes them.
    force : bool
        Replace an existing store.
    clipped : bool
        Seal what is for the most part beyond the clip, too.
    progress : callable
        Called with the stage 'plan', then with 'ingest' and 'normalise' and a number of bytes.

    Returns
    -------
    Store
        The sealed store, opened.

    Raises
    ------
    PrepError
        Shares are missing or at work, or the data have changed. What is there is kept.
    """
    checks.truth(force=force, clipped=clipped)
    store = without_suffix(Path(store))
    if finish_sealed(store, force=force):
        return _opened(store)
    division = Site(store.resolve()).division()
    if division is None:
        if (store / MANIFEST_NAME).is_file():
            log.info("%s is sealed already.", store)
            return _opened(store)
        raise BuildError(
            f"There is nothing to seal at {store}: expected {store.name}{BUILDING_SUFFIX}, which "
            "`hmsprep build --share` makes."
        )
    progress("plan", 0, 1)
    planned = load(
        division.data, division.parameters, division.missing, division.part, division.table
    )
    progress("plan", 1, 1)
    if not planned.plan.has_hash(division.plan, division.stated):
        raise BuildError(
            f"{division.data} has changed since the shares of {store} were built: its table or the "
            "files that are there make another plan. Restore them, or build again under another "
            "name."
        )
    seal_shares(
        planned,
        store,
        division,
        workers=checks.workers(workers, default_workers(MOST_WORKERS)),
        executor=executor,
        force=force,
        clipped=clipped,
        progress=progress,
    )
    return _opened(store)


def _planned(
    data: Path,
    missing: Missing,
    part: Part | None,
    table: str | Path | None,
    spec: Spec,
    progress: Progress,
    *,
    nan: Fill = "zero",
    eeg_clip: float | None = EEG_CLIP_UV,
    spectrogram_clip: tuple[float, float] | None = SPECTROGRAM_CLIP,
    bandpass: tuple[float, float] | None = None,
    cleaning: str | Path | Mapping[str, Any] | None = None,
    **chosen: Any,
) -> Planned:
    """Read the table and look for the files."""
    parameters = Parameters(
        **chosen,
        **make_cleaning(nan, eeg_clip, spectrogram_clip, bandpass, cleaning),
        spec=spec,
        eeg_shard_rows=spec.eeg.shard_rows,
        spectrogram_shard_rows=spec.spectrogram.shard_rows,
    )
    progress("plan", 0, 1)
    planned = load(data, parameters, missing, part, None if table is None else Path(table))
    if warning := rates_before_build(planned.source, spec):
        log.warning(warning)
    progress("plan", 1, 1)
    return planned


def _opened(store: Path, told: Sequence[str] = ()) -> Store:
    """Open a store, and warn of what it says that the user was not told."""
    opened = Store.open(store)
    for warning in opened.info["warnings"]:
        if warning not in told:
            log.warning(warning)
    return opened


def without_suffix(store: Path) -> Path:
    """The store, of which the folder that it is made in may have been named."""
    name = store.name.removesuffix(BUILDING_SUFFIX)
    return store.with_name(name) if name else store


def unfinished(store: Path) -> Path | None:
    """Folder of the unfinished build of a store, if there is one."""
    place = without_suffix(store).resolve()
    if not place.name:  # the root, which `Site.check_target` refuses
        return None
    building = Site(place).building
    return building if building.exists() else None
