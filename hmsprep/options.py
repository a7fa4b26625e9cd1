"""Arguments and options that several commands share. No imports but Typer's."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path,
    typer.Argument(envvar="HMS_DATA", help="Folder in Kaggle's layout, or the competition's .zip."),
]
StoreOut = Annotated[Path, typer.Argument(envvar="HMS_STORE", help="The store to make.")]
StoreIn = Annotated[Path, typer.Argument(envvar="HMS_STORE", help="The store.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of a table.")]
