"""What report, explain and view do once their options are read."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from hmsstore import CLASSES
from hmstrain.cli import console
from hmstrain.cli.run import open_store
from hmstrain.errors import ConfigError, RunError
from hmstrain.runs.folder import RunFolder


def report(folder: RunFolder, store: Path | None, out: Path | None) -> None:
    """Write a run's page."""
    from hmstrain.reporting.report import make_report
    from hmstrain.scoring.score_run import default_store

    out = out or folder.path / "report.html"
    make_report(folder, open_store(store or default_store(folder))).write(out)
    console.note(f"Wrote {out}.")


def explain(
    folder: RunFolder,
    store: Path | None,
    row: int,
    method: str | None,
    consensus: str | None,
    out: Path | None,
    device: str,
    *,
    as_json: bool,
) -> None:
    """Explain one answer of a run, and draw that over the window."""
    from hmsstore.view import draw, load_window
    from hmsstore.view.saving import save
    from hmstrain.distributed import join_world
    from hmstrain.reporting.attribution import TITLES, as_importance, described
    from hmstrain.reporting.attribution import explain as explain_window
    from hmstrain.runs.trained import load_trained
    from hmstrain.scoring.score_run import default_store

    if method not in (None, *TITLES):
        raise ConfigError(f"--method {method} does not exist: use {' or '.join(TITLES)}.")
    if consensus not in (None, *CLASSES):
        raise ConfigError(f"--class {consensus} does not exist: use {', '.join(CLASSES)}.")
    if folder.config().fold == "all":
        raise RunError(f"{folder.path} has a network for each fold: name one, {folder.path}/fold0.")
    opened = open_store(store or default_store(folder))
    out = out or folder.path / f"explain-{row}.png"
    with join_world(device) as world:
        trained = load_trained(folder, world.device)
        target = None if consensus is None else CLASSES.index(consensus)
        found = explain_window(trained, opened, row, method, target)
    window = replace(
        load_window(opened, row, found.probability), importance=as_importance(found, trained)
    )
    save(draw(window), out)
    if as_json:
        console.print_json(
            {
                "row": row,
                "method": found.method,
                "class": CLASSES[found.target],
                "probability": dict(zip(CLASSES, found.probability.tolist(), strict=True)),
                "shares": found.shares,
                "faithfulness": {
                    **asdict(found.faithfulness),
                    "holds": found.faithfulness.holds,
                },
                "picture": str(out),
            }
        )
        return
    print(described(found))
    console.note(f"Wrote {out}.")


def view(path: Path, store: Path | None, port: int, *, browser: bool) -> None:
    """Serve the page until Ctrl-C."""
    import webbrowser

    from hmstrain.reporting.browse.browser import open_browser

    opened = open_browser(path, store)
    for message in opened.store.info["warnings"]:
        console.warn(message)
    try:
        from hmstrain.reporting.browse.serve import address, make_server, run_until_stopped
    except ModuleNotFoundError as error:
        if error.name not in ("bokeh", "tornado"):
            raise
        raise RunError("bokeh is not installed. Run: pip install '.[view]'") from None
    server = make_server(opened, port)
    where = address(server)

    def started() -> None:
        console.note(f"{opened.store.path.name} is at {where}. Ctrl-C stops.")
        if browser:
            webbrowser.open(where)

    run_until_stopped(server, started)
