"""`hmsprep inspect`: a data set -> `hmsprep.inspect` -> tables, findings, a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hmsprep.cli.options import (
    DaskOption,
    Data,
    Json,
    LogFile,
    PartOption,
    Quiet,
    WorkersOption,
    option,
)


def inspect(
    data: Data = Path("data"),
    html: Annotated[
        Path | None,
        option("--html", "Also write a page with figures and windows.", metavar="FILE"),
    ] = None,
    part: PartOption = None,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Describe a data set's files and votes.

    Reads every recording once: counts, votes, missing and out-of-range values, flat channels,
    duplicate files.
    """
    import hmsprep
    from hmsprep.cli import cluster, console, progress, tables

    stages = {"look": progress.Stage("Reading", "bytes"), "draw": progress.Stage("Drawing")}
    with console.reporting(quiet=quiet, log_file=log_file):
        with cluster.tasks_on(dask, workers, [data]) as on, progress.bars(stages) as report:
            found = hmsprep.inspect(
                data, html=html, part=part, executor=on[0], workers=on[1], progress=report
            )
        if json:
            tables.print_json(found.facts | {"warnings": found.warnings})
        else:
            from hmsprep.inspection.sections import sections

            for section in sections(found.facts):
                tables.print_section(section.title, section.header, section.rows, section.note)
        console.warn_all(found.warnings)
        if html is not None:
            console.note(f"Wrote {html}.")
