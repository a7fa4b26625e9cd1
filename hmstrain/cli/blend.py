"""`hmstrain blend`: several models as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import (
    DifferentFolds,
    IdColumn,
    Json,
    LogFile,
    PatientColumn,
    Quiet,
    Scale,
    SplitOfRuns,
    Truth,
    VotesOf,
    option,
)


def blend(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL...",
            help="Finished runs; folders of predictions or blends; .npz, CSV or parquet.",
        ),
    ],
    out: Annotated[
        Path | None,
        option("--out", None, "Folder of the blend. [default: none]", metavar="FOLDER"),
    ] = None,
    how: Annotated[
        str,
        option(
            "--how",
            None,
            "Way of blending; logits: weighted logarithms and a class bias. [default: arithmetic]",
            metavar="arithmetic|geometric|fitted|logits",
        ),
    ] = "arithmetic",
    truth: Truth = None,
    votes: VotesOf = None,
    split: SplitOfRuns = None,
    id_column: IdColumn = None,
    patient_column: PatientColumn = None,
    different_folds: DifferentFolds = False,
    scale: Scale = False,
    seed: Annotated[int, option("--seed", None, "Seed of the folds.", metavar="S")] = 0,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Blend models, fitted and scored on different patients.

    A blend of runs stands wherever a run does in predict, submission and bundle.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.cli.results import print_table
        from hmstrain.reporting.comparison.files import BLEND_NOTE, blend_table, write_blend
        from hmstrain.scoring.blending import blend as fit
        from hmstrain.words import plural

        found = fit(
            models,
            how=how,
            truth=truth,
            votes=votes,
            split=split,
            id_column=id_column,
            patient_column=patient_column,
            different_folds=different_folds,
            scale=scale,
            seed=seed,
        )
        for text in found.notes:
            console.note(text)
        if out is not None:
            write_blend(found, out)
        if json:
            console.print_json(found.to_json())
            return
        header, rows = blend_table(found)
        of = "any number of" if found.blend.population == "all" else found.blend.population
        print_table(
            header,
            rows,
            last=f"{plural(found.rows, 'row')} with {of} votes, "
            f"{found.patients:,} {found.matched.unit}. {BLEND_NOTE.format(found.best)}",
        )
        console.note(
            "Nothing was written: name --out." if out is None else f"The blend ({how}) is in {out}."
        )
