"""train.csv, test.csv or metadata in parquet -> checked columns of windows, as NumPy arrays.

Every problem of the table is reported, not only the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hmsprep.errors import DataError, several
from hmsprep.kaggle.frames import read_csv, read_parquet
from hmsprep.words import plural
from hmsstore.spec import HMS, Spec

Columns = dict[str, NDArray[Any]]
"""A table of windows: column name as in the store -> array (windows, ...)."""

IDS = {"eeg_id": "eeg_id", "spectrogram_id": "spectrogram_id", "patient_id": "patient_id"}
OPTIONAL_IDS = {
    "eeg_sub_id": "eeg_sub_id",
    "spectrogram_sub_id": "spectrogram_sub_id",
    "label_id": "label_id",
}
OFFSETS = {
    "eeg_label_offset_seconds": "eeg_offset_s",
    "spectrogram_label_offset_seconds": "spectrogram_offset_s",
}
CONSENSUS = "expert_consensus"
EXACT = 2**53
"""Below it, floats hold every whole number."""
LONGEST_S = 1e9
"""Seconds: no recording is longer than thirty years."""


class TextTable:
    """A table as text, and the problems found in it so far."""

    def __init__(self, frame: pl.DataFrame, name: str, spec: Spec) -> None:
        self.frame = frame
        self.name = name
        self.spec = spec
        self.problems: list[str] = []

    def line(self, row: int) -> str:
        """Where a row stands, as an editor counts lines (the header is line 1)."""
        return f"line {row + 2}" if self.name.endswith(".csv") else f"row {row}"

    def refuse(self, wrong: NDArray[np.bool_], column: str, expected: str) -> None:
        """Note that the rows where `wrong` is set hold something else than `expected`."""
        rows = np.flatnonzero(wrong)
        if len(rows):
            found = self.frame[column][int(rows[0])]
            many = f" ({len(rows):,} such rows)" if len(rows) > 1 else ""
            shown = "nothing" if found is None else repr(found)
            self.problems.append(
                f"{self.line(int(rows[0]))}, {column}: expected {expected}, found {shown}{many}"
            )

    def numbers(self, column: str, expected: str) -> NDArray[np.float64]:
        """Read a column as finite floats, noting what is not; those become NaN."""
        values = self.frame[column].cast(pl.Float64, strict=False).to_numpy()
        self.refuse(~np.isfinite(values), column, expected)
        return values

    def integers(self, column: str, expected: str, absent: int | None = None) -> NDArray[np.int64]:
        """Read a column as whole numbers of at least 0; where nothing stands, `absent` if given.

        '12.0' counts as 12: pandas writes whole numbers so where some of a column are missing.
        """
        texts = self.frame[column]
        floats = texts.str.replace(r"^(\d+)\.0*$", "$1").cast(pl.Int64, strict=False)
        exact = floats.set(floats >= EXACT, None)  # of a larger one, digits may be lost
        values = texts.cast(pl.Int64, strict=False).fill_null(exact)
        empty = texts.is_null().to_numpy()
        wrong = values.is_null().to_numpy() | (values.fill_null(0).to_numpy() < 0)
        self.refuse(wrong & ~empty if absent is not None else wrong, column, expected)
        return values.fill_null(-1 if absent is None else absent).to_numpy()


def vote_columns(spec: Spec) -> tuple[str, ...]:
    """Name the columns of votes, class by class: 'seizure_vote', 'lpd_vote' ..."""
    return tuple(f"{key}_vote" for key in spec.class_keys)


VOTES = vote_columns(HMS)
"""Those of the competition."""


def read_table(content: bytes, name: str, spec: Spec = HMS) -> Columns:
    """Read and check the table of windows.

    Parameters
    ----------
    content : bytes
        A CSV or parquet file with the competition's columns. Without votes and consensus the
        windows are unlabelled; without offsets they start at 0; sub-ids and label_id may be absent.
    name : str
        Name of the file, for messages; '.parquet' at its end selects that format.
    spec : Spec
        The classes that are voted for, and the rate of the EEG.

    Returns
    -------
    dict of arrays
        The columns of the store's window table that come from this file.

    Raises
    ------
    DataError
        Listing the problems by line.
    """
    table = TextTable(read_text(content, name), name, spec)
    if table.frame.is_empty():
        raise DataError(f"{name} has no rows. Download it again.")
    label_columns = [CONSENSUS, *vote_columns(spec)]
    labelled = any(column in table.frame.columns for column in label_columns)
    required = [*IDS, *(label_columns if labelled else [])]
    if labelled or any(column in table.frame.columns for column in OFFSETS):
        required += OFFSETS
    absent = [column for column in required if column not in table.frame.columns]
    if absent:
        raise DataError(
            f"{name} lacks {plural(len(absent), 'column')}: {', '.join(absent)}. It has "
            f"{', '.join(table.frame.columns)}. Is it the competition's train.csv?"
        )
    columns: Columns = {}
    for column, target in IDS.items():
        columns[target] = table.integers(column, "an id (a whole number)")
    for column, target in OPTIONAL_IDS.items():
        columns[target] = np.full(table.frame.height, -1, np.int64)
        if column in table.frame.columns:
            columns[target] = table.integers(column, "an id (a whole number) or nothing", absent=-1)
            if target.endswith("sub_id"):
                table.refuse(columns[target] >= 2**31, column, "a number below 2^31")
    for column, target in OFFSETS.items():
        columns[target] = np.zeros(table.frame.height)
        if column in table.frame.columns:
            columns[target] = _offsets(table, column)
    if not table.problems:
        _check_relations(table, columns)
    columns["votes"], columns[CONSENSUS] = _labels(table, labelled)
    if table.problems:
        raise DataError(
            several(f"{name} has {plural(len(table.problems), 'problem')}:", table.problems)
        )
    return columns


def read_text(content: bytes, name: str) -> pl.DataFrame:
    """Read every column as text, so that a value that is not a number can be quoted."""
    if not name.endswith(".parquet"):
        return read_csv(content, name)
    frame = read_parquet(content, name)
    nested = [column for column, kind in frame.schema.items() if kind.is_nested()]
    if nested:
        raise DataError(f"{name}: column {nested[0]} holds {frame.schema[nested[0]]}, not values.")
    return frame.select(pl.all().cast(pl.String, strict=False))


def _offsets(table: TextTable, column: str) -> NDArray[np.float64]:
    offsets = table.numbers(column, "seconds")
    known = np.isfinite(offsets)
    table.refuse(
        known & ((offsets < 0) | (offsets > LONGEST_S)), column, f"0 to {LONGEST_S:,.0f} seconds"
    )
    known &= offsets <= LONGEST_S
    rate_hz = table.spec.eeg.row_rate_hz
    samples = np.where(known, offsets, 0) * rate_hz
    off_grid = np.abs(samples - np.rint(samples)) > 1e-6
    table.refuse(off_grid, column, f"a whole number of samples (of 1/{rate_hz:g} s)")
    return offsets


def _labels(table: TextTable, labelled: bool) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    rows, classes = table.frame.height, table.spec.classes
    if not labelled:
        return np.zeros((rows, len(classes)), np.int32), np.full(rows, -1, np.int8)
    votes = np.stack([_votes(table, column) for column in vote_columns(table.spec)], axis=1)
    words = table.frame[CONSENSUS].fill_null("").str.to_lowercase().to_list()
    codes = {
        word.lower(): number for number, one in enumerate(classes) for word in (one.key, one.title)
    }
    consensus = np.asarray([codes.get(word, -1) for word in words], np.int8)
    table.refuse(consensus < 0, CONSENSUS, f"one of {', '.join(table.spec.class_titles)}")
    nobody = np.flatnonzero((votes == 0).all(axis=1))
    if len(nobody):
        many = f" ({len(nobody):,} such rows)" if len(nobody) > 1 else ""
        table.problems.append(
            f"{table.line(int(nobody[0]))}: expected at least one vote, found none{many}; "
            "for unlabelled windows, leave out the consensus and vote columns"
        )
    own = votes[np.arange(rows), np.maximum(consensus, 0)]
    known = (votes >= 0).all(axis=1) & (consensus >= 0) & (votes > 0).any(axis=1)
    table.refuse(known & (own < votes.max(axis=1)), CONSENSUS, "a class with the most votes")
    return np.maximum(votes, 0).astype(np.int32), consensus


def _votes(table: TextTable, column: str) -> NDArray[np.float64]:
    """Votes of one class; -1 where the number is refused, so that it does not count as none."""
    expected = "a number of votes (0, 1, 2 ...)"
    votes = table.numbers(column, expected)
    known = np.isfinite(votes)
    whole = np.where(known, votes, 0)
    wrong = known & ((whole < 0) | (whole != np.rint(whole)) | (whole > 10_000))
    table.refuse(wrong, column, expected)
    return np.where(known & ~wrong, votes, -1)


def _check_relations(table: TextTable, columns: Columns) -> None:
    """Check that windows are distinct and that each recording has one partner and one patient."""
    frame = pl.DataFrame({name: columns[name] for name in (*IDS.values(), "eeg_offset_s")})
    again = frame.select(pl.struct("eeg_id", "eeg_offset_s").is_first_distinct()).to_series()
    doubled = np.flatnonzero(~again.to_numpy())
    if len(doubled):
        row = int(doubled[0])
        many = f" ({len(doubled):,} such rows)" if len(doubled) > 1 else ""
        table.problems.append(
            f"{table.line(row)}: the window of EEG {columns['eeg_id'][row]} at "
            f"{columns['eeg_offset_s'][row]:g} s is given twice{many}"
        )
    for one, other in (
        ("eeg_id", "spectrogram_id"),
        ("eeg_id", "patient_id"),
        ("spectrogram_id", "patient_id"),
    ):
        counts = frame.group_by(one, maintain_order=True).agg(pl.col(other).n_unique().alias("n"))
        several_partners = counts.filter(pl.col("n") > 1)
        if several_partners.height:
            first, number = several_partners.row(0)
            table.problems.append(
                f"{one} {first} has {number} different {other}s, expected one "
                f"({several_partners.height:,} such {one}s)"
            )
