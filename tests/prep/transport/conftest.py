"""A store of six windows, and a local S3 server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.helpers import six_windows
from support.s3 import Wire, s3_server

from hmsstore import Store


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    pytest.importorskip("moto", reason="moto is not installed")
    with s3_server() as port:
        yield port


@pytest.fixture
def wire(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A way to the server; this process and its children go it."""
    made = Wire(port)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    yield made
    made.close()


@pytest.fixture
def place(wire: Wire) -> str:
    """An address in a new bucket."""
    return f"s3://{wire.new_bucket()}/data/hms.zarr"


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Six windows in six shards."""
    return six_windows(tmp_path_factory.mktemp("small"), 0)
