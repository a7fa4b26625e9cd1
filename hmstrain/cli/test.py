"""`hmstrain test`: score a run on its own store or another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import (
    Calibrated,
    DeviceIn,
    Json,
    LogFile,
    OwnModels,
    Population,
    PrecisionIn,
    Quiet,
    Reverse,
    RunIn,
    RunStore,
    Swap,
    TrustIn,
    option,
    trusted,
)


def test(
    folder: RunIn,
    store: RunStore = None,
    split: Annotated[
        str,
        typer.Option(
            "--split",
            help="Windows to score; valid: the held-out fold; all: every one with votes.",
            metavar="test|train|valid|predict|all",
        ),
    ] = "test",
    out: Annotated[
        Path | None,
        option("--out", None, "Folder to write into. [default: the run's]", metavar="FOLDER"),
    ] = None,
    device: DeviceIn = "auto",
    precision: PrecisionIn = "auto",
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
    """Score a run on its own store or another.

    Its best checkpoint is scored, or the mean of those of all folds.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.cli.opened import store_of_run
        from hmstrain.cli.results import print_tested
        from hmstrain.events import is_main
        from hmstrain.runs.precision import sentences
        from hmstrain.scoring.score_run import test as score
        from hmstrain.scoring.tested import predictions_path

        opened = store_of_run(folder, store)
        word = trusted(trust, model)
        found = score(
            folder,
            store=opened,
            split=split,
            out=out,
            device=device,
            precision=precision,
            trust=word,
            calibrated=calibrated,
            swap=swap,
            reverse=reverse,
            population=population,
        )
        if not is_main():
            return
        predictions = predictions_path(found, out)
        for text in sentences(one.to_json() for one in found.arithmetic):
            console.note(text)
        if json:
            console.print_json(found.to_json() | {"predictions": str(predictions)})
            return
        console.note(f"{folder} on {opened.path}, split {split}:")
        print_tested(found, opened)
        console.note(f"Predictions are in {predictions}.")
