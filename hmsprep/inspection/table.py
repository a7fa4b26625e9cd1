"""The table of windows -> its numbers: rows, ids, missing entries, ranges, votes, quirks."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hmsprep.kaggle.table import Columns
from hmsstore.schema import CLASSES, SPECTROGRAM
from hmsstore.windows import MANY_VOTES

Facts = dict[str, Any]
"""Numbers for people and programs alike: what JSON can hold."""


def describe_table(columns: Columns, text: pl.DataFrame) -> Facts:
    """Count what the table says.

    Parameters
    ----------
    columns : dict of arrays
        The checked table.
    text : DataFrame
        The same as it stands in the file, every column as text.

    Returns
    -------
    dict
        For JSON.
    """
    votes = columns["votes"]
    total = votes.sum(axis=1)
    facts: Facts = {
        "windows": len(total),
        "eegs": _distinct(columns["eeg_id"]),
        "spectrograms": _distinct(columns["spectrogram_id"]),
        "patients": _distinct(columns["patient_id"]),
        "labelled": int((total > 0).sum()),
        "columns": [_column(text[name]) for name in text.columns],
        "windows_per_eeg": _spread(np.unique(columns["eeg_id"], return_counts=True)[1]),
        "eegs_per_spectrogram": _spread(_eegs_per_spectrogram(columns)),
        "eegs_per_patient": _spread(_per(columns["patient_id"], columns["eeg_id"])),
        "distinct_votes": len(np.unique(np.column_stack([columns["eeg_id"], votes]), axis=0)),
        "quirks": _quirks(columns),
    }
    if facts["labelled"]:
        facts["votes"] = {
            "all": _votes(columns, total > 0),
            f"at least {MANY_VOTES}": _votes(columns, total >= MANY_VOTES),
        }
    return facts


def _distinct(ids: NDArray[Any]) -> int:
    return len(np.unique(ids))


def _column(text: pl.Series) -> Facts:
    """One column as pandas' `describe` has it: numbers by their range, words by their variety."""
    missing = int((text.is_null() | (text == "")).sum())
    fact: Facts = {"name": text.name, "missing": missing, "distinct": text.n_unique()}
    numbers = text.cast(pl.Float64, strict=False).drop_nulls()
    numbers = numbers.filter(numbers.is_finite())
    if len(numbers) and len(numbers) == len(text) - missing:
        quartiles = np.percentile(numbers.to_numpy(), (0, 25, 50, 75, 100))
        fact["range"] = [float(value) for value in quartiles]
    return fact


def _spread(counts: NDArray[Any]) -> Facts:
    """Minimum, median, 99th percentile, maximum, and how many have each count."""
    values, often = np.unique(counts, return_counts=True)
    return {
        "min": int(counts.min()),
        "median": float(np.median(counts)),
        "p99": float(np.percentile(counts, 99)),
        "max": int(counts.max()),
        "histogram": {str(v): int(n) for v, n in zip(values, often, strict=True)},
    }


def _per(groups: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many distinct members each group has."""
    pairs = np.unique(np.column_stack([groups, members]), axis=0)
    counts: NDArray[np.int64] = np.unique(pairs[:, 0], return_counts=True)[1]
    return counts


def _eegs_per_spectrogram(columns: Columns) -> NDArray[np.int64]:
    return _per(columns["spectrogram_id"], columns["eeg_id"])


def _votes(columns: Columns, chosen: NDArray[np.bool_]) -> Facts:
    """Votes and agreement of some windows.

    Agreement is the chance that two raters of a window, drawn at random, say the same: of windows
    with two votes or more, neighbours with the same votes counted once. The largest share would
    not do: of few votes it is large by chance.
    """
    votes = columns["votes"][chosen].astype(np.int64)
    total = votes.sum(axis=1)
    facts: Facts = {"windows": len(votes), "patients": _distinct(columns["patient_id"][chosen])}
    if not len(votes):
        return facts
    ties = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) > 1
    consensus = np.bincount(columns["expert_consensus"][chosen], minlength=len(CLASSES))
    tenths = np.bincount(10 * votes.max(axis=1) // total, minlength=11)
    distinct = np.unique(np.column_stack([columns["eeg_id"][chosen], votes]), axis=0)[:, 1:]
    distinct = distinct[distinct.sum(axis=1) > 1]
    raters = distinct.sum(axis=1)
    agreed = (distinct * (distinct - 1)).sum(axis=1) / (raters * (raters - 1))
    return facts | {
        "votes_by_class": dict(zip(CLASSES, votes.sum(axis=0).tolist(), strict=True)),
        "consensus_by_class": dict(zip(CLASSES, consensus.tolist(), strict=True)),
        "votes_per_window": _spread(total),
        "agreement": {
            "two raters agree": float(agreed.mean()) if len(agreed) else None,
            "unanimous": int(((votes.max(axis=1) == total) & (total > 1)).sum()),
            "ties": int(ties.sum()),
            "largest share in tenths": tenths.tolist(),
        },
    }


def _quirks(columns: Columns) -> Facts:
    """What a reader of the files has to know, and rarely expects."""
    spectrogram_rows = columns["spectrogram_offset_s"] * SPECTROGRAM.row_rate_hz
    between = columns["spectrogram_offset_s"] - columns["eeg_offset_s"]
    order = np.argsort(columns["eeg_id"], kind="stable")
    same = columns["eeg_id"][order][1:] == columns["eeg_id"][order][:-1]
    moved = np.abs(np.diff(between[order])) > 1e-6
    labels = columns["label_id"]
    given = labels[labels >= 0]
    return {
        "offsets_between_spectrogram_rows": int(
            (np.abs(spectrogram_rows - np.rint(spectrogram_rows)) > 1e-6).sum()
        ),
        "eegs_that_move_against_their_spectrogram": _distinct(
            columns["eeg_id"][order][1:][same & moved]
        ),
        "label_ids_given_twice": len(given) - _distinct(given),
    }
