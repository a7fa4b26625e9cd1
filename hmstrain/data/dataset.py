"""A store as a plain torch Dataset, for those with a training loop of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.utils.data import Dataset

from hmsstore import SIGNALS, Store


class WindowDataset(Dataset[dict[str, Any]]):
    """Windows of a store, one by one or a whole batch in one call.

    `torch.utils.data.DataLoader(dataset, batch_size=32)` finds `__getitems__` and asks for whole
    batches; give it `collate_fn=WindowDataset.collate`, which passes them on as they are.

    Each item is a dict: float16 'eeg' (10000, 20), float16 'spectrogram' (300, 400), as stored;
    float32 'target' (6,); int64 'row' and 'patient_id'.

    Parameters
    ----------
    store : Store
        It pickles as its path, so worker processes map it for themselves.
    rows : integers (N,)
        Such as `store.select("train", fold=0)`.
    signals : sequence of str
        'eeg', 'spectrogram' or both.
    """

    def __init__(
        self, store: Store, rows: ArrayLike, signals: Sequence[str] = tuple(SIGNALS)
    ) -> None:
        self.store = store
        self.rows = np.asarray(rows, np.int64)
        self.signals = tuple(signals)

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        """One window."""
        batch = self.__getitems__([place])
        return {name: value[0] for name, value in batch.items()}

    def __getitems__(self, places: Sequence[int]) -> dict[str, Any]:
        """A batch of windows as one dict of tensors, each with a batch axis in front."""
        rows = self.rows[np.asarray(places, np.int64)]
        batch = self.store.gather(rows, self.signals)
        table = self.store.windows
        return {name: torch.from_numpy(array) for name, array in batch.items()} | {
            "target": torch.from_numpy(table["target"][rows]),
            "row": torch.from_numpy(rows),
            "patient_id": torch.from_numpy(table["patient_id"][rows]),
        }

    @staticmethod
    def collate(batch: dict[str, Any]) -> dict[str, Any]:
        """Pass a batch on: it is one already."""
        return batch
