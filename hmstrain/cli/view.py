"""`hmstrain view`: browse a store, or a run's answers on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hmstrain.cli.options import Json, LogFile, OwnModels, Quiet, RunStore, TrustIn, option, trusted

if TYPE_CHECKING:
    from hmsstore import Store


def view(
    path: Annotated[
        Path, typer.Argument(envvar="HMS_STORE", metavar="RUN|STORE", help="A run, or a store.")
    ] = Path("hms.zarr"),
    store: RunStore = None,
    port: Annotated[
        int,
        option("--port", None, "Port; 0: any that is free.", metavar="N", min=0, max=65535),
    ] = 0,
    browser: Annotated[
        bool,
        option("--browser/--no-browser", None, "Open the page in a browser. [default: browser]"),
    ] = True,
    model: OwnModels = None,
    trust: TrustIn = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Browse windows on a page of this machine.

    Filter, step, scroll, scale, and press `e` to explain. The page is served on
    localhost until Ctrl-C, to whoever has its address, which holds a secret token.
    """
    import webbrowser
    from tempfile import TemporaryDirectory

    from hmstrain.cli import console

    def started(address: str, opened: Store) -> None:
        from hmstrain.cli.opened import LEAK

        if opened.leaks:
            console.warn(LEAK)
        if json:
            console.print_json({"address": address, "store": str(opened.path)})
        console.note(f"{opened.path.name} is at {address}. Press Ctrl-C to stop.")
        if browser:
            webbrowser.open(_leading_to(address, Path(folder)).as_uri())

    with (
        console.reporting(quiet=quiet, log_file=log_file),
        TemporaryDirectory(prefix="hmstrain-view-") as folder,
    ):
        from hmstrain.reporting.browse.view import view as serve

        serve(path, store=store, port=port, trust=trusted(trust, model), started=started)


def _leading_to(address: str, folder: Path) -> Path:
    """Write a page that leads to an address: the command line of a browser is seen by everybody."""
    page = folder / "view.html"
    page.write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">'
        f'<a href="{address}">hmstrain view</a>\n'
    )
    return page
