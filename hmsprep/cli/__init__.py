"""The command line of hmsprep: parse, call, and one place where errors become messages.

Only light modules are imported here; each command imports what it needs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hmsprep.cli import cli_eeg, cli_look
from hmsprep.cli.options import Data, Json, PartChoice, StoreIn, StoreOut
from hmsprep.cli.ranges import RangeCommand, parse_number, parse_range
from hmsprep.planning.choices import (
    EEG_CLIP_UV,
    EKG_CLIP_UV,
    Balance,
    Fill,
    Missing,
    Normalise,
    SplitBy,
    Windows,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
SELECT, CLEAN, RUN = "What to build", "How to clean", "How to run"
PREP_PACKAGES = (
    "polars", "pyarrow", "scipy", "sklearn", "zarr", "numcodecs", "matplotlib", "edfio",
)  # fmt: skip


def _version(asked: bool) -> None:
    if asked:
        from hmsstore import __version__

        print(f"hms-eeg {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read the competition's EEG and spectrograms once; seal them in one store to train from."""


def _option(name: str, panel: str, help_: str, **more: Any) -> Any:
    return typer.Option(name, help=help_, rich_help_panel=panel, **more)


Seed = Annotated[int, _option("--seed", RUN, "Seed of every random choice.")]
Half = Annotated[bool, _option("--half", SELECT, "Half of the windows, as whole recordings.")]
WindowChoice = Annotated[
    Windows,
    _option(
        "--windows",
        SELECT,
        "All; the most typical one per EEG and votes; or the middle one per EEG, votes summed.",
    ),
]
BalanceChoice = Annotated[
    Balance, _option("--balance", SELECT, "Thin the windows to equal votes for each class.")
]
SplitChoice = Annotated[
    SplitBy,
    _option("--split-by", SELECT, "Test on whole patients, on single windows (leaks!), or on all."),
]
MissingChoice = Annotated[
    Missing, _option("--missing", SELECT, "If recordings have no file: stop, or build the rest.")
]


@app.command(cls=RangeCommand)
def build(
    data: Data = Path("data"),
    store: StoreOut = Path("hms.zarr"),
    half: Half = False,
    windows: WindowChoice = "all",
    balance: BalanceChoice = "none",
    split_by: SplitChoice = "patient",
    missing: MissingChoice = "error",
    part: PartChoice = None,
    nan: Annotated[
        Fill,
        _option("--nan", CLEAN, "Missing values: 0, interpolated, the mean; or drop the windows."),
    ] = "zero",
    eeg_clip: Annotated[
        str, _option("--eeg-clip", CLEAN, "Largest EEG, uV (EKG: 32,000).", metavar="UV|none")
    ] = f"{EEG_CLIP_UV:g}",
    spectrogram_clip: Annotated[
        tuple[str, str],
        _option(
            "--spectrogram-clip",
            CLEAN,
            "Range of power before its logarithm, uV^2/Hz.",
            metavar="LOW HIGH|none",
            show_default="e^-4 e^8",
        ),
    ] = ("e^-4", "e^8"),
    bandpass: Annotated[
        tuple[str, str],
        _option(
            "--bandpass",
            CLEAN,
            "Zero-phase band-pass of the EEG, Hz.",
            metavar="LOW HIGH|none",
            show_default="none",
        ),
    ] = ("none", "none"),
    normalise: Annotated[
        Normalise, _option("--normalise", CLEAN, "z-score per channel and frequency, or not.")
    ] = "zscore",
    workers: Annotated[
        int | None, _option("--workers", RUN, "Processes; up to 4 unless given.", min=1)
    ] = None,
    seed: Seed = 42,
    force: Annotated[bool, _option("--force", RUN, "Replace the store that stands there.")] = False,
    dry_run: Annotated[bool, _option("--dry-run", RUN, "Print the plan; write nothing.")] = False,
    json: Json = False,
) -> None:
    """Build a store. If it is cut off, the same command goes on where it stopped."""
    from hmsprep.cli import commands
    from hmsprep.planning.parameters import Parameters

    limit = None if eeg_clip == "none" else parse_number("--eeg-clip", eeg_clip)
    parameters = Parameters(
        windows=windows,
        balance=balance,
        half=half,
        nan=nan,
        eeg_clip=limit,
        ekg_clip=None if limit is None else EKG_CLIP_UV,
        spectrogram_clip=parse_range("--spectrogram-clip", spectrogram_clip),
        bandpass=parse_range("--bandpass", bandpass),
        normalise=normalise,
        split_by=split_by,
        seed=seed,
    )
    if dry_run:
        commands.plan(data, parameters, missing=missing, part=part, as_json=json)
    else:
        processors = os.cpu_count() or 1
        commands.build(
            data,
            store,
            parameters,
            missing=missing,
            part=part,
            workers=workers or min(4, processors),
            force=force,
            as_json=json,
        )


