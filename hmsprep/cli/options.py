"""Arguments and options that several commands share. Nothing heavy is imported."""

from pathlib import Path
from typing import Annotated

import typer

from hmsprep.planning.choices import Part

Data = Annotated[
    Path,
    typer.Argument(envvar="HMS_DATA", help="Folder in Kaggle's layout, or the competition's .zip."),
]
StoreOut = Annotated[Path, typer.Argument(envvar="HMS_STORE", help="The store to make.")]
StoreIn = Annotated[Path, typer.Argument(envvar="HMS_STORE", help="The store.")]
PartChoice = Annotated[
    Part | None,
    typer.Option("--part", help="Of the data: train or test.", show_default="train if there is"),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of a table.")]
