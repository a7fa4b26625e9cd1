"""`hmsprep build`, `seal` and `plan`: options -> the functions of these names -> a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hmsprep.cli.options import (
    RUN,
    BalanceOption,
    BandpassOption,
    CleaningOption,
    DaskOption,
    Data,
    EegClipOption,
    HalfOption,
    Json,
    LogFile,
    MissingOption,
    NanOption,
    NormaliseOption,
    PartOption,
    Quiet,
    SeedOption,
    SpectrogramClipOption,
    SplitOption,
    StoreOut,
    TableOption,
    WindowsOption,
    option,
    parse_clip,
    parse_range,
)
from hmsprep.planning.choices import EEG_CLIP_UV

if TYPE_CHECKING:
    from hmsprep.cli.progress import Stage
    from hmsstore import Store

BuildWorkersOption = Annotated[
    int | None,
    option(
        "--workers",
        "Number of processes.",
        RUN,
        min=1,
        metavar="N",
        show_default="one per processor, up to 4",
    ),
]
ForceOption = Annotated[bool, option("--force", "Replace an existing store.", RUN)]
ClippedOption = Annotated[
    bool, option("--clipped", "Build even if most values are beyond the clip.", RUN)
]
EEG_CLIP, POWER_CLIP = f"{EEG_CLIP_UV:g}", ("e^-4", "e^8")


def build(
    data: Data = Path("data"),
    store: StoreOut = Path("hms.zarr"),
    half: HalfOption = False,
    windows: WindowsOption = "all",
    balance: BalanceOption = "none",
    split_by: SplitOption = "patient",
    missing: MissingOption = "error",
    part: PartOption = None,
    table: TableOption = None,
    nan: NanOption = "zero",
    eeg_clip: EegClipOption = EEG_CLIP,
    spectrogram_clip: SpectrogramClipOption = POWER_CLIP,
    bandpass: BandpassOption = ("none", "none"),
    normalise: NormaliseOption = "zscore",
    cleaning: CleaningOption = None,
    workers: BuildWorkersOption = None,
    dask: DaskOption = None,
    share: Annotated[
        str | None,
        option(
            "--share",
            "Build one of several shares, such as 3/16; `hmsprep seal` finishes the store.",
            RUN,
            metavar="N/OF",
        ),
    ] = None,
    seed: SeedOption = 42,
    force: ForceOption = False,
    clipped: ClippedOption = False,
    dry_run: Annotated[
        bool, option("--dry-run", "Dry run: print the plan, as `hmsprep plan` does.", RUN)
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Build a store of a data set.

    If a build is interrupted, run the same command again to resume it.
    """
    if share is not None and (force or clipped):
        raise typer.BadParameter("--share: give --force and --clipped to `hmsprep seal` instead")
    chosen = None if share is None else _share(share)
    if dry_run:
        plan(
            data, half, windows, balance, split_by, missing, part, table, nan, eeg_clip,
            spectrogram_clip, bandpass, normalise, cleaning, seed, json, quiet, log_file,
        )  # fmt: skip
        return
    import hmsprep
    from hmsprep.cli import cluster, console, progress, tables

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=_interrupted(store)):
        seen = [data, store.absolute().parent]
        with cluster.tasks_on(dask, workers, seen) as on, progress.bars(_stages()) as report:
            options: dict[str, Any] = {
                "half": half,
                "windows": windows,
                "balance": balance,
                "split_by": split_by,
                "missing": missing,
                "part": part,
                "table": table,
                "nan": nan,
                "eeg_clip": parse_clip("--eeg-clip", eeg_clip),
                "spectrogram_clip": parse_range("--spectrogram-clip", spectrogram_clip),
                "bandpass": parse_range("--bandpass", bandpass),
                "normalise": normalise,
                "cleaning": cleaning,
                "executor": on[0],
                "workers": on[1],
                "seed": seed,
                "progress": report,
            }
            if chosen is not None:
                done = hmsprep.build_share(data, store, share=chosen, **options)
            else:
                built = hmsprep.build(data, store, force=force, clipped=clipped, **options)
        if chosen is None:
            _print_store(built, store, json=json)
        elif json:
            tables.print_json({"store": str(store)} | done.to_json())
        else:
            print(done)


