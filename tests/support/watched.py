"""A store that notes whose windows are read, and may refuse to say what raters saw."""

from __future__ import annotations

from collections import UserDict
from pathlib import Path
from typing import Any

import numpy as np

from hmsstore import SPLITS, Store


class Blind(UserDict[str, Any]):
    """The window table without the columns of votes."""

    def __getitem__(self, key: str) -> Any:
        assert key not in ("votes", "target"), "votes are read"
        return super().__getitem__(key)


class Watched(Store):
    """A store whose `seen` are the rows that were gathered."""

    @classmethod
    def watch(cls, path: Path, *, blind: bool = False, unlabelled: bool = False) -> Watched:
        found = cls.open(path)
        assert isinstance(found, Watched)
        found.seen = []
        if unlabelled:
            split = np.full_like(found.windows["split"], SPLITS.index("predict"))
            found.windows = {**found.windows, "split": split, "fold": np.full_like(split, -1)}
            found.info = {**found.info, "split": {**found.info["split"], "folds": 0}}
        if blind:
            found.windows = Blind(found.windows)
        return found

    seen: list[int]

    def gather(self, rows: Any, *given: Any, **named: Any) -> Any:
        self.seen += np.asarray(rows).tolist()
        return super().gather(rows, *given, **named)

    @property
    def seen_patients(self) -> set[int]:
        return set(self.windows["patient_id"][np.unique(self.seen)].tolist())

    def patients(self, split: str, fold: int | None = None) -> set[int]:
        return set(self.windows["patient_id"][self.select(split, fold=fold)].tolist())
