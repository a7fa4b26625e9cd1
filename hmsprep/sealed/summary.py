"""A sealed store -> what it holds and how it was made, in a form to print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hmsprep.sealed.verification import gap_problems
from hmsstore import Store
from hmsstore.schema import SPLITS
from hmsstore.spec import Spec


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """What a store holds and how it was made."""

    path: Path
    identity: str
    nbytes: int
    """Bytes of all files."""
    files: int
    """Number of files."""
    counts: Mapping[str, int]
    """Windows, recordings and patients; windows of each split."""
    patients_per_split: Mapping[str, int]
    folds: tuple[int, ...]
    """Windows that each fold holds out."""
    gaps: Mapping[str, tuple[int, int]] | None
    """Signal -> number of gaps, and of recordings with any; None: a store from before gaps were
    kept."""
    leaks: bool
    """Whether a patient is in both the training and the test windows."""
    warnings: tuple[str, ...]
    """What the build warned of, and what is wrong with the tables of gaps."""
    spec: Spec
    """What the data consist of: classes, channels, rates."""
    attributes: Mapping[str, Any]
    """Everything the store says of itself: its root attributes (see FORMAT.md)."""


def info(store: str | Path = "hms.zarr") -> StoreSummary:
    """Summarise what a store holds and how it was made.

    Parameters
    ----------
    store : str or Path
        A sealed store.

    Returns
    -------
    StoreSummary

    Raises
    ------
    StoreError
        The store cannot be opened.

    Examples
    --------
    >>> hmsprep.info("hms.zarr").counts["windows"]
    106800
    """
    opened = Store.open(Path(store))
    windows = opened.windows
    return StoreSummary(
        path=opened.path,
        identity=opened.identity,
        files=len(opened.manifest.files),
        nbytes=sum(size for size, _ in opened.manifest.files.values()),
        counts=opened.info["counts"],
        patients_per_split={
            word: len(np.unique(windows["patient_id"][windows["split"] == code]))
            for code, word in enumerate(SPLITS)
        },
        folds=tuple(int((windows["fold"] == fold).sum()) for fold in range(opened.folds)),
        gaps=None
        if opened.gaps is None
        else {
            name: (len(table["start"]), len(np.unique(table["recording"])))
            for name, table in opened.gaps.items()
        },
        leaks=opened.leaks,
        warnings=(*opened.info["warnings"], *gap_problems(opened)),
        spec=opened.spec,
        attributes=opened.info,
    )
