"""A finished run that the commands of one module look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.runs import train_small

from hmsstore import Store


@pytest.fixture(scope="module")
def run(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "run"
    train_small(store, path, inputs="spec+eeg")
    return path