def seal(
    store: Annotated[
        Path,
        typer.Argument(envvar="HMS_STORE", metavar="STORE", help="Store whose shares are built."),
    ] = Path("hms.zarr"),
    workers: BuildWorkersOption = None,
    dask: DaskOption = None,
    force: ForceOption = False,
    clipped: Annotated[
        bool, option("--clipped", "Seal even if most values are beyond the clip.", RUN)
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Seal a store that was built in shares.

    Names the shares that are missing (see `hmsprep build --share`); normalises what is not yet.
    """
    import hmsprep
    from hmsprep.cli import cluster, console, progress

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=_interrupted(store)):
        seen = [store.absolute().parent]
        with cluster.tasks_on(dask, workers, seen) as on, progress.bars(_stages()) as report:
            built = hmsprep.seal(
                store,
                executor=on[0],
                workers=on[1],
                force=force,
                clipped=clipped,
                progress=report,
            )
        _print_store(built, built.path, json=json)


def _stages() -> dict[str, Stage]:
    from hmsprep.cli.progress import Stage

    return {
        "plan": Stage("Planning"),
        "ingest": Stage("Reading", "bytes"),
        "normalise": Stage("Normalising", "bytes"),
    }


def _share(word: str) -> tuple[int, int]:
    from hmsprep.building.division import Share

    share = Share.parse(word)
    return share.number, share.of


def _interrupted(store: Path) -> Callable[[], str]:
    """What to say if the work on a store is interrupted."""

    def say() -> str:
        from hmsprep.building.from_files import unfinished

        if unfinished(store):
            return "Stopped. Run the same command again to resume."
        return "Stopped before anything was finished; nothing was written."

    return say


def _print_store(built: Store, store: Path, *, json: bool) -> None:
    import hmsprep
    from hmsprep.cli import tables

    if json:
        counts = built.info["counts"]
        tables.print_json({"store": str(store), "identity": built.identity, **counts})
    else:
        tables.print_info(hmsprep.info(store))


def plan(
    data: Annotated[
        Path,
        typer.Argument(
            envvar="HMS_DATA",
            metavar="DATA",
            help="Data set, or a table of windows alone (CSV, parquet).",
        ),
    ] = Path("data"),
    half: HalfOption = False,
    windows: WindowsOption = "all",
    balance: BalanceOption = "none",
    split_by: SplitOption = "patient",
    missing: MissingOption = "error",
    part: PartOption = None,
    table: TableOption = None,
    nan: NanOption = "zero",
    eeg_clip: EegClipOption = EEG_CLIP,
    spectrogram_clip: SpectrogramClipOption = POWER_CLIP,
    bandpass: BandpassOption = ("none", "none"),
    normalise: NormaliseOption = "zscore",
    cleaning: CleaningOption = None,
    seed: SeedOption = 42,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Preview a build: windows, folds, bytes.

    Reads the table and the names of files, but no recording. Takes the options of `hmsprep build`
    that decide what is built.
    """
    import hmsprep
    from hmsprep.cli import console, progress, tables

    with console.reporting(quiet=quiet, log_file=log_file):
        with progress.spinner("Planning"):
            found = hmsprep.plan(
                data,
                half=half,
                windows=windows,
                balance=balance,
                split_by=split_by,
                missing=missing,
                part=part,
                table=table,
                nan=nan,
                eeg_clip=parse_clip("--eeg-clip", eeg_clip),
                spectrogram_clip=parse_range("--spectrogram-clip", spectrogram_clip),
                bandpass=parse_range("--bandpass", bandpass),
                normalise=normalise,
                cleaning=cleaning,
                seed=seed,
            )
        if json:
            tables.print_json(found.to_json())
        else:
            tables.print_plan(found)
        console.warn_all(found.warnings)
