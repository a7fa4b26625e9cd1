"""A store or a table -> votes and patients by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import HMS, PatternClass, Store
from hmsstore.manifest import MANIFEST_NAME
from hmstrain.errors import DataError
from hmstrain.scoring.answers import columns as named
from hmstrain.scoring.answers.tables import Table, read_table
from hmstrain.scoring.formulas import Floats

PERCENT = 100
SUM_OF_SHARES = 1e-3
"""Shares of votes may differ from 1 by this much in sum: they are rounded in files."""


@dataclass(frozen=True)
class Votes:
    """Votes of some rows."""

    shares: Floats
    """(N, K) votes over their sum; NaN where a row has none."""
    counts: Floats
    """(N,) how many voted; 0 of a row without votes, NaN where only shares are known."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N,) whether there are any."""
        return np.asarray(np.isfinite(self.shares).all(axis=1))


@dataclass(frozen=True)
class Truth:
    """Labelled windows by id, each once."""

    path: Path
    ids: dict[str, NDArray[Any]]
    votes: Votes
    consensus: NDArray[np.int64] | None = None
    """(N,) expert consensus; -1 where it is not said."""
    patient: NDArray[Any] | None = None
    offset_s: Floats | None = None
    """(N,) start of each window in its recording."""
    classes: tuple[PatternClass, ...] = HMS.classes
    store: Store | None = None
    warnings: list[str] = field(default_factory=list)
    """What the store says against scores on it."""


def read_truth(
    path: Path | str | Store, *, id_column: str | None = None, patient_column: str | None = None
) -> Truth:
    """Read votes from a store, or from a table with columns such as train.csv's.

    Parameters
    ----------
    path : Store or path
    id_column, patient_column : str, optional
        Columns of a table that identify a row, and what is resampled, if it has them.

    Raises
    ------
    StoreError
        The store cannot be opened.
    DataError
        The table has no ids, no votes, or cannot be read.
    """
    if isinstance(path, Store):
        return _of_store(path)
    path = Path(path)
    if (path / MANIFEST_NAME).is_file():
        return _of_store(Store.open(path))
    return _of_table(path, id_column, patient_column)


def votes_of(path: Path, table: Table, columns: Sequence[str]) -> Votes:
    """Votes of a table, as counts or as shares: of the two, what all its rows are.

    Raises
    ------
    DataError
        Votes are negative or infinite, or neither counts nor shares.
    """
    values = np.column_stack([table.numbers(name) for name in columns])
    empty = np.isnan(values).all(axis=1) | (values == 0).all(axis=1)
    _refuse_rows(path, table, np.asarray((values < 0).any(axis=1)), "negative votes")
    with np.errstate(over="ignore"):
        sums = values.sum(axis=1)
    _refuse_rows(path, table, ~empty & ~np.isfinite(sums), "votes that are missing or infinite")
    if in_percent(sums[~empty], len(columns)):
        raise DataError(
            f"{path}: the votes of a row sum to 100, as percent do: save their counts, or shares "
            "that sum to 1."
        )
    known = values[~empty]
    whole = (known == np.floor(known)).all()
    shares = bool((np.abs(sums[~empty] - 1) <= SUM_OF_SHARES).all())
    if not shares and in_percent(PERCENT * sums[~empty], len(columns)):
        raise DataError(
            f"{path}: shares of votes are rounded too far to sum to 1: save them with four "
            "decimals, or save counts."
        )
    if not whole and not shares:
        odd = ~empty & (np.abs(sums - 1) > SUM_OF_SHARES)
        _refuse_rows(path, table, odd, "votes that are neither counts nor shares that sum to 1")
    counts = np.where(empty, 0.0, np.nan if shares else sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(empty[:, None], np.nan, values / sums[:, None])
    return Votes(found, counts)


def in_percent(sums: Floats, classes: int) -> bool:
    """Whether rows sum to 100: most of them, and the others nearly, as rounded percent do."""
    off = np.abs(sums - PERCENT)
    return bool(len(sums) and off.max() <= classes / 2 + SUM_OF_SHARES and np.median(off) < 0.5)


def _of_store(store: Store) -> Truth:
    windows = store.windows
    votes = windows["votes"][:].astype(np.float64)
    counts = votes.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(counts[:, None] > 0, votes / counts[:, None], np.nan)
    warnings = list(store.info["warnings"])
    if store.leaks:
        warnings.append(f"Patients leak between training and test of {store.path}.")
    return Truth(
        path=store.path,
        ids=_ids_of_store(store),
        votes=Votes(shares, counts),
        consensus=windows["expert_consensus"][:].astype(np.int64),
        patient=windows["patient_id"][:],
        offset_s=windows["eeg_offset_s"][:].astype(np.float64),
        classes=store.spec.classes,
        store=store,
        warnings=warnings,
    )


def _ids_of_store(store: Store) -> dict[str, NDArray[Any]]:
    """Ids that its windows have: -1 stands for one that was not given."""
    found = {name: store.windows[name][:].astype(np.int64) for name in named.IDS}
    return {name: values for name, values in found.items() if (values >= 0).all()}


def _of_table(path: Path, id_column: str | None, patient_column: str | None) -> Truth:
    more = tuple(name for name in (id_column, patient_column) if name is not None)
    keep = partial(named.is_wanted, class_keys=HMS.class_keys, more=more)
    table = read_table(path, keep, named.OF_ROWS)
    columns = named.find(path, table.header, HMS.class_keys, named.VOTES)
    if columns is None:
        raise DataError(
            f"{path} has no votes: expected the columns "
            f"{', '.join(named.VOTES.format(key) for key in HMS.class_keys)}."
        )
    names = named.IDS if id_column is None else (id_column, *named.IDS)
    ids = {name: table.ids(name) for name in names if name in table}
    if not any(all(name in ids for name in key) for key in ((id_column,), *named.KEYS)):
        raise DataError(
            f"{path} has no ids: expected {named.LABEL}, or {named.EEG} and {named.SUB}, or the "
            "column that --id names."
        )
    patient = named.PATIENT
    if patient_column is not None and patient_column in table:
        patient = patient_column
    consensus = None
    if named.CONSENSUS in table:
        titles = {one.title.casefold(): place for place, one in enumerate(HMS.classes)}
        said = (str(cell).strip().casefold() for cell in table.columns[named.CONSENSUS])
        consensus = np.asarray([titles.get(one, -1) for one in said], np.int64)
    return Truth(
        path=path,
        ids=ids,
        votes=votes_of(path, table, columns),
        consensus=consensus,
        patient=table.ids(patient) if patient in table else None,
        offset_s=table.numbers(named.OFFSET) if named.OFFSET in table else None,
    )


def _refuse_rows(path: Path, table: Table, bad: NDArray[np.bool_], what: str) -> None:
    if bad.any():
        rows = "1 row has" if bad.sum() == 1 else f"{bad.sum():,} rows have"
        first = int(np.flatnonzero(bad)[0]) + table.first_line
        raise DataError(f"{path}: {rows} {what}, the first is row {first}.")
