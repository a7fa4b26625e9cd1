"""Stores in Google's and Azure's object stores: which place an address names, and what goes there.

Google's speaks S3's language for all that is used here, so the local S3 server stands in for it.
For Azure there is an emulator, Azurite, which npm installs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.helpers import tree_bytes
from support.s3 import SOMEBODY, Answer, Request, Wire

import hmsprep
from hmsprep import TransferError
from hmsprep.sealed.transport import objects, sending
from hmsstore import Store

pytest.importorskip("obstore", reason="obstore is not installed")

ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(b"a key of nobody's account").decode()
VERSION = "2021-08-06"


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (objects, sending):
        monkeypatch.setattr(module, "PIECE_BYTES", 300_000)


def goes_and_comes(small: Store, place: str, folder: Path) -> None:
    for compress in (False, True):
        there = f"{place}/{compress}"
        files = len(small.manifest.files)
        assert hmsprep.push(small.path, there, compress=compress).sent == files
        assert hmsprep.push(small.path, there, compress=compress).sent == 0
        hmsprep.pull(there, folder / f"{compress}.zarr")
        assert tree_bytes(folder / f"{compress}.zarr") == tree_bytes(small.path)
    with pytest.raises(TransferError, match="is no store"):
        hmsprep.pull(f"{place}/nothing", folder / "x.zarr")


def test_a_store_goes_to_google_and_comes_back(
    small: Store, wire: Wire, in_pieces: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = wire.ask

    def as_google(method: str, path: str, body: bytes = b"", headers: object = None) -> Answer:
        given = {**headers, "authorization": SOMEBODY} if isinstance(headers, dict) else headers
        answer = ask(method, path, body, given)
        answer.headers["x-goog-generation"] = "1"
        return answer

    monkeypatch.setattr(wire, "ask", as_google)
    nobody = {"client_email": "", "private_key": "", "private_key_id": "", "disable_oauth": True}
    (tmp_path / "key.json").write_text(json.dumps({**nobody, "gcs_base_url": wire.endpoint}))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "key.json"))
    monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
    assert wire.ask("PUT", "/googles").status == 200
    goes_and_comes(small, "gs://googles/data/hms.zarr", tmp_path)
    assert wire.sent("PUT", "partNumber")
    with pytest.raises(TransferError, match="there is no such bucket"):
        hmsprep.push(small.path, "gs://nosuchbucket/x")


def as_azure(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"{endpoint}/{ACCOUNT}")
    monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")


def test_an_address_of_azure_names_its_container_first(
    small: Store, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account stands in an environment variable."""
    as_azure(monkeypatch, wire.endpoint)
    asked: list[str] = []

    def nothing(request: Request) -> Answer:
        asked.append(request.path.partition("?")[0])
        return Answer(404, b"<Error><Code>ContainerNotFound</Code></Error>")

    wire.hook = nothing
    with pytest.raises(TransferError, match="there is no such container"):
        hmsprep.push(small.path, "az://box/data/hms.zarr")
    with pytest.raises(TransferError, match="there is no such container"):
        hmsprep.pull("az://box/data/hms.zarr", tmp_path / "x")
    assert set(asked) == {f"/{ACCOUNT}/box", f"/{ACCOUNT}/box/data/hms.zarr/MANIFEST.json"}


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Endpoint of Azure's emulator with a container called 'box'."""
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite is not installed (npm install -g azurite)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent",
            "--skipApiVersionCheck", "--disableTelemetry",
            "--location", str(tmp_path_factory.mktemp("azurite")),
        ],
        env={"PATH": str(Path(shutil.which("node") or "/usr/bin/node").parent),
             "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while process.poll() is None:
            try:
                _make_container(port, "box")
                break
            except ConnectionError:
                time.sleep(0.1)
        assert process.poll() is None, "azurite has ended"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _make_container(port: int, name: str) -> None:
    """Sign by the shared key, as "Authorize with Shared Key" of Azure's documentation says."""
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    signed = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{VERSION}\n"
    signed += f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    sum_ = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-date": date,
        "x-ms-version": VERSION,
        "authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(sum_).decode()}",
        "content-length": "0",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("PUT", f"/{ACCOUNT}/{name}?restype=container", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 201, answer.read()
    finally:
        connection.close()


def test_a_store_goes_to_azure_and_comes_back(
    small: Store, azurite: str, in_pieces: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_azure(monkeypatch, azurite)
    goes_and_comes(small, "az://box/data/hms.zarr", tmp_path)
