"""A run to browse, trained once for all tests of the page."""

from __future__ import annotations

import pytest
from support.runs import train_small

from hmsstore import Store
from hmstrain.reporting.browse.browser import Browser, open_browser
from hmstrain.runs.folder import RunFolder


@pytest.fixture(scope="session")
def folder(store: Store, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run."""
    path = tmp_path_factory.mktemp("run") / "one"
    train_small(store, path, epochs=1)
    return RunFolder(path)


@pytest.fixture(scope="session")
def browser(folder: RunFolder) -> Browser:
    """That run and its store."""
    return open_browser(folder.path)
