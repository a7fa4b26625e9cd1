"""`hmstrain report`: a page about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hmstrain.cli.options import Json, LogFile, Quiet, RunIn, RunStore, option


def report(
    folder: RunIn,
    store: RunStore = None,
    out: Annotated[
        Path | None,
        option("--out", None, "Page to write. [default: RUN/report.html]", metavar="FILE"),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Write a page about a finished run.

    It shows scores, curves, confusion, and the run's worst windows drawn.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.cli.opened import store_of_run
        from hmstrain.reporting.report import report as write

        page = write(folder, store=store_of_run(folder, store), out=out)
        if json:
            console.print_json({"page": str(page)})
        console.note(f"Wrote {page}.")