@app.command()
def plan(
    data: Annotated[
        Path, typer.Argument(envvar="HMS_DATA", help="Data, or a table of windows (CSV, parquet).")
    ] = Path("data"),
    half: Half = False,
    windows: WindowChoice = "all",
    balance: BalanceChoice = "none",
    split_by: SplitChoice = "patient",
    missing: MissingChoice = "error",
    seed: Seed = 42,
    json: Json = False,
) -> None:
    """Print what a build would make: windows, recordings, folds and bytes."""
    from hmsprep.cli import commands
    from hmsprep.planning.parameters import Parameters

    parameters = Parameters(
        windows=windows, balance=balance, half=half, split_by=split_by, seed=seed
    )
    commands.plan(data, parameters, missing=missing, part=None, as_json=json)


@app.command()
def verify(store: StoreIn = Path("hms.zarr"), json: Json = False) -> None:
    """Check everything about a store: seal, checksums, tables, folds."""
    from hmsprep.cli import commands

    commands.verify(store, as_json=json)


@app.command()
def info(store: StoreIn = Path("hms.zarr"), json: Json = False) -> None:
    """Say what a store holds and how it was made."""
    from hmsprep.cli import commands

    commands.info(store, as_json=json)


app.command()(cli_look.inspect)
app.command()(cli_look.montage)
app.command()(cli_look.show)
app.command()(cli_eeg.spectrogram)
app.command("import")(cli_eeg.import_)
app.command()(cli_eeg.publish)


@app.command()
def synth(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    windows: Annotated[
        int | None,
        typer.Option("--windows", min=1, help="How many.", show_default="600, or all of --like"),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option("--like", help="Table of windows whose structure and votes to copy."),
    ] = None,
    fraction: Annotated[
        float | None,
        typer.Option("--fraction", help="Share of that table's patients.", show_default="1"),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Cut all from a few simulated recordings: large and quick."),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of every random choice.")] = 42,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes.")] = None,
    json: Json = False,
) -> None:
    """Make a synthetic data set in Kaggle's layout: no account, no download."""
    from hmsprep.cli import commands

    if fraction is not None and like is None:
        raise typer.BadParameter("--fraction is a share of the table that --like names")
    commands.synth(
        out,
        windows=windows,
        like=like,
        fraction=1.0 if fraction is None else fraction,
        fast=fast,
        seed=seed,
        workers=workers or os.cpu_count() or 1,
        as_json=json,
    )


def main() -> None:
    """Run the command line: a user's error prints one message and exits with 1."""
    try:
        app()
    except Exception as error:
        message = _user_message(error)
        if message is None:
            raise
        print(f"hmsprep: {message}", file=sys.stderr)
        sys.exit(1)


def _user_message(error: Exception) -> str | None:
    """Text of an error that is the user's to mend; None for a bug, which keeps its traceback."""
    if isinstance(error, ModuleNotFoundError) and error.name in PREP_PACKAGES:
        return (
            f"{error.name} is not installed. Install what building takes: pip install '.[prep]' "
            "in a clone of hms-eeg."
        )
    from hmsprep.errors import PrepError
    from hmsstore import StoreError

    if isinstance(error, PrepError | StoreError):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return None
