"""`hmstrain submission`: the competition's submission.csv."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import (
    Average,
    Calibrated,
    DeviceIn,
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


def submission(
    runs: Runs,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder with test.csv, or its zip.")],
    out: Annotated[
        Path, option("--out", None, "File to write. [default: submission.csv]", metavar="FILE")
    ] = Path("submission.csv"),
    average: Average = "arithmetic",
    swap: Swap = False,
    reverse: Reverse = False,
    device: DeviceIn = "auto",
    calibrated: Calibrated = False,
    population: Population = None,
    model: OwnModels = None,
    trust: TrustIn = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Write submission.csv for the competition.

    It has the form of sample_submission.csv.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.errors import RESEARCH_ONLY
        from hmstrain.prediction.submission import submission as write
        from hmstrain.words import plural

        with console.counting("Predicting", "windows") as progress:
            found = write(
                runs,
                data,
                out=out,
                average=average,
                swap=swap,
                reverse=reverse,
                device=device,
                trust=trusted(trust, model),
                calibrated=calibrated,
                population=population,
                progress=progress,
            )
        for warning in found.made["warnings"]:
            console.warn(warning)
        if json:
            console.print_json({"out": str(found.out), "rows": found.rows, **found.made})
            return
        rows = plural(found.rows, "row")
        console.note(f"Wrote {found.out}: {rows}. {RESEARCH_ONLY}")
