"""A browser of windows -> its page, served to whoever on this machine has its token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bokeh.server.server import Server

from hmsstore.view import Importance
from hmstrain.models import find_model
from hmstrain.models.trust import Trust
from hmstrain.reporting.browse.answering import answerer
from hmstrain.reporting.browse.app import Explain, Viewer
from hmstrain.reporting.browse.browser import Browser
from hmstrain.reporting.served import serve_pages


def make_server(browser: Browser, port: int = 0, trust: Trust = False) -> Server:
    """Make a server of the page; port 0 takes any free port.

    Raises
    ------
    RunError
        The port is in use.
    """
    explain = explainer(browser, trust)
    answer = answerer(browser, trust)
    return serve_pages(lambda: Viewer(browser, explain, answer), port)


def explainer(browser: Browser, trust: Trust = False) -> Explain | None:
    """Give a function that explains a window by the run's network; None where there is none.

    It explains the class that the page shows as the most probable. In a run of several
    networks, it uses the one that held out the window's fold, or the first if none did, and the
    note says which: the page's probabilities of test windows are means over all of them.
    """
    run = browser.run
    if run is None or find_model(run.config().model).table:
        return None
    loaded: dict[str, Any] = {}

    def explain(row: int) -> Importance:
        import torch

        from hmstrain.reporting.attribution import as_importance, explain_window
        from hmstrain.runs.folder import RunFolder
        from hmstrain.runs.trained import load_trained

        part = run.network_for(int(browser.store.windows["fold"][row])).path
        if part.name not in loaded:
            loaded[part.name] = load_trained(RunFolder(part), torch.device("cpu"), trust=trust)
        trained = loaded[part.name]
        target = int(browser.prediction[row].argmax()) if browser.predicted[row] else None
        found = as_importance(explain_window(trained, browser.store, row, None, target), trained)
        if part == run.path:
            return found
        return replace(found, note=f"{found.note}. From the network of {part.name} only")

    return explain
