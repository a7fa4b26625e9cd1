"""`hmstrain explain`: why a run predicts what it does for one window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import (
    DeviceIn,
    Json,
    LogFile,
    OwnModels,
    Quiet,
    RunIn,
    RunStore,
    TrustIn,
    option,
    trusted,
)


def explain(
    folder: RunIn,
    row: Annotated[int, typer.Argument(metavar="WINDOW", help="Row of the window table.", min=0)],
    store: RunStore = None,
    method: Annotated[
        str | None,
        option(
            "--method",
            None,
            "Grad-CAM, for convolutions; or integrated gradients, for any network. [default: "
            "gradcam if possible]",
            metavar="gradcam|gradients",
        ),
    ] = None,
    consensus: Annotated[
        str | None,
        option(
            "--class",
            None,
            "Class to explain: seizure, lpd, gpd, lrda, grda, other. [default: the most probable]",
            metavar="CLASS",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        option("--out", None, "Picture. [default: RUN/explain-WINDOW.png]", metavar="FILE"),
    ] = None,
    device: DeviceIn = "auto",
    model: OwnModels = None,
    trust: TrustIn = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Explain one prediction, and test the explanation.

    What the answer rests on is drawn over the window, after a test of whether
    that explanation holds.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.cli.opened import store_of_run
        from hmstrain.reporting.explain import explain as explain_row

        found = explain_row(
            folder,
            row,
            store=store_of_run(folder, store),
            method=method,
            pattern=consensus,
            out=out,
            device=device,
            trust=trusted(trust, model),
        )
        if json:
            console.print_json(found.to_json())
        else:
            console.print_text(found.text)
        console.note(f"Wrote {found.picture}.")
