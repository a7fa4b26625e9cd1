"""`hmstrain score`: a model's seizure-like events against a reader's, in SzCORE's terms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import Json, LogFile, Quiet, option


def score(
    timeline: Annotated[
        Path,
        typer.Argument(
            metavar="TIMELINE",
            help="A timeline of hmstrain predict (NAME.csv), a table of SzCORE events, or a "
            "folder of them.",
        ),
    ],
    events: Annotated[
        Path,
        typer.Argument(
            metavar="EVENTS",
            help="The reader's table of SzCORE events, or a folder of NAME_events.tsv.",
        ),
    ],
    threshold: Annotated[
        float | None,
        option(
            "--threshold",
            None,
            "Smallest probability of an event. [default: as predicted]",
            metavar="P",
        ),
    ] = None,
    shortest: Annotated[
        float | None,
        option(
            "--shortest",
            None,
            "Seconds of the shortest event. [default: as predicted]",
            metavar="S",
        ),
    ] = None,
    smoothing: Annotated[
        float | None,
        option(
            "--smoothing",
            None,
            "Seconds over which probabilities are averaged. [default: as predicted]",
            metavar="S",
        ),
    ] = None,
    tolerance: Annotated[
        float,
        option(
            "--tolerance",
            None,
            "Accepted difference between the two lengths of a recording, s. [default: 1]",
            metavar="S",
        ),
    ] = 1.0,
    partial: Annotated[
        bool, option("--partial", None, "Leave out files without a counterpart.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Score seizure-like events against a reader's.

    Sensitivity, precision, F1 and false alarms per day by event and by sample, as the SzCORE
    framework defines them, and latency.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.cli.results import print_seizure_scores
        from hmstrain.prediction.seizures.score import score as score_events

        found = score_events(
            timeline,
            events,
            threshold=threshold,
            shortest_s=shortest,
            smoothing_s=smoothing,
            tolerance_s=tolerance,
            partial=partial,
        )
        for message in found.notes:
            console.warn(message)
        if json:
            console.print_json(found.to_json())
            return
        print_seizure_scores(found)
