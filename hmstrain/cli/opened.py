"""Paths that the user names -> opened stores, and what has to be said of them."""

from __future__ import annotations

from pathlib import Path

from hmsstore import Store
from hmstrain.cli import console

LEAK = "Patients leak between this store's training and test windows: scores are too good."


def open_store(path: Path) -> Store:
    """Open a store; that its patients leak is always said."""
    store = Store.open(path)
    if store.leaks:
        console.warn(LEAK)
    return store


def store_of_run(run: Path, store: Path | None) -> Store:
    """The store that the user names, or else the one that a run was trained on."""
    from hmstrain.runs.folder import RunFolder
    from hmstrain.scoring.score_run import default_store

    return open_store(store or default_store(RunFolder(run)))
