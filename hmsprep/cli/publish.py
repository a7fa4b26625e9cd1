"""`hmsprep publish`: a store -> `hmsprep.publish` -> a folder for Kaggle's client."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmsprep.cli.options import Json, LogFile, Quiet, StoreIn, option


def publish(
    store: StoreIn,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make and upload.")],
    name: Annotated[str, option("--id", "Name of the dataset on Kaggle.", metavar="USER/NAME")],
    title: Annotated[
        str, option("--title", "Title, 6 to 50 characters.", metavar="TEXT")
    ] = "HMS EEG store",
    licence: Annotated[
        str, option("--licence", "Licence, as Kaggle names it.", metavar="NAME")
    ] = "other",
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Prepare a store for upload to Kaggle.

    Every notebook can then map the store as a Kaggle dataset. Nothing is copied where the file
    system has hard links.
    """
    import hmsprep
    from hmsprep.cli import console, tables
    from hmsprep.words import size

    with console.reporting(quiet=quiet, log_file=log_file):
        made = hmsprep.publish(store, out, name=name, title=title, licence=licence)
        console.warn_of_leak(hmsprep.info(store).leaks)
        if json:
            tables.print_json({"out": str(out), "bytes": made.nbytes, "upload": made.upload})
            return
        console.note(
            f"Wrote {out}, {size(made.nbytes)}. Upload it (private, unless you add --public):"
        )
        print(made.upload)
