"""A store -> the table of its hand features: beside it, or where a setting says."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsstore import FeatureTable, NotAStoreError, Store
from hmsstore.reading.feature_table import WINDOW, beside
from hmstrain.errors import DataError

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
            f"{store.path} has no table of features: run `hmsprep features {quote(str(store.path))}"
            f"{'' if span == WINDOW else f' --span {span}'}`, or name the table with --set "
            "features=FOLDER."
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
