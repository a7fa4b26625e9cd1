"""`hmsprep build` and `hmsprep plan`: options -> `hmsprep.build` and `hmsprep.plan` -> a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmsprep.cli.options import (
    RUN,
    BalanceOption,
    BandpassOption,
    CleaningOption,
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
    WindowsOption,
    option,
    parse_clip,
    parse_range,
)
from hmsprep.planning.choices import EEG_CLIP_UV

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
    nan: NanOption = "zero",
    eeg_clip: EegClipOption = EEG_CLIP,
    spectrogram_clip: SpectrogramClipOption = POWER_CLIP,
    bandpass: BandpassOption = ("none", "none"),
    normalise: NormaliseOption = "zscore",
    cleaning: CleaningOption = None,
    workers: Annotated[
        int | None,
        option(
            "--workers",
            "Number of processes.",
            RUN,
            min=1,
            metavar="N",
            show_default="one per processor, up to 4",
        ),
    ] = None,
    seed: SeedOption = 42,
    force: Annotated[bool, option("--force", "Replace an existing store.", RUN)] = False,
    clipped: Annotated[
        bool, option("--clipped", "Build what is for the most part beyond the clip, too.", RUN)
    ] = False,
    dry_run: Annotated[
        bool, option("--dry-run", "Print what `hmsprep plan` prints; write nothing.", RUN)
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Build a store of a data set.

    If a build is interrupted, run the same command again to resume it.
    """
    if dry_run:
        plan(
            data, half, windows, balance, split_by, missing, part, nan, eeg_clip, spectrogram_clip,
            bandpass, normalise, cleaning, seed, json, quiet, log_file,
        )  # fmt: skip
        return
    import hmsprep
    from hmsprep.building.from_files import unfinished
    from hmsprep.cli import console, progress, tables

    def interrupted() -> str:
        if unfinished(store):
            return "Stopped. Run the same command again to resume."
        return "Stopped before anything was finished; nothing was written."

    stages = {
        "plan": progress.Stage("Planning"),
        "ingest": progress.Stage("Reading", "bytes"),
        "normalise": progress.Stage("Normalising", "bytes"),
    }
    with console.reporting(quiet=quiet, log_file=log_file, interrupted=interrupted):
        with progress.bars(stages) as report:
            built = hmsprep.build(
                data,
                store,
                half=half,
                windows=windows,
                balance=balance,
                split_by=split_by,
                missing=missing,
                part=part,
                nan=nan,
                eeg_clip=parse_clip("--eeg-clip", eeg_clip),
                spectrogram_clip=parse_range("--spectrogram-clip", spectrogram_clip),
                bandpass=parse_range("--bandpass", bandpass),
                normalise=normalise,
                cleaning=cleaning,
                workers=workers,
                seed=seed,
                force=force,
                clipped=clipped,
                progress=report,
            )
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
