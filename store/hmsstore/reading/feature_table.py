"""A sealed table of hand features -> its columns, tied to the store that they are of.

`hmsprep features STORE` writes such a folder::

    features.npy    float32 (windows, columns), NaN where a value is not known
    features.json   the store's identity, columns, what each is, windows that were not recorded;
                    sealed with its own SHA-256 and that of the array
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.atomic import read_whole
from hmsstore.errors import (
    DamagedStoreError,
    NewerStoreError,
    NotAStoreError,
    RequestError,
    StoreError,
)
from hmsstore.json_shapes import (
    ShapeError,
    entry,
    entry_or,
    items,
    mapping,
    one_of,
    read_json,
    text,
    texts,
    truth,
    whole,
)
from hmsstore.sums import SEAL, broken_seal, damage

FORMAT_NAME, FORMAT_VERSION = "hms-eeg features", 1
VALUES, DESCRIPTION = "features.npy", "features.json"
SPANS = WINDOW, JUDGED = "window", "judged"
"""What of windows a table measures: all that was recorded and the judged seconds, or just these."""
SUFFIXES = {WINDOW: "-features", JUDGED: "-features-judged"}
"""Where nothing else is said, the table of STORE is STORE-features."""
LATEST = {WINDOW: 2, JUDGED: 2}
"""Version of the columns that `hmsprep features` measures of each span: names, order, formulas."""


def beside(store: Path, span: str = WINDOW) -> Path:
    """Where the table of a store is, if nothing else is said."""
    return store.with_name(store.name + SUFFIXES[span])


def command(store: Path | str, span: str, *more: str) -> str:
    """The command that measures a store, to be copied."""
    of_span = [] if span == WINDOW else ["--span", span]
    return join(["hmsprep", "features", str(store), *of_span, *more])


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """A sealed table of hand features, open for reading."""

    path: Path
    identity: str
    """Of the store whose windows these are."""
    version: int
    """Of the columns: their names, order and formulas."""
    columns: tuple[str, ...]
    """MEASURE.PLACE.SPAN of each."""
    measures: Mapping[str, Mapping[str, str]]
    """Unit, formula and source of each measure."""
    values: NDArray[np.float32]
    """(windows, columns), mapped; a row for each window of the store, in its order."""
    not_recorded: NDArray[np.int64]
    """Windows without values: too little of their judged seconds was recorded."""
    observed_known: bool
    """Whether it was known which part of windows was recorded; else all was measured."""
    versions: Mapping[str, str]
    """Of the packages that decide the values."""
    span: str = WINDOW
    """What of windows was measured."""

    @classmethod
    def open(cls, path: str | Path) -> FeatureTable:
        """Open a table; both its files are compared with their checksums.

        A table that is replaced meanwhile is opened again: all of it is old, or all of it is new.

        Raises
        ------
        NotAStoreError
            There is no table, or one that another version wrote.
        DamagedStoreError
            A file is missing, cut short or changed.
        """
        folder = Path(path)

        def opened() -> FeatureTable:
            try:
                return cls._open(folder)
            except OSError as error:
                where = error.filename or folder
                raise StoreError(f"{where} cannot be opened: {error.strerror or error}.") from error

        return read_whole(folder, opened, StoreError)

    @classmethod
    def _open(cls, folder: Path) -> FeatureTable:
        value = _read(folder)
        try:
            if entry(value, "format", text) != FORMAT_NAME:
                raise ShapeError("format: another one")
            version = entry(value, "format_version", whole)
            if version > FORMAT_VERSION:
                raise NewerStoreError(
                    f"{folder} is a table of features of format version {version}; this package "
                    f"reads {FORMAT_VERSION}. Upgrade hms-eeg, or make it again."
                )
            described: dict[str, Any] = {
                "identity": entry(value, "store", text),
                "version": entry(value, "version", whole),
                "columns": entry(value, "columns", texts),
                "measures": {
                    name: {key: text(one) for key, one in mapping(about).items()}
                    for name, about in entry(value, "measures", mapping).items()
                },
                "not_recorded": np.array(
                    [whole(row) for row in entry(value, "not_recorded", items)], np.int64
                ),
                "observed_known": entry(value, "observed_known", truth),
                "span": entry_or(value, "span", one_of(SPANS), WINDOW),
                "versions": {
                    name: text(one) for name, one in entry(value, "versions", mapping).items()
                },
            }
            shape = (entry(value, "windows", whole), len(described["columns"]))
        except ShapeError as error:
            raise _damaged(folder, f"{DESCRIPTION}: {error}") from None
        return cls(path=folder, values=_values(folder, shape), **described)

    def check(self, store: str, path: Path) -> None:
        """Refuse a store that this table is not of.

        Parameters
        ----------
        store : str
            The store's identity.
        path : Path
            Where it is.

        Raises
        ------
        RequestError
            It has another identity.
        """
        if self.identity != store:
            raise RequestError(
                f"{self.path} holds features of another store ({self.identity[:12]}) than {path} "
                f"({store[:12]}). Run `{command(path, self.span, '--force')}`, or name its table."
            )

    @property
    def older(self) -> bool:
        """Whether `hmsprep features` measures a later version."""
        return self.version < LATEST[self.span]

    def measuring(self, store: Path) -> str:
        """The command that measures it anew, of its store at this path."""
        usual = self.path.resolve() == beside(store.resolve(), self.span)
        where = [] if usual else ["--out", str(self.path)]
        return command(store, self.span, *where, "--force")

    def unit(self, column: str) -> str:
        """Unit of a column; empty where it has none."""
        return self.measures[column.partition(".")[0]]["unit"]

    def places(self, columns: Sequence[str]) -> NDArray[np.int64]:
        """Where these columns are.

        Raises
        ------
        RequestError
            One is not there.
        """
        known = {name: place for place, name in enumerate(self.columns)}
        missing = [name for name in columns if name not in known]
        if missing:
            raise RequestError(
                f"{self.path} lacks {len(missing)} of {len(columns)} columns, such as "
                f"{missing[0]}: it was made by another version of hms-eeg. Run "
                f"`{command('STORE', self.span, '--force')}`."
            )
        return np.array([known[name] for name in columns], np.int64)


def _read(folder: Path) -> Any:
    path = folder / DESCRIPTION
    try:
        if not folder.is_dir():
            raise FileNotFoundError
        value = read_json(path)
    except FileNotFoundError:
        raise NotAStoreError(
            f"Expected a table of features (a folder with {DESCRIPTION}) at {folder}. Make one "
            "with `hmsprep features STORE`."
        ) from None
    except ShapeError as error:
        raise _damaged(folder, f"{DESCRIPTION} cannot be read: {error}") from None
    if not isinstance(value, dict) or SEAL not in value:
        raise _damaged(folder, f"{DESCRIPTION} has no seal")
    if problem := broken_seal(path, value):
        raise _damaged(folder, problem)
    return value


def _values(folder: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    path = folder / VALUES
    if problem := damage(path, folder / DESCRIPTION):
        raise _damaged(folder, problem)
    try:
        found: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(folder, f"{VALUES} cannot be read: {error}") from None
    if found.dtype != np.float32 or found.shape != shape:
        raise _damaged(folder, f"{VALUES} is {found.dtype} {found.shape}, expected float32 {shape}")
    return found


def _damaged(folder: Path, problem: str) -> DamagedStoreError:
    return DamagedStoreError(folder, [problem])
