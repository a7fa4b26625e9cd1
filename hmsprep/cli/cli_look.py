"""The commands that let people see: inspect, montage, show. `cli` adds them to the program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hmsprep.cli.options import Data, Json, PartChoice, StoreIn
from hmsprep.planning.choices import Class, Montage

CHOOSE, DRAW = "Which windows", "How to draw them"


def inspect(
    data: Data = Path("data"),
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page with figures and windows.")
    ] = None,
    part: PartChoice = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; one per processor.")
    ] = None,
    json: Json = False,
) -> None:
    """Look through a data set once: counts, votes, missing and wild values, dead channels."""
    from hmsprep.cli import looking

    looking.inspect(data, part, html, workers=workers or os.cpu_count() or 1, as_json=json)


def montage(
    out: Annotated[Path, typer.Option("--out", help="Picture to write.")] = Path("montage.png"),
    json: Json = False,
) -> None:
    """Explain the twenty channels: where they sit, their chains and regions, what each is for."""
    from hmsprep.cli import looking

    looking.montage(out, as_json=json)


def show(
    store: StoreIn = Path("hms.zarr"),
    row: Annotated[
        list[int] | None,
        typer.Option("--row", min=0, help="This row; may be repeated.", rich_help_panel=CHOOSE),
    ] = None,
    eeg: Annotated[
        int | None,
        typer.Option("--eeg", help="Of the EEG with this id.", rich_help_panel=CHOOSE),
    ] = None,
    consensus: Annotated[
        Class | None,
        typer.Option(
            "--class",
            help="Whose consensus this is: seizure, lpd, gpd, lrda, grda or other.",
            metavar="CLASS",
            rich_help_panel=CHOOSE,
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", min=1, help="How many; else 1.", rich_help_panel=CHOOSE),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, help="Seed of a random choice.", rich_help_panel=CHOOSE),
    ] = 42,
    montage: Annotated[
        Montage,
        typer.Option(
            "--montage",
            help="bipolar, referential or average.",
            metavar="NAME",
            rich_help_panel=DRAW,
        ),
    ] = "bipolar",
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            help="Length of EEG around the centre.",
            show_default="50; 10 if several",
            rich_help_panel=DRAW,
        ),
    ] = None,
    spacing: Annotated[
        float | None,
        typer.Option(
            "--spacing",
            help="Microvolts from trace to trace.",
            show_default="what fits",
            rich_help_panel=DRAW,
        ),
    ] = None,
    band: Annotated[
        tuple[float, float],
        typer.Option("--band", help="Band of the EEG shown, Hz.", rich_help_panel=DRAW),
    ] = (0.5, 70.0),
    notch: Annotated[
        float,
        typer.Option("--notch", help="Mains to take out, Hz: 50, 60.", rich_help_panel=DRAW),
    ] = 0.0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Picture to write: .png, .pdf (a page per window), .svg.",
            show_default="window-ROW.png or windows.png",
            rich_help_panel=DRAW,
        ),
    ] = None,
) -> None:
    """Draw windows as a doctor reads them: EEG, spectrograms, votes; bare, one of each class."""
    from hmsprep.cli import looking
    from hmsprep.cli.choosing import choose_rows
    from hmsprep.cli.commands import opened
    from hmsstore.view import Display

    there = opened(store)
    rows = choose_rows(there, rows=row or (), eeg=eeg, consensus=consensus, count=count, seed=seed)
    several = len(rows) > 1 and (out is None or out.suffix != ".pdf")
    display = Display(
        montage,
        (10.0 if several else 50.0) if seconds is None else seconds,
        spacing,
        band,
        notch,
    )
    looking.show(there, rows, display, out)
    if eeg is not None and count is None:
        looking.say_how_many(there, eeg)
