"""The commands that predict: predict, submission, bundle. `cli` adds them to the program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import Json

Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs; averaged.")
]
Average = Annotated[
    str,
    typer.Option(
        "--average",
        metavar="HOW",
        help="arithmetic; geometric; or fitted: weighed by what runs of all folds say out of fold.",
    ),
]
Swap = Annotated[bool, typer.Option("--swap", help="Also see left and right exchanged.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, mps.")]


def predict(
    runs: Runs,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A store; a folder in Kaggle's layout; an EDF or BDF recording, or a folder of "
            "them.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("predicted"),
    stride: Annotated[
        float, typer.Option("--stride", help="Of a recording: seconds from window to window.")
    ] = 10.0,
    average: Average = "arithmetic",
    swap: Swap = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Predict anyone's EEG: probabilities per window, and a timeline of a recording."""
    from hmstrain.prediction import predict as predicting

    how = predicting.How(average, swap, device)
    predicting.predict(runs, path, out, how, stride_s=stride, as_json=json)


def submission(
    runs: Runs,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder with test.csv, or its zip.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("submission.csv"),
    average: Average = "arithmetic",
    swap: Swap = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Write the competition's submission.csv, as sample_submission.csv has it."""
    from hmstrain.prediction import predict as predicting

    how = predicting.How(average, swap, device)
    predicting.submission(runs, data, out, how, as_json=json)


def bundle(
    runs: Runs,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    python: Annotated[
        str | None,
        typer.Option(
            "--python",
            metavar="VERSION",
            help="Python of the machine without internet.",
            show_default="this one's",
        ),
    ] = None,
    have: Annotated[
        list[str] | None,
        typer.Option(
            "--have",
            metavar="PACKAGE",
            help="A package that it has; may be repeated.",
            show_default="what Kaggle and Colab have",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a folder from which a machine without internet predicts: weights, wheels, a cell."""
    from hmstrain.prediction import predict as predicting

    predicting.bundle(runs, out, python, have, as_json=json)
