"""`hmsprep realism`: stores -> `hmsprep.realism` -> how alike their windows are, a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmsprep.cli.options import (
    REPORT,
    RUN,
    Json,
    LogFile,
    Quiet,
    SeedOption,
    WorkersOption,
    option,
    parse_range,
)

LOOK = "What to compare"


def realism(
    stores: Annotated[
        list[Path],
        typer.Argument(
            metavar="STORE STORE...", help="The reference store, then stores to compare with it."
        ),
    ],
    source: Annotated[
        Path | None,
        option(
            "--source",
            "CSV with eeg_id, source, half of the first store's EEGs; also compare its sources.",
            LOOK,
            metavar="FILE",
        ),
    ] = None,
    half: Annotated[
        str | None,
        option("--half", "Use only EEGs of this half of --source.", LOOK, metavar="NAME"),
    ] = None,
    bandpass: Annotated[
        tuple[str, str],
        option(
            "--bandpass",
            "Band-pass all stores before measuring, Hz; artefacts are measured unfiltered.",
            LOOK,
            metavar="LOW HIGH|none",
            show_default="0.5 40",
        ),
    ] = ("0.5", "40"),
    html: Annotated[
        Path | None,
        option("--html", "Also write a page with tables and figures.", REPORT, metavar="FILE"),
    ] = None,
    csv: Annotated[
        Path | None, option("--csv", "Also write all distances as a table.", REPORT, metavar="FILE")
    ] = None,
    resamples: Annotated[
        int,
        option("--resamples", "Draws of patients, for intervals and chance.", RUN, metavar="N"),
    ] = 200,
    seed: SeedOption = 42,
    workers: WorkersOption = None,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Compare windows of stores.

    For example, how similar simulated ones are to real ones. Measures amplitude, spectrum,
    correlation, discharges, evolution and artefacts of the judged seconds, compares their
    distributions class by class, and trains classifiers to distinguish the stores.
    """
    import hmsprep
    from hmsprep.cli import console, progress, tables

    band = parse_range("--bandpass", bandpass)
    stages = {
        "measure": progress.Stage("Measuring", "window"),
        "compare": progress.Stage("Comparing", "pair of samples", "pairs of samples"),
    }
    with console.reporting(
        quiet=quiet, log_file=log_file, interrupted="Stopped; nothing was written."
    ):
        with progress.bars(stages) as report:
            found = hmsprep.realism(
                stores, source=source, half=half, bandpass=band, resamples=resamples, seed=seed,
                html=html, csv=csv, workers=workers, progress=report,
            )  # fmt: skip
        console.warn_all(found.warnings)
        if json:
            tables.print_json(found.to_json())
        else:
            from hmsprep.likeness.page import AREA, DISTANCE, HEADER, area_rows, distance_rows

            header = ("samples", "model", "AUC", "95%", "windows", "patients")
            tables.print_section("Told apart", header, area_rows(found), AREA)
            for one in found.comparisons:
                rows = distance_rows(one, "all", 20)
                tables.print_section(f"Largest distances, {one.title}", HEADER, rows, DISTANCE)
        for path in (html, csv):
            if path is not None:
                console.note(f"Wrote {path}.")
