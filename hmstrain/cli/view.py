"""`hmstrain view`: browse a store, or read a recording, with the answers of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hmstrain.cli.options import (
    Json,
    LogFile,
    OwnModels,
    Quiet,
    RunStore,
    TrustIn,
    option,
    reads_recordings,
    trusted,
)

if TYPE_CHECKING:
    from hmsstore import Store
    from hmstrain.reading.coming import Readable

READ = "Reading a recording"


@reads_recordings
def view(
    path: Annotated[
        Path,
        typer.Argument(
            envvar="HMS_STORE",
            metavar="RUN|STORE|RECORDING",
            help="A run, a store, a recording, or a folder of `hmsprep import`.",
        ),
    ] = Path("hms.zarr"),
    more: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[MORE]...", help="More of these, in any order.", show_default=False
        ),
    ] = None,
    store: RunStore = None,
    port: Annotated[
        int,
        option("--port", None, "Port; 0: any that is free.", metavar="N", min=0, max=65535),
    ] = 0,
    browser: Annotated[
        bool,
        option("--browser/--no-browser", None, "Open the page in a browser. [default: browser]"),
    ] = True,
    recording: Annotated[
        str | None,
        option("--recording", READ, "The recording, if an import has several.", metavar="FILE"),
    ] = None,
    alias: Annotated[
        str | None,
        option(
            "--alias",
            READ,
            "Name to show instead of the file's, if that identifies a patient.",
            metavar="NAME",
        ),
    ] = None,
    labels: Annotated[
        Path, option("--labels", READ, "Folder for marks. [default: labels]", metavar="FOLDER")
    ] = Path("labels"),
    cache: Annotated[
        Path | None,
        option(
            "--cache",
            READ,
            "Folder that keeps imports. [default: the user's cache]",
            metavar="FOLDER",
        ),
    ] = None,
    clear_cache: Annotated[
        bool,
        option("--clear-cache", READ, "Delete all cached recordings, and exit."),
    ] = False,
    importing: Any = None,
    model: OwnModels = None,
    trust: TrustIn = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Look at windows or a recording on a page of this machine.

    Browse a store window by window; read and mark a recording page by page below
    its trends; runs add their answers. The page is served on 127.0.0.1 until Ctrl-C,
    at an address with a secret token.
    """
    import webbrowser
    from tempfile import TemporaryDirectory

    from hmstrain.cli import console

    if clear_cache:
        with console.reporting(quiet=quiet, log_file=log_file):
            _clear(cache, json=json)
        return

    def started(address: str, opened: Store | Readable) -> None:
        from hmsstore import Store
        from hmstrain.cli.opened import LEAK

        name = opened.path.name if isinstance(opened, Store) else alias or opened.name
        if isinstance(opened, Store):
            if opened.leaks:
                console.warn(LEAK)
            shown = {"store": str(opened.path)}
        else:
            for sentence in opened.warnings:
                console.warn(sentence)
            shown = {"recording": name}
        if json:
            console.print_json({"address": address, **shown})
        console.note(f"{name} is at {address}. Press Ctrl-C to stop.")
        if browser:
            webbrowser.open(_leading_to(address, Path(folder)).as_uri())

    with (
        console.reporting(quiet=quiet, log_file=log_file),
        TemporaryDirectory(prefix="hmstrain-view-") as folder,
    ):
        from hmstrain.reading.view import view as serve

        serve(
            path, *(more or ()), store=store, port=port, trust=trusted(trust, model),
            recording=recording, alias=alias, labels=labels, cache=cache, importing=importing,
            started=started,
        )  # fmt: skip


def _clear(cache: Path | None, *, json: bool) -> None:
    """Empty the cache of recordings."""
    from hmstrain.cli import console
    from hmstrain.reading.cache import clear_cache, default_cache

    freed = clear_cache(cache)
    if json:
        console.print_json({"cache": str(cache or default_cache()), "bytes": freed})
    console.note(f"Removed {freed / 1e6:,.1f} MB from {cache or default_cache()}.")


def _leading_to(address: str, folder: Path) -> Path:
    """Write a page that leads to an address: the command line of a browser is seen by everybody."""
    page = folder / "view.html"
    page.write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">'
        f'<a href="{address}">hmstrain view</a>\n'
    )
    return page
