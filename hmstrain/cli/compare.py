"""`hmstrain compare`: several models' predictions on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import (
    Answered,
    DifferentFolds,
    IdColumn,
    Json,
    LogFile,
    PatientColumn,
    Quiet,
    Scale,
    SplitOfRuns,
    Truth,
    option,
)


def compare(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL...",
            help="Finished runs; folders of predictions or blends; .npz, CSV or parquet.",
        ),
    ],
    truth: Truth = None,
    to: Annotated[
        str | None,
        option("--to", None, "Model to compare with. [default: the first]", metavar="NAME"),
    ] = None,
    rows: Answered = "all",
    split: SplitOfRuns = None,
    id_column: IdColumn = None,
    patient_column: PatientColumn = None,
    seeds: Annotated[
        bool,
        option("--seeds", None, "Count models that differ only in their seed as one."),
    ] = False,
    different_folds: DifferentFolds = False,
    scale: Scale = False,
    margin: Annotated[
        float,
        option(
            "--margin",
            None,
            "Margin of non-inferiority to the average rater. [default: 0.05]",
            metavar="M",
        ),
    ] = 0.05,
    seed: Annotated[int, option("--seed", None, "Seed of the resamples.", metavar="S")] = 0,
    out: Annotated[
        Path | None,
        option(
            "--out", None, "Folder for table, picture and page. [default: none]", metavar="FOLDER"
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Compare models on the rows that they all share.

    Scores and paired differences have 95% intervals, which resample patients.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.cli.results import print_comparison
        from hmstrain.scoring.answers.matching import matched_answers
        from hmstrain.scoring.comparison.compare import compare_matched

        matched = matched_answers(
            models,
            truth=truth,
            rows=rows,
            split=split,
            id_column=id_column,
            patient_column=patient_column,
            different_folds=different_folds,
            scale=scale,
        )
        with console.busy("Resampling"):
            found = compare_matched(
                matched, to=to, rows=rows, group_seeds=seeds, margin=margin, seed=seed
            )
        for text in found.notes:
            console.note(text)
        for text in found.warnings:
            console.warn(text)
        if out is not None:
            from hmstrain.reporting.comparison.page import write_comparison

            write_comparison(found, matched, out)
        if json:
            console.print_json(found.to_json())
        else:
            print_comparison(found)
        if out is not None:
            console.note(f"Everything is in {out}.")
