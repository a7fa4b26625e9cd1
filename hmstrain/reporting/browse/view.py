"""A run or a store -> its page, served on this machine until it is interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hmsstore import Store
from hmstrain.events import silent
from hmstrain.models.trust import Trust, check_names
from hmstrain.reporting.browse.browser import open_browser


def view_windows(
    path: Path | str,
    *,
    store: Path | str | None = None,
    port: int = 0,
    trust: Trust = False,
    labels: Path | str = "labels",
    started: Callable[[str, Store], object] = silent,
) -> None:
    """Serve a page to browse windows, on 127.0.0.1 only, until it is interrupted (Ctrl-C).

    Parameters
    ----------
    path : path
        A run, or a store.
    store : path, optional
        Of a run; by default, the one that it was trained on.
    port : int
        0: any that is free.
    trust : bool, str or sequence of str
        As of `hmstrain.predict`: only to explain windows is a run's network made.
    labels : path
        Folder for label files; made with the first mark.
    started : callable, optional
        Called once the page can be opened, with its address and the store.

    Raises
    ------
    StoreError
        The store cannot be opened.
    DataError
        The run's predictions are of another store.
    RunError
        The port is taken.
    ModuleNotFoundError
        bokeh is not installed.
    """
    opened = open_browser(Path(path), None if store is None else Path(store))
    check_names([] if opened.run is None else [opened.run.config().model], trust)
    from hmstrain.reporting.browse.serve import make_server
    from hmstrain.reporting.served import address, run_until_stopped

    server = make_server(opened, port, trust, Path(labels))
    run_until_stopped(server, lambda: started(address(server), opened.store))
