"""A local S3 server (moto's, in a process of its own), and a wire to it that tests can hold."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""
HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}
NUMBERS = count()
SOMEBODY = (
    "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=0"
)
"""The server looks whether there is a signature, not at it."""

Hook = Callable[["Request"], "Answer | None"]


@dataclass
class Request:
    method: str
    path: str
    """With the bucket, and the query."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    """What the wire gives in place of the server's answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stated: int | None = None
    """Length that it claims, if that is not so; the connection is closed then."""


class Wire:
    """Passes requests on to a server, notes them, and lets a hook answer in its place."""

    def __init__(self, port: int) -> None:
        self.requests: list[Request] = []
        self.hook: Hook | None = None
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: Any) -> None:
                pass

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                request = Request(self.command, self.path, dict(self.headers))
                wire.requests.append(request)
                answer = wire.hook(request) if wire.hook else None
                if answer is None:
                    answer = wire.ask(self.command, self.path, body, request.headers)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                head = answer.headers.get("content-length") if self.command == "HEAD" else None
                self.send_header("content-length", head or str(answer.stated or len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = answer.stated is not None

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on

        self.port = port
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def ask(self, method: str, path: str, body: bytes = b"", headers: Any = None) -> Answer:
        """Ask the server itself."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {"authorization": SOMEBODY})
            given = connection.getresponse()
            named = {name.lower(): value for name, value in given.getheaders()}
            return Answer(given.status, given.read(), named)
        finally:
            connection.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def new_bucket(self) -> str:
        """Make a bucket."""
        name = f"bucket-{next(NUMBERS)}"
        assert self.ask("PUT", f"/{name}").status == 200
        return name

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Every object of a bucket with its content."""
        listed = self.ask("GET", f"/{bucket}?list-type=2").body.decode()
        names = re.findall("<Key>(.*?)</Key>", listed)
        return {name: self.ask("GET", f"/{bucket}/{name}").body for name in names}

    def put(self, path: str, content: bytes) -> None:
        assert self.ask("PUT", f"/{path}", content).status == 200

    def environment(self) -> dict[str, str]:
        """Variables that lead obstore here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def sent(self, method: str, part: str = "") -> list[str]:
        """Paths of the requests of a kind."""
        return [one.path for one in self.requests if one.method == method and part in one.path]


@contextmanager
def s3_server() -> Iterator[int]:
    """Port of a server that runs while the block does."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"S3_UPLOAD_PART_MIN_SIZE": "1000"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        words = process.stdout.readline().split()
        assert words, "the server did not start"
        yield int(words[1])
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()
