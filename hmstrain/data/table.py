"""A store -> the table of its hand features: beside it, or where a setting says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import FeatureTable, NotAStoreError, Store
from hmsstore.json_shapes import ShapeError, entry, texts, whole
from hmsstore.reading.feature_table import LATEST, beside, command
from hmstrain.errors import DataError, RunError

if TYPE_CHECKING:
    from hmstrain.config import Config


def open_table(config: Config, store: Store) -> FeatureTable:
    """Open the table of a store's features.

    It is the one that `features` names, if that is of this store; else the one beside the store.

    Raises
    ------
    DataError
        There is none.
    StoreError
        It is damaged, or of another store.
    """
    named = Path(config.features) if config.features else None
    span = config.features_span
    path = beside(store.path.resolve(), span)
    if named is not None:
        found = FeatureTable.open(named)
        if found.identity == store.identity or not path.is_dir():
            found.check(store.identity, store.path)
            return _of_span(found, span)
    try:
        found = FeatureTable.open(path)
    except NotAStoreError:
        raise DataError(
            f"{store.path} has no table of features: run `{command(store.path, span)}`, or name "
            "the table with --set features=FOLDER."
        ) from None
    found.check(store.identity, store.path)
    return _of_span(found, span)


def _of_span(found: FeatureTable, span: str) -> FeatureTable:
    """Refuse a table of another span than the run's."""
    if found.span != span:
        raise DataError(
            f"{found.path} measures the span '{found.span}', expected '{span}': use --set "
            f"features_span={found.span}, or name another table."
        )
    return found


def older_notices(table: FeatureTable, store: Store) -> list[str]:
    """Say that a table to train on is of an older version than what is measured now."""
    if not table.older:
        return []
    return [
        f"{table.path} holds features of version {table.version}; recordings and other data are "
        f"measured in version {LATEST[table.span]}, so a run on this table cannot predict them. "
        f"`{table.measuring(store.path)}` measures it anew."
    ]


def fitted_to(described: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    """Version and columns of the features that a checkpoint was fitted to, by its description.

    Raises
    ------
    RunError
        The description does not say.
    """
    try:
        return entry(described, "features_version", whole), entry(described, "columns", texts)
    except ShapeError as error:
        raise RunError(f"The description of the checkpoint is damaged: {error}.") from None


class TableRows:
    """Rows of some columns of a store's table."""

    def __init__(self, table: FeatureTable, columns: tuple[str, ...]) -> None:
        self.table = table
        self.places = table.places(columns)
        whole = np.array_equal(self.places, np.arange(len(table.columns)))
        self._part = slice(None) if whole else self.places

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Values, float32 (N, columns), copied."""
        found = self.table.values[rows]
        return np.ascontiguousarray(found[:, self._part])
