"""`hmstrain predict`: probabilities of anyone's EEG."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from hmstrain.cli.options import (
    Average,
    Calibrated,
    DeviceIn,
    Json,
    LogFile,
    Population,
    PrecisionIn,
    Quiet,
    Reverse,
    Swap,
    TrustIn,
    option,
    reads_recordings,
    trusted,
)

EPISODES = "Episodes of a recording"


@reads_recordings
def predict(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[RUN...] INPUT",
            help="Finished runs, averaged if several (none with --model demo); then a store, a "
            "folder in Kaggle's layout, a recording, or a folder of recordings.",
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
    precision: PrecisionIn = "auto",
    calibrated: Calibrated = False,
    prior: Annotated[
        str | None,
        option(
            "--prior",
            None,
            "Calibrate a recording to the class mix of windows with this many votes.",
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
            "Show times of day, if the recording's file states its start.",
        ),
    ] = False,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="demo|NAME",
            help="demo: the demonstration model instead of a run, trained on simulated EEG alone. "
            "package.module:function: import and run this network, which a run names; repeatable.",
            show_default=False,
        ),
    ] = None,
    trust: TrustIn = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Predict a store, a data set or recordings.

    Writes the probabilities of each window, and for a recording a timeline.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.prediction.demo import named_runs
        from hmstrain.prediction.source import importing_ahead

        folders, own = named_runs(paths[:-1], model or [])
        with (
            importing_ahead(paths[-1], stride, importing)
            if all(folder.is_dir() for folder in folders)
            else nullcontext()
        ):
            from hmstrain.cli.results import print_predicted
            from hmstrain.prediction.predict import predict as predict_input
            from hmstrain.reading.clock import clock_start
            from hmstrain.runs.precision import sentences

            with console.counting("Predicting", "windows") as progress:
                found = predict_input(
                    folders,
                    paths[-1],
                    out=out,
                    stride_s=stride,
                    importing=importing,
                    average=average,
                    swap=swap,
                    reverse=reverse,
                    device=device,
                    precision=precision,
                    trust=trusted(trust, own),
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
        for run in found.summary["runs"]:
            for text in sentences(run["arithmetic"]):
                console.note(text)
        if json:
            console.print_json(found.summary)
        else:
            print_predicted(found)
            console.note(f"{found.summary['notice']} Everything is in {found.out}.")
        if found.summary["refused"]:
            raise typer.Exit(1)
