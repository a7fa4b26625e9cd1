"""Pages of Bokeh -> a server on this machine's loopback address, for whoever has its token.

Every user of a machine can connect to its loopback address, and so can any page that a browser has
open. The page therefore lies under a secret name of 256 bits, new for each server. Its
address has 127.0.0.1, not localhost, which browsers look for at ::1 first: another user could
listen there and be told the name. No cookie is set or read: those of other ports of the machine
would be shared with it.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler
from bokeh.document import Document
from bokeh.models import CustomJS
from bokeh.server.server import Server
from tornado.httputil import HTTPServerRequest
from tornado.web import Application as Requests
from tornado.web import ErrorHandler

from hmstrain.errors import RunError

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 32
"""Of the secret name."""
MEANWHILE_S = 2.0
"""Time after a request at which the next page is made ready."""
LOST = """
if (!window.hmsLost) {
  window.hmsLost = true
  document.getElementById("lost").hidden = false
  const wait = () => setTimeout(async () => {
    const found = await fetch("static/js/bokeh.min.js", {method: "HEAD", cache: "no-store"})
      .catch(() => null)
    if (found?.ok) location.reload()
    else wait()
  }, 1000)
  if (!Bokeh.documents[0]?.get_model_by_name("initials")?.value) wait()
}
"""
"""Says that the program behind the page does not answer, and reloads the page once it does.

A page of windows whose reader has signed waits for them: a new page shows votes until they sign.

Bokeh connects again by itself, but with new models, of which the scripts of the page know nothing,
and with none at all if they hold arrays: keys and buttons would do nothing.
"""


class Attachable(Protocol):
    """A page that was made before it is requested."""

    def attach_to(self, document: Document) -> None:
        """Put the page into a document."""
        ...


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


def serve_pages(make: Callable[[], Attachable], port: int = 0) -> Server:
    """Make a server for whoever on this machine has its token; port 0 takes any free port.

    Parameters
    ----------
    make : callable
        Makes the page of one reader; the next one is always made before it is requested.
    port : int

    Raises
    ------
    RunError
        The port is in use.
    """
    spare = [make()]

    def page(document: Document) -> None:
        (spare.pop() if spare else make()).attach_to(document)
        document.js_on_event("connection_lost", CustomJS(code=LOST))
        server.io_loop.call_later(MEANWHILE_S, make_ready)

    def make_ready() -> None:
        if not spare:
            spare.append(make())

    try:
        server = Server(
            {"/": Application(FunctionHandler(page))},
            address=LOOPBACK,
            port=port,
            prefix=f"/{secrets.token_urlsafe(TOKEN_BYTES)}",
            include_cookies=[],
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise RunError(f"Port {port} is in use: choose another --port, or leave it out.") from None
    server._tornado.websocket_origins.update(own_hosts(server.port))
    refuse_others(server._tornado, server.port)
    return server


def address(server: Server) -> str:
    """URL of the page, with its token."""
    return f"http://{LOOPBACK}:{server.port}{server.prefix}/"


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
