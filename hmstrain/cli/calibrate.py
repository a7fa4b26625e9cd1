"""`hmstrain calibrate`: make a model's probabilities honest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import (
    IdColumn,
    Json,
    LogFile,
    OwnModels,
    PatientColumn,
    Quiet,
    Scale,
    TrustIn,
    Truth,
    VotesOf,
    option,
    trusted,
)


def calibrate(
    model: Annotated[
        Path,
        typer.Argument(metavar="RUN|FILE", help="A run, a blend, or predictions out of fold."),
    ],
    truth: Truth = None,
    votes: VotesOf = None,
    id_column: IdColumn = None,
    patient_column: PatientColumn = None,
    scale: Scale = False,
    seed: Annotated[int, option("--seed", None, "Seed of the folds.", metavar="S")] = 0,
    out: Annotated[
        Path | None,
        option(
            "--out",
            None,
            "Folder for calibration.json and a picture. [default: the run or blend]",
            metavar="FOLDER",
        ),
    ] = None,
    own: OwnModels = None,
    trust: TrustIn = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Fit a temperature and a bias of each class.

    Fitted on windows that the model was not trained on, and scored on patients
    left out of the fit. `hmstrain predict --calibrated` applies what is stored.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmsstore.atomic import refusal
        from hmstrain.cli.console import print_text
        from hmstrain.cli.results import print_table
        from hmstrain.errors import RunError
        from hmstrain.reporting.comparison.files import (
            CALIBRATION_NOTE,
            calibration_table,
            write_calibration,
        )
        from hmstrain.scoring.calibrate import calibrate as fit
        from hmstrain.scoring.calibrate import words

        folder = out or (model if model.is_dir() else None)
        if folder is model and (reason := refusal(model)):
            raise RunError(
                f"{model} cannot be written into ({reason}): name a folder for the calibration "
                "with --out."
            )
        found = fit(
            model,
            truth=truth,
            votes=votes,
            id_column=id_column,
            patient_column=patient_column,
            scale=scale,
            seed=seed,
            trust=trusted(trust, own),
        )
        for text in found.notes:
            console.note(text)
        path = None if folder is None else write_calibration(found, folder)
        if json:
            console.print_json({**found.to_json(), "file": None if path is None else str(path)})
            return
        header, rows = calibration_table(found)
        print_table(header, rows, last=words(found))
        print_text(CALIBRATION_NOTE)
        console.note("Nothing was written: name --out." if path is None else f"Wrote {path}.")
