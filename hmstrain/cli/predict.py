"""`hmstrain predict`: probabilities of anyone's EEG."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    reads_recordings,
    trusted,
)

EPISODES = "Episodes of a recording"


@reads_recordings
def predict(
    runs: Runs,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A store; a folder in Kaggle's layout; a recording, or a folder of them.",
        ),
    ],
    out: Annotated[
        Path, option("--out", None, "Folder to write into. [default: predicted]", metavar="FOLDER")
    ] = Path("predicted"),
    stride: Annotated[
        float,
        option(
            "--stride",
            None,
            "Seconds from window to window of a recording. [default: 10]",
            metavar="S",
        ),
    ] = 10.0,
    importing: Any = None,
    average: Average = "arithmetic",
    swap: Swap = False,
    reverse: Reverse = False,
    device: DeviceIn = "auto",
    calibrated: Calibrated = False,
    prior: Annotated[
        str | None,
        option(
            "--prior",
            None,
            "Calibrate a recording to the classes of windows with so many votes.",
            metavar="10+|4-9|1-3|all",
        ),
    ] = None,
    population: Population = None,
    threshold: Annotated[
        float,
        option(
            "--threshold",
            EPISODES,
            "Smallest probability of an episode. [default: 0.5]",
            metavar="P",
        ),
    ] = 0.5,
    shortest: Annotated[
        float,
        option(
            "--shortest", EPISODES, "Seconds of the shortest episode. [default: 20]", metavar="S"
        ),
    ] = 20.0,
    smoothing: Annotated[
        float,
        option(
            "--smoothing",
            EPISODES,
            "Seconds over which probabilities are averaged; 0: none. [default: 30]",
            metavar="S",
        ),
    ] = 30.0,
    time_of_day: Annotated[
        bool,
        option(
            "--time-of-day",
            EPISODES,
            "Show times of the day, where the recording's file has its start.",
        ),
    ] = False,
    model: OwnModels = None,
    trust: TrustIn = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Predict a store, a data set or recordings.

    Writes the probabilities of each window, and of a recording a timeline.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.cli.results import print_predicted
        from hmstrain.errors import RESEARCH_ONLY
        from hmstrain.prediction.predict import predict as predict_input
        from hmstrain.reading.clock import clock_start

        with console.counting("Predicting", "windows") as progress:
            found = predict_input(
                runs,
                path,
                out=out,
                stride_s=stride,
                importing=importing,
                average=average,
                swap=swap,
                reverse=reverse,
                device=device,
                trust=trusted(trust, model),
                calibrated=calibrated,
                prior=prior,
                population=population,
                threshold=threshold,
                shortest_s=shortest,
                smoothing_s=smoothing,
                start_of=clock_start if time_of_day else None,
                progress=progress,
                notices=console.warn,
            )
        if json:
            console.print_json(found.summary)
        else:
            print_predicted(found)
            console.note(f"{RESEARCH_ONLY} Everything is in {found.out}.")
        if found.summary["refused"]:
            raise typer.Exit(1)
