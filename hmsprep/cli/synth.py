"""`hmsprep synth`: options -> `hmsprep.synth` -> a simulated data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hmsprep.cli.options import (
    DaskOption,
    Json,
    LogFile,
    Quiet,
    SeedOption,
    WorkersOption,
    option,
)

MAKE = "What to simulate"


def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    windows: Annotated[
        int | None,
        option(
            "--windows",
            "Number of labelled windows.",
            MAKE,
            min=1,
            metavar="N",
            show_default="600, or all of --like",
        ),
    ] = None,
    like: Annotated[
        Path | None,
        option(
            "--like",
            "Table of windows whose structure and votes are copied.",
            MAKE,
            metavar="TABLE",
        ),
    ] = None,
    fraction: Annotated[
        float | None,
        option(
            "--fraction",
            "Share of the patients of --like.",
            MAKE,
            metavar="SHARE",
            show_default="1",
        ),
    ] = None,
    fast: Annotated[
        bool,
        option("--fast", "Reuse a few simulated recordings (fast, for large sets).", MAKE),
    ] = False,
    seed: SeedOption = 42,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Simulate a data set with a known truth.

    It has Kaggle's layout and needs neither an account nor a download.
    """
    if fraction is not None and like is None:
        raise typer.BadParameter("--fraction is a share of the table given by --like: use both")
    import hmsprep
    from hmsprep.cli import cluster, console, progress, tables

    stages = {"synth": progress.Stage("Simulating", "recording")}
    with console.reporting(
        quiet=quiet, log_file=log_file, interrupted="Stopped; nothing was written."
    ):
        seen = [out.absolute().parent]
        with cluster.tasks_on(dask, workers, seen) as on, progress.bars(stages) as report:
            made = hmsprep.synth(
                out,
                windows=windows,
                like=like,
                fraction=fraction,
                fast=fast,
                seed=seed,
                executor=on[0],
                workers=on[1],
                progress=report,
            )
        if json:
            known = {name: value for name, value in asdict(made).items() if value is not None}
            tables.print_json(known | {"data": str(out)})
        else:
            tables.print_synth(made)
