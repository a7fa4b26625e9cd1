"""`hmstrain bundle`: runs for a machine without internet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import (
    Calibrated,
    Json,
    LogFile,
    OwnModels,
    Population,
    Quiet,
    Reverse,
    Runs,
    Swap,
    TrustIn,
    option,
    trusted,
)


def bundle(
    runs: Runs,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    python: Annotated[
        str | None,
        option(
            "--python",
            None,
            "Python version of the offline machine. [default: this one's]",
            metavar="VERSION",
        ),
    ] = None,
    have: Annotated[
        list[str] | None,
        option(
            "--have",
            None,
            "Package already installed there; repeatable. [default: those on Kaggle and Colab]",
            metavar="PACKAGE",
        ),
    ] = None,
    calibrated: Calibrated = False,
    swap: Swap = False,
    reverse: Reverse = False,
    population: Population = None,
    model: OwnModels = None,
    trust: TrustIn = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Package runs for offline prediction.

    The folder holds weights, wheels and a notebook cell.
    """
    from dataclasses import asdict

    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.prediction.bundle import KAGGLE
        from hmstrain.prediction.bundle import bundle as make
        from hmstrain.words import plural

        made = make(
            runs,
            out,
            python=python,
            have=have or KAGGLE,
            trust=trusted(trust, model),
            calibrated=calibrated,
            swap=swap,
            reverse=reverse,
            population=population,
        )
        if json:
            console.print_json(asdict(made) | {"out": str(made.out)})
            return
        print("\n".join(made.wheels))
        console.note(
            f"Made {made.out}: {plural(len(made.runs), 'run')}, "
            f"{plural(len(made.wheels), 'wheel')}, {made.nbytes / 1e6:,.1f} MB. "
            f"{made.out / 'cell.py'} is for the notebook."
        )
