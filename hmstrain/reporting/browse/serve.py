"""A browser of windows -> a page on this machine's loopback address, for whoever has its token.

Every user of a machine can connect to its loopback address, and so can any page that a browser has
open. The page therefore lies under a secret name of 256 bits, new for each server. No cookie is
set or read: those of other ports of the machine would be shared with it.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler
from bokeh.document import Document
from bokeh.server.server import Server
from tornado.httputil import HTTPServerRequest
from tornado.web import Application as Requests
from tornado.web import ErrorHandler

from hmsstore.view import Importance
from hmstrain.errors import RunError
from hmstrain.models import find_model
from hmstrain.models.trust import Trust
from hmstrain.reporting.browse.app import Explain, Viewer
from hmstrain.reporting.browse.browser import Browser

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 32
"""Of the secret name."""
MEANWHILE_S = 2.0
"""Time after a request at which the next page is made ready."""


def own_hosts(port: int) -> list[str]:
    """What a browser calls the server."""
    return [f"localhost:{port}", f"{LOOPBACK}:{port}"]


def refuse_others(requests: Requests, port: int) -> None:
    """Answer 403 to what was meant for another host, or was asked for by another host's page.

    A name can be made to lead here, and a page of anybody can ask for what is here. The page, its
    scripts, its session and its socket all come through the one function that is replaced.
    """
    hosts = own_hosts(port)
    origins = (None, *(f"http://{host}" for host in hosts))
    find = requests.find_handler

    def find_own(request: HTTPServerRequest, **more: Any) -> Any:
        if request.host in hosts and request.headers.get("Origin") in origins:
            return find(request, **more)
        return requests.get_handler_delegate(request, ErrorHandler, {"status_code": 403})

    requests.find_handler = find_own  # type: ignore[method-assign]


def make_server(browser: Browser, port: int = 0, trust: Trust = False) -> Server:
    """Make a server for whoever on this machine has its token; port 0 takes any free port.

    Raises
    ------
    RunError
        The port is in use.
    """
    explain = explainer(browser, trust)
    spare = [Viewer(browser, explain)]

    def page(document: Document) -> None:
        (spare.pop() if spare else Viewer(browser, explain)).attach_to(document)
        server.io_loop.call_later(MEANWHILE_S, make_ready)

    def make_ready() -> None:
        if not spare:
            spare.append(Viewer(browser, explain))

    try:
        server = Server(
            {"/": Application(FunctionHandler(page))},
            address=LOOPBACK,
            port=port,
            prefix=f"/{secrets.token_urlsafe(TOKEN_BYTES)}",
            include_cookies=[],
            allow_websocket_origin=None if port == 0 else own_hosts(port),
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise RunError(f"Port {port} is in use: choose another --port, or leave it out.") from None
    refuse_others(server._tornado, server.port)
    return server


def address(server: Server) -> str:
    """URL of the page, with its token."""
    return f"http://localhost:{server.port}{server.prefix}/"


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


def run_until_stopped(server: Server, started: Callable[[], object]) -> None:
    """Serve until Ctrl-C."""
    server.start()
    server.io_loop.add_callback(started)
    try:
        server.io_loop.start()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()
