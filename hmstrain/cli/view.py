"""The commands that let people see a run: report, explain, view. `cli` adds them to the program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import Json, RunIn, RunStore


def report(
    folder: RunIn,
    store: RunStore = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Page to write.", show_default="RUN/report.html")
    ] = None,
) -> None:
    """Write a page about a run: scores, curves, confusion, and its worst windows drawn."""
    from hmstrain.cli import explain as looking
    from hmstrain.runs.folder import RunFolder

    looking.report(RunFolder(folder), store, out)


def explain(
    folder: RunIn,
    row: Annotated[int, typer.Argument(metavar="WINDOW", help="Row of the window table.", min=0)],
    store: RunStore = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="gradcam, of convolutions; or gradients (integrated), of any network.",
            show_default="gradcam where it can be",
            metavar="WHICH",
        ),
    ] = None,
    consensus: Annotated[
        str | None,
        typer.Option(
            "--class",
            help="Class to explain: seizure, lpd, gpd, lrda, grda, other.",
            show_default="the most probable",
            metavar="CLASS",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Picture to write.", show_default="RUN/explain-WINDOW.png"),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, mps.")] = "auto",
    json: Json = False,
) -> None:
    """Show what in a window a run's answer rests on, and whether that can be trusted."""
    from hmstrain.cli import explain as looking
    from hmstrain.runs.folder import RunFolder

    looking.explain(RunFolder(folder), store, row, method, consensus, out, device, as_json=json)


def view(
    path: Annotated[
        Path, typer.Argument(envvar="HMS_STORE", metavar="RUN|STORE", help="A run, or a store.")
    ] = Path("hms.zarr"),
    store: RunStore = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0: any that is free.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Browse windows on a page of this machine: filter, step, scroll, scale, explain."""
    from hmstrain.cli import explain as looking

    looking.view(path, store, port, browser=browser)
